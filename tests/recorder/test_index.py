"""The catalog is told what the stores have confirmed: late, twice, or never, it costs the evidence nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence_store import layout
from evidence_store.catalog import Catalog
from evidence_store.durable import RealDisk
from evidence_store.errors import CatalogError
from evidence_store.site import SiteFolder
from recorder.devices import LoadedDevices
from recorder.index import Indexer
from recorder.upload import StoreUploader
from tests.evidence_store.chains import CASE
from tests.recorder.rooms import ROOM, new_site, write_devices
from tests.recorder.spooled import Recording, WatchedStore, closed_session
from tests.recorder.test_upload import NEVER


class Switch:
    """Opens the site's catalog, unless the database is away."""

    def __init__(self, site: SiteFolder) -> None:
        self._url, _ = site.database()
        self.away = False
        self.opened = 0

    def __call__(self) -> Catalog:
        if self.away:
            raise CatalogError("the database cannot be reached")
        self.opened += 1
        return Catalog.open(self._url)


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return new_site(tmp_path / "site")


@pytest.fixture
def loaded(site: SiteFolder) -> LoadedDevices:
    return write_devices(site, {ROOM: {"room": "rtsp://192.0.2.1/"}})


@pytest.fixture
def switch(site: SiteFolder) -> Switch:
    return Switch(site)


@pytest.fixture
def catalog(switch: Switch) -> Iterator[Catalog]:
    with switch() as catalog:
        yield catalog


@pytest.fixture
def uploader(site: SiteFolder, loaded: LoadedDevices) -> StoreUploader:
    return StoreUploader(WatchedStore(), site, loaded, RealDisk())


@pytest.fixture
def indexer(switch: Switch, site: SiteFolder, loaded: LoadedDevices) -> Indexer:
    return Indexer(switch, site, loaded, RealDisk())


def rows(catalog: Catalog, recording: Recording) -> Any:
    return catalog.session(recording.session)


def test_the_catalog_knows_what_a_store_has_confirmed(
    site: SiteFolder, uploader: StoreUploader, indexer: Indexer, catalog: Catalog
) -> None:
    recording = closed_session(site, segments=2)
    uploader.once(NEVER)
    indexer.once()
    (found,) = catalog.sessions(case=CASE).items
    assert found.id == recording.session
    assert found.closed_us is not None
    assert len(catalog.segments(recording.session, "room")) == 3
    for seq in range(5):
        (copy,) = catalog.copies(layout.record_key(recording.session, seq))
        assert copy.store == "main"


def test_nothing_is_told_before_a_store_has_it(
    site: SiteFolder, uploader: StoreUploader, indexer: Indexer, catalog: Catalog
) -> None:
    recording = closed_session(site)
    indexer.once()
    assert rows(catalog, recording) is None
    uploader.once(NEVER)
    indexer.once()
    assert rows(catalog, recording) is not None


def test_a_session_is_told_while_it_is_recorded(
    site: SiteFolder, uploader: StoreUploader, indexer: Indexer, catalog: Catalog
) -> None:
    recording = Recording(site)
    for segments in range(1, 4):
        recording.roll()
        uploader.once(NEVER)
        indexer.once()
        assert len(catalog.segments(recording.session, "room")) >= segments
    recording.stop()
    uploader.once(NEVER)
    indexer.once()
    (found,) = catalog.sessions().items
    assert found.closed_us is not None


def test_a_database_that_is_away_and_back(
    site: SiteFolder, uploader: StoreUploader, indexer: Indexer, switch: Switch, catalog: Catalog
) -> None:
    recording = closed_session(site)
    switch.away = True
    uploader.once(NEVER)
    for _ in range(3):
        with pytest.raises(CatalogError, match="cannot be reached"):
            indexer.once()
    assert recording.spool.progress("main") == 4, "storing did not wait for it"
    assert recording.spool.progress("catalog-main") == 0
    switch.away = False
    indexer.once()
    assert rows(catalog, recording) is not None
    assert recording.spool.progress("catalog-main") == 4


@pytest.mark.parametrize("lost", [["catalog-main"], ["main"], ["main", "catalog-main"]])
def test_lost_notes_are_told_again_and_change_nothing(
    site: SiteFolder,
    loaded: LoadedDevices,
    uploader: StoreUploader,
    indexer: Indexer,
    switch: Switch,
    catalog: Catalog,
    lost: list[str],
) -> None:
    recording = closed_session(site, segments=2)
    uploader.once(NEVER)
    indexer.once()
    before = catalog.digest()
    for name in lost:
        (recording.spool.folder / "progress" / name).unlink()
    again = Indexer(switch, site, loaded, RealDisk())
    again.once()
    StoreUploader(uploader.store, site, loaded, RealDisk()).once(NEVER)
    again.once()
    assert catalog.digest() == before


def test_every_store_is_told_of_by_its_own_name(site: SiteFolder, switch: Switch, catalog: Catalog) -> None:
    loaded = write_devices(site, {ROOM: {"room": "rtsp://192.0.2.1/"}})
    second = {"name": "city", "url": "file:///nowhere"}
    stores = (*loaded.devices.stores, loaded.devices.stores[0].model_copy(update=second))
    loaded = loaded.model_copy(update={"devices": loaded.devices.model_copy(update={"stores": stores})})
    recording = closed_session(site)
    indexer = Indexer(switch, site, loaded, RealDisk())
    StoreUploader(WatchedStore("main"), site, loaded, RealDisk()).once(NEVER)
    indexer.once()
    assert set(catalog.session_keys_confirmed(recording.session)) == {"main"}
    StoreUploader(WatchedStore("city"), site, loaded, RealDisk()).once(NEVER)
    indexer.once()
    assert set(catalog.session_keys_confirmed(recording.session)) == {"main", "city"}


def test_a_session_that_does_not_hold_stops_no_other(
    site: SiteFolder, uploader: StoreUploader, indexer: Indexer, catalog: Catalog
) -> None:
    broken, whole = closed_session(site, days_ago=0.02), closed_session(site)
    uploader.once(NEVER)
    broken.spool.record_paths(0)[0].write_bytes(b"{}")
    indexer.once()
    indexer.once()
    assert rows(catalog, whole) is not None
    assert rows(catalog, broken) is None


def test_a_record_that_the_catalog_refuses_is_passed_over(
    site: SiteFolder, uploader: StoreUploader, indexer: Indexer, catalog: Catalog
) -> None:
    """A forged signature in the spool: the verifier will tell. The catalog goes on with what is good."""
    forged, whole = closed_session(site, days_ago=0.02), closed_session(site)
    uploader.once(NEVER)
    forged.spool.record_paths(2)[1].write_bytes(b"no signature")
    indexer.once()
    assert rows(catalog, whole) is not None
    assert forged.spool.progress("catalog-main") == 4


def test_a_catalog_rebuilt_from_the_store_is_the_same(
    site: SiteFolder, uploader: StoreUploader, indexer: Indexer, catalog: Catalog
) -> None:
    for days in (0.02, 0.01, 0):
        closed_session(site, days_ago=days, segments=2)
    uploader.once(NEVER)
    indexer.once()
    before = catalog.digest()
    catalog.rebuild({"main": uploader.store}, site.anchors())
    assert catalog.digest() == before
