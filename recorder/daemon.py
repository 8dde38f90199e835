"""The supervisor: one process a room and one that uploads, watched, and started again at once when they end.

A supervisor that is killed takes nobody with it: the rooms record on, and the next supervisor finds them by the locks
they hold. So every process is watched in the same way, by its id, whoever started it.
"""

import argparse
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from evidence_store.errors import EvidenceError
from evidence_store.site import SiteFolder, open_site
from recorder.devices import Devices, load_devices
from recorder.lock import UPLOADER_LOCK, holder, room_lock

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 10.0
STABLE_S = 20.0  # a process that lived this long was not broken from the start
STOP_TIMEOUT_S = 15.0

log = structlog.get_logger()


@dataclass(slots=True)
class _Child:
    lock: str
    arguments: list[str]
    pid: int = 0
    handle: int = -1  # pidfd_open(2): readable when the process has ended
    started_s: float = 0.0
    due_s: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    process: "subprocess.Popen[bytes] | None" = None


class Supervisor:
    """Keeps the processes of a site running until it is told to stop."""

    def __init__(self, site: SiteFolder, devices: Devices) -> None:
        self._site = site
        base = [sys.executable, "-m"]
        folder = ["--site", str(site.root)]
        self._children = [
            _Child(room_lock(room.id), [*base, "recorder.room", *folder, "--room", room.id]) for room in devices.rooms
        ]
        self._children.append(_Child(UPLOADER_LOCK, [*base, "recorder.uploader", *folder]))
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
            child.process = subprocess.Popen(child.arguments, stdin=subprocess.DEVNULL)
            child.pid = child.process.pid
            log.info("started", what=child.lock, pid=child.pid)
        try:
            child.handle = os.pidfd_open(child.pid)
        except ProcessLookupError:
            child.due_s = child.started_s + child.pause_s

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
        status = child.process.wait() if child.process is not None else None
        child.process = None
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
                if child.process is not None:
                    child.process.wait()
                log.info("stopped", what=child.lock, pid=child.pid)
        for child in waiting.values():
            log.error("did not stop in time", what=child.lock, pid=child.pid)


def main() -> int:
    """Until SIGTERM or Ctrl-C. Sessions that are being recorded then go on at the next start."""
    parser = argparse.ArgumentParser(prog="recorder.daemon")
    parser.add_argument("--site", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        site = open_site(arguments.site)
        supervisor = Supervisor(site, load_devices(site.devices).devices)
    except EvidenceError as error:
        log.critical("cannot start", why=str(error))
        return 2
    signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
    signal.signal(signal.SIGINT, lambda *_: supervisor.stop())
    supervisor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
