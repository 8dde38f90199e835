"""Two processes never record into one session, and a supervisor finds who does."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recorder.control import ControlError
from recorder.lock import ProcessLock, holder, room_lock

PROJECT = Path(__file__).parents[2]
HOLD = (
    "import sys; from pathlib import Path; from recorder.lock import ProcessLock;"
    "lock = ProcessLock(Path(sys.argv[1]), sys.argv[2]); print('held', flush=True); sys.stdin.read()"
)


def holding(run: Path, name: str) -> "subprocess.Popen[bytes]":
    """Another process that holds the lock until it is ended."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run), name], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout
    assert other.stdout.readline() == b"held\n"
    return other


def test_a_free_lock_has_no_holder(tmp_path: Path) -> None:
    assert holder(tmp_path, "room-a") is None
    assert holder(tmp_path / "not there", "room-a") is None


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "run", room_lock("a"))
    assert holder(tmp_path / "run", room_lock("a")) == os.getpid()
    with pytest.raises(ControlError, match=rf"room-a: is already run by process {os.getpid()}\. Speak to it with"):
        ProcessLock(tmp_path / "run", room_lock("a"))
    ProcessLock(tmp_path / "run", room_lock("b")).release()
    lock.release()
    assert holder(tmp_path / "run", room_lock("a")) is None
    ProcessLock(tmp_path / "run", room_lock("a")).release()


def test_asking_who_holds_it_takes_nothing_away(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path, "room-a")
    for _ in range(3):
        assert holder(tmp_path, "room-a") == os.getpid()
    with pytest.raises(ControlError):
        ProcessLock(tmp_path, "room-a")
    lock.release()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with holding(tmp_path, "room-a") as other:
        assert holder(tmp_path, "room-a") == other.pid
        with pytest.raises(ControlError, match=f"process {other.pid}"):
            ProcessLock(tmp_path, "room-a")
        other.kill()
        other.wait()
        assert holder(tmp_path, "room-a") is None
        ProcessLock(tmp_path, "room-a").release()


def test_whoever_only_asks_is_in_nobodys_way(tmp_path: Path) -> None:
    """The supervisor asks for the holder at the moment at which a room's process starts."""
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            holder(tmp_path, "room-a")

    ProcessLock(tmp_path, "room-a").release()
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(300):
            ProcessLock(tmp_path, "room-a").release()
    finally:
        ended.set()
        asking.join()
