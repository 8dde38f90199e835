"""H.265 in RTP (RFC 7798): single NAL units, aggregation packets and fragmentation units. Pure.

Decoding order numbers are passed over: NAL units are taken in the order in which they come.
"""

from collections.abc import Callable

from recorder.rtsp.pictures import Pictures
from recorder.rtsp.units import VideoUnit

_AGGREGATE, _FRAGMENT, _PACI = 48, 49, 50
_START, _END = 0x80, 0x40
_LAST_SLICE = 31


class H265(Pictures):
    def __init__(self, emit: Callable[[VideoUnit], None], don: bool) -> None:
        """`don`: there are decoding order numbers (section 4.4, sprop-max-don-diff above 0)."""
        super().__init__(emit)
        self._don_bytes = 2 if don else 0

    def packet(self, data: bytes, begin: int, end: int, timestamp: int, marker: int, /) -> None:
        # Most packets are this: a fragment from the middle of a NAL unit.
        if (
            self._pieces
            and timestamp == self._timestamp
            and not marker
            and data[begin] >> 1 & 0x3F == _FRAGMENT
            and end - begin > 3
            and data[begin + 2] < _END
        ):
            self._more(data[begin + 3 : end])
        else:
            super().packet(data, begin, end, timestamp, marker)

    def _take(self, data: bytes, begin: int, end: int) -> None:
        if end - begin < 3:
            return
        kind = data[begin] >> 1 & 0x3F
        if kind == _FRAGMENT:
            self._fragment(data, begin, end)
        elif kind < _AGGREGATE:
            self._single(data, begin, end)
        elif kind == _AGGREGATE:
            self._aggregate(data, begin + 2 + self._don_bytes, end)
        elif kind == _PACI:
            self._contradiction()

    def _single(self, data: bytes, begin: int, end: int) -> None:
        """Section 4.4.1."""
        if not self._don_bytes:
            self._unit(data[begin:end])
        elif end - begin > 4:
            self._unit(data[begin : begin + 2] + data[begin + 4 : end])

    def _fragment(self, data: bytes, begin: int, end: int) -> None:
        """Section 4.4.3."""
        header = data[begin + 2]
        if header & _START:
            at = begin + 3 + self._don_bytes
            unit_header = bytes(((data[begin] & 0x81) | (header & 0x3F) << 1, data[begin + 1]))
            self._begin(unit_header, data[at:end])
        else:
            self._more(data[begin + 3 : end])
        if header & _END:
            self._finish()

    def _aggregate(self, data: bytes, at: int, end: int) -> None:
        """Section 4.4.2: each NAL unit behind its size in 16 bits, all but the first behind a byte more of order."""
        while end - at > 2:
            size = data[at] << 8 | data[at + 1]
            at += 2
            if size > end - at:
                self._contradiction()
                return
            if size > 1:
                self._unit(data[at : at + size])
            at += size + self._don_bytes // 2

    @staticmethod
    def _is_slice(unit: bytes) -> bool:
        return unit[0] >> 1 & 0x3F <= _LAST_SLICE

    @staticmethod
    def _is_first_slice(unit: bytes) -> bool:
        """first_slice_segment_in_pic_flag (H.265 section 7.3.6.1)."""
        return len(unit) > 2 and bool(unit[2] & 0x80)
