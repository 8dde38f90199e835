"""Streams of sound as cameras send them, with the samples that they were made of."""

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import av
import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet
from numpy.typing import NDArray

Kind = Literal["pcm_alaw", "pcm_mulaw", "aac", "adts", "opus", "mp3"]

_FORMATS = {
    "pcm_alaw": ("wav", "pcm_alaw", "s16", 8000, 160),
    "pcm_mulaw": ("wav", "pcm_mulaw", "s16", 8000, 160),
    "aac": ("mp4", "aac", "fltp", 48_000, 1024),
    "adts": ("mpegts", "aac", "fltp", 48_000, 1024),
    "opus": ("matroska", "libopus", "s16", 48_000, 960),
    "mp3": ("matroska", "libmp3lame", "fltp", 48_000, 1152),
}


@dataclass(frozen=True)
class Heard:
    """`stream` as FFmpeg's demuxer gives it, and all its packets."""

    stream: AudioStream
    packets: list["Packet[Any]"]


def speech(seconds: float, rate_hz: int, seed: int = 7) -> NDArray[np.int16]:
    """Loud and soft, every level of G.711."""
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(seed).normal(0, 300, len(time))
    wave = 30_000 * np.sin(2 * np.pi * 180 * time) * np.abs(np.sin(2 * np.pi * 1.3 * time)) + noise
    return wave.clip(-32_768, 32_767).astype(np.int16)


def heard(kind: Kind, seconds: float = 1.0, channels: str = "mono", block_samples: int = 0) -> Heard:
    """`block_samples` in a packet of G.711, which has no size of its own."""
    container_format, encoder, sample_format, rate_hz, size = _FORMATS[kind]
    size = block_samples or size
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_format) as output:
        stream = output.add_stream(encoder, rate=rate_hz)
        assert isinstance(stream, AudioStream)
        stream.layout = channels
        stream.format = sample_format
        samples = speech(seconds, rate_hz)
        count = stream.codec_context.layout.nb_channels
        for start in range(0, len(samples) - size + 1, size):
            block = samples[start : start + size]
            if sample_format == "s16":
                frame = av.AudioFrame.from_ndarray(np.repeat(block, count)[None, :], format="s16", layout=channels)
            else:
                planes = np.repeat((block / 32_768).astype(np.float32)[None, :], count, axis=0)
                frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=channels)
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    buffer.seek(0)
    container = av.open(buffer, "r")
    source = container.streams.audio[0]
    if kind.startswith("pcm"):
        # The file's demuxer cuts as it likes; a camera sends blocks of one size.
        data = b"".join(bytes(packet) for packet in container.demux(source) if packet.size)
        return Heard(source, [av.Packet(data[at : at + size]) for at in range(0, len(data), size)])
    return Heard(source, [packet for packet in container.demux(source) if packet.size])
