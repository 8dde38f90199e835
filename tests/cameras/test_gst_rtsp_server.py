"""The reference camera, GStreamer's RTSP server, plays clips in step for as long as the long tests need."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from shilu.cameras.clip import make_clip
from shilu.cameras.clip_file import write_mov
from shilu.cameras.media import AudioCodec, VideoCodec
from shilu.cameras.spec import MediaSpec
from tests.cameras.reading import Watched, watch_all
from tests.parts.require import require

SERVER = Path(__file__).parent.parent / "gst_rtsp_server.py"
MOUNTS = {
    "/h264-aac": (VideoCodec.H264, AudioCodec.AAC),
    "/h264-alaw": (VideoCodec.H264, AudioCodec.ALAW),
    "/h265": (VideoCodec.H265, None),
}
LONG_S = 360


@pytest.fixture(scope="module")
def files(clip_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("gst")
    paths = {}
    for mount, (video, audio) in MOUNTS.items():
        spec = MediaSpec(width=320, height=180, kbps=300, key_interval=10, beep=True, video=video, audio=audio)
        paths[mount] = folder / f"{mount[1:]}.mov"
        write_mov(make_clip(spec, cache=clip_cache), paths[mount], LONG_S)
    return paths


@pytest.fixture(scope="module")
def urls(files: dict[str, Path]) -> Iterator[dict[str, str]]:
    python = require("rtsp-server")
    mounts = [word for mount, path in files.items() for word in ("--mount", mount, str(path))]
    command = [str(python), str(SERVER), *mounts]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin
        assert server.stdout
        yield json.loads(server.stdout.readline())["urls"]
        server.stdin.close()
        assert server.wait(10) == 0, "it ends with its standard input"


def test_a_file_lasts_as_long_as_the_long_tests(files: dict[str, Path]) -> None:
    for path in files.values():
        with av.open(path) as container:
            assert container.duration is not None
            assert container.duration >= LONG_S * 1_000_000


@pytest.fixture(scope="module")
def watched(urls: dict[str, str]) -> dict[str, Watched]:
    return dict(zip(MOUNTS, watch_all([urls[mount] for mount in MOUNTS], pictures=28), strict=True))


@pytest.mark.parametrize("mount", MOUNTS)
def test_picture_and_sound_are_in_step(watched: dict[str, Watched], mount: str) -> None:
    seen, (video, audio) = watched[mount], MOUNTS[mount]
    assert seen.codecs == ["h264" if video is VideoCodec.H264 else "hevc", *([audio.value] if audio else [])]
    assert seen.flashes_s()
    if audio:
        beeps = seen.beeps_s()
        assert all(min(abs(flash - beep) for beep in beeps) < 0.040 for flash in seen.flashes_s())
