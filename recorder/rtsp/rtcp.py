"""Sender reports and farewells (RFC 3550 sections 6.4.1 and 6.6). Pure."""

import struct
from collections.abc import Callable

_HEADER = struct.Struct(">BBH")
_SENDER_INFO = struct.Struct(">IQI")  # source, NTP timestamp, RTP timestamp
_SENDER_REPORT, _BYE = 200, 203
KINDS = range(200, 208)
"""Packet types of RTCP: the second byte."""
_UNIX_S = 2_208_988_800
"""1970 counted from 1900 (RFC 5905 section 6)."""
_ERA_S = 1 << 32


def utc_us_from_ntp(ntp: int) -> int:
    """Microseconds since 1970 of a 64-bit NTP timestamp; without the top bit it is one after 2036 (RFC 4330
    section 3)."""
    seconds, fraction = ntp >> 32, ntp & 0xFFFFFFFF
    if seconds < 1 << 31:
        seconds += _ERA_S
    return (seconds - _UNIX_S) * 1_000_000 + (fraction * 1_000_000 >> 32)


class ReportReader:
    """One track's RTCP packets. `on_report` is given UTC in microseconds and the RTP timestamp of the same moment,
    `on_bye` the source that leaves."""

    def __init__(self, on_report: Callable[[int, int], None], on_bye: Callable[[int], None]) -> None:
        self._on_report, self._on_bye = on_report, on_bye

    def packet(self, data: bytes, begin: int, end: int, *_of_an_rtp_header: int) -> None:
        """A `splitter.Take`."""
        at = begin - 12
        while end - at >= 8:
            head, kind, words = _HEADER.unpack_from(data, at)
            after = at + 4 + 4 * words
            if head & 0xC0 != 0x80 or after > end:
                return
            if kind == _SENDER_REPORT and after - at >= 20:
                _, ntp, timestamp = _SENDER_INFO.unpack_from(data, at + 4)
                if ntp:  # 0: the camera has no clock
                    self._on_report(utc_us_from_ntp(ntp), timestamp)
            elif kind == _BYE and head & 0x1F and after - at >= 8:
                self._on_bye(int.from_bytes(data[at + 4 : at + 8], "big"))
            at = after
