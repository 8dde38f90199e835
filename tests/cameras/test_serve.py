"""Cameras as a process of their own."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pytest

from tests.cameras.reading import DEADLINE_S, RawClient, open_camera, watch

CAMERA = "cam,width=320,height=180,kbps=300,key_interval=10,mode=loop"
Starter = Callable[..., "Process"]


class Process:
    def __init__(self, arguments: list[str]) -> None:
        command = [sys.executable, "-m", "shilu.cameras", *arguments]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready: dict[str, Any] = self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.popen.stdout
        line: dict[str, Any] = json.loads(self.popen.stdout.readline())
        return line

    @property
    def stdin(self) -> IO[str]:
        assert self.popen.stdin
        return self.popen.stdin

    def command(self, **words: Any) -> dict[str, Any]:
        self.stdin.write(json.dumps(words) + "\n")
        self.stdin.flush()
        return self.answer()


@pytest.fixture
def started(clip_cache: Path) -> Iterator[Starter]:
    with ExitStack() as stack:

        def start(*arguments: str) -> Process:
            process = Process([*arguments, "--cache", str(clip_cache)])
            stack.enter_context(process.popen)
            stack.callback(process.popen.kill)
            return process

        yield start


def test_prints_urls_and_obeys_commands(started: Starter, tmp_path: Path) -> None:
    accounts = tmp_path / "accounts"
    accounts.write_text("viewer:secret\n")
    process = started("--camera", CAMERA, "--camera", "door,audio=none", "--mpegts", "--accounts", str(accounts))
    assert process.ready["ready"]
    assert {kind: list(urls) for kind, urls in process.ready.items() if kind != "ready"} == {
        kind: ["cam", "door"] for kind in ("rtsp", "http", "tcp")
    }
    url = process.ready["rtsp"]["cam"].replace("rtsp://", "rtsp://viewer:secret@")
    with open_camera(url) as container:
        clip = {"name": "other", "width": 160, "height": 120}
        assert process.command(do="switch_clip", camera="cam", clip=clip) == {"ok": True}
        assert watch(container, pictures=30).pictures[-1].shape == (180, 160)
    assert process.command(do="set", camera="cam", faults={"stalled": True}) == {"ok": True}
    assert process.command(do="freeze", camera="cam", frozen=True) == {"ok": True}
    assert process.command(do="drop_key_frames", camera="cam", seconds=1) == {"ok": True}
    assert process.command(do="send_garbage", camera="cam", size_bytes=10) == {"ok": True}
    assert process.command(do="drop_clients", camera="cam") == {"ok": True}
    assert process.command(do="refuse_connections", refused=True) == {"ok": True}
    with pytest.raises(ConnectionRefusedError):
        RawClient(url)


WRONG_COMMANDS: list[tuple[dict[str, Any], str]] = [
    ({"do": "set", "camera": "door", "faults": {}}, "no camera at 'door'"),
    ({"do": "set", "camera": "cam", "faults": {"stuck": True}}, "stuck"),
    ({"do": "explode"}, "explode"),
    ({"do": "drop_key_frames", "camera": "cam", "seconds": -1}, "greater than 0"),
]


def test_a_wrong_command_is_answered_with_the_reason(started: Starter) -> None:
    process = started("--camera", CAMERA)
    for words, error in WRONG_COMMANDS:
        answer = process.command(**words)
        assert not answer["ok"]
        assert error in answer["error"]


def test_a_fault_set_by_command_leaves_the_others(started: Starter) -> None:
    process = started("--camera", CAMERA)
    with RawClient(process.ready["rtsp"]["cam"]) as client:
        client.play(0, 1)
        process.command(do="set", camera="cam", faults={"stalled": True})
        process.command(do="set", camera="cam", faults={"loss_percent": 1})
        assert client.falls_silent(0.3)


def test_ends_with_standard_input_if_asked(started: Starter) -> None:
    process = started("--camera", CAMERA, "--until-stdin-closes")
    with RawClient(process.ready["rtsp"]["cam"]) as client:
        client.play(0, 1)
        process.stdin.close()
        assert client.is_cut_off()
    assert process.popen.wait(DEADLINE_S) == 0


def test_outlives_standard_input_and_ends_with_sigterm(started: Starter) -> None:
    process = started("--camera", CAMERA)
    process.stdin.close()
    with RawClient(process.ready["rtsp"]["cam"]) as client:
        client.play(0, 1)
        assert client.packets(0, 20)
        process.popen.send_signal(signal.SIGTERM)
        assert client.is_cut_off()
    assert process.popen.wait(DEADLINE_S) == 0


def test_configuration_file(started: Starter, tmp_path: Path) -> None:
    config = tmp_path / "cameras.json"
    config.write_text(json.dumps({"cameras": [{"path": "a/b", "audio": "pcm_alaw"}, {"path": "c", "video": "h265"}]}))
    process = started("--config", str(config))
    for path, codecs in (("a/b", ["h264", "pcm_alaw"]), ("c", ["hevc", "aac"])):
        with open_camera(process.ready["rtsp"][path]) as container:
            assert watch(container, pictures=3).codecs == codecs


def test_a_taken_port_is_said_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "shilu.cameras", "--camera", CAMERA, "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "cannot listen on" in done.stderr
    assert "Traceback" not in done.stderr
