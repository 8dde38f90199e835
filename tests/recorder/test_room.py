"""A room and what is asked of it: start, stop, mark, and what is refused."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_store.durable import DiskError, OpenFile, RealDisk
from evidence_store.errors import EvidenceError
from evidence_store.records import Alarm, Mark, Resumed
from evidence_store.site import SiteFolder
from evidence_store.verify import Verdict
from recorder.clock import SystemClock
from recorder.control import ControlError, MarkRequest, StartRequest, StatusRequest, StopRequest
from shilu.cameras.auth import Accounts
from shilu.cameras.host import CameraHost
from tests.parts.process import free_port
from tests.recorder.conftest import Hosts
from tests.recorder.rooms import (
    CASE,
    OFFICERS,
    ROOM,
    START,
    Camera,
    Recorded,
    Running,
    new_site,
    wait_for,
    write_devices,
)

NO_OFFICERS = StartRequest(case=CASE)


@pytest.fixture(scope="module")
def host(hosts: Hosts) -> CameraHost:
    """Two cameras in good order."""
    return hosts({"subject": {}, "room": {"audio": None, "view": "room"}})


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return new_site(tmp_path / "site")


@pytest.fixture
def nobody() -> str:
    """The address of a camera that is switched off."""
    return f"rtsp://127.0.0.1:{free_port()}/cam"


def two_cameras(host: CameraHost) -> dict[str, Camera]:
    return {"subject": host.rtsp_url("subject"), "room": {"url": host.rtsp_url("room"), "sound": False}}


class TestRefused:
    """One line that says what is wrong and what to do; nothing half made."""

    @pytest.fixture
    def idle(self, site: SiteFolder, nobody: str) -> Iterator[Running]:
        with Running(site, write_devices(site, {ROOM: {"subject": nobody}})) as room:
            yield room
        assert list((site.spool / ROOM).iterdir()) == []

    def test_without_a_case(self, idle: Running) -> None:
        with pytest.raises(ControlError, match=r"^no case is given\. Give the case number, or the reason why there is"):
            idle.start(StartRequest(officers=OFFICERS))

    @pytest.mark.parametrize("count", [0, 1])
    def test_without_two_officers(self, idle: Running, count: int) -> None:
        with pytest.raises(
            ControlError, match=r"^two officers are asked for\. Name them, or state the reason for fewe"
        ):
            idle.start(StartRequest(case=CASE, officers=OFFICERS[:count]))

    def test_with_a_camera_that_is_switched_off(self, idle: Running) -> None:
        wait_for(lambda: idle.state("subject") == "lost", "the camera to be known as lost")
        with pytest.raises(ControlError) as caught:
            idle.start()
        (line,) = str(caught.value).splitlines()
        assert line.startswith("not ready: camera room-1-subject: ")
        assert line.endswith(". Put it right, or start with a stated reason.")
        assert "refuse" in line

    @pytest.mark.parametrize("request_", [StopRequest(), MarkRequest(text="x")])
    def test_without_a_session(self, idle: Running, request_: StopRequest | MarkRequest) -> None:
        with pytest.raises(ControlError, match=r"^nothing is being recorded in this room\. Start a session first\.$"):
            idle.room.request(request_)

    def test_an_idle_room_says_so(self, idle: Running) -> None:
        status = idle.room.request(StatusRequest())
        assert (status["room"], status["state"], status["session"], status["case"]) == (ROOM, "idle", None, None)
        assert status["free_bytes"] > 0


def test_a_wrong_password_is_told_without_it(site: SiteFolder, hosts: Hosts, tmp_path: Path) -> None:
    guarded = hosts({"subject": {}}, accounts=Accounts({"viewer": "right"}))
    (tmp_path / "secret").write_text("hush-hush")
    camera = {"url": guarded.rtsp_url("subject"), "username": "viewer", "password_file": str(tmp_path / "secret")}
    with Running(site, write_devices(site, {ROOM: {"subject": camera}})) as room:
        wait_for(lambda: room.state("subject") == "lost", "the camera to refuse")
        assert room.detail("subject") == "the camera refused user name or password"
        with pytest.raises(
            ControlError, match="not ready: camera room-1-subject: the camera refused user name or pass"
        ):
            room.start()
        assert "hush" not in str(room.room.status())


def test_the_right_password_opens(site: SiteFolder, hosts: Hosts, tmp_path: Path) -> None:
    guarded = hosts({"subject": {}}, accounts=Accounts({"viewer": "p@ss:/ü"}))
    (tmp_path / "secret").write_text("p@ss:/ü\n")
    camera = {"url": guarded.rtsp_url("subject"), "username": "viewer", "password_file": str(tmp_path / "secret")}
    with Running(site, write_devices(site, {ROOM: {"subject": camera}})) as room:
        room.wait_delivering()


def test_a_session_with_everything(site: SiteFolder, host: CameraHost) -> None:
    with Running(site, write_devices(site, {ROOM: two_cameras(host)}, pre_roll_s=1)) as room:
        room.wait_delivering()
        session = room.start()
        status = room.room.status()
        assert (status["state"], status["session"], status["case"]) == ("recording", session, CASE)
        with pytest.raises(ControlError, match=rf"^session {session} is being recorded here\. Stop it first\.$"):
            room.start()
        room.mark("出示证据")
        wait_for(lambda: all(one["kept_until"] for one in room.room.status()["cameras"]), "film on the disk")
        room.wait_recorded(1)
        room.stop()
        assert room.room.status()["state"] == "idle"
    recorded = Recorded(site, session)
    report = recorded.verify()
    assert report.verdict is Verdict.OK, report.text("en")
    opened = recorded.opened
    assert (opened.site, opened.room, opened.case, opened.operator) == ("xindai", ROOM, CASE, "赵操作")
    assert opened.officers == OFFICERS
    assert opened.rights_read
    assert [(track.track, track.camera, track.sound, track.video, track.audio) for track in opened.tracks] == [
        ("subject", "room-1-subject", True, "h264", "aac"),
        ("room", "room-1-room", False, "h264", None),
    ]
    assert opened.override_reason is None
    assert {check.name for check in opened.checks} == {
        "camera room-1-subject",
        "camera room-1-room",
        "disk",
        "certificate",
        "clock",
    }
    assert [event.text for event in recorded.events() if isinstance(event, Mark)] == ["出示证据"]
    assert recorded.closed.reason == "operator"
    for track in report.facts.tracks:
        assert track.first_time is not None
        assert track.first_time < opened.time, "the pre-roll is there"


def test_a_start_with_reasons_is_recorded_with_them(site: SiteFolder, nobody: str) -> None:
    request = StartRequest(
        no_case_reason="接报现场，尚未立案",
        officers_reason="另一名执法人员在途中",
        override_reason="摄像机检修，先行录制",
    )
    with Running(site, write_devices(site, {ROOM: {"subject": nobody}})) as room:
        session = room.start(request)
        room.stop()
    recorded = Recorded(site, session)
    assert recorded.verify().verdict is Verdict.OK_WITH_DECLARED_GAPS
    assert recorded.opened.case is None
    assert recorded.opened.no_case_reason == "接报现场，尚未立案"
    assert recorded.opened.officers_reason == "另一名执法人员在途中"
    assert recorded.opened.override_reason == "摄像机检修，先行录制"
    assert "failed" in {check.result for check in recorded.opened.checks}
    (gap,) = recorded.gaps("subject")
    assert gap.after_index is None


def test_without_a_pre_roll_a_session_still_begins_with_a_picture(site: SiteFolder, host: CameraHost) -> None:
    with Running(site, write_devices(site, {ROOM: two_cameras(host)}, pre_roll_s=0)) as room:
        room.wait_delivering()
        wait_for(lambda: all(feed.held_us() for feed in room.room._feeds.values()), "pictures in memory")
        session = room.start()
        room.wait_recorded(0.5)
        room.stop()
    recorded = Recorded(site, session)
    assert recorded.verify().verdict is Verdict.OK
    for track in ("subject", "room"):
        (first, *_) = recorded.segments(track)
        assert first.fragments[0].keyframe
        assert first.fragments[0].time <= recorded.opened.time


def test_one_interview_after_another_without_a_pause(site: SiteFolder, host: CameraHost) -> None:
    """An interview is not paused: it is closed, and another one names the first."""
    with Running(site, write_devices(site, {ROOM: two_cameras(host)}, pre_roll_s=0)) as room:
        room.wait_delivering()
        wait_for(lambda: all(feed.held_us() for feed in room.room._feeds.values()), "pictures in memory")
        sessions: list[str] = []
        for _ in range(3):
            request = START.model_copy(update={"follows": sessions[-1] if sessions else None})
            sessions.append(room.start(request))
            room.wait_recorded(0.4)
            room.stop()
    for session, before in zip(sessions, [None, *sessions], strict=False):
        recorded = Recorded(site, session)
        report = recorded.verify()
        assert report.verdict is Verdict.OK, report.text("en")
        assert recorded.opened.follows == before


def test_a_session_that_lasts_too_long_is_closed(site: SiteFolder, host: CameraHost) -> None:
    limits = {"max_session_hours": 0.9 / 3600}
    with Running(site, write_devices(site, {ROOM: two_cameras(host)}, **limits)) as room:
        room.wait_delivering()
        session = room.start()
        wait_for(lambda: room.room.status()["state"] == "idle", "the limit")
        with pytest.raises(ControlError, match="nothing is being recorded"):
            room.stop()
    recorded = Recorded(site, session)
    report = recorded.verify()
    assert report.verdict is Verdict.OK, report.text("en")
    assert recorded.closed.reason == "limit"
    assert recorded.closed.detail == "longer than 0.00025 hours"


class TestTakenUp:
    """A room that is shut while it records seals what there is; the next process goes on with the session."""

    def test_in_the_same_session(self, site: SiteFolder, host: CameraHost) -> None:
        loaded = write_devices(site, {ROOM: two_cameras(host)})
        with Running(site, loaded) as room:
            room.wait_delivering()
            session = room.start()
            room.wait_recorded(1)
        before = Recorded(site, session)
        assert before.verify().verdict is Verdict.INCOMPLETE
        with Running(site, loaded) as room:
            status = room.room.status()
            assert (status["state"], status["session"], status["case"]) == ("recording", session, CASE)
            assert status["elapsed_s"] >= 1
            room.wait_delivering()
            wait_for(lambda: all(one["kept_until"] for one in room.room.status()["cameras"]), "film on the disk")
            room.mark("继续")
            room.stop()
        recorded = Recorded(site, session)
        report = recorded.verify()
        assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
        assert recorded.records[: len(before.records)] == before.records
        assert [event.cause for event in recorded.events() if isinstance(event, Resumed)] == ["recorder_restarted"]
        for track in ("subject", "room"):
            assert [gap.cause for gap in recorded.gaps(track)] == ["recorder_restarted"]
            assert [len(run) > 0 for run in recorded.runs(track)] == [True, True]

    def test_with_other_cameras_in_the_room_since(self, site: SiteFolder, host: CameraHost) -> None:
        """The open record names the tracks of a session; devices.yaml may say something else by now."""
        with Running(site, write_devices(site, {ROOM: {"subject": host.rtsp_url("subject")}})) as room:
            room.wait_delivering()
            session = room.start()
            room.wait_recorded(0.6)
        changed = write_devices(site, {ROOM: {"room": host.rtsp_url("room"), "door": host.rtsp_url("subject")}})
        with Running(site, changed) as room:
            room.wait_delivering()
            room.wait_recorded(1)
            assert room.room.failure is None
            room.stop()
            second = room.start()
            room.stop()
        recorded = Recorded(site, session)
        report = recorded.verify()
        assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
        assert [track.track for track in report.facts.tracks] == ["subject"]
        assert [track.track for track in Recorded(site, second).opened.tracks] == ["room", "door"]

    def test_not_after_too_long(self, site: SiteFolder, host: CameraHost) -> None:
        cameras = {ROOM: two_cameras(host)}
        with Running(site, write_devices(site, cameras)) as room:
            room.wait_delivering()
            session = room.start()
            room.wait_recorded(0.6)
        with Running(site, write_devices(site, cameras, resume_within_minutes=0)) as room:
            assert room.room.status()["state"] == "idle"
        recorded = Recorded(site, session)
        report = recorded.verify()
        assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
        assert recorded.closed.reason == "recovered"
        assert recorded.closed.detail.startswith("the recorder was down for ")

    def test_not_when_stop_was_pressed(self, site: SiteFolder, host: CameraHost) -> None:
        loaded = write_devices(site, {ROOM: two_cameras(host)})
        with Running(site, loaded) as room:
            room.wait_delivering()
            session = room.start()
            room.wait_recorded(0.6)
        (site.spool / ROOM / session / "stopping").touch()
        with Running(site, loaded) as room:
            assert room.room.status()["state"] == "idle"
        recorded = Recorded(site, session)
        assert recorded.verify().verdict is Verdict.OK_WITH_DECLARED_GAPS
        assert (recorded.closed.reason, recorded.closed.detail) == ("recovered", "stop had been asked for")

    def test_a_session_that_never_began_is_put_away(self, site: SiteFolder, nobody: str) -> None:
        folder = site.spool / ROOM / "xindai-room-1-20261123T013000Z-7f3a"
        (folder / "records").mkdir(parents=True)
        (folder / "records" / "00000000.json").write_bytes(b"half a rec")
        with Running(site, write_devices(site, {ROOM: {"subject": nobody}})) as room:
            assert room.room.status()["state"] == "idle"
        assert not folder.exists()
        assert (folder.with_name(f"{folder.name}.abandoned") / "torn").is_dir()

    def test_an_earlier_session_that_does_not_hold_stops_nobody(self, site: SiteFolder, nobody: str) -> None:
        """Somebody changed a record in the spool: that is for the verifier to tell. The next interview is recorded."""
        loaded = write_devices(site, {ROOM: {"subject": nobody}})
        request = START.model_copy(update={"override_reason": "test"})
        with Running(site, loaded) as room:
            broken = room.start(request)
        record = site.spool / ROOM / broken / "records" / "00000000.json"
        data = record.read_bytes().replace(b"xindai", b"nowhere")
        record.write_bytes(data)
        with Running(site, loaded) as room:
            assert room.room.status()["state"] == "idle"
            session = room.start(request)
            room.stop()
        assert Recorded(site, session).verify().verdict is Verdict.OK_WITH_DECLARED_GAPS
        assert record.read_bytes() == data


class FailingDisk(RealDisk):
    """A disk that refuses to write or to sync media once it is told to."""

    def __init__(self) -> None:
        self.failing = ""

    def create(self, path: Path) -> OpenFile:
        return _FailingFile(self, super().create(path), path)


class _FailingFile:
    def __init__(self, disk: FailingDisk, file: OpenFile, path: Path) -> None:
        self._disk, self._file, self._path = disk, file, path

    def append(self, data: bytes) -> None:
        if self._disk.failing == "append" and self._path.suffix == ".mp4":
            self._file.append(data[: len(data) // 2])
            raise DiskError("cannot be written: no space left on device", where=str(self._path), full=True)
        self._file.append(data)

    def sync(self) -> None:
        if self._disk.failing == "sync" and self._path.suffix == ".mp4":
            raise DiskError("cannot be made durable: input/output error", where=str(self._path))
        self._file.sync()

    def close(self) -> None:
        self._file.close()


def test_a_disk_that_is_full_at_start_is_told_and_nothing_half_made_is_taken_up(
    site: SiteFolder, host: CameraHost
) -> None:
    class Full(RealDisk):
        def write(self, path: Path, data: bytes) -> None:
            raise DiskError("cannot be written: no space left on device", where=str(path), full=True)

    loaded = write_devices(site, {ROOM: two_cameras(host)})
    with Running(site, loaded, Full()) as room:
        room.wait_delivering()
        with pytest.raises(DiskError, match="no space left on device"):
            room.start()
        room.room.wait()
        assert isinstance(room.room.failure, DiskError)
    with Running(site, loaded) as room:
        assert room.room.status()["state"] == "idle"
    (left,) = (site.spool / ROOM).iterdir()
    assert left.suffix == ".abandoned"


class SetClock(SystemClock):
    """The machine's clocks, with a wall clock that a test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by_us = 0

    def utc_us(self) -> int:
        return super().utc_us() + self.set_by_us


@pytest.mark.parametrize("step_s", [-20, 20])
def test_a_clock_that_is_set_while_recording_is_told_in_the_chain(
    site: SiteFolder, host: CameraHost, step_s: int
) -> None:
    clock = SetClock()
    with Running(site, write_devices(site, {ROOM: two_cameras(host)}), clock=clock) as room:
        room.wait_delivering()
        session = room.start()
        wait_for(lambda: all(one["kept_until"] for one in room.room.status()["cameras"]), "film on the disk")
        clock.set_by_us = step_s * 1_000_000
        room.wait_recorded(1.2)
        room.stop()
    recorded = Recorded(site, session)
    (alarm,) = [event for event in recorded.events() if isinstance(event, Alarm)]
    assert (alarm.alarm, alarm.track) == ("clock_step", None)
    assert alarm.detail == f"the clock was set by {step_s:+.3f} s"
    for track in ("subject", "room"):
        (run,) = recorded.runs(track)
        assert recorded.length_s(run) > 0.9
    if not recorded.opened.clock.synchronized:
        assert recorded.verify().verdict is Verdict.OK, recorded.verify().text("en")


@pytest.mark.parametrize("failing", ["append", "sync"])
def test_a_disk_that_fails_ends_the_process_and_the_next_goes_on(
    site: SiteFolder, host: CameraHost, failing: str
) -> None:
    """After a failed sync nothing is known of the file: what follows is as after a crash."""
    loaded = write_devices(site, {ROOM: two_cameras(host)})
    disk = FailingDisk()
    with Running(site, loaded, disk) as room:
        room.wait_delivering()
        session = room.start()
        room.wait_recorded(0.6)
        disk.failing = failing
        room.room.wait()
        assert isinstance(room.room.failure, EvidenceError)
    with Running(site, loaded) as room:
        assert room.room.status()["session"] == session
        room.wait_delivering()
        wait_for(lambda: all(one["kept_until"] for one in room.room.status()["cameras"]), "film on the disk")
        room.stop()
    recorded = Recorded(site, session)
    report = recorded.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    if failing == "append":
        assert any((recorded.spool.folder / "torn").iterdir())


def test_two_processes_never_record_in_one_room(site: SiteFolder, nobody: str) -> None:
    loaded = write_devices(site, {ROOM: {"subject": nobody}})
    with Running(site, loaded), pytest.raises(ControlError, match="room-room-1: is already run by process"):
        Running(site, loaded).room.open()


def test_status_answers_while_the_disk_stands_still(site: SiteFolder, host: CameraHost) -> None:
    class Slow(FailingDisk):
        def sync_folder(self, path: Path) -> None:
            deadline_s = time.monotonic() + 5
            while self.failing and time.monotonic() < deadline_s:
                time.sleep(0.01)
            super().sync_folder(path)

    disk = Slow()
    with Running(site, write_devices(site, {ROOM: two_cameras(host)}), disk) as room:
        room.wait_delivering()
        room.start()
        disk.failing = "stands still"
        room.room._inbox.put(None)
        assert room.room.status()["state"] == "recording"
        disk.failing = ""
        room.stop()
