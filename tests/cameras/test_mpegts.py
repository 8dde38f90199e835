"""Cameras as MPEG transport streams."""

import socket
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import av
import pytest

from shilu.cameras.clock import SystemClock
from shilu.cameras.config import CameraSpec
from shilu.cameras.errors import CameraError, SpecError
from shilu.cameras.host import CameraHost
from shilu.cameras.media import AudioCodec, AudioFormat, VideoCodec
from shilu.cameras.mpegts import adts
from tests.cameras.conftest import SMALL, Hosts
from tests.cameras.reading import Watched, open_camera, watch, watch_all

SYNC_S = 0.005
"""The cameras are what others are measured against, so they must be far better than the 40 ms that people notice."""


def url(host: CameraHost, path: str, transport: str) -> str:
    return host.http_url(path) if transport == "http" else host.tcp_url(path)


CASES = [
    ("tcp", VideoCodec.H264, None),
    ("http", VideoCodec.H264, AudioCodec.AAC),
    ("tcp", VideoCodec.H265, AudioCodec.AAC),
]


@pytest.fixture(scope="module")
def watched(clip_cache: Path) -> list[Watched]:
    """One camera for each case, read at the same time."""
    clock, cameras = SystemClock(), []
    for number, (_, video, audio) in enumerate(CASES):
        spec = CameraSpec.model_validate(SMALL | {"path": f"cam-{number}", "video": video, "audio": audio})
        cameras.append(spec.build(clock, clip_cache))
    with CameraHost(cameras, mpegts=True) as host:
        urls = [url(host, camera.path, case[0]) for camera, case in zip(cameras, CASES, strict=True)]
        return watch_all(urls, pictures=28)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_picture_and_sound_are_in_step(watched: list[Watched], number: int) -> None:
    seen, (_, video, audio) = watched[number], CASES[number]
    assert seen.codecs == ["h264" if video is VideoCodec.H264 else "hevc", *([audio.value] if audio else [])]
    flashes = seen.flashes_s()
    assert flashes
    if audio:
        assert min(abs(flashes[0] - beep) for beep in seen.beeps_s()) < SYNC_S


@pytest.mark.parametrize("transport", ["http", "tcp"])
def test_faults_of_media_and_connection_hold_here_too(hosted: Hosts, transport: str) -> None:
    host = hosted({"mpegts": True})
    with open_camera(url(host, "cam", transport)) as container:
        watch(container, pictures=5)
        host.camera("cam").faults.timestamp_shift_s = -2
        seen = watch(container, pictures=20)
        assert any(later < earlier for earlier, later in pairwise(seen.picture_s))
        host.drop_clients("cam")
        with pytest.raises((av.error.OSError, AssertionError), match=r"Input/output error|the stream ended"):
            watch(container, pictures=1000)
        host.refuse_connections(True)
        with pytest.raises(ConnectionRefusedError):
            open_camera(url(host, "cam", transport))


def test_http_status(hosted: Hosts) -> None:
    parts = urlsplit(hosted({"mpegts": True}).http_url("cam"))
    for request, status in ((b"GET /door.ts", b"404"), (b"POST /cam.ts", b"405")):
        with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=5) as client:
            client.sendall(request + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.makefile("rb").readline().split(b" ")[1] == status


def test_sound_that_does_not_fit_is_refused(hosted: Hosts) -> None:
    with pytest.raises(SpecError, match="AAC or no sound"):
        hosted({"mpegts": True}, audio=AudioCodec.ALAW)


def test_urls_only_for_what_is_served(hosted: Hosts) -> None:
    with pytest.raises(CameraError, match="not served as MPEG-TS"):
        hosted().http_url("cam")


def test_adts_header() -> None:
    """ISO/IEC 14496-3 table 1.A.6: sync word, AAC-LC, 48 kHz, one channel, whole length."""
    header = adts(AudioFormat(AudioCodec.AAC, b"\x11\x88"), b"x" * 100)[:7]
    bits = f"{int.from_bytes(header, 'big'):056b}"
    assert bits[:12] == "1" * 12
    assert (bits[16:18], bits[18:22], bits[23:26]) == ("01", "0011", "001")
    assert int(bits[30:43], 2) == 107
