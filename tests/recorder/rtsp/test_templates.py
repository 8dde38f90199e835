"""Sound described to FFmpeg without FFmpeg having read it."""

import io
import struct

import av
import numpy as np
import pytest

from recorder.rtsp.templates import g711_decoder, passed_sound
from recorder.rtsp.units import AudioCodec, AudioDescription

OPTIONS = {"movflags": "empty_moov+default_base_moof", "use_editlist": "0", "brand": "iso6"}


def init_with(sound: AudioDescription) -> bytes:
    """The head of an MP4 file made from the template."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options=OPTIONS) as output:
        output.add_stream_from_template(passed_sound(sound), opaque=True)
        output.start_encoding()
        return buffer.getvalue()


def box(data: bytes, kind: bytes) -> bytes:
    """The body of the only box of this kind."""
    at = data.index(kind)
    (size,) = struct.unpack_from(">I", data, at - 4)
    return data[at + 4 : at - 4 + size]


@pytest.mark.parametrize(
    ("rate_hz", "channels", "config"), [(48_000, 1, "1188"), (16_000, 2, "1410"), (8_000, 1, "1588")]
)
def test_aac_bears_the_cameras_configuration(rate_hz: int, channels: int, config: str) -> None:
    """`mp4a` (ISO/IEC 14496-12, 12.2.3) and DecoderSpecificInfo, tag 5 (ISO/IEC 14496-1, 7.2.6.7)."""
    data = init_with(AudioDescription("aac", rate_hz, channels, bytes.fromhex(config), 1024))
    entry = box(data, b"mp4a")
    assert struct.unpack_from(">16xHHIH", entry) == (channels, 16, 0, rate_hz)
    assert b"\x05\x80\x80\x80\x02" + bytes.fromhex(config) in box(data, b"esds")


@pytest.mark.parametrize("channels", [1, 2])
def test_opus(channels: int) -> None:
    """`dOps` (Encapsulation of Opus in ISOBMFF, 4.3.2): version, channels, pre-skip, rate, gain, mapping."""
    data = init_with(AudioDescription("opus", 48_000, channels, b"", 960))
    assert struct.unpack(">BBHIhB", box(data, b"dOps")) == (0, channels, 0, 48_000, 0, 0)
    assert struct.unpack_from(">16xHHIH", box(data, b"Opus"))[0] == channels


@pytest.mark.parametrize(("codec", "silence"), [("pcm_alaw", b"\xd5"), ("pcm_mulaw", b"\xff")])
@pytest.mark.parametrize("channels", [1, 2])
def test_g711_is_decoded_without_a_container(codec: AudioCodec, silence: bytes, channels: int) -> None:
    decoder = g711_decoder(AudioDescription(codec, 16_000, channels, b"", 320))
    for samples in (320, 1, 7):
        (frame,) = decoder.decode(av.Packet(silence * samples * channels))
        assert (frame.samples, frame.sample_rate, frame.layout.nb_channels) == (samples, 16_000, channels)
        assert np.abs(frame.to_ndarray().astype(int)).max() <= 8
