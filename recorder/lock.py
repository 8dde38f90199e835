"""Locks of processes: two must never record into one session, or upload the same spool."""

import fcntl
import os
from pathlib import Path

from recorder.control import ControlError


def room_lock(room: str) -> str:
    """Name of a room's lock."""
    return f"room-{room}"


UPLOADER_LOCK = "uploader"


class ProcessLock:
    """Held from its making to `release`, and by the kernel's doing no longer than the process lives.

    The holder's process id stands in the file, so that a supervisor can find and watch a process it did not start.
    """

    def __init__(self, run: Path, name: str) -> None:
        run.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._file = _path(run, name).open("a+", encoding="ascii")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ControlError(
                f"is already run by process {holder(run, name) or 'unknown'}",
                where=name,
                do="Speak to it with `shilu start`, `stop` and `status`, or end it first.",
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        self._file.close()


def holder(run: Path, name: str) -> int | None:
    """The process that holds a lock, or None when it is free."""
    try:
        with _path(run, name).open("r", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else None
    except FileNotFoundError:
        pass
    return None


def _path(run: Path, name: str) -> Path:
    return run / f"{name}.lock"
