"""Sound described to FFmpeg's muxer and decoders without FFmpeg having read it.

PyAV makes a stream of an output from a template stream, and takes a codec's private data only from such a template.
So a template is made in two steps: an encoder that is never opened names the codec, and a stream copied from it bears
what the camera announced. Neither output is ever written to.
"""

import io
import struct
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream

from recorder.rtsp.units import AudioDescription

_ENCODERS = {"aac": "aac", "opus": "libopus"}


def passed_sound(sound: AudioDescription) -> AudioStream:
    """A template for sound that MP4 takes as it is: AAC (`esds` with the AudioSpecificConfig, ISO/IEC 14496-14) or Opus
    (`dOps`). Its codec's name may be that of an encoder: `AudioDescription.codec` is the one to go by."""
    naming = av.open(io.BytesIO(), "w", format="mp4")
    encoder = cast(AudioStream, naming.add_stream(_ENCODERS[sound.codec], rate=sound.sample_rate_hz))
    output = av.open(io.BytesIO(), "w", format="mp4", options={"movflags": "empty_moov"})
    template = output.add_stream_from_template(encoder, opaque=True)
    context = template.codec_context
    context.sample_rate = sound.sample_rate_hz
    context.layout = _layout(sound.channels)
    context.extradata = sound.config if sound.codec == "aac" else opus_head(sound.channels)
    output.start_encoding()  # hands the above on to the stream; opens no encoder
    return template


def opus_head(channels: int) -> bytes:
    """The identification header of Opus (RFC 7845 section 5.1). A live stream was joined in the middle: there is no
    pre-skip to cut off."""
    return struct.pack("<8sBBHIhB", b"OpusHead", 1, channels, 0, 48_000, 0, 0)


def g711_decoder(sound: AudioDescription) -> AudioCodecContext:
    """What turns a frame of G.711 into 16-bit samples: `decode(av.Packet(unit.data))`."""
    context = av.CodecContext.create(sound.codec, "r")
    context.sample_rate = sound.sample_rate_hz
    context.layout = _layout(sound.channels)
    return context


def _layout(channels: int) -> str:
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
