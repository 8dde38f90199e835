"""The recorder as it runs on a site: processes that are killed with SIGKILL while an interview is recorded."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from evidence_store.durable import RealDisk
from evidence_store.records import Resumed, to_us
from evidence_store.site import SiteFolder
from evidence_store.verify import Verdict
from recorder.control import ControlError, Request, StatusRequest, StopRequest, ask, socket_path
from recorder.lock import UPLOADER_LOCK, holder, room_lock
from recorder.spool import SessionSpool
from tests.recorder.conftest import Hosts
from tests.recorder.rooms import ROOM, START, Recorded, new_site, wait_for, write_devices

PROJECT = Path(__file__).parents[2]
BACK_WITHIN_S = 2.0


class Daemon:
    """A site's recorder. Whatever of it still runs at the end is ended by its process id."""

    def __init__(self, site: SiteFolder) -> None:
        self.site = site
        self.process: subprocess.Popen[bytes] | None = None
        self._seen: set[int] = set()

    def start(self) -> None:
        with (self.site.run / "recorder.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "recorder.daemon", "--site", str(self.site.root)],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def log(self) -> str:
        return (self.site.run / "recorder.log").read_text()

    def pid(self, lock: str) -> int | None:
        pid = holder(self.site.run, lock)
        if pid is not None:
            self._seen.add(pid)
        return pid

    def room(self) -> int:
        """The room's process."""
        pid: int = wait_for(lambda: self.pid(room_lock(ROOM)), "the room's process")
        return pid

    def uploader(self) -> int:
        pid: int = wait_for(lambda: self.pid(UPLOADER_LOCK), "the uploader's process")
        return pid

    def kill(self, lock: str) -> float:
        """Kill the process that holds the lock; in how many seconds another one holds it."""
        killed = self.pid(lock)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        began_s = time.monotonic()
        wait_for(lambda: self.pid(lock) not in {None, killed}, f"{lock} to be started again")
        return time.monotonic() - began_s

    def kill_supervisor(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(20)
        self.process = None
        return status

    def ask(self, request: Request) -> dict[str, object]:
        return ask(socket_path(self.site.run, ROOM), request)

    def wait_delivering(self) -> None:
        def delivering() -> bool:
            try:
                cameras = ask(socket_path(self.site.run, ROOM), StatusRequest())["cameras"]
            except ControlError:
                return False
            return all(camera["state"] == "delivering" for camera in cameras)

        wait_for(delivering, "the cameras")

    def wait_kept(self, session: str, *, runs: int, segments: int = 1) -> None:
        """Until there is a run of each track with so many segments in the making."""
        folder = self.site.spool / ROOM / session / "media"

        def kept() -> bool:
            return all(
                len(list(track.glob(f"*.{runs - 1:04d}.mp4"))) >= segments
                and max(path.stat().st_size for path in track.glob(f"*.{runs - 1:04d}.mp4")) > 8000
                for track in folder.iterdir()
            )

        wait_for(kept, f"run {runs} of each track")

    def wait_stored(self, session: str) -> None:
        spool = SessionSpool(self.site.spool / ROOM / session, RealDisk())
        wait_for(
            lambda: spool.progress("main") == spool.progress("catalog-main") == len(list(spool.records())) > 0,
            "the store and the catalog",
        )

    def end(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
        for lock in (room_lock(ROOM), UPLOADER_LOCK):
            pid = self.pid(lock)
            if pid is not None:
                os.kill(pid, signal.SIGTERM)
                wait_for(partial(self._is_free, lock), f"{lock} to end")

    def _is_free(self, lock: str) -> bool:
        return self.pid(lock) is None


@pytest.fixture
def daemon(hosts: Hosts, tmp_path: Path) -> Iterator[Daemon]:
    host = hosts({"subject": {}, "room": {"audio": None}})
    site = new_site(tmp_path / "site")
    write_devices(
        site, {ROOM: {"subject": host.rtsp_url("subject"), "room": {"url": host.rtsp_url("room"), "sound": False}}}
    )
    daemon = Daemon(site)
    daemon.start()
    try:
        daemon.wait_delivering()
        yield daemon
    finally:
        daemon.end()


def test_a_room_that_is_killed_is_back_at_once_and_goes_on_in_the_same_session(daemon: Daemon) -> None:
    session = str(daemon.ask(START)["session"])
    daemon.wait_kept(session, runs=1, segments=2)
    killed_us = time.time_ns() // 1000
    assert daemon.kill(room_lock(ROOM)) < BACK_WITHIN_S
    daemon.wait_kept(session, runs=2)
    assert daemon.kill(room_lock(ROOM)) < BACK_WITHIN_S
    daemon.wait_kept(session, runs=3)
    assert daemon.ask(StatusRequest())["session"] == session
    daemon.ask(StopRequest())
    daemon.wait_stored(session)
    recorded = Recorded(daemon.site, session)
    report = recorded.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    assert [event.cause for event in recorded.events() if isinstance(event, Resumed)] == ["recorder_restarted"] * 2
    for track in ("subject", "room"):
        first, second = recorded.gaps(track)
        assert {first.cause, second.cause} == {"recorder_restarted"}
        lost_us = killed_us - to_us(first.from_time)
        assert lost_us < 3_000_000, "the last second, on a machine that has other things to do"
        assert len(recorded.runs(track)) == 3


def test_rooms_record_on_without_their_supervisor_and_the_next_one_watches_them(daemon: Daemon) -> None:
    session = str(daemon.ask(START)["session"])
    daemon.wait_kept(session, runs=1)
    room, uploader = daemon.room(), daemon.uploader()
    daemon.kill_supervisor()
    daemon.wait_kept(session, runs=1, segments=2)
    daemon.start()
    wait_for(lambda: daemon.log().count("found running") == 2, "the supervisor to find both")
    assert (daemon.room(), daemon.uploader()) == (room, uploader)
    assert daemon.kill(UPLOADER_LOCK) < 10
    assert daemon.kill(room_lock(ROOM)) < BACK_WITHIN_S, "a process that it found is watched like one of its own"
    daemon.wait_kept(session, runs=2)
    daemon.ask(StopRequest())
    daemon.wait_stored(session)
    recorded = Recorded(daemon.site, session)
    report = recorded.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    assert {track.gaps for track in report.facts.tracks} == {1}


def test_told_to_end_it_seals_what_there_is_and_the_next_start_goes_on(daemon: Daemon) -> None:
    session = str(daemon.ask(START)["session"])
    daemon.wait_kept(session, runs=1)
    assert daemon.stop() == 0
    assert daemon.pid(room_lock(ROOM)) is None
    assert daemon.pid(UPLOADER_LOCK) is None
    before = Recorded(daemon.site, session)
    assert not list(before.spool.folder.glob("torn/*"))
    assert {segment.track for track in ("subject", "room") for segment in before.segments(track)} == {"subject", "room"}
    daemon.start()
    daemon.wait_kept(session, runs=2)
    daemon.ask(StopRequest())
    daemon.wait_stored(session)
    recorded = Recorded(daemon.site, session)
    assert recorded.records[: len(before.records)] == before.records
    report = recorded.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    assert not list(recorded.spool.folder.glob("torn/*"))


def test_what_cannot_start_is_tried_again_and_again_and_harms_nobody(daemon: Daemon) -> None:
    """The recorder's key is gone: the room says so, again and again, at growing intervals."""
    key = daemon.site.key("recorder")
    hidden = key.with_suffix(".hidden")
    uploader = daemon.uploader()
    key.rename(hidden)
    os.kill(daemon.room(), signal.SIGKILL)
    wait_for(lambda: daemon.log().count("cannot run the room") >= 2, "two tries")
    assert "recorder.key: cannot be read" in daemon.log()
    assert daemon.uploader() == uploader
    hidden.rename(key)
    daemon.wait_delivering()
