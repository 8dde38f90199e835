"""From the spool to a store: in the order of the chain, as often as it takes, nothing twice and nothing other."""

import threading
from pathlib import Path

import pytest

from evidence_store import layout
from evidence_store.durable import RealDisk
from evidence_store.errors import StoreError
from evidence_store.records import Mark
from evidence_store.site import RECORDER, SiteFolder
from evidence_store.stores import open_store
from evidence_store.verify import ReaderSource, Verdict, verify_session
from recorder.control import ControlError
from recorder.devices import LoadedDevices
from recorder.upload import FIRST_PAUSE_S, MAX_PAUSE_S, StoreUploader
from recorder.uploader import Uploads
from tests.recorder.rooms import ROOM, new_site, wait_for, write_devices
from tests.recorder.spooled import Recording, WatchedStore, closed_session

NEVER = threading.Event()
"""Nobody tells the uploader to stop."""


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return new_site(tmp_path / "site")


@pytest.fixture
def loaded(site: SiteFolder) -> LoadedDevices:
    camera = {"room": "rtsp://192.0.2.1/"}
    return write_devices(site, {ROOM: camera, "room-2": camera})


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore()


@pytest.fixture
def uploader(store: WatchedStore, site: SiteFolder, loaded: LoadedDevices) -> StoreUploader:
    return StoreUploader(store, site, loaded, RealDisk())


def is_stored(store: WatchedStore, recording: Recording, site: SiteFolder) -> bool:
    report = verify_session(recording.session, ReaderSource(store), site.anchors())
    return report.verdict in {Verdict.OK, Verdict.OK_WITH_DECLARED_GAPS}


def test_what_is_stored_verifies(
    uploader: StoreUploader, store: WatchedStore, site: SiteFolder, loaded: LoadedDevices
) -> None:
    recording = closed_session(site, segments=2)
    assert uploader.once(NEVER)
    assert is_stored(store, recording, site)
    assert uploader.trouble == ""


def test_segment_record_signature_in_the_order_of_the_chain(
    uploader: StoreUploader, store: WatchedStore, site: SiteFolder
) -> None:
    recording = closed_session(site, segments=2)
    uploader.once(NEVER)
    prefix = layout.session_prefix(recording.session)
    assert [key.removeprefix(prefix) for key in store.put if key.startswith(prefix)] == [
        "records/00000000.json",
        "records/00000000.sig",
        "media/room/000000.mp4",
        "records/00000001.json",
        "records/00000001.sig",
        "media/room/000001.mp4",
        "records/00000002.json",
        "records/00000002.sig",
        "media/room/000002.mp4",
        "records/00000003.json",
        "records/00000003.sig",
        "records/00000004.json",
        "records/00000004.sig",
    ]


def test_certificates_come_before_everything(uploader: StoreUploader, store: WatchedStore, site: SiteFolder) -> None:
    closed_session(site)
    uploader.once(NEVER)
    assert [key.split("/")[0] for key in store.put[:3]] == ["certs", "certs", "sessions"]
    assert len(site.chain(RECORDER)) == 2


def test_the_store_is_proved_before_it_is_given_anything(
    uploader: StoreUploader, store: WatchedStore, site: SiteFolder
) -> None:
    closed_session(site)
    store.refuses = StoreError("does not lock what is written", where="store main")
    assert not uploader.once(NEVER)
    assert store.put == []
    assert uploader.trouble == "store main: does not lock what is written"
    store.refuses = None
    assert uploader.once(NEVER)
    assert uploader.once(NEVER)
    assert store.proved == 2, "once it has proved itself it is trusted until the next start"


def test_a_session_is_stored_while_it_is_recorded(
    uploader: StoreUploader, store: WatchedStore, site: SiteFolder
) -> None:
    recording = Recording(site)
    uploader.once(NEVER)
    assert layout.signature_key(recording.session, 0) in store.objects
    recording.roll()
    uploader.once(NEVER)
    assert layout.media_key(recording.session, "room", 0) in store.objects
    assert layout.media_key(recording.session, "room", 1) not in store.objects, "it is still growing"
    recording.stop()
    uploader.once(NEVER)
    assert is_stored(store, recording, site)


def test_nothing_is_offered_twice(uploader: StoreUploader, store: WatchedStore, site: SiteFolder) -> None:
    recording = Recording(site)
    for _ in range(3):
        recording.roll()
        uploader.once(NEVER)
        uploader.once(NEVER)
    recording.stop()
    uploader.once(NEVER)
    uploader.once(NEVER)
    assert len(store.put) == len(set(store.put))


def test_older_sessions_go_first(uploader: StoreUploader, store: WatchedStore, site: SiteFolder) -> None:
    sessions = [
        closed_session(site, days_ago=days, room=room).session for days, room in ((3, ROOM), (2, "room-2"), (1, ROOM))
    ]
    uploader.once(NEVER)
    order = list(dict.fromkeys(key.split("/")[1] for key in store.put if key.startswith("sessions/")))
    assert order == sessions


class TestStoreDown:
    @pytest.mark.parametrize("calls", range(16))
    def test_at_any_call_and_back_again(
        self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder, calls: int
    ) -> None:
        recording = closed_session(site, segments=2)
        store.calls_left = calls
        assert not uploader.once(NEVER)
        assert uploader.trouble == "store main: cannot be reached. Try again later."
        store.calls_left = None
        assert uploader.once(NEVER)
        assert uploader.trouble == ""
        assert is_stored(store, recording, site)

    def test_it_goes_on_with_what_it_was_at(
        self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder
    ) -> None:
        closed_session(site, segments=3)
        store.calls_left = 9
        uploader.once(NEVER)
        sent = list(store.put)
        store.calls_left = None
        uploader.once(NEVER)
        assert set(sent) <= set(store.put)
        twice = [key for key in store.put if store.put.count(key) > 1]
        assert len(set(twice)) <= 2, "at most what belongs to the one record that was under way"

    def test_it_is_asked_at_growing_intervals_but_not_too_rarely(
        self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder
    ) -> None:
        closed_session(site)
        store.calls_left = 0
        pauses_s = []
        for _ in range(10):
            assert not uploader.once(NEVER)
            pauses_s.append(uploader._pause_s)
        assert pauses_s == sorted(pauses_s)
        assert pauses_s[0] == 2 * FIRST_PAUSE_S
        assert pauses_s[-1] == MAX_PAUSE_S
        store.calls_left = None
        assert uploader.once(NEVER)
        assert uploader._pause_s == FIRST_PAUSE_S

    def test_recording_goes_on_meanwhile(self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder) -> None:
        recording = Recording(site)
        store.calls_left = 0
        for _ in range(5):
            recording.roll()
            assert not uploader.once(NEVER)
        recording.stop()
        store.calls_left = None
        assert uploader.once(NEVER)
        assert is_stored(store, recording, site)


class TestConflict:
    """A key that is taken by other bytes: told, never written over, and no other session waits for it."""

    def test_it_is_told_and_others_go_on(self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder) -> None:
        taken, free = closed_session(site, days_ago=1), closed_session(site)
        key = layout.record_key(taken.session, 1)
        store.objects[key] = b"something else"
        assert not uploader.once(NEVER)
        assert uploader.trouble == f"main/{key}: already holds other bytes"
        assert store.objects[key] == b"something else"
        assert is_stored(store, free, site)
        assert layout.record_key(taken.session, 2) not in store.objects, "nothing after it"

    def test_it_is_told_as_long_as_it_lasts(
        self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder
    ) -> None:
        taken = closed_session(site)
        key = layout.media_key(taken.session, "room", 0)
        store.objects[key] = b"something else"
        for _ in range(3):
            assert not uploader.once(NEVER)
        assert uploader.trouble
        del store.objects[key]
        assert uploader.once(NEVER)
        assert uploader.trouble == ""
        assert is_stored(store, taken, site)

    def test_a_session_whose_records_do_not_hold_stops_no_other(
        self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder
    ) -> None:
        broken, whole = closed_session(site, days_ago=1), closed_session(site)
        broken.spool.record_paths(1)[0].write_bytes(b"{}")
        assert not uploader.once(NEVER)
        assert "format 'None' is not known" in uploader.trouble
        assert is_stored(store, whole, site)

    def test_a_segment_that_is_gone_from_the_spool_stops_no_other(
        self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder
    ) -> None:
        broken, whole = closed_session(site, days_ago=1), closed_session(site)
        broken.spool.media_path("room", 0).unlink()
        assert not uploader.once(NEVER)
        assert "the segment is not in the spool" in uploader.trouble
        assert is_stored(store, whole, site)

    def test_a_store_that_confirms_another_hash_is_not_believed(
        self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder
    ) -> None:
        recording = closed_session(site)
        uploader.once(NEVER)
        other = Recording(site)
        store.lies = True
        assert not uploader.once(NEVER)
        assert "the store confirmed another hash than was sent" in uploader.trouble
        assert other.spool.progress("main") == 0
        assert recording.spool.progress("main") == 4


class TestNotes:
    """How far a store is stands in the spool only to save time."""

    def test_lost_notes_are_offered_again_and_change_nothing(
        self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder, loaded: LoadedDevices
    ) -> None:
        recording = closed_session(site)
        uploader.once(NEVER)
        before = dict(store.objects)
        (recording.spool.folder / "progress" / "main").unlink()
        again = StoreUploader(store, site, loaded, RealDisk())
        assert again.once(NEVER)
        assert store.objects == before
        assert recording.spool.progress("main") == 4

    def test_another_process_goes_on_where_the_last_one_was(
        self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder, loaded: LoadedDevices
    ) -> None:
        recording = Recording(site)
        recording.roll(2)
        uploader.once(NEVER)
        sent = len(store.put)
        recording.stop()
        StoreUploader(store, site, loaded, RealDisk()).once(NEVER)
        assert [key.split("/")[0] for key in store.put[sent : sent + 2]] == ["certs", "certs"]
        again = store.put[sent + 2 :]
        assert again
        assert not set(again) & set(store.put[:sent])
        assert is_stored(store, recording, site)

    def test_where_the_disk_takes_no_note_storing_goes_on(
        self, uploader: StoreUploader, store: WatchedStore, site: SiteFolder
    ) -> None:
        """A full disk is when the stores are needed most."""
        recording = closed_session(site)
        (recording.spool.folder / "progress").write_bytes(b"in the way")
        assert uploader.once(NEVER)
        assert uploader.once(NEVER)
        assert is_stored(store, recording, site)
        assert len(store.put) == len(set(store.put)), "nothing is offered again while the process lives"


def test_told_to_stop_it_ends_after_what_it_is_at(
    uploader: StoreUploader, store: WatchedStore, site: SiteFolder
) -> None:
    closed_session(site, segments=3)
    stop = threading.Event()
    store.before = lambda key: stop.set() if key.endswith("00000001.json") else None
    uploader.once(stop)
    assert store.put[-1].endswith("00000001.sig")


def test_a_mark_is_stored_before_the_next_segment(
    uploader: StoreUploader, store: WatchedStore, site: SiteFolder
) -> None:
    recording = Recording(site)
    recording.studio.interview.event(Mark(kind="mark", text="出示证据"))
    uploader.once(NEVER)
    assert store.put[-1] == layout.signature_key(recording.session, 1)


def test_what_was_set_aside_or_abandoned_stays_on_the_machine(
    uploader: StoreUploader, store: WatchedStore, site: SiteFolder
) -> None:
    recording = closed_session(site)
    (recording.spool.folder / "torn").mkdir()
    (recording.spool.folder / "torn" / "room-000000.0000").write_bytes(b"torn")
    (recording.spool.folder.with_name(f"{recording.session}.abandoned")).mkdir()
    uploader.once(NEVER)
    assert not any("torn" in key or "abandoned" in key for key in store.put)


def test_a_store_in_a_folder_holds_the_same(site: SiteFolder, loaded: LoadedDevices) -> None:
    """The real thing: written once, read back from the disk."""
    folder = open_store((site.root / "store").as_uri(), name="main", retention_days=1)
    recording = closed_session(site, segments=2)
    uploader = StoreUploader(folder, site, loaded, RealDisk())
    assert uploader.once(NEVER)
    report = verify_session(recording.session, ReaderSource(folder), site.anchors())
    assert report.verdict is Verdict.OK, report.text("en")


class Broken(WatchedStore):
    def prove(self) -> None:
        raise ValueError("a fault of the program")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_a_fault_ends_is_missed(site: SiteFolder, loaded: LoadedDevices) -> None:
    """The uploader's process then ends, and the supervisor starts it anew."""
    uploads = Uploads(site, loaded, RealDisk())
    uploads.uploaders[0].store = Broken()
    uploads.start()
    wait_for(lambda: not uploads.healthy(), "the thread to end")
    uploads.stop()


def test_all_that_brings_the_spool_out_of_the_machine(site: SiteFolder, loaded: LoadedDevices) -> None:
    """Store, catalog and what frees the spool, on their threads."""
    recording = closed_session(site)
    uploads = Uploads(site, loaded, RealDisk())
    with pytest.raises(ControlError, match="uploader: is already run by process"):
        Uploads(site, loaded, RealDisk())
    uploads.start()
    try:
        wait_for(lambda: recording.spool.progress("catalog-main") == 4, "store and catalog")
        assert uploads.healthy()
    finally:
        uploads.stop()
