"""Records come in: in any order, again, in batches, from several writers at once."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence_store.catalog import MAX_BATCH, Catalog, IngestResult, SignedRecord
from evidence_store.catalog.admission import admit
from evidence_store.catalog.ingest import _lock_sessions, take
from evidence_store.errors import CatalogError, ChainError, EvidenceError, SignatureError
from tests.evidence_store.catalog.helpers import clear, ingest, ingest_all
from tests.evidence_store.catalog.writer import Writer
from tests.evidence_store.chains import Chain, Signed, Site, full_chain, make_site, track

SECOND = "xindai-room-2-20261123T020000Z-00ff"


def second_chain(site: Site) -> Chain:
    """The case of the first, another recorder, a clock that was set back, and a track that only its segments name."""
    chain = Chain(site.recorder_of("room-2"), SECOND)
    chain.open(room="room-2", tracks=[track("room")])
    chain.segment("corridor")
    chain.gap("room")
    chain.event({"kind": "note", "text": "对时"}, time="2026-11-23T01:29:58.000001Z")
    chain.segment("corridor")
    chain.mark()
    return chain


class TestOneRecord:
    def test_is_taken_with_its_own_hash(self, catalog: Catalog, site: Site) -> None:
        record = full_chain(site.recorder).records[0]
        assert ingest(catalog, site, record) == IngestResult(record.session, 0, "open", record.sha256, new=True)

    def test_changes_nothing_when_it_comes_again(self, catalog: Catalog, site: Site) -> None:
        records = full_chain(site.recorder).records
        ingest_all(catalog, site, records)
        before = catalog.digest()
        assert [ingest(catalog, site, record).new for record in records] == [False] * len(records)
        assert catalog.digest() == before

    def test_with_another_good_signature_is_the_same_record(self, catalog: Catalog, site: Site) -> None:
        """A signature by ECDSA has many forms; the record is its bytes."""
        record = full_chain(site.recorder).records[0]
        again = Signed(record.session, record.seq, record.data, site.recorder.sign(record.data))
        assert again.signature != record.signature
        ingest(catalog, site, record)
        before = catalog.digest()
        assert not ingest(catalog, site, again).new
        assert catalog.digest() == before

    def test_states_its_session_before_open_is_there(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        ingest(catalog, site, chain.records[5])
        detail = catalog.session(chain.session)
        assert detail is not None
        assert (detail.session.state, detail.session.room, detail.session.opened_us) == ("open", None, None)
        assert [(track.track, track.camera, track.known.segments) for track in detail.tracks] == [("subject", None, 1)]
        assert [session.id for session in catalog.sessions().items] == [chain.session]

    def test_close_before_open_closes_the_session(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        ingest(catalog, site, chain.records[-1])
        detail = catalog.session(chain.session)
        assert detail is not None
        assert (detail.session.state, detail.session.close_reason) == ("closed", "operator")
        assert (detail.records, detail.last_seq) == (1, 9)


@cache
def two_sessions() -> tuple[Site, list[Signed]]:
    site = make_site()
    second = second_chain(site)
    return Site(site.root, site.recorder, (second.signer,)), [*full_chain(site.recorder).records, *second.records]


@pytest.fixture
def expected(catalog: Catalog) -> str:
    """The digest after the records came as they were made, one by one."""
    site, records = two_sessions()
    for record in records:
        ingest(catalog, site, record)
    return catalog.digest()


class TestOrder:
    @given(data=st.data())
    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_does_not_matter(self, catalog: Catalog, expected: str, data: st.DataObject) -> None:
        """Whatever the order, the batches and the repetitions: the same rows."""
        site, records = two_sessions()
        clear(catalog, site)
        arriving = data.draw(st.permutations([*records, *data.draw(st.lists(st.sampled_from(records), max_size=5))]))
        while arriving:
            size = data.draw(st.integers(1, 6))
            batch, arriving = arriving[:size], arriving[size:]
            if size == 1:
                ingest(catalog, site, batch[0])
            else:
                ingest_all(catalog, site, batch)
        assert catalog.digest() == expected

    def test_in_reverse_every_neighbour_is_checked(self, catalog: Catalog, site: Site) -> None:
        records = full_chain(site.recorder).records
        for record in reversed(records):
            assert ingest(catalog, site, record).new


class TestBatch:
    def test_a_refused_record_stops_no_other(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        strange = full_chain(make_site("elsewhere").recorder, SECOND).records[0]
        twice = Chain(site.recorder, chain.session, records=chain.records[:3]).mark("写入另一内容")
        outcomes = catalog.ingest_many(
            [
                SignedRecord(each.data, each.signature)
                for each in [*chain.records[:5], strange, twice, chain.records[5]]
            ],
            site.certificates | make_site("elsewhere").certificates,
            site.anchors,
        )
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [*[IngestResult] * 5, SignatureError, ChainError, IngestResult]
        detail = catalog.session(chain.session)
        assert detail is not None
        assert detail.records == 6
        assert catalog.session(SECOND) is None

    def test_the_same_record_twice_is_new_once(self, catalog: Catalog, site: Site) -> None:
        record = full_chain(site.recorder).records[0]
        outcomes = catalog.ingest_many(
            [SignedRecord(record.data, record.signature)] * 2, site.certificates, site.anchors
        )
        assert [isinstance(outcome, IngestResult) and outcome.new for outcome in outcomes] == [True, False]

    def test_the_largest_is_taken_and_no_larger_one(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        chain.open()
        for _ in range(MAX_BATCH - 1):
            chain.segment()
        ingest_all(catalog, site, chain.records)
        chain.close()
        with pytest.raises(CatalogError, match="Give at most 1000 at a time"):
            ingest_all(catalog, site, chain.records)

    def test_an_empty_one_is_nothing(self, catalog: Catalog, site: Site) -> None:
        before = catalog.digest()
        assert catalog.ingest_many([], site.certificates, site.anchors) == []
        assert catalog.digest() == before

    def test_is_as_one_by_one(self, catalog: Catalog, site: Site) -> None:
        records = full_chain(site.recorder).records
        ingest_all(catalog, site, records)
        batch = catalog.digest()
        clear(catalog, site)
        for record in records:
            ingest(catalog, site, record)
        assert catalog.digest() == batch


class TestSeveralWriters:
    def test_two_processes_write_one_chain(self, catalog: Catalog, site: Site, catalog_url: str) -> None:
        """Each holds every second record, so every record meets its neighbours in the other's hands."""
        chain = long_chain(site)
        ingest_all(catalog, site, chain.records)
        expected = catalog.digest()
        clear(catalog, site)
        writers = [Writer(catalog_url, site, records=chain.records[start::2]) for start in (0, 1)]
        for writer in writers:
            writer.go()
        for writer in writers:
            writer.wait()
        assert catalog.digest() == expected

    def test_threads_share_a_catalog(self, catalog: Catalog, site: Site) -> None:
        chain = long_chain(site)
        with ThreadPoolExecutor(6) as pool:
            results = list(pool.map(lambda record: ingest(catalog, site, record), [*chain.records, *chain.records]))
        assert sum(result.new for result in results) == len(chain.records)
        detail = catalog.session(chain.session)
        assert detail is not None
        assert detail.records == len(chain.records)

    def test_a_writer_sees_what_another_is_about_to_state(self, catalog: Catalog, site: Site) -> None:
        """Two records that do not fit together, the second before the first is written: it has to wait."""
        chain = Chain(site.recorder)
        ingest_all(catalog, site, [chain.open()])
        true, false = chain.mark("真"), Chain(site.recorder, records=[*chain.records[:1]]).mark("假")
        following = Chain(site.recorder, records=[chain.records[0], false]).mark("接着假")
        item = admit(true.data, true.signature, site.certificates.get, site.anchors, where="record")
        with ThreadPoolExecutor(1) as pool:
            with catalog._database.writing() as connection:
                _lock_sessions(connection, [item])
                waiting = pool.submit(ingest, catalog, site, following)
                with pytest.raises(FutureTimeoutError):
                    waiting.result(timeout=0.5)
                take(connection, [item])
            with pytest.raises(ChainError, match="does not name the hash of the record before it"):
                waiting.result()

    def test_of_two_records_with_one_number_one_is_taken(self, catalog: Catalog, site: Site) -> None:
        """However closely they race: no writer decides on what another is about to change."""
        for attempt in range(6):
            session = f"xindai-room-1-20261123T01300{attempt}Z-7f3a"
            rivals = [Chain(site.recorder, session) for _ in range(4)]
            for number, chain in enumerate(rivals):
                chain.open(operator=f"操作员{number}")
                chain.mark()
            racing = [record for chain in rivals for record in chain.records]
            with ThreadPoolExecutor(8) as pool:
                outcomes = list(pool.map(lambda record: attempt_to(catalog, site, record), racing))
            taken = [outcome for outcome in outcomes if isinstance(outcome, IngestResult)]
            assert len({result.seq for result in taken}) == len(taken)
            detail = catalog.session(session)
            assert detail is not None
            assert detail.records == len(taken)


def attempt_to(catalog: Catalog, site: Site, record: Signed) -> IngestResult | EvidenceError:
    try:
        return ingest(catalog, site, record)
    except ChainError as error:
        return error


def long_chain(site: Site) -> Chain:
    chain = Chain(site.recorder)
    chain.open()
    for _ in range(12):
        chain.segment("subject")
        chain.segment("room")
        chain.mark()
    chain.close()
    return chain
