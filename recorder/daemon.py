"""The supervisor: one process a room and one that uploads, watched, and started again at once when they end.

A supervisor that is killed takes nobody with it: the rooms record on, and the next supervisor finds them by the locks
they hold. So every process is watched in the same way, by its id, whoever started it.

Processes are forked from the supervisor, which has one thread and has already imported what they need: a room that was
killed is back without the second that Python takes to start, and the processes share that memory.
"""

import argparse
import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from evidence_store.errors import EvidenceError
from evidence_store.site import SiteFolder, open_site
from recorder.devices import Devices, load_devices
from recorder.lock import UPLOADER_LOCK, holder, room_lock
from recorder.logs import configure_logging
from recorder.room import run_room
from recorder.software import software

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 10.0
STABLE_S = 20.0  # a process that lived this long was not broken from the start
STOP_TIMEOUT_S = 15.0
_NAME_BYTES = 15  # what the kernel keeps of a process's name

log = structlog.get_logger()


@dataclass(slots=True)
class _Child:
    lock: str
    main: Callable[[], int]
    pid: int = 0
    handle: int = -1  # pidfd_open(2): readable when the process has ended
    started_s: float = 0.0
    due_s: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    ours: bool = False


class Supervisor:
    """Keeps the processes of a site running until it is told to stop."""

    def __init__(self, site: SiteFolder, devices: Devices) -> None:
        self._site = site
        self._children = [_Child(room_lock(one.id), partial(run_room, site.root, one.id)) for one in devices.rooms]
        self._children.append(_Child(UPLOADER_LOCK, partial(_upload, site.root)))
        self._stop_reader, self._stop_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def stop(self) -> None:
        """Ask `run` to end; for a signal handler."""
        with suppress(BlockingIOError):
            os.write(self._stop_writer, b".")

    def run(self) -> None:
        """Until `stop`, then end all processes in an orderly way."""
        stopping = False
        while not stopping:
            now_s = time.monotonic()
            for child in self._children:
                if child.handle < 0 and child.due_s <= now_s:
                    self._start(child)
            stopping = self._wait()
        self._end_all()

    def _start(self, child: _Child) -> None:
        child.started_s = time.monotonic()
        child.pid = holder(self._site.run, child.lock) or 0
        if child.pid:
            log.info("found running", what=child.lock, pid=child.pid)
        else:
            child.pid = self._fork(child)
            child.ours = True
            log.info("started", what=child.lock, pid=child.pid)
        try:
            child.handle = os.pidfd_open(child.pid)
        except ProcessLookupError:
            child.due_s = child.started_s + child.pause_s

    def _fork(self, child: _Child) -> int:
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
            for handle in (self._stop_reader, self._stop_writer, *(one.handle for one in self._children)):
                if handle >= 0:
                    os.close(handle)
            Path("/proc/self/comm").write_text(
                f"shilu {child.lock.removeprefix('room-')}"[:_NAME_BYTES], encoding="ascii"
            )
            status = child.main()
        except Exception:
            log.exception("process failed", what=child.lock)
        finally:
            os._exit(status)  # never back into the supervisor's code

    def _wait(self) -> bool:
        """Sleep until a process ends, one is due, or stop is asked for (then True)."""
        now_s = time.monotonic()
        due = [child.due_s for child in self._children if child.handle < 0]
        timeout_s = max(0.0, min(due) - now_s) if due else None
        handles = {child.handle: child for child in self._children if child.handle >= 0}
        readable, _, _ = select.select([self._stop_reader, *handles], [], [], timeout_s)
        for handle in readable:
            if handle in handles:
                self._ended(handles[handle])
        return self._stop_reader in readable

    def _ended(self, child: _Child) -> None:
        os.close(child.handle)
        child.handle = -1
        status = _reap(child)
        lived_s = time.monotonic() - child.started_s
        child.pause_s = FIRST_PAUSE_S if lived_s > STABLE_S else min(child.pause_s * 2, MAX_PAUSE_S)
        child.due_s = time.monotonic() + child.pause_s
        log.error("ended", what=child.lock, pid=child.pid, status=status, again_in_s=child.pause_s)

    def _end_all(self) -> None:
        waiting = {child.handle: child for child in self._children if child.handle >= 0}
        for handle in waiting:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGTERM)
        deadline_s = time.monotonic() + STOP_TIMEOUT_S
        while waiting and (left_s := deadline_s - time.monotonic()) > 0:
            readable, _, _ = select.select(list(waiting), [], [], left_s)
            for handle in readable:
                child = waiting.pop(handle)
                log.info("stopped", what=child.lock, pid=child.pid, status=_reap(child))
        for child in waiting.values():
            log.error("did not stop in time", what=child.lock, pid=child.pid)


def _reap(child: _Child) -> int | None:
    """Exit status of a process of ours (negative: the signal that ended it); None for one that was found running."""
    if not child.ours:
        return None
    child.ours = False
    _, status = os.waitpid(child.pid, 0)
    return os.waitstatus_to_exitcode(status)


def _upload(site: Path) -> int:
    # Imported in the uploader alone: the database libraries would weigh on every room.
    from recorder.uploader import run_uploader

    return run_uploader(site)


def main() -> int:
    """Until SIGTERM or Ctrl-C. Sessions that are being recorded then go on at the next start."""
    parser = argparse.ArgumentParser(prog="recorder.daemon")
    parser.add_argument("--site", type=Path, required=True)
    arguments = parser.parse_args()
    configure_logging()
    try:
        site = open_site(arguments.site)
        supervisor = Supervisor(site, load_devices(site.devices).devices)
    except EvidenceError as error:
        log.critical("cannot start", why=str(error))
        return 1
    signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
    signal.signal(signal.SIGINT, lambda *_: supervisor.stop())
    software()  # looked at once, before an update changes the files: rooms that are forked later run this code, too
    gc.freeze()  # what is imported now is shared with the processes; the collector must not touch and so copy it
    supervisor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
