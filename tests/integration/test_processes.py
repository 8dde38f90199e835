"""Processes of the recorder that are killed or ended while an interview is recorded: what is lost, and who says so."""

import os
import signal

import pytest

from recorder.lock import UPLOADER_LOCK, holder
from shilu.cameras.media import AudioCodec
from tests.integration.centre import Centre, gaps, records, wait_for
from tests.integration.conftest import Cameras, Centres
from tests.integration.test_site import Film

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def recording(cameras: Cameras, film: Film, centre: Centres) -> tuple[Centre, str]:
    """A centre with one room that is being recorded, and the session."""
    server = cameras({"subject": film(AudioCodec.AAC, 120), "room": film(None, 120)})
    site: Centre = centre()
    site.write_rooms({"room-1": dict(server.urls)})
    site.start_recorder()
    site.wait_delivering(["room-1"])
    session = site.start("room-1")
    site.wait_segments("room-1", session, "subject", 2)
    return site, session


def segments(site: Centre, session: str) -> int:
    return sum(record["type"] == "segment" for record in records(site.site, "room-1", session))


def stop_and_verify(site: Centre, session: str) -> str:
    site.ok("stop", "--room", "room-1")
    site.wait_stored(session)
    return str(site.verify(session)["verdict"])


def test_supervisor_killed_loses_nothing(recording: tuple[Centre, str]) -> None:
    """The room records on without it, and the next supervisor takes over the same process."""
    site, session = recording
    room = site.room_process("room-1")
    site.kill_supervisor()
    before = segments(site, session)
    wait_for(lambda: segments(site, session) > before, "another segment without a supervisor")
    site.start_recorder()
    wait_for(lambda: b"found running" in (site.site.root / "recorder.log").read_bytes(), "the supervisor to find it")
    assert site.room_process("room-1") == room
    assert gaps(site.site, "room-1", session) == []
    assert stop_and_verify(site, session) == "OK"


def test_uploader_killed_loses_nothing(recording: tuple[Centre, str]) -> None:
    site, session = recording
    killed = wait_for(lambda: holder(site.site.run, UPLOADER_LOCK), "the uploader")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: holder(site.site.run, UPLOADER_LOCK) not in (None, killed), "a new uploader")
    assert gaps(site.site, "room-1", session) == []
    assert stop_and_verify(site, session) == "OK"


def test_recorder_ended_and_started_goes_on(recording: tuple[Centre, str]) -> None:
    """SIGTERM seals what there is; the next start goes on in the same session and declares the time between."""
    site, session = recording
    site.stop_recorder()
    assert holder(site.site.run, UPLOADER_LOCK) is None
    sealed = segments(site, session)
    site.start_recorder()
    wait_for(lambda: segments(site, session) > sealed, "another segment")
    assert site.rooms()["room-1"]["session"] == session
    assert stop_and_verify(site, session) == "OK_WITH_DECLARED_GAPS"
    chain = records(site.site, "room-1", session)
    assert [one["event"]["cause"] for one in chain if one["type"] == "event" and one["event"]["kind"] == "resumed"] == [
        "recorder_restarted"
    ]
    assert {gap["track"] for gap in gaps(site.site, "room-1", session)} == {"subject", "room"}


def test_tail_that_a_power_cut_tore(recording: tuple[Centre, str]) -> None:
    """What stands behind the last whole fragment is set aside; the rest is sealed and verifies."""
    site, session = recording
    site.kill_supervisor()
    os.kill(site.room_process("room-1"), signal.SIGKILL)
    wait_for(lambda: holder(site.site.run, "room-room-1") is None, "the room to be gone")
    folder = site.site.spool / "room-1" / session
    last = max((folder / "media" / "subject").glob("*.mp4"))
    with last.open("ab") as file:
        file.write(last.read_bytes()[-900:-100])
    site.start_recorder()
    site.wait_delivering(["room-1"])
    assert stop_and_verify(site, session) == "OK_WITH_DECLARED_GAPS"
    assert [path.stat().st_size for path in (folder / "torn").iterdir()] == [800]
