"""Records that a catalog must not take, each named for the attack. None leaves a trace, and none spoils its session."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from cryptography import x509

from evidence_store import layout
from evidence_store.catalog import Catalog, SignedRecord
from evidence_store.errors import ChainError, EvidenceError, FormatError, SignatureError
from evidence_store.records import ZERO_HASH
from evidence_store.signing import RECORDER_USAGE, SERVICE_USAGE, Signer, issue, new_key
from tests.evidence_store.catalog.helpers import ingest_all
from tests.evidence_store.chains import SEGMENT_US, START, Chain, Signed, Site, fragment, full_chain, make_site, track

SESSION = "xindai-room-1-20261123T013000Z-7f3a"
OTHER = "xindai-room-1-20261123T013000Z-0bad"


class TestSigner:
    """The record is the next of a session whose first two are known; only who signed it is wrong."""

    def test_foreign_root(self, catalog: Catalog, site: Site) -> None:
        self.refused(catalog, site, make_site("elsewhere").recorder, "no trusted root issued its certificate")

    def test_certificate_of_another_use(self, catalog: Catalog, site: Site) -> None:
        service = issue(site.root, "xindai api", SERVICE_USAGE, START - timedelta(days=1), 3650)
        self.refused(catalog, site, service, "not one for recorders")

    def test_root_signs_itself(self, catalog: Catalog, site: Site) -> None:
        self.refused(catalog, site, site.root, "not one for recorders")

    def test_recorder_issues_a_certificate(self, catalog: Catalog, site: Site) -> None:
        """A recorder's key is no authority: what it issues hangs below the root, and yet is not the root's."""
        below = issue(site.recorder, "intruder", RECORDER_USAGE, START - timedelta(days=1), 3650)
        self.refused(catalog, site, below, "no trusted root issued its certificate")

    def test_expired_certificate(self, catalog: Catalog, site: Site) -> None:
        expired = issue(site.root, "old", RECORDER_USAGE, START - timedelta(days=30), 29)
        self.refused(catalog, site, expired, "not valid at the record's time")

    def test_certificate_of_tomorrow(self, catalog: Catalog, site: Site) -> None:
        early = issue(site.root, "new", RECORDER_USAGE, START + timedelta(days=1), 365)
        self.refused(catalog, site, early, "not valid at the record's time")

    def test_unknown_certificate(self, catalog: Catalog, site: Site) -> None:
        stranger = site.recorder_of("stranger")
        self.refused(catalog, site, stranger, f"Store it as certs/{stranger.id}.pem first", certificates={})

    def test_another_certificate_under_its_name(self, catalog: Catalog, site: Site) -> None:
        stranger = site.recorder_of("stranger")
        swapped = {stranger.id: site.recorder.certificate}
        self.refused(catalog, site, stranger, "is another one", certificates=swapped)

    def test_key_of_somebody_else(self, catalog: Catalog, site: Site) -> None:
        impostor = Signer(new_key(), site.recorder.certificate)
        self.refused(catalog, site, impostor, "the signature is not its signer's")

    def refused(
        self,
        catalog: Catalog,
        site: Site,
        signer: Signer,
        message: str,
        *,
        certificates: Mapping[str, x509.Certificate] | None = None,
    ) -> None:
        chain = Chain(site.recorder)
        ingest_all(catalog, site, [chain.open(), chain.mark()])
        chain.signer = signer
        known = {signer.id: signer.certificate} if certificates is None else certificates
        refuse(catalog, site, chain.mark("后加"), SignatureError, message, certificates=known)


class TestBytes:
    @pytest.mark.parametrize("change", [b"0", b"f"])
    def test_one_changed_byte(self, catalog: Catalog, site: Site, change: bytes) -> None:
        record = full_chain(site.recorder).records[0]
        data = record.data.replace(b'"devices_sha256":"c', b'"devices_sha256":"' + change)
        changed = Signed(record.session, 0, data, record.signature)
        refuse(catalog, site, changed, SignatureError, "the signature is not its signer's over these bytes")

    def test_white_space_that_means_nothing(self, catalog: Catalog, site: Site) -> None:
        record = full_chain(site.recorder).records[0]
        spaced = Signed(record.session, 0, record.data[:-1] + b" }", record.signature)
        refuse(catalog, site, spaced, SignatureError, "the signature is not its signer's")

    @pytest.mark.parametrize("cut", [0, 1, 40])
    def test_signature_cut_short(self, catalog: Catalog, site: Site, cut: int) -> None:
        record = full_chain(site.recorder).records[0]
        torn = Signed(record.session, 0, record.data, record.signature[:cut])
        refuse(catalog, site, torn, SignatureError, "the signature is not its signer's")

    def test_signature_of_another_record(self, catalog: Catalog, site: Site) -> None:
        first, second, *_ = full_chain(site.recorder).records
        swapped = Signed(first.session, 0, first.data, second.signature)
        refuse(catalog, site, swapped, SignatureError, "the signature is not its signer's")

    def test_no_record_at_all(self, catalog: Catalog, site: Site) -> None:
        refuse(catalog, site, Signed(SESSION, 0, b"\x00\xff", b""), FormatError, "record: not UTF-8")

    def test_signed_by_a_recorder_and_still_no_record(self, catalog: Catalog, site: Site) -> None:
        record = Chain(site.recorder).open(payload="more than the format knows")
        refuse(catalog, site, record, FormatError, "payload")


class TestPlace:
    """What a recorder's own key signs is held to the format too: a stolen key must not lead readers astray."""

    @pytest.mark.parametrize(
        "key",
        [
            "../../etc/passwd",
            f"sessions/{OTHER}/media/subject/000000.mp4",
            f"sessions/{SESSION}/media/room/000000.mp4",
            f"sessions/{SESSION}/media/subject/000001.mp4",
            f"sessions/{SESSION}/media/subject/000000.mp4\n",
            f"sessions/{SESSION}/records/00000000.json",
            "",
        ],
    )
    def test_media_of_somewhere_else(self, catalog: Catalog, site: Site, key: str) -> None:
        chain = Chain(site.recorder)
        chain.open()
        media = {
            "key": key,
            "bytes": 1,
            "sha256": "0" * 64,
            "init_bytes": 1,
            "init_sha256": "0" * 64,
            "mime": "video/mp4",
        }
        refuse(catalog, site, chain.segment(media=media), FormatError, "is not the key of its track and index")

    def test_number_beyond_the_layout(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        late = chain.event({"kind": "mark", "text": ""}, seq=100_000_000)
        refuse(catalog, site, late, FormatError, "number 100000000 is too large")

    def test_index_beyond_the_layout(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        chain.open()
        key = layout.media_key(SESSION, "subject", 1_000_000)
        media = {
            "key": key,
            "bytes": 1,
            "sha256": "0" * 64,
            "init_bytes": 1,
            "init_sha256": "0" * 64,
            "mime": "video/mp4",
        }
        far = chain.segment(index=1_000_000, media=media)
        refuse(catalog, site, far, FormatError, "is not the key of its track and index")

    def test_segment_that_lasts_for_ever(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        chain.open()
        endless = chain.segment(fragments=[fragment(10, START, 0, duration_us=2**63 - 1)])
        refuse(catalog, site, endless, FormatError, "do not follow each other within a day")

    def test_segment_that_runs_backwards(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        chain.open()
        backwards = chain.segment(fragments=[fragment(10, START, 9 * SEGMENT_US), fragment(15, START, 0)])
        refuse(catalog, site, backwards, FormatError, "do not follow each other within a day")

    def test_track_named_twice(self, catalog: Catalog, site: Site) -> None:
        record = Chain(site.recorder).open(tracks=[track("subject"), track("subject")])
        refuse(catalog, site, record, FormatError, "it names a track twice")

    def test_session_id_with_a_path_in_it(self, catalog: Catalog, site: Site) -> None:
        record = Chain(site.recorder, session=f"../{SESSION}").open()
        refuse(catalog, site, record, FormatError, "is not a session id")


class TestChain:
    def test_broken_link(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        ingest_all(catalog, site, [chain.open(), chain.mark()])
        forged = chain.event({"kind": "mark", "text": ""}, prev="ab" * 32)
        refuse(catalog, site, forged, ChainError, "does not name the hash of the record before it")

    def test_insertion_before_a_known_record(self, catalog: Catalog, site: Site) -> None:
        """The forged record names the one before it, but the one after it names the true one."""
        chain = Chain(site.recorder)
        before, _, after = chain.open(), chain.mark("真"), chain.mark("后")
        ingest_all(catalog, site, [after, before])
        forged = Chain(site.recorder, records=[before]).mark("假")
        refuse(catalog, site, forged, ChainError, "the record after it names the hash of other bytes")

    def test_second_record_with_the_same_number(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        ingest_all(catalog, site, chain.records)
        for known in chain.records:
            values = {"type": "event", "event": {"kind": "note", "text": "改"}, "seq": known.seq}
            if known.seq:
                forged = Chain(site.recorder, records=chain.records[: known.seq]).add(values)
            else:
                forged = Chain(site.recorder).open(operator="另一人")
            refuse(catalog, site, forged, ChainError, "other bytes are known under this number")

    def test_record_after_close(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        ingest_all(catalog, site, chain.records)
        refuse(catalog, site, chain.mark("补记"), ChainError, "follows the close of its session")
        refuse(catalog, site, chain.mark("再补"), ChainError, "follows the close of its session")

    def test_second_close(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        ingest_all(catalog, site, chain.records)
        refuse(catalog, site, chain.close(), ChainError, "follows the close of its session")

    def test_close_in_place_of_a_known_successor(self, catalog: Catalog, site: Site) -> None:
        """An early end, to cut off what is known already."""
        chain = full_chain(site.recorder)
        ingest_all(catalog, site, [*chain.records[:4], *chain.records[5:]])
        cut = Chain(site.recorder, records=chain.records[:4]).close()
        refuse(catalog, site, cut, ChainError, "record after it names the hash of other bytes")

    def test_close_before_a_record_further_on(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        chain.open()
        for _ in range(5):
            chain.mark()
        ingest_all(catalog, site, chain.records[4:])
        early = Chain(site.recorder, records=chain.records[:1]).close()
        refuse(catalog, site, early, ChainError, "closes the session before its record 5")

    def test_open_in_the_middle(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        chain.open()
        refuse(catalog, site, chain.open(), ChainError, "a record of type open cannot have this number")

    def test_first_record_that_opens_nothing(self, catalog: Catalog, site: Site) -> None:
        refuse(catalog, site, Chain(site.recorder).mark(), ChainError, "a record of type event cannot have this number")

    def test_open_that_names_a_record_before_it(self, catalog: Catalog, site: Site) -> None:
        record = Chain(site.recorder).open(prev="ab" * 32)
        refuse(catalog, site, record, ChainError, "does not name the hash of the record before it")

    def test_later_record_that_names_none_before_it(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        ingest_all(catalog, site, [chain.open()])
        record = chain.event({"kind": "mark", "text": ""}, prev=ZERO_HASH)
        refuse(catalog, site, record, ChainError, "does not name the hash of the record before it")

    def test_second_segment_with_the_same_index(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        ingest_all(catalog, site, [chain.open(), chain.segment()])
        chain._indexes.clear()
        second = chain.segment(run=1)
        refuse(catalog, site, second, ChainError, "record 1 states segment 0 of track subject already")

    def test_record_of_another_session(self, catalog: Catalog, site: Site) -> None:
        """Moved into a session that is known up to there."""
        chain, other = full_chain(site.recorder), Chain(site.recorder, OTHER)
        ingest_all(catalog, site, [other.open(), other.mark()])
        moved = Signed(
            OTHER, 2, chain.records[2].data.replace(SESSION.encode(), OTHER.encode()), chain.records[2].signature
        )
        refuse(catalog, site, moved, SignatureError, "the signature is not its signer's")


class TestWhatIsRefused:
    @pytest.mark.parametrize("text", ["", "\x00", "a\nb", "' OR 1=1 --", "\x1b[31m"])
    def test_makes_an_error_of_one_line(self, catalog: Catalog, site: Site, text: str) -> None:
        """Whatever a hostile record holds: an error stays a line that a log can keep."""
        chain = Chain(site.recorder)
        hostile = [
            chain.open(site=text),
            chain.open(signer=text),
            Chain(site.recorder, session=text).open(),
            chain.add({text: 1}),
        ]
        for record in hostile:
            outcome = catalog.ingest_many(
                [SignedRecord(record.data, record.signature)], site.certificates, site.anchors
            )
            assert isinstance(outcome[0], EvidenceError)
            assert str(outcome[0]).isprintable(), str(outcome[0])


def refuse(
    catalog: Catalog,
    site: Site,
    record: Signed,
    kind: type[EvidenceError],
    message: str,
    *,
    certificates: Mapping[str, x509.Certificate] | None = None,
) -> None:
    """It is refused alone and in a batch, in one line, and leaves nothing behind."""
    known: Mapping[str, x509.Certificate] = site.certificates | dict(certificates or {})
    before = catalog.digest()
    with pytest.raises(kind) as caught:
        catalog.ingest(record.data, record.signature, known, site.anchors)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    (outcome,) = catalog.ingest_many([SignedRecord(record.data, record.signature)], known, site.anchors)
    assert isinstance(outcome, kind)
    assert str(outcome) == str(caught.value)
    assert catalog.digest() == before
