"""Locks of processes: two must never record into one session, or upload the same spool."""

import fcntl
import os
import time
from pathlib import Path

from recorder.control import ControlError


def room_lock(room: str) -> str:
    """Name of a room's lock."""
    return f"room-{room}"


UPLOADER_LOCK = "uploader"
_TRIES = 100
_TRY_AGAIN_S = 0.002


class ProcessLock:
    """Held from its making to `release`, and by the kernel's doing no longer than the process lives.

    The holder's process id stands in the file, so that a supervisor can find and watch a process it did not start.
    """

    def __init__(self, run: Path, name: str) -> None:
        run.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._file = _path(run, name).open("a+", encoding="ascii")
        tries = 0
        while not self._taken():
            # Whoever asks for the holder has the lock for a moment, too: only a holder with a name is one.
            pid, tries = holder(run, name), tries + 1
            if pid is not None or tries > _TRIES:
                self._file.close()
                raise ControlError(
                    f"is already run by process {pid or 'unknown'}",
                    where=name,
                    do="Speak to it with `shilu start`, `stop` and `status`, or end it first.",
                )
            time.sleep(_TRY_AGAIN_S)
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

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
