"""A local copy goes only when every store holds it, asked anew, and it is old enough. What was set aside never goes."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from evidence_store import layout
from evidence_store.durable import RealDisk
from evidence_store.errors import StoreUnavailableError
from evidence_store.records import to_us
from evidence_store.site import SiteFolder
from recorder.devices import LoadedDevices
from recorder.prune import Pruner
from recorder.room import Room
from recorder.upload import StoreUploader
from tests.recorder.rooms import ROOM, Running, new_site, write_devices
from tests.recorder.spooled import NOW, Recording, WatchedStore, closed_session
from tests.recorder.test_upload import NEVER

KEEP_DAYS = 7.0
NOW_US = to_us(NOW) + 60_000_000


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return new_site(tmp_path / "site")


@pytest.fixture
def loaded(site: SiteFolder) -> LoadedDevices:
    return write_devices(site, {ROOM: {"room": "rtsp://192.0.2.1/"}}, keep_local_days=KEEP_DAYS)


@pytest.fixture
def stores() -> list[WatchedStore]:
    return [WatchedStore("main"), WatchedStore("city")]


@pytest.fixture
def pruner(stores: list[WatchedStore], site: SiteFolder, loaded: LoadedDevices) -> Pruner:
    return Pruner(list(stores), site, loaded, RealDisk())


Store = Callable[..., None]


@pytest.fixture
def store(stores: list[WatchedStore], site: SiteFolder, loaded: LoadedDevices) -> Store:
    """Bring the spool to these stores, by default to all."""

    def send(*names: str) -> None:
        for one in stores:
            if not names or one.name in names:
                assert StoreUploader(one, site, loaded, RealDisk()).once(NEVER)

    return send


def test_what_every_store_holds_and_is_old_enough_goes(pruner: Pruner, store: Store, site: SiteFolder) -> None:
    old, young = closed_session(site, days_ago=8), closed_session(site, days_ago=6)
    store()
    assert pruner.once(NOW_US) == [old.session]
    assert [path.name for path in (site.spool / ROOM).iterdir()] == [young.session]
    assert pruner.once(NOW_US) == []


def test_its_age_counts_from_its_close(pruner: Pruner, store: Store, site: SiteFolder) -> None:
    recording = closed_session(site, days_ago=KEEP_DAYS)
    store()
    closed_us = recording.studio.clock.utc_us()
    keep_us = round(KEEP_DAYS * 86_400_000_000)
    assert pruner.once(closed_us + keep_us - 1_000_000) == []
    assert pruner.once(closed_us + keep_us + 1) == [recording.session]


def test_one_store_without_it_is_enough_to_keep_it(pruner: Pruner, store: Store, site: SiteFolder) -> None:
    recording = closed_session(site, days_ago=8)
    store("main")
    assert pruner.once(NOW_US) == []
    store("city")
    assert pruner.once(NOW_US) == [recording.session]


@pytest.mark.parametrize("which", ["media", "record", "signature"])
def test_each_object_is_asked_for(
    pruner: Pruner, store: Store, stores: list[WatchedStore], site: SiteFolder, which: str
) -> None:
    recording = closed_session(site, days_ago=8)
    store()
    key = {
        "media": layout.media_key(recording.session, "room", 0),
        "record": layout.record_key(recording.session, 1),
        "signature": layout.signature_key(recording.session, 3),
    }[which]
    held = stores[1].objects.pop(key)
    assert pruner.once(NOW_US) == []
    stores[1].objects[key] = held[:-1] + bytes([held[-1] ^ 1])
    assert pruner.once(NOW_US) == [], "other bytes under the same name are not it"
    stores[1].objects[key] = held
    assert pruner.once(NOW_US) == [recording.session]


def test_a_note_in_the_spool_is_no_confirmation(
    pruner: Pruner, store: Store, stores: list[WatchedStore], site: SiteFolder
) -> None:
    recording = closed_session(site, days_ago=8)
    store()
    stores[0].objects.clear()
    assert recording.spool.progress("main") == 4
    assert pruner.once(NOW_US) == []
    assert recording.spool.folder.exists()


def test_a_store_that_is_away_keeps_everything(
    pruner: Pruner, store: Store, stores: list[WatchedStore], site: SiteFolder
) -> None:
    recording = closed_session(site, days_ago=8)
    store()
    stores[1].calls_left = 3
    with pytest.raises(StoreUnavailableError):
        pruner.once(NOW_US)
    assert recording.spool.folder.exists()
    stores[1].calls_left = None
    assert pruner.once(NOW_US) == [recording.session]


def test_a_session_that_is_not_closed_stays(pruner: Pruner, store: Store, site: SiteFolder) -> None:
    recording = Recording(site, NOW - timedelta(days=30))
    recording.roll(2)
    store()
    assert pruner.once(NOW_US) == []


def test_what_was_set_aside_never_goes(pruner: Pruner, store: Store, site: SiteFolder) -> None:
    recording = closed_session(site, days_ago=300)
    store()
    torn = recording.spool.folder / "torn"
    torn.mkdir()
    (torn / "room-000000.0000").write_bytes(b"torn")
    assert pruner.once(NOW_US) == []
    assert (torn / "room-000000.0000").read_bytes() == b"torn"


def test_an_abandoned_session_stays(pruner: Pruner, store: Store, site: SiteFolder) -> None:
    recording = closed_session(site, days_ago=300)
    store()
    recording.spool.abandon()
    assert pruner.once(NOW_US) == []
    assert recording.spool.folder.with_name(f"{recording.session}.abandoned").exists()


def test_a_session_whose_records_do_not_hold_stays_and_stops_no_other(
    pruner: Pruner, store: Store, site: SiteFolder
) -> None:
    broken, whole = closed_session(site, days_ago=9), closed_session(site, days_ago=8)
    store()
    broken.spool.record_paths(1)[0].write_bytes(b"{}")
    assert pruner.once(NOW_US) == [whole.session]
    assert broken.spool.folder.exists()


def test_a_crash_in_the_middle_of_removing_leaves_no_half_session(
    pruner: Pruner, store: Store, site: SiteFolder, loaded: LoadedDevices
) -> None:
    """Half a chain in the spool would be taken up and closed anew: a second chain against the stored one."""
    recording = closed_session(site, days_ago=8)
    store()
    leaving = recording.spool.folder.with_name(f"{recording.session}.leaving")
    recording.spool.folder.rename(leaving)
    (leaving / "records" / "00000003.json").unlink()
    with Running(site, loaded) as room:
        assert isinstance(room.room, Room)
        assert room.room.status()["state"] == "idle"
    assert leaving.exists()
    assert pruner.once(NOW_US) == []
    assert not leaving.exists()


def test_a_session_leaves_its_name_in_one_step(
    stores: list[WatchedStore], store: Store, site: SiteFolder, loaded: LoadedDevices
) -> None:
    class Killed(RealDisk):
        def sync_folder(self, path: Path) -> None:
            raise KeyboardInterrupt

    recording = closed_session(site, days_ago=8)
    store()
    with pytest.raises(KeyboardInterrupt):
        Pruner(list(stores), site, loaded, Killed()).once(NOW_US)
    assert not recording.spool.folder.exists()
    (left,) = (site.spool / ROOM).iterdir()
    assert len(list((left / "records").iterdir())) == 8, "whole, under a name that no session has"
