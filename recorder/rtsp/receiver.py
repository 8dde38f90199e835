"""One track's RTP packets (RFC 3550 section 5.1): numbers watched, payloads found. Pure.

TCP neither loses nor turns round anything, so a number that leaps ahead is a hole that the camera made, and one that
lies a little back was there already or comes too late to be of use. A larger leap back, or another source, is a camera
that counts anew.
"""

from typing import Protocol

from recorder.rtsp.rtcp import KINDS as RTCP_KINDS

_MAX_LATE = 100  # numbers back that count as late (RFC 3550 appendix A.1: MAX_MISORDER), and late packets in a row
_PLAIN = 0x80  # version 2, no padding, no extension, no contributing sources


class Depacketizer(Protocol):
    def packet(self, data: bytes, begin: int, end: int, timestamp: int, marker: int, /) -> None:
        """The payload `data[begin:end]` of the next packet; `marker` is 0 or not."""

    def lose(self) -> None:
        """Packets are missing before the next one."""


class Receiver:
    def __init__(self, payload_type: int, depacketizer: Depacketizer) -> None:
        self.kinds = (payload_type, payload_type | 0x80)
        """The second bytes of this track's packets."""
        self.source: int | None = None
        self._payload_type = payload_type
        self._packet = depacketizer.packet
        self._lose = depacketizer.lose
        self._expected: int | None = None
        self._late = 0
        self._late_beside: int | None = None

    def packet(
        self, data: bytes, begin: int, end: int, head: int, kind: int, number: int, timestamp: int, source: int
    ) -> None:
        """A `splitter.Take`."""
        if (number != self._expected or source != self.source) and not self._goes_on(kind, number, source):
            return
        self._expected = (number + 1) & 0xFFFF
        if head != _PLAIN:
            begin, end = _payload(data, begin, end, head)
        if kind & 0x7F == self._payload_type and begin < end:
            self._packet(data, begin, end, timestamp, kind & 0x80)

    def _goes_on(self, kind: int, number: int, source: int) -> bool:
        """Whether an unexpected packet is taken."""
        if kind in RTCP_KINDS:
            return False  # reports that a camera sends on the wrong channel (RFC 5761 section 4 tells them so, too)
        expected, before = self._expected, self.source
        self.source = source
        if expected is None:
            return True
        if source == before and 0 < (expected - number) & 0xFFFF <= _MAX_LATE:
            self._late = self._late + 1 if self._late_beside == expected else 1
            self._late_beside = expected
            if self._late <= _MAX_LATE:
                return False
        self._lose()
        return True


def _payload(data: bytes, begin: int, end: int, head: int) -> tuple[int, int]:
    """Without contributing sources, extension (section 5.3.1) and padding; empty where they leave nothing."""
    begin += 4 * (head & 0x0F)
    if head & 0x10:
        if begin + 4 > end:
            return end, end
        begin += 4 + 4 * (data[begin + 2] << 8 | data[begin + 3])
    if head & 0x20 and begin < end:
        end -= data[end - 1]
    return begin, end
