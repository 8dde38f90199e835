"""H.264 in RTP (RFC 6184), packetization modes 0 and 1: single NAL units, STAP-A and FU-A. Pure."""

from recorder.rtsp.pictures import Pictures

_STAP_A, _STAP_B, _FU_A, _FU_B = 24, 25, 28, 29
_START, _END = 0x80, 0x40
_SLICES = (1, 2, 5)


class H264(Pictures):
    def packet(self, data: bytes, begin: int, end: int, timestamp: int, marker: int, /) -> None:
        # Most packets are this: a fragment from the middle of a NAL unit.
        if (
            self._pieces
            and timestamp == self._timestamp
            and not marker
            and data[begin] & 0x1F == _FU_A
            and end - begin > 2
            and data[begin + 1] < _END
        ):
            self._more(data[begin + 2 : end])
        else:
            super().packet(data, begin, end, timestamp, marker)

    def _take(self, data: bytes, begin: int, end: int) -> None:
        first = data[begin]
        kind = first & 0x1F
        if kind == _FU_A:
            self._fragment(data, begin, end, first)
        elif 0 < kind < _STAP_A:
            self._unit(data[begin:end])
        elif kind == _STAP_A:
            self._aggregate(data, begin + 1, end)
        elif _STAP_B <= kind <= _FU_B:
            self._contradiction()  # interleaved mode, which is never asked for (section 5.4)

    def _fragment(self, data: bytes, begin: int, end: int, indicator: int) -> None:
        """Section 5.8."""
        if end - begin < 3:
            self._contradiction()
            return
        header = data[begin + 1]
        if header & _START:
            self._begin(bytes(((indicator & 0xE0) | (header & 0x1F),)), data[begin + 2 : end])
        else:
            self._more(data[begin + 2 : end])
        if header & _END:
            self._finish()

    def _aggregate(self, data: bytes, at: int, end: int) -> None:
        """Section 5.7.1: each NAL unit behind its size in 16 bits."""
        while end - at > 2:
            size = data[at] << 8 | data[at + 1]
            at += 2
            if size > end - at:
                self._contradiction()
                return
            if size:
                self._unit(data[at : at + size])
            at += size

    @staticmethod
    def _is_slice(unit: bytes) -> bool:
        return unit[0] & 0x1F in _SLICES

    @staticmethod
    def _is_first_slice(unit: bytes) -> bool:
        """first_mb_in_slice is 0, which Exp-Golomb codes as a single 1 (H.264 sections 7.3.3 and 9.1)."""
        return len(unit) > 1 and bool(unit[1] & 0x80)
