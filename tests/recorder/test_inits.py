"""The header of a run, for every kind of camera."""

import io
from functools import cache

import av
import numpy as np
import pytest

from evidence_store.media import MediaError, parse_init
from recorder.fragments import AUDIO_TRACK_ID, VIDEO_TRACK_ID
from recorder.inits import make_init
from recorder.nal import VideoCodec, annex_b, parse_picture, split
from recorder.sound import sound_of
from shilu.cameras.encoding import VideoEncoder
from shilu.cameras.media import VideoCodec as CameraCodec
from shilu.cameras.spec import MediaSpec
from tests.recorder.sounds import Kind, heard

SIZE = {"width": 192, "height": 128}


@cache
def key_frame(codec: VideoCodec) -> bytes:
    camera_codec = CameraCodec.H264 if codec == "h264" else CameraCodec.H265
    encoder = VideoEncoder(MediaSpec(video=camera_codec, audio=None, **SIZE))
    return encoder.encode(np.full((192, 192), 90, dtype=np.uint8), 0, force_key=True).data


@pytest.mark.parametrize(
    ("kind", "sound_codecs", "timescale"),
    [
        (None, None, 0),
        ("aac", "mp4a.40.2", 48_000),
        ("adts", "mp4a.40.2", 48_000),
        ("opus", "opus", 48_000),
        ("pcm_alaw", "flac", 8000),
        ("pcm_mulaw", "flac", 8000),
    ],
)
@pytest.mark.parametrize(("codec", "video_codecs"), [("h264", "avc1.42c014"), ("hevc", "hvc1.1.6.L60.90")])
def test_the_header_says_what_a_player_needs(
    codec: VideoCodec, video_codecs: str, kind: Kind | None, sound_codecs: str | None, timescale: int
) -> None:
    source = heard(kind) if kind else None
    sound = sound_of(source.stream) if source else None
    data, init = make_init(codec, key_frame(codec), sound.template if sound else None)
    assert parse_init(data) == init
    assert init.bytes == len(data)
    assert (init.video.id, init.video.timescale, init.video.codecs) == (VIDEO_TRACK_ID, 90_000, video_codecs)
    assert init.mime == f'video/mp4; codecs="{", ".join(filter(None, [video_codecs, sound_codecs]))}"'
    assert [(track.id, track.kind, track.timescale) for track in init.tracks[1:]] == (
        [(AUDIO_TRACK_ID, "audio", timescale)] if sound else []
    )
    with av.open(io.BytesIO(data), "r") as file:
        video = file.streams.video[0].codec_context
        assert (video.width, video.height) == (192, 128)
        assert [stream.type for stream in file.streams] == ["video", "audio"][: 2 if sound else 1]


def test_the_same_stream_gives_the_same_header() -> None:
    """Segments of a run have one header, also when recovery or a second session makes it again."""
    assert make_init("h264", key_frame("h264"), None) == make_init("h264", key_frame("h264"), None)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_header_can_be_made_from_announced_parameter_sets(codec: VideoCodec) -> None:
    """The key frame itself need not bear them."""
    sets = parse_picture(codec, key_frame(codec)).parameters
    bare = without_parameters(codec)
    assert make_init(codec, annex_b(sets) + bare, None) == make_init(codec, key_frame(codec), None)


def without_parameters(codec: VideoCodec) -> bytes:
    sets = parse_picture(codec, key_frame(codec)).parameters
    return annex_b([unit for unit in split(key_frame(codec)) if unit not in sets])


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize(
    "data", [b"", b"\x00\x00\x00\x01", b"\x00\x00\x01\x65" + bytes(range(1, 200)), b"not a picture" * 30]
)
def test_bytes_that_are_no_picture_are_refused(codec: VideoCodec, data: bytes) -> None:
    with pytest.raises(MediaError, match="parameter sets cannot be read"):
        make_init(codec, data, None)


def test_a_key_frame_without_its_parameter_sets_is_refused() -> None:
    with pytest.raises(MediaError, match="parameter sets cannot be read"):
        make_init("h264", without_parameters("h264"), None)
