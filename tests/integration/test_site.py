"""The main job with real parts: RTSP cameras of GStreamer, MinIO, PostgreSQL, processes that are killed."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from shilu.cameras.media import AudioCodec
from tests.integration.centre import Centre, RtspServer, gaps, records, shilu, wait_for
from tests.integration.conftest import Cameras, Centres
from tests.integration.film import play_whole
from tests.parts.minio import MinioServer

Film = Callable[[AudioCodec | None, int], Path]
pytestmark = pytest.mark.timeout(240)
ROOMS = ("room-1", "room-2", "room-3")
SOUND = {"room-1": AudioCodec.AAC, "room-2": AudioCodec.ALAW, "room-3": AudioCodec.AAC}


def two_cameras_a_room(cameras: Cameras, film: Film, seconds: int = 120) -> dict[str, dict[str, str]]:
    server = cameras(
        {f"{room}/{role}": film(SOUND[room] if role == "subject" else None, seconds)
         for room in ROOMS for role in ("subject", "room")}
    )  # fmt: skip
    return {room: {role: server.urls[f"{room}/{role}"] for role in ("subject", "room")} for room in ROOMS}


def test_three_rooms_at_once_on_minio_and_postgresql(
    cameras: Cameras, film: Film, centre: Centres, tmp_path: Path, postgres_url: str
) -> None:
    """Three rooms with two cameras each; MinIO goes away in the middle; an auditor verifies with nothing of ours."""
    with MinioServer(tmp_path) as minio:
        keys = {"SHILU_S3_ACCESS_KEY": minio.access_key, "SHILU_S3_SECRET_KEY": minio.secret_key}
        store = f"s3+http://{minio.address}/shilu-evidence"
        site = centre("--store", store, "--database", postgres_url, environment=keys)
        site.write_rooms(two_cameras_a_room(cameras, film))
        site.start_recorder()
        site.wait_delivering(ROOMS)
        sessions = {room: site.start(room, f"平综执立字〔2026〕第00{room[-1]}号") for room in ROOMS}
        for room, session in sessions.items():
            site.wait_segments(room, session, "subject", 2)
        minio.stop()
        site.ok("mark", "--room", "room-1", "--text", "出示证据")
        for room, session in sessions.items():
            site.wait_segments(room, session, "subject", 4)
        minio.start()
        for room in ROOMS:
            assert site.ok("stop", "--room", room).last_line == sessions[room]
        site.wait_stored(*sessions.values())

        trust = tmp_path / "auditor" / "trust.json"
        trust.parent.mkdir()
        shutil.copy(site.site.trust, trust)
        verified = shilu(
            "verify", "--store", store, "--trust", trust, *sessions.values(), "--json", environment=keys
        )  # fmt: skip
        assert verified.json()["verdict"] == "OK", verified.out
        assert verified.code == 0
        for room, session in sessions.items():
            assert {record["case"] for record in records(site.site, room, session)[:1]} == {
                f"平综执立字〔2026〕第00{room[-1]}号"
            }
            for track in ("subject", "room"):
                play_whole(site.site.spool / room / session / "media" / track, records(site.site, room, session), track)
        listed = site.ok("sessions", "--case", "平综执立字〔2026〕第001号", "--json").json()["sessions"]
        assert [one["session"] for one in listed] == [sessions["room-1"]]

        site.stop_recorder()
        rebuilt = site.ok("catalog", "rebuild", "--json").json()
        assert rebuilt["digest_before"] == rebuilt["digest_after"]
        assert rebuilt["problem_count"] == 0
        assert rebuilt["sessions"] == len(ROOMS)


def test_camera_killed_and_brought_back(cameras: Cameras, film: Film, centre: Centres) -> None:
    """The room's other camera records on; the lost one has a gap of the right length, and both play."""
    steady = cameras({"room": film(None, 120)})
    site = centre()
    with RtspServer({"subject": film(AudioCodec.AAC, 120)}) as lost:
        site.write_rooms({"room-1": {"subject": lost.urls["subject"], "room": steady.urls["room"]}})
        site.start_recorder()
        site.wait_delivering(["room-1"])
        session = site.start("room-1")
        site.wait_segments("room-1", session, "subject", 2)
        lost.kill()
        wait_for(lambda: site.rooms()["room-1"]["cameras"][0]["state"] == "lost", "the loss to be seen")
        before = len(list((site.site.spool / "room-1" / session / "media" / "room").glob("*.mp4")))
        site.wait_segments("room-1", session, "room", before + 1)
        lost.start()
        wait_for(lambda: gaps(site.site, "room-1", session), "the gap to be declared")
        site.wait_segments("room-1", session, "room", before + 3)
        site.ok("stop", "--room", "room-1")
    (gap,) = gaps(site.site, "room-1", session)
    assert gap["track"] == "subject"
    assert gap["cause"] == "camera_lost"
    assert 1_000_000 < gap["missing_us"] < 60_000_000
    site.wait_stored(session)
    assert site.verify(session)["verdict"] == "OK_WITH_DECLARED_GAPS"
    chain = records(site.site, "room-1", session)
    runs = {record["run"] for record in chain if record["type"] == "segment" and record["track"] == "subject"}
    assert runs == {0, 1}


def test_room_process_killed(cameras: Cameras, film: Film, centre: Centres) -> None:
    """`kill -9` in the middle, twice: the room is started again, the same session goes on, the loss is declared."""
    server = cameras({"subject": film(AudioCodec.ALAW, 120), "room": film(None, 120)})
    site = centre()
    site.write_rooms({"room-1": dict(server.urls)})
    site.start_recorder()
    site.wait_delivering(["room-1"])
    session = site.start("room-1")
    for declared in (2, 4):
        kill_after_another_segment(site, session)
        wait_for(partial(has_gaps, site, session, declared), "a gap of each camera")
    assert site.rooms()["room-1"]["session"] == session
    site.ok("stop", "--room", "room-1")
    for gap in gaps(site.site, "room-1", session):
        assert gap["cause"] == "recorder_restarted"
        assert gap["missing_us"] < 8_000_000
    site.wait_stored(session)
    assert site.verify(session)["verdict"] == "OK_WITH_DECLARED_GAPS"
    chain = records(site.site, "room-1", session)
    for track in ("subject", "room"):
        play_whole(site.site.spool / "room-1" / session / "media" / track, chain, track)


def kill_after_another_segment(site: Centre, session: str) -> None:
    def segments() -> int:
        return sum(record["type"] == "segment" for record in records(site.site, "room-1", session))

    before = segments()
    wait_for(lambda: segments() > before, "another segment")
    killed = site.kill_room("room-1")
    wait_for(lambda: site.room_process("room-1") != killed, "a new process", 10)


def has_gaps(site: Centre, session: str, count: int) -> bool:
    return len(gaps(site.site, "room-1", session)) == count
