"""Picture and sound on one time line. Pure.

RTP timestamps are the honest clock: they count the camera's own samples, but each track begins at a number of its own.
What is looked for is one number a track, where media time is 0. The rule:

1. The track that comes first begins at the `rtptime` of the PLAY answer (RFC 2326 section 12.33) if its first timestamp
   lies within RTP_INFO_S of that, else at its first timestamp. So media time is near 0 at the connection.
2. The other track is placed by `rtptime` if the first one was and arrival does not contradict, else by arrival: what
   came together belongs together.
3. When both tracks have had a sender report (RFC 3550 section 6.4.1), the sound is placed exactly, once. Two reports
   are taken together only if the camera's wall clock went between them as ours did: else it was set in between, and
   the next ones are waited for. Neither may arrival contradict.
4. Nothing moves after that, and pictures never do. Cameras step their wall clock for days; samples are not affected.

To contradict means to be more than APART_US away: arrival is coarse, but not that coarse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from recorder.rtsp.ticks import near
from recorder.rtsp.units import VIDEO_CLOCK_HZ, Kind

RTP_INFO_S = 10
APART_US = 2_000_000
REPORTS_APART_US = 500_000
"""More than bursts of reading and slewing of a clock can make; less than what setting a clock is worth."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """The camera's wall clock showed `utc_us` when its track's RTP timestamp was `timestamp`, 32 bits wide."""

    utc_us: int
    timestamp: int
    arrival_us: int


class _Seen(NamedTuple):
    timestamp: int
    arrival_us: int


class Alignment:
    """The time line of one connection. Arrival times are microseconds of one clock that is never set."""

    def __init__(self, clocks_hz: Mapping[Kind, int]) -> None:
        self._clocks_hz = clocks_hz
        self._rtp_info: Mapping[Kind, int] = {}
        self._reports: dict[Kind, SenderReport] = {}
        self._first: dict[Kind, _Seen] = {}
        self._last: dict[Kind, _Seen] = {}
        self._beside: _Seen | None = None  # the last unit of the first track when the second one began
        self._origin: dict[Kind, int] = {}  # timestamp at media time 0
        self.placed_by: Literal["nothing", "arrival", "rtp-info", "reports"] = "nothing"
        """How sound stands to pictures."""

    def announce(self, rtp_info: Mapping[Kind, int]) -> None:
        """The `rtptime` of each track that the PLAY answer names."""
        self._rtp_info = rtp_info

    def seen(self, kind: Kind, timestamp: int, arrival_us: int) -> None:
        """A unit with this unwrapped timestamp has come."""
        now = _Seen(timestamp, arrival_us)
        if kind not in self._first:
            self._beside = next(iter(self._last.values()), None)
            self._first[kind] = now
        self._last[kind] = now

    def report(self, kind: Kind, report: SenderReport) -> None:
        self._reports[kind] = report

    def sender_report(self, kind: Kind) -> SenderReport | None:
        """The last one."""
        return self._reports.get(kind)

    def media_ticks(self, kind: Kind, timestamp: int) -> int:
        """Where a unit that was seen lies on the common line: pictures in ticks of 90 kHz, sound in its clock's."""
        if len(self._origin) < len(self._first):
            self._place()
        if self.placed_by != "reports" and len(self._reports) == len(self._last) == 2:
            self._place_by_reports()
        ticks = timestamp - self._origin[kind]
        return ticks if kind == "audio" else ticks * VIDEO_CLOCK_HZ // self._clocks_hz[kind]

    def _place(self) -> None:
        kinds = list(self._first)
        if not self._origin:
            self._origin[kinds[0]] = self._first_origin(kinds[0])
        if len(kinds) == 2:
            self._origin[kinds[1]] = self._second_origin(*kinds)

    def _first_origin(self, kind: Kind) -> int:
        first = self._first[kind].timestamp
        announced = self._announced(kind)
        if announced is not None and abs(first - announced) <= RTP_INFO_S * self._clocks_hz[kind]:
            return announced
        return first

    def _second_origin(self, before: Kind, kind: Kind) -> int:
        first, beside = self._first[kind], self._beside
        by_arrival_us = self._media_us(before, beside.timestamp) + first.arrival_us - beside.arrival_us if beside else 0
        announced = self._announced(kind)
        if announced is not None and self._announced(before) == self._origin[before]:
            by_info_us = (first.timestamp - announced) * 1_000_000 // self._clocks_hz[kind]
            if abs(by_info_us - by_arrival_us) <= APART_US:
                self.placed_by = "rtp-info"
                return announced
        self.placed_by = "arrival"
        return first.timestamp - by_arrival_us * self._clocks_hz[kind] // 1_000_000

    def _announced(self, kind: Kind) -> int | None:
        rtptime = self._rtp_info.get(kind)
        return None if rtptime is None else near(self._first[kind].timestamp, rtptime)

    def _place_by_reports(self) -> None:
        pictures, sound = self._reports["video"], self._reports["audio"]
        utc_apart_us = sound.utc_us - pictures.utc_us
        if abs(utc_apart_us - (sound.arrival_us - pictures.arrival_us)) > REPORTS_APART_US:
            return
        seen, heard = self._last["video"], self._last["audio"]
        clock_hz = self._clocks_hz["audio"]
        then_us = self._media_us("video", near(seen.timestamp, pictures.timestamp)) + utc_apart_us
        origin = near(heard.timestamp, sound.timestamp) - then_us * clock_hz // 1_000_000
        heard_us = (heard.timestamp - origin) * 1_000_000 // clock_hz
        seen_us = self._media_us("video", seen.timestamp)
        if abs(heard_us - seen_us - (heard.arrival_us - seen.arrival_us)) <= APART_US:
            self._origin["audio"] = origin
            self.placed_by = "reports"

    def _media_us(self, kind: Kind, timestamp: int) -> int:
        return (timestamp - self._origin[kind]) * 1_000_000 // self._clocks_hz[kind]
