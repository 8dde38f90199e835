"""Frames of sound out of RTP payloads: AAC (RFC 3640), Opus (RFC 7587) and G.711 (RFC 3551). Pure.

A frame is whole or it is not handed on; the one after a hole says so (`lost_before`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from recorder.rtsp.ticks import Ticks
from recorder.rtsp.units import AudioUnit

_MAX_HEADER_BITS = 32
_OPUS_MAX_SAMPLES = 5760  # 120 ms at 48 kHz (RFC 6716 section 3.2.5)
_OPUS_FRAME_SAMPLES = (
    *(480, 960, 1920, 2880) * 3,  # SILK
    *(480, 960) * 2,  # hybrid
    *(120, 240, 480, 960) * 4,  # CELT
)
"""RFC 6716 section 3.1, table 2: by the five bits of `config`, in samples of 48 kHz."""


class Frames(ABC):
    """One track's payloads in, frames out to `emit`."""

    def __init__(self, emit: Callable[[AudioUnit], None]) -> None:
        self._emit = emit
        self._ticks = Ticks()
        self._lost = False

    @abstractmethod
    def packet(self, data: bytes, begin: int, end: int, timestamp: int, marker: int, /) -> None:
        """One payload, `data[begin:end]`, of at least one byte."""

    def lose(self) -> None:
        """Packets are missing before the next one."""
        self._lost = True

    def _frame(self, data: bytes, timestamp: int, samples: int) -> None:
        lost, self._lost = self._lost, False
        self._emit(AudioUnit(data, timestamp, samples, lost))


@dataclass(frozen=True, slots=True)
class AacLayout:
    """Bits in an AU-header (RFC 3640 section 3.2.1.1); a packet's first has an index, the others a difference."""

    size_bits: int
    index_bits: int
    difference_bits: int

    @property
    def is_usable(self) -> bool:
        longest = self.size_bits + max(self.index_bits, self.difference_bits)
        return 0 < self.size_bits <= 16 and longest <= _MAX_HEADER_BITS


class Aac(Frames):
    """Access units of `frame_samples`, several in a packet or one over several (RFC 3640 section 3.2.3). Cameras send
    them in order: differences of the index are passed over."""

    def __init__(self, emit: Callable[[AudioUnit], None], layout: AacLayout, frame_samples: int) -> None:
        super().__init__(emit)
        self._layout = layout
        self._frame_samples = frame_samples
        self._pieces: list[bytes] = []
        self._missing_bytes = 0
        self._timestamp = 0

    def lose(self) -> None:
        super().lose()
        self._forget()

    def packet(self, data: bytes, begin: int, end: int, timestamp: int, _marker: int, /) -> None:
        sizes, at = self._sizes(data, begin, end)
        if self._missing_bytes:
            if timestamp == self._timestamp and len(sizes) == 1:
                self._continue(data[at:end])
                return
            self.lose()
        start = self._ticks.unwrap(timestamp)
        for number, size in enumerate(sizes):
            if size > end - at:
                if len(sizes) == 1:
                    self._pieces, self._missing_bytes = [data[at:end]], size - (end - at)
                    self._timestamp = timestamp
                else:
                    self.lose()
                return
            if size:
                self._frame(data[at : at + size], start + number * self._frame_samples, self._frame_samples)
            at += size

    def _continue(self, piece: bytes) -> None:
        """Section 3.2.3.1: each fragment bears the header of the whole. Its size is at most 64 KB."""
        self._pieces.append(piece)
        self._missing_bytes -= len(piece)
        if self._missing_bytes < 0 or not piece:
            self.lose()
        elif self._missing_bytes == 0:
            whole = b"".join(self._pieces)
            self._forget()
            self._frame(whole, self._ticks.unwrap(self._timestamp), self._frame_samples)

    def _forget(self) -> None:
        self._pieces, self._missing_bytes = [], 0

    def _sizes(self, data: bytes, begin: int, end: int) -> tuple[list[int], int]:
        """Sizes of the access units, and where the first one begins (section 3.2.1). None where they make no sense."""
        if end - begin < 3:
            return [], end
        header_bits = data[begin] << 8 | data[begin + 1]
        at = begin + 2 + (header_bits + 7) // 8
        if not header_bits or at > end:
            self.lose()
            return [], end
        layout = self._layout
        value = int.from_bytes(data[begin + 2 : at], "big") >> -header_bits % 8
        sizes = []
        left, index_bits = header_bits, layout.index_bits
        while left >= layout.size_bits + index_bits:
            left -= layout.size_bits
            sizes.append(value >> left & ((1 << layout.size_bits) - 1))
            left -= index_bits
            index_bits = layout.difference_bits
        return sizes, at


class Opus(Frames):
    """A packet is a frame (RFC 7587 section 4.2)."""

    def packet(self, data: bytes, begin: int, end: int, timestamp: int, _marker: int, /) -> None:
        frame = data[begin:end]
        self._frame(frame, self._ticks.unwrap(timestamp), opus_samples(frame))


def opus_samples(packet: bytes) -> int:
    """Length in samples of 48 kHz (RFC 6716 section 3.1 and 3.2.5)."""
    code = packet[0] & 3
    frames = (1, 2, 2)[code] if code < 3 else packet[1] & 0x3F if len(packet) > 1 else 1
    return min(_OPUS_FRAME_SAMPLES[packet[0] >> 3] * frames, _OPUS_MAX_SAMPLES)


class G711(Frames):
    """Samples of one byte, any number of them in a packet (RFC 3551 section 4.5.14)."""

    def __init__(self, emit: Callable[[AudioUnit], None], channels: int) -> None:
        super().__init__(emit)
        self._channels = channels

    def packet(self, data: bytes, begin: int, end: int, timestamp: int, _marker: int, /) -> None:
        self._frame(data[begin:end], self._ticks.unwrap(timestamp), (end - begin) // self._channels)
