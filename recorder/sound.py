"""Sound on its way into MP4: AAC and Opus pass as they came, G.711 becomes FLAC without loss.

MP4 has no place for G.711 (ITU-T G.711); its 8-bit samples decode to 16-bit ones, and FLAC (RFC 9639) keeps those bit
for bit. Blocks are re-cut to the encoder's size, so a block of sound can span packets of the camera.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.packet import Packet

from recorder.inits import make_flac_encoder

PASSED = {"aac", "opus"}
TO_FLAC = {"pcm_alaw", "pcm_mulaw"}


@dataclass(frozen=True, slots=True)
class Block:
    """A coded block of sound; `dts` in samples per second of the track."""

    data: bytes
    dts: int


class PassedSound:
    """Sound that MP4 takes as it is."""

    def __init__(self, source: AudioStream) -> None:
        self.template = source
        self.codec = source.codec_context.name
        self.timescale = source.codec_context.sample_rate or source.rate or 48000
        # Samples in a block: 1024 of AAC (ISO/IEC 14496-3), 20 ms of Opus unless the camera says other.
        self.block_samples = source.codec_context.frame_size or (1024 if self.codec == "aac" else self.timescale // 50)

    def blocks(self, packet: "Packet[Any]", dts: int) -> Iterator[Block]:
        yield Block(bytes(packet), dts)


class FlacSound:
    """G.711 decoded and coded again as FLAC, at the camera's sample rate."""

    codec = "flac"

    def __init__(self, source: AudioStream) -> None:
        self.timescale = source.codec_context.sample_rate or 8000
        self.template = make_flac_encoder(self.timescale)
        self._encoder: AudioCodecContext = self.template.codec_context
        self._decoder = source.codec_context
        self._fifo = av.AudioFifo()
        self._next: int | None = None
        self.block_samples = self._encoder.frame_size

    def blocks(self, packet: "Packet[Any]", dts: int) -> Iterator[Block]:
        """Whole FLAC blocks that are complete with this packet, whose first sample has decode time `dts`."""
        for frame in self._decoder.decode(packet):
            if self._next is None or abs(dts - self._next) > self.timescale // 20:
                # More than 50 ms off: sound is missing or came twice. What waits is dropped with the hole around it.
                self._fifo = av.AudioFifo()
                self._next = dts
            frame.pts = None
            self._fifo.write(frame)
            self._next += frame.samples
        while (block := self._fifo.read(self.block_samples)) is not None and self._next is not None:
            start = self._next - self._fifo.samples - block.samples
            block.pts = start
            block.time_base = Fraction(1, self.timescale)
            for coded in self._encoder.encode(block):
                yield Block(bytes(coded), start)


Sound = PassedSound | FlacSound


def sound_of(stream: AudioStream) -> Sound | None:
    """How this stream's sound goes into MP4; None for a codec that the evidence format does not carry."""
    name = stream.codec_context.name
    if name in PASSED:
        return PassedSound(stream)
    if name in TO_FLAC:
        return FlacSound(stream)
    return None
