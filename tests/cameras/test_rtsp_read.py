"""Every kind of camera, read over RTSP the way the recorder reads."""

import time
from itertools import islice
from pathlib import Path

import pytest

from shilu.cameras.clock import SystemClock
from shilu.cameras.config import CameraSpec
from shilu.cameras.host import CameraHost
from shilu.cameras.media import AudioCodec, VideoCodec
from tests.cameras.conftest import SMALL, Hosts
from tests.cameras.reading import Watched, open_camera, wall_clock_us, watch, watch_all

SYNC_S = 0.005
"""The cameras are what others are measured against, so they must be far better than the 40 ms that people notice."""


SYNC_CASES = [(video, audio) for video in VideoCodec for audio in (*AudioCodec, None)]


@pytest.fixture(scope="module")
def watched(clip_cache: Path) -> dict[tuple[VideoCodec, AudioCodec | None], Watched]:
    """All kinds of cameras on one port, read at the same time."""
    clock = SystemClock()
    cameras = {}
    for video, audio in SYNC_CASES:
        spec = CameraSpec.model_validate(SMALL | {"path": f"{video}-{audio}", "video": video, "audio": audio})
        cameras[video, audio] = spec.build(clock, clip_cache)

    with CameraHost(cameras.values()) as host:
        seen = watch_all([host.rtsp_url(camera.path) for camera in cameras.values()], pictures=60)
    return dict(zip(cameras, seen, strict=True))


@pytest.mark.parametrize(("video", "audio"), SYNC_CASES)
def test_picture_and_sound_are_in_step(
    watched: dict[tuple[VideoCodec, AudioCodec | None], Watched], video: VideoCodec, audio: AudioCodec | None
) -> None:
    seen = watched[video, audio]
    assert seen.codecs == ["h264" if video is VideoCodec.H264 else "hevc", *([audio.value] if audio else [])]
    assert all(picture.shape == (270, 320) for picture in seen.pictures)
    flashes = seen.flashes_s()
    assert len(flashes) >= 2
    assert flashes[1] - flashes[0] == pytest.approx(1, abs=0.001)
    if audio:
        beeps = seen.beeps_s()
        for flash in flashes[:2]:
            assert min(abs(flash - beep) for beep in beeps) < SYNC_S


@pytest.mark.parametrize("mode", ["loop", "live"])
def test_sender_reports_tell_the_wall_clock_of_capture(hosted: Hosts, mode: str) -> None:
    with open_camera(hosted(mode=mode).rtsp_url("cam")) as container:
        for packet in islice(container.demux(), 60):
            ahead_s = wall_clock_us(packet) / 1e6 - time.time()
            assert -3 < ahead_s < 0.05, "just captured, or a moment ago and kept while the stream was probed"


def test_timestamps_run_on_over_the_end_of_the_clip(hosted: Hosts) -> None:
    """A clip of 1 s: any 30 pictures go over its end."""
    host = hosted(audio=AudioCodec.ALAW, seconds=1)
    with open_camera(host.rtsp_url("cam")) as container:
        seen = watch(container, pictures=30)
    steps = [later - earlier for earlier, later in zip(seen.picture_s, seen.picture_s[1:], strict=False)]
    assert steps == pytest.approx([0.04] * 29, abs=0.0001)
    steps = [later - earlier for earlier, later in zip(seen.sound_s, seen.sound_s[1:], strict=False)]
    assert steps == pytest.approx([0.02] * len(steps), abs=0.0002)


def test_a_live_camera_flashes_and_beeps_at_whole_seconds_of_utc(hosted: Hosts) -> None:
    with open_camera(hosted(mode="live").rtsp_url("cam")) as container:
        video = container.streams.video[0]
        anchor_s = next(
            wall_clock_us(packet) / 1e6 - float(packet.pts * packet.time_base)
            for packet in container.demux(video)
            if packet.pts is not None
        )
        seen = watch(container, pictures=30)
    moments = [anchor_s + at for at in seen.flashes_s() + seen.beeps_s()]
    assert len(moments) >= 2
    for moment in moments:
        assert abs(moment - round(moment)) < 0.040
    assert -3 < moments[-1] - time.time() < 0.1
