"""Sound on its way into MP4: AAC and Opus pass as they came, G.711 becomes FLAC without loss.

MP4 has no place for G.711 (ITU-T G.711); its 8-bit samples decode to 16-bit ones, and FLAC (RFC 9639) keeps those bit
for bit. Blocks are re-cut to the encoder's size, so a block of sound can span packets of the camera.

AAC in a transport stream has a header before each block (ADTS, ISO/IEC 14496-3, 1.A.3.2). MP4 says the same once, in
its own header, so there these are taken off.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.packet import Packet

from recorder.inits import codec_name, make_encoder

PASSED = {"aac", "opus"}
TO_FLAC = {"pcm_alaw", "pcm_mulaw"}


@dataclass(frozen=True, slots=True)
class Block:
    """A coded block of sound; `dts` in samples per second of the track."""

    data: bytes
    dts: int


class PassedSound:
    """Sound that MP4 takes as it is; `adts`: without the header before each block."""

    def __init__(
        self, template: AudioStream, codec: str, timescale: int, block_samples: int, adts: bool = False
    ) -> None:
        self.template = template
        self.codec = codec
        self.timescale = timescale
        self.block_samples = self.packet_samples = block_samples
        self._adts = adts

    def blocks(self, packet: "Packet[Any]", dts: int) -> Iterator[Block]:
        data = bytes(packet)
        yield Block(_without_adts(data) if self._adts else data, dts)


class FlacSound:
    """G.711 decoded and coded again as FLAC, at the camera's sample rate."""

    codec = "flac"

    def __init__(self, decoder: AudioCodecContext) -> None:
        self.timescale = decoder.sample_rate or 8000
        self.template = make_encoder("flac", self.timescale, "stereo" if decoder.channels == 2 else "mono")
        self._encoder: AudioCodecContext = self.template.codec_context
        self._decoder = decoder
        self._fifo = av.AudioFifo()
        self._next: int | None = None
        self.block_samples = self._encoder.frame_size
        self.packet_samples = self.timescale // 50  # 20 ms in a packet of the camera, unless it does otherwise

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
    name = codec_name(stream)
    if name in TO_FLAC:
        return FlacSound(stream.codec_context)
    if name not in PASSED or not is_heard(stream):
        return None
    try:
        return _passed(stream)
    except (av.FFmpegError, ValueError):  # a kind of AAC that cannot be told; the picture is recorded without it
        return None


def _passed(source: AudioStream) -> PassedSound:
    """The sound of a stream that FFmpeg has opened."""
    context = source.codec_context
    timescale = context.sample_rate
    # Samples in a block: 1024 of AAC (ISO/IEC 14496-3), 20 ms of Opus unless the camera says other.
    block_samples = context.frame_size or (1024 if context.name == "aac" else timescale // 50)
    if context.name != "aac" or context.extradata:
        return PassedSound(source, context.name, timescale, block_samples)
    # HE-AAC is told as what its core is: at half the rate, in version 2 with one channel.
    if (context.profile or "").startswith("HE-AAC"):
        timescale, block_samples = timescale // 2, block_samples // 2
    channels = "mono" if context.profile == "HE-AACv2" else context.layout.name
    return PassedSound(make_encoder("aac", timescale, channels), "aac", timescale, block_samples, adts=True)


def is_heard(stream: AudioStream) -> bool:
    """Whether enough of a stream is known to record it: a transport stream can announce sound long before it comes."""
    return codec_name(stream) is None or stream.codec_context.sample_rate > 0


def _without_adts(data: bytes) -> bytes:
    """The block behind its header of 7 bytes, or of 9 where it has a checksum; as it is where it has no header."""
    if len(data) < 7 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return data
    return data[7 if data[1] & 1 else 9 :]
