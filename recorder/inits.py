"""The init (`ftyp` `moov`) of a run, made by FFmpeg's own muxer from what the camera says of its codecs.

Pictures: a raw key frame with its parameter sets is probed by FFmpeg, so the init describes the pictures that follow
and not what a session description promised. Sound: the stream of the camera, or the FLAC encoder, is the template.
"""

import io
from fractions import Fraction
from typing import Literal

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from evidence_store.media import Init, MediaError, parse_init
from recorder.nal import VideoCodec

_OPTIONS = {
    "movflags": "empty_moov+default_base_moof",
    "use_editlist": "0",
    "video_track_timescale": "90000",
    "brand": "iso6",
}
_RAW_FORMAT: dict[VideoCodec, str] = {"h264": "h264", "hevc": "hevc"}


def make_init(codec: VideoCodec, key_frame: bytes, sound: AudioStream | None) -> tuple[bytes, Init]:
    """The init's bytes and meaning for an Annex B `key_frame` and perhaps `sound`; raises MediaError."""
    try:
        with av.open(io.BytesIO(key_frame), format=_RAW_FORMAT[codec]) as raw:
            return _init_of(raw.streams.video[0], sound)
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise MediaError(f"the camera's parameter sets cannot be read ({error})") from error


def codec_name(stream: AudioStream | VideoStream) -> str | None:
    """FFmpeg's name of the codec; None where it has no decoder, for then PyAV gives the stream no context."""
    return getattr(stream.codec_context, "name", None)


def make_encoder(codec: Literal["flac", "aac"], rate_hz: int, channels: str) -> AudioStream:
    """An encoder of sound. It belongs to an output that is never written: only its packets and its header are used."""
    output = av.open(io.BytesIO(), "w", format="mp4", options=_OPTIONS)
    stream = output.add_stream(codec, rate=rate_hz)
    stream.layout = channels
    stream.format = "s16" if codec == "flac" else "fltp"
    stream.time_base = Fraction(1, rate_hz)
    output.start_encoding()
    return stream


def _init_of(video: VideoStream, sound: AudioStream | None) -> tuple[bytes, Init]:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options=_OPTIONS) as output:
        stream = output.add_stream_from_template(video, opaque=True)
        if video.codec_context.name == "hevc":
            stream.codec_tag = "hvc1"
        if sound is not None:
            output.add_stream_from_template(sound, opaque=True)
        output.start_encoding()
        data = buffer.getvalue()
    return data, parse_init(data)
