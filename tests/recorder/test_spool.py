"""Files of a session on the recording machine: their order, their names, what is set aside."""

from pathlib import Path

import pytest

from evidence_store.durable import RealDisk
from evidence_store.errors import ChainError
from recorder.spool import SessionSpool, SpooledMedia, sessions_of
from tests.recorder.memory_disk import MemoryDisk, PowerCut

SESSION = "xindai-room-1-20261123T013000Z-7f3a"
FOLDER = Path("/spool/room-1") / SESSION
RECORD = FOLDER / "records" / "00000000.json"
SIGNATURE = FOLDER / "records" / "00000000.sig"


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


@pytest.fixture
def spool(disk: MemoryDisk) -> SessionSpool:
    spool = SessionSpool(FOLDER, disk)
    spool.create(["room", "subject"])
    disk.steps.clear()
    return spool


def test_the_order_of_a_record(disk: MemoryDisk, spool: SessionSpool) -> None:
    """Nothing before the one before it is durable; the signature's name is what the uploader waits for."""
    spool.write_record(0, b"record", b"signature")
    draft = SIGNATURE.with_name("00000000.sig.new")
    assert disk.steps == [
        ("create", RECORD),
        ("append", RECORD),
        ("sync", RECORD),
        ("create", draft),
        ("append", draft),
        ("sync", draft),
        ("sync_folder", RECORD.parent),
        ("rename", draft),
    ]


@pytest.mark.parametrize("lucky", [False, True])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("step", range(9))
def test_no_uploader_ever_sees_a_record_that_a_power_cut_takes_back(step: int, half: bool, lucky: bool) -> None:
    """What leaves the machine and is then made again in another way would contradict itself."""
    disk = MemoryDisk(1000 if step == 8 else None, half=half)
    spool = SessionSpool(FOLDER, disk)
    spool.create(["room"])
    disk._cut_at = len(disk.steps) + step
    try:
        spool.write_record(0, b"record", b"signature")
    except PowerCut:
        assert step < 8
    seen = list(spool.records())
    after = SessionSpool(FOLDER, disk.after_power_cut(lucky=lucky))
    if seen:
        assert list(after.records()) == seen or after.drafted(0) == (b"record", b"signature")
    for _, data, signature in after.records():
        assert (data, signature) == (b"record", b"signature")


def test_records_are_read_up_to_the_first_that_is_not_whole(disk: MemoryDisk, spool: SessionSpool) -> None:
    for seq in range(4):
        spool.write_record(seq, b"record %d" % seq, b"signature %d" % seq)
    disk.remove(FOLDER / "records" / "00000002.sig")
    assert list(spool.records()) == [(0, b"record 0", b"signature 0"), (1, b"record 1", b"signature 1")]
    assert list(spool.records(first=3)) == [(3, b"record 3", b"signature 3")]
    assert list(spool.records(first=4)) == []


def test_a_media_file_is_named_by_segment_and_run(disk: MemoryDisk, spool: SessionSpool) -> None:
    file = spool.create_media("subject", 7, 3)
    file.append(b"init")
    file.sync()
    path = FOLDER / "media" / "subject" / "000007.0003.mp4"
    assert spool.media() == [SpooledMedia(path, "subject", 7, 3)]
    assert spool.media_path("subject", 7) == path
    with pytest.raises(ChainError, match=r"subject/000008\.mp4: the segment is not in the spool\. Look in torn/"):
        spool.media_path("subject", 8)


def test_a_media_file_has_its_name_before_its_first_byte(disk: MemoryDisk, spool: SessionSpool) -> None:
    spool.create_media("room", 0, 0).append(b"init")
    assert [name for name, _ in disk.steps] == ["create", "sync_folder", "append"]


def test_the_mark_of_stopping_survives(disk: MemoryDisk, spool: SessionSpool) -> None:
    assert spool.stopping() is None
    spool.mark_stopping("operator")
    spool.mark_stopping("limit")
    assert spool.stopping() == "operator"
    assert SessionSpool(FOLDER, disk.after_power_cut()).stopping() == "operator"


def test_a_mark_of_stopping_that_was_torn_counts(disk: MemoryDisk, spool: SessionSpool) -> None:
    """Somebody did press stop; and the session can still be closed."""
    disk.alter(FOLDER / "stopping", b"")
    assert spool.stopping() == ""
    spool.mark_stopping("recovered")


class TestSetAside:
    def test_a_torn_tail_is_copied_before_it_is_cut_off(self, disk: MemoryDisk, spool: SessionSpool) -> None:
        file = spool.create_media("room", 0, 0)
        file.append(b"whole|torn")
        disk.steps.clear()
        spool.set_aside(spool.media_path("room", 0), 6, "room-000000")
        kept = FOLDER / "torn" / "room-000000.0000"
        assert [name for name, _ in disk.steps] == [
            "make_folder",
            "create",
            "append",
            "sync",
            "sync_folder",
            "truncate",
        ]
        assert disk.files()[kept] == b"torn"
        assert disk.files()[FOLDER / "media" / "room" / "000000.0000.mp4"] == b"whole|"

    def test_a_file_of_which_nothing_is_whole_is_taken_away(self, disk: MemoryDisk, spool: SessionSpool) -> None:
        spool.create_media("room", 0, 0).append(b"torn")
        spool.set_aside(spool.media_path("room", 0), None, "room-000000")
        assert disk.files() == {FOLDER / "torn" / "room-000000.0000": b"torn"}

    def test_nothing_set_aside_is_ever_written_over(self, disk: MemoryDisk, spool: SessionSpool) -> None:
        for number in range(3):
            spool.create_media("room", 0, number).append(b"torn %d" % number)
            spool.set_aside(spool.media_path("room", 0), None, "room-000000")
        assert sorted(disk.files().values()) == [b"torn 0", b"torn 1", b"torn 2"]

    def test_records_without_a_signature_are_set_aside(self, disk: MemoryDisk, spool: SessionSpool) -> None:
        spool.write_record(0, b"record 0", b"signature 0")
        disk.alter(FOLDER / "records" / "00000001.json", b"record 1")
        disk.alter(FOLDER / "records" / "00000001.sig.new", b"sig")
        spool.set_aside_records(1)
        names = [path.relative_to(FOLDER).as_posix() for path in disk.files()]
        assert names == [
            "records/00000000.json",
            "records/00000000.sig",
            "torn/record-00000001.json.0000",
            "torn/record-00000001.sig.new.0001",
        ]


class TestProgress:
    @pytest.fixture
    def spool(self, tmp_path: Path) -> SessionSpool:
        spool = SessionSpool(tmp_path / SESSION, RealDisk())
        spool.create(["room"])
        return spool

    def test_a_note_is_kept_for_each_store(self, spool: SessionSpool) -> None:
        assert spool.progress("main") == 0
        spool.set_progress("main", 12)
        spool.set_progress("catalog-main", 7)
        assert (spool.progress("main"), spool.progress("catalog-main"), spool.progress("other")) == (12, 7, 0)

    @pytest.mark.parametrize("data", [b"", b"x", b"-3", b"1e3", b"\x00\x00", b"\xff\xff", "²".encode()])
    def test_a_note_that_a_crash_tore_is_as_if_it_were_not_there(self, spool: SessionSpool, data: bytes) -> None:
        spool.set_progress("main", 12)
        (spool.folder / "progress" / "main").write_bytes(data)
        assert spool.progress("main") == 0

    def test_a_session_that_is_gone_takes_its_notes_along(self, spool: SessionSpool) -> None:
        gone = SessionSpool(spool.folder.with_name(f"{SESSION[:-4]}0000"), RealDisk())
        gone.set_progress("main", 5)
        assert gone.progress("main") == 0


def test_sessions_of_a_room_from_the_oldest_on(tmp_path: Path) -> None:
    names = [
        "xindai-room-1-20261123T013000Z-7f3a",
        "xindai-room-1-20261122T013000Z-ffff",
        "xindai-room-1-20261123T013000Z-7f3a.abandoned",
        "notes.txt",
    ]
    for name in names:
        (tmp_path / "room-1" / name).mkdir(parents=True)
    (tmp_path / "room-2" / "xindai-room-2-20261123T013000Z-7f3a").mkdir(parents=True)
    assert [spool.session for spool in sessions_of(tmp_path, "room-1", RealDisk())] == [names[1], names[0]]
    assert sessions_of(tmp_path, "room-9", RealDisk()) == []


def test_an_abandoned_session_is_none(disk: MemoryDisk, spool: SessionSpool) -> None:
    spool.abandon()
    assert sessions_of(Path("/spool"), "room-1", disk) == []
    assert disk.list(Path("/spool/room-1")) == [FOLDER.with_name(f"{SESSION}.abandoned")]
