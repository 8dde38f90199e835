"""Pictures and sound into packets, with the settings that network cameras use: no B frames, closed groups of pictures,
parameter sets before each key frame."""

from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from shilu.cameras.media import (
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    VIDEO_CLOCK_HZ,
    AccessUnit,
    AudioCodec,
    AudioFormat,
    AudioFrame,
    VideoCodec,
)
from shilu.cameras.picture import Plane
from shilu.cameras.spec import MediaSpec

AUDIO_BIT_RATE = 64_000
_AUDIO_LEAD_FRAMES = 3
"""More than an encoder's delay (AAC: one packet, Opus: a third of one) and the overlap of its transform (one more)."""

_ENCODER_NAMES = {AudioCodec.AAC: "aac", AudioCodec.OPUS: "libopus"}
_VIDEO_TIME_BASE = Fraction(1, VIDEO_CLOCK_HZ)


class VideoEncoder:
    """One picture in, its access unit out at once (no look-ahead, one thread: the same input gives the same bytes)."""

    def __init__(self, spec: MediaSpec) -> None:
        self._context = _open_video(spec)

    def encode(self, picture: Plane, pts_90k: int, force_key: bool) -> AccessUnit:
        """`picture` is I420 with the shape (height * 3 / 2, width)."""
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = pts_90k, _VIDEO_TIME_BASE
        frame.pict_type = PictureType.I if force_key else PictureType.NONE
        (packet,) = self._context.encode(frame)
        return AccessUnit(bytes(packet), pts_90k, packet.is_keyframe)


class AudioEncoder:
    """Blocks of samples in, packets out. A packet's pts says which sample it begins with once it is decoded; with AAC
    and Opus it comes out later than that sample went in."""

    def __init__(self, codec: AudioCodec) -> None:
        self._rate_hz = SAMPLE_RATE_HZ[codec]
        self._context = _open_audio(codec)

    @property
    def config(self) -> bytes:
        """AudioSpecificConfig of AAC-LC: two bytes; the encoder's "no SBR here" extension after them is left out, as
        cameras do. Empty for the other codecs."""
        return (self._context.extradata or b"")[:2] if self._context.name == "aac" else b""

    def encode(self, samples: NDArray[np.float32], pts: int) -> list[AudioFrame]:
        """`samples` is one frame's worth, `pts` its first sample's number."""
        if self._context.format.name == "fltp":
            block: NDArray[np.float32] | NDArray[np.int16] = samples
        else:
            block = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(block[None, :], format=self._context.format.name, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self._rate_hz, pts, Fraction(1, self._rate_hz)
        packets = self._context.encode(frame)
        return [AudioFrame(bytes(packet), packet.pts) for packet in packets if packet.pts is not None]


def audio_format(codec: AudioCodec) -> AudioFormat:
    return AudioFormat(codec, AudioEncoder(codec).config)


def encode_loop(codec: AudioCodec, sound: NDArray[np.float32]) -> tuple[AudioFrame, ...]:
    """One turn of a sound that repeats for ever: the packets whose pts lie in [0, samples of `sound`).

    The encoder is fed a little of the end before the start, and of the start after the end, so that neither its
    delay nor the overlap of its transform leaves a seam. `sound` must be a whole number of frames.
    """
    size = FRAME_SAMPLES[codec]
    encoder = AudioEncoder(codec)
    frames: list[AudioFrame] = []
    for number in range(-_AUDIO_LEAD_FRAMES, sound.size // size + _AUDIO_LEAD_FRAMES):
        block = sound[np.arange(number * size, (number + 1) * size) % sound.size]
        frames += encoder.encode(block, number * size)
    return tuple(frame for frame in frames if 0 <= frame.pts < sound.size)


def silent_packet(codec: AudioCodec) -> bytes:
    """One frame of silence, which may stand for any frame of the stream."""
    return encode_loop(codec, np.zeros(FRAME_SAMPLES[codec] * 4, dtype=np.float32))[-1].data


def _open_video(spec: MediaSpec) -> VideoCodecContext:
    h264 = spec.video is VideoCodec.H264
    context = av.CodecContext.create("libx264" if h264 else "libx265", "w")
    context.width, context.height, context.pix_fmt = spec.width, spec.height, "yuv420p"
    context.time_base, context.framerate = _VIDEO_TIME_BASE, Fraction(spec.fps)
    context.bit_rate = spec.kbps * 1000
    context.thread_count = 1
    private = (
        f"keyint={spec.key_interval}:min-keyint={spec.key_interval}:scenecut=0:bframes=0:open-gop=0:repeat-headers=1"
    )
    rate_ceiling = {"maxrate": f"{spec.kbps}k", "bufsize": f"{spec.kbps}k"}
    common = {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1"} | rate_ceiling
    if h264:
        context.options = common | {"x264-params": private}
    else:
        context.options = common | {"x265-params": f"{private}:log-level=error:pools=none:frame-threads=1"}
    context.open()
    return context


def _open_audio(codec: AudioCodec) -> AudioCodecContext:
    context = cast(AudioCodecContext, av.CodecContext.create(_ENCODER_NAMES.get(codec, codec.value), "w"))
    rate_hz = SAMPLE_RATE_HZ[codec]
    context.sample_rate, context.layout, context.time_base = rate_hz, "mono", Fraction(1, rate_hz)
    context.format = "fltp" if codec is AudioCodec.AAC else "s16"
    if codec in _ENCODER_NAMES:
        context.bit_rate = AUDIO_BIT_RATE
    context.open()
    return context
