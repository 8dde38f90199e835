"""The catalog is thrown away and made again from the stores: the same comes out, or the old one stays."""

from datetime import timedelta

import pytest

from evidence_store import layout
from evidence_store.catalog import (
    Catalog,
    CatalogUnavailableError,
    RebuildProblem,
    RebuildProgress,
)
from evidence_store.durable import RealDisk
from evidence_store.errors import CatalogError, FormatError, StoreUnavailableError
from evidence_store.signing import certificate_pem
from evidence_store.stores.file import FileStore
from tests.evidence_store.catalog.helpers import clear, confirm_all, full_store, ingest, ingest_all
from tests.evidence_store.catalog.writer import Writer
from tests.evidence_store.chains import Chain, Site, full_chain, make_site, store_chain
from tests.evidence_store.memory_store import MemoryStore

SECOND = "xindai-room-2-20261123T020000Z-00ff"


class TestEqual:
    def test_to_what_was_there(self, catalog: Catalog, site: Site) -> None:
        chains = [full_chain(site.recorder), full_chain(site.recorder, SECOND, room="room-2", case=None)]
        stores = [full_store(site, *chains, name=name) for name in ("hall", "city")]
        for chain in reversed(chains):
            ingest_all(catalog, site, reversed(chain.records))
        for store in stores:
            confirm_all(catalog, store)
        before = catalog.digest()
        report = catalog.rebuild({store.name: store for store in stores}, site.anchors)
        assert catalog.digest() == before
        assert (report.sessions, report.records, report.segments) == (2, 20, 6)
        assert report.copies == 2 * (2 * 20 + 6 + 1)
        assert (report.problem_count, report.problems) == (0, ())

    def test_when_done_twice(self, catalog: Catalog, site: Site) -> None:
        store = full_store(site, full_chain(site.recorder))
        catalog.rebuild({"hall": store}, site.anchors)
        before = catalog.digest()
        catalog.rebuild({"hall": store}, site.anchors)
        assert catalog.digest() == before

    def test_from_stores_that_hold_a_part_each(self, catalog: Catalog, site: Site) -> None:
        """The certificate in one, records spread over both: together they are the whole."""
        chain = full_chain(site.recorder)
        ingest_all(catalog, site, chain.records)
        stores = [full_store(site, name="hall"), MemoryStore("city")]
        objects = dict(chain.objects())
        for number, record in enumerate(chain.records):
            for key in (record.key, layout.signature_key(record.session, record.seq)):
                stores[number % 2].put_bytes(key, objects[key])
        for store in stores:
            confirm_all(catalog, store)
        before = catalog.digest()
        report = catalog.rebuild({store.name: store for store in stores}, site.anchors)
        assert not report.problems
        assert catalog.digest() == before

    def test_on_either_kind_of_database(self, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
        site = make_site()
        store = full_store(site, full_chain(site.recorder), full_chain(site.recorder, SECOND))
        digests = set()
        for url in (postgres_url, f"sqlite:///{tmp_path_factory.mktemp('other')}/catalog.db"):
            with Catalog.open(url) as catalog:
                catalog.rebuild({"hall": store}, site.anchors)
                digests.add(catalog.digest())
        assert len(digests) == 1

    def test_from_a_store_in_a_folder(
        self, catalog: Catalog, site: Site, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        memory = full_store(site, full_chain(site.recorder))
        catalog.rebuild({"hall": memory}, site.anchors)
        expected = catalog.digest()
        folder = FileStore(tmp_path_factory.mktemp("store"), "hall", RealDisk())
        folder.prepare()
        for key, data in memory.objects.items():
            folder.put_bytes(key, data)
        clear(catalog, site)
        assert catalog.rebuild({"hall": folder}, site.anchors).problem_count == 0
        assert catalog.digest() == expected

    def test_with_a_hole_in_the_chain(self, catalog: Catalog, site: Site) -> None:
        """A missing record is for the verifier to judge; the catalog shows what there is."""
        chain = full_chain(site.recorder)
        del chain.records[4]
        ingest_all(catalog, site, chain.records)
        store = full_store(site, chain)
        confirm_all(catalog, store)
        before = catalog.digest()
        assert not catalog.rebuild({"hall": store}, site.anchors).problems
        assert catalog.digest() == before

    def test_more_records_than_a_batch(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        chain.open()
        for _ in range(450):
            chain.mark()
        chain.close()
        ingest_all(catalog, site, chain.records)
        store = full_store(site, chain)
        confirm_all(catalog, store)
        before = catalog.digest()
        progress: list[RebuildProgress] = []
        assert catalog.rebuild({"hall": store}, site.anchors, progress.append).problem_count == 0
        assert catalog.digest() == before
        assert [each.records for each in progress] == [200, 400, 452]
        assert progress[-1] == RebuildProgress("hall", len(store.objects), 452, 0)


class TestInterrupted:
    @pytest.mark.parametrize("calls", [0, 1, 3, 20, 60])
    def test_a_store_that_goes_away_leaves_the_old_catalog(self, catalog: Catalog, site: Site, calls: int) -> None:
        store = full_store(site, full_chain(site.recorder))
        catalog.rebuild({"hall": store}, site.anchors)
        before = catalog.digest()
        store_chain(store, full_chain(site.recorder, SECOND))
        store.calls_left = calls
        with pytest.raises(StoreUnavailableError, match="store hall"):
            catalog.rebuild({"hall": store}, site.anchors)
        assert catalog.digest() == before
        store.calls_left = None
        assert catalog.rebuild({"hall": store}, site.anchors).sessions == 2

    def test_a_second_store_that_goes_away_leaves_the_old_catalog(self, catalog: Catalog, site: Site) -> None:
        stores = {name: full_store(site, full_chain(site.recorder), name=name) for name in ("hall", "city")}
        catalog.rebuild(stores, site.anchors)
        before = catalog.digest()
        stores["city"].calls_left = 10
        with pytest.raises(StoreUnavailableError, match="store city"):
            catalog.rebuild(stores, site.anchors)
        assert catalog.digest() == before

    def test_whoever_watches_may_stop_it(self, catalog: Catalog, site: Site) -> None:
        def stop(_: RebuildProgress) -> None:
            raise KeyboardInterrupt

        ingest_all(catalog, site, full_chain(site.recorder).records)
        before = catalog.digest()
        with pytest.raises(KeyboardInterrupt):
            catalog.rebuild({"hall": full_store(site)}, site.anchors, stop)
        assert catalog.digest() == before

    def test_a_killed_process_leaves_the_old_catalog(self, catalog: Catalog, site: Site, catalog_url: str) -> None:
        chain = full_chain(site.recorder)
        ingest_all(catalog, site, chain.records[:-1])
        before = catalog.digest()
        writer = Writer(catalog_url, site, store=full_store(site, full_chain(site.recorder, SECOND)))
        writer.go()
        writer.expect("rebuilding")
        writer.kill()
        assert catalog.digest() == before
        ingest(catalog, site, chain.records[-1])

    def test_readers_see_the_old_catalog_until_it_ends(self, catalog: Catalog, site: Site) -> None:
        ingest_all(catalog, site, full_chain(site.recorder).records)
        before = catalog.digest()
        during: list[str] = []
        store = full_store(site, full_chain(site.recorder, SECOND))
        catalog.rebuild({"hall": store}, site.anchors, lambda _: during.append(catalog.digest()))
        assert set(during) == {before}
        assert catalog.digest() != before

    def test_writers_wait_and_are_told_to_come_again(self, database_url: str, site: Site) -> None:
        record = full_chain(site.recorder, SECOND).records[0]
        refused: list[CatalogUnavailableError] = []
        with Catalog.open(database_url) as catalog, Catalog.open(database_url, wait_s=0.1) as hasty:

            def write(_: RebuildProgress) -> None:
                with pytest.raises(CatalogUnavailableError, match="another program has been writing") as caught:
                    ingest(hasty, site, record)
                refused.append(caught.value)

            catalog.rebuild({"hall": full_store(site, full_chain(site.recorder))}, site.anchors, write)
            assert len(refused) == 1
            assert "\n" not in str(refused[0])
            assert ingest(hasty, site, record).new

    def test_no_store_is_no_reason_to_empty_a_catalog(self, catalog: Catalog, site: Site) -> None:
        ingest_all(catalog, site, full_chain(site.recorder).records)
        before = catalog.digest()
        with pytest.raises(CatalogError, match="no store to rebuild the catalog from"):
            catalog.rebuild({}, site.anchors)
        with pytest.raises(FormatError, match="is not an id"):
            catalog.rebuild({"Hall\n": full_store(site)}, site.anchors)
        assert catalog.digest() == before


class TestProblems:
    """A store that somebody had his hands in: what does not hold is reported and left out, the rest is there."""

    def test_altered_record(self, catalog: Catalog, site: Site) -> None:
        chain, store = self.stored(site)
        key = chain.records[3].key
        store.objects[key] = store.objects[key].replace("当事人".encode(), "某某人".encode())
        self.left_out(catalog, site, store, key, "the signature is not its signer's", records=9)

    def test_record_without_signature(self, catalog: Catalog, site: Site) -> None:
        chain, store = self.stored(site)
        del store.objects[layout.signature_key(chain.session, 3)]
        self.left_out(catalog, site, store, chain.records[3].key, "is not there", records=9)

    def test_signature_without_record(self, catalog: Catalog, site: Site) -> None:
        chain, store = self.stored(site)
        del store.objects[chain.records[3].key]
        key = layout.signature_key(chain.session, 3)
        self.left_out(catalog, site, store, key, "a signature without its record", records=9)

    def test_record_moved_to_another_number(self, catalog: Catalog, site: Site) -> None:
        chain, store = self.stored(site)
        for name in (layout.record_key, layout.signature_key):
            store.objects[name(chain.session, 77)] = store.objects[name(chain.session, 3)]
        key = layout.record_key(chain.session, 77)
        self.left_out(catalog, site, store, key, f"it is record 3 of {chain.session}, moved", records=10)

    def test_record_moved_to_another_session(self, catalog: Catalog, site: Site) -> None:
        chain, store = self.stored(site)
        for name in (layout.record_key, layout.signature_key):
            store.objects[name(SECOND, 0)] = store.objects[name(chain.session, 0)]
        self.left_out(catalog, site, store, layout.record_key(SECOND, 0), "moved to another's place", records=10)

    def test_record_after_close(self, catalog: Catalog, site: Site) -> None:
        chain, store = self.stored(site)
        late = chain.mark("补记")
        store.objects[late.key] = late.data
        store.objects[layout.signature_key(late.session, late.seq)] = late.signature
        self.left_out(catalog, site, store, late.key, "follows the close", records=10)

    def test_record_too_large_to_be_one(self, catalog: Catalog, site: Site) -> None:
        chain, store = self.stored(site)
        key = chain.records[3].key
        store.objects[key] = b"{" * (3 << 20)
        self.left_out(catalog, site, store, key, "more than 1048576 bytes", records=9)

    def test_certificate_that_is_another(self, catalog: Catalog, site: Site) -> None:
        _, store = self.stored(site)
        key = layout.certificate_key(site.recorder.id)
        store.objects[key] = certificate_pem([site.root.certificate])
        report = catalog.rebuild({"hall": store}, site.anchors)
        assert report.problems[0].key == key
        assert "does not hold the certificate of its name" in report.problems[0].what
        assert (report.records, report.problem_count) == (0, 11)

    @pytest.mark.parametrize(
        "key",
        [
            "sessions/notes.txt",
            f"sessions/{SECOND}/records/1.json",
            f"sessions/{SECOND}/media/subject/0.mp4",
            "sessions/../../etc/passwd",
            "sessions/a\x00b\n\ud800",
            "certs/root.pem",
            f"certs/{'A' * 64}.pem",
        ],
    )
    def test_name_that_nobody_gave(self, catalog: Catalog, site: Site, key: str) -> None:
        _, store = self.stored(site)
        store.objects[key] = b"?"
        self.left_out(catalog, site, store, key, "not a key of the layout", records=10)

    def test_changed_media(self, catalog: Catalog, site: Site) -> None:
        """Told without reading it: the store confirms another hash than the record states."""
        chain, store = self.stored(site)
        key = layout.media_key(chain.session, "subject", 1)
        store.objects[key] = b"another film"
        self.left_out(catalog, site, store, key, "other bytes than the record states", records=10)
        assert catalog.session_keys_confirmed(chain.session)["hall"].different == (key,)

    def test_stores_that_do_not_agree(self, catalog: Catalog, site: Site) -> None:
        chain, store = self.stored(site)
        city = full_store(site, chain, name="city")
        key = layout.signature_key(chain.session, 2)
        city.objects[key] = site.recorder.sign(chain.records[2].data)
        report = catalog.rebuild({"hall": store, "city": city}, site.anchors)
        what = "the stores hold different bytes under this key"
        assert report.problems == (RebuildProblem("city", key, what), RebuildProblem("hall", key, what))
        assert report.records == 10

    def test_good_copy_makes_up_for_a_bad_one(self, catalog: Catalog, site: Site) -> None:
        chain, store = self.stored(site)
        city = full_store(site, chain, name="city")
        store.objects[chain.records[3].key] = b"{}"
        report = catalog.rebuild({"hall": store, "city": city}, site.anchors)
        assert report.records == 10
        assert {problem.key for problem in report.problems} == {chain.records[3].key}
        assert catalog.session_keys_confirmed(chain.session)["hall"].different == (chain.records[3].key,)

    def test_object_that_goes_away_meanwhile(self, catalog: Catalog, site: Site) -> None:
        chain, store = self.stored(site)
        gone = layout.media_key(chain.session, "subject", 1)
        confirm = store.confirm
        store.confirm = lambda key: None if key == gone else confirm(key)  # type: ignore[method-assign]
        self.left_out(catalog, site, store, gone, "was listed, and is not there any more", records=10)

    def test_expired_certificate(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        chain.records[1:] = []
        late = Chain(site.recorder, SECOND, start=chain.start + timedelta(days=4000))
        late.open()
        store = full_store(site, chain, late)
        self.left_out(catalog, site, store, late.records[0].key, "not valid at the record's time", records=1)

    def test_a_thousand_are_named_and_all_are_counted(self, catalog: Catalog, site: Site) -> None:
        _, store = self.stored(site)
        store.objects |= {f"sessions/{number}": b"" for number in range(1500)}
        report = catalog.rebuild({"hall": store}, site.anchors)
        assert (len(report.problems), report.problem_count, report.records) == (1000, 1500, 10)

    def stored(self, site: Site) -> tuple[Chain, MemoryStore]:
        chain = full_chain(site.recorder)
        return chain, full_store(site, chain)

    def left_out(self, catalog: Catalog, site: Site, store: MemoryStore, key: str, what: str, *, records: int) -> None:
        report = catalog.rebuild({"hall": store}, site.anchors)
        (problem,) = report.problems
        assert (problem.store, problem.key) == ("hall", key)
        assert what in problem.what
        assert problem.what.isprintable()
        assert (report.records, report.problem_count) == (records, 1)
