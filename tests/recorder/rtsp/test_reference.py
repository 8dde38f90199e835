"""GStreamer's server: what comes out is, bit for bit, what FFmpeg's reader gives of the same film."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from recorder.nal import split
from shilu.cameras.clip import make_clip
from shilu.cameras.clip_file import write_mov
from shilu.cameras.media import AudioCodec, VideoCodec
from shilu.cameras.spec import MediaSpec
from tests.parts.require import require
from tests.recorder.rtsp.reading import pictures, read_until, sounds, source

SERVER = Path(__file__).parents[2] / "gst_rtsp_server.py"
MOUNTS = {
    "/h264-aac": (VideoCodec.H264, AudioCodec.AAC),
    "/h264-alaw": (VideoCodec.H264, AudioCodec.ALAW),
    "/h265-mulaw": (VideoCodec.H265, AudioCodec.MULAW),
    "/h265": (VideoCodec.H265, None),
}
PICTURES = 40


@pytest.fixture(scope="module")
def urls(clip_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    python = require("rtsp-server")
    folder = tmp_path_factory.mktemp("reference")
    words = []
    for mount, (video, audio) in MOUNTS.items():
        path = folder / f"{mount[1:]}.mov"
        spec = MediaSpec(width=640, height=360, kbps=2000, noise=12, key_interval=10, video=video, audio=audio)
        write_mov(make_clip(spec, cache=clip_cache), path, 32)
        words += ["--mount", mount, str(path)]
    with subprocess.Popen([python, SERVER, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin
        assert server.stdout
        yield json.loads(server.stdout.readline())["urls"]
        server.stdin.close()


@pytest.mark.parametrize("mount", MOUNTS)
def test_the_same_bytes_as_with_ffmpeg(urls: dict[str, str], mount: str) -> None:
    """Both watch the same playing, which begins anew with the PLAY of the second: from there on all must be equal."""
    audio = MOUNTS[mount][1]
    options = {"rtsp_transport": "tcp", "fpsprobesize": "1"}
    with av.open(urls[mount], options=options, timeout=5) as container, source(urls[mount]) as reader:
        assert (reader.description.audio is None) == (audio is None)
        units = read_until(
            reader, lambda units: len(pictures(units)) >= PICTURES and (not audio or len(sounds(units)) >= PICTURES)
        )
        ours = [b"".join(unit.nals) for unit in pictures(units)]
        heard = [unit.data for unit in sounds(units)]
        theirs: list[bytes] = []
        theirs_heard: list[bytes] = []
        for packet in container.demux():
            if packet.stream.type == "video":
                theirs.append(b"".join(split(bytes(packet))))
            else:
                theirs_heard.append(bytes(packet))
            if ours[-1] in theirs and (not audio or heard[-1] in theirs_heard):
                break
    assert from_the_last(theirs, ours[:1])[: len(ours)] == ours
    if audio:
        assert from_the_last(theirs_heard, heard[:3])[: len(heard)] == heard


def from_the_last(packets: list[bytes], beginning: list[bytes]) -> list[bytes]:
    size = len(beginning)
    return packets[max(at for at in range(len(packets)) if packets[at : at + size] == beginning) :]


def test_picture_and_sound_are_in_step(urls: dict[str, str]) -> None:
    with source(urls["/h264-aac"]) as reader:
        units = read_until(reader, lambda units: len(pictures(units)) >= 20 and len(sounds(units)) >= 20)
        last = [one[-1] for one in (pictures(units), sounds(units))]
        video_s = reader.media_ticks("video", last[0].timestamp) / 90_000
        audio_s = reader.media_ticks("audio", last[1].timestamp) / 48_000
    assert abs(audio_s - video_s) < 0.15
