"""What stores confirmed to hold, and how far that covers a session."""

import pytest

from evidence_store import layout
from evidence_store.catalog import Catalog, StoredCopy
from evidence_store.errors import FormatError
from tests.evidence_store.catalog.helpers import confirm_all, full_store, ingest_all
from tests.evidence_store.chains import Chain, Site, full_chain

HASH = "ab" * 32
SESSION = "xindai-room-1-20261123T013000Z-7f3a"
KEY = layout.media_key(SESSION, "subject", 0)


class TestConfirm:
    def test_copies_of_a_key_by_store(self, catalog: Catalog) -> None:
        catalog.confirm_copy("hall", KEY, 5, HASH)
        catalog.confirm_copy("city", KEY, 5, HASH)
        assert catalog.copies(KEY) == (StoredCopy("city", KEY, 5, HASH), StoredCopy("hall", KEY, 5, HASH))
        assert catalog.copies(layout.media_key(SESSION, "subject", 1)) == ()

    def test_same_again_changes_nothing(self, catalog: Catalog) -> None:
        catalog.confirm_copy("hall", KEY, 5, HASH)
        before = catalog.digest()
        catalog.confirm_copy("hall", KEY, 5, HASH)
        assert catalog.digest() == before

    def test_latest_confirmation_counts(self, catalog: Catalog) -> None:
        """The catalog tells what a store holds now, as a rebuild would find it."""
        catalog.confirm_copies([StoredCopy("hall", KEY, 5, HASH), StoredCopy("hall", KEY, 6, "cd" * 32)])
        assert catalog.copies(KEY) == (StoredCopy("hall", KEY, 6, "cd" * 32),)

    @pytest.mark.parametrize(
        "copy",
        [
            StoredCopy("hall", "log/checkpoint", 5, HASH),
            StoredCopy("hall", "", 5, HASH),
            StoredCopy("hall", f"{KEY}\x00", 5, HASH),
            StoredCopy("Hall", KEY, 5, HASH),
            StoredCopy("hall", KEY, -1, HASH),
            StoredCopy("hall", KEY, 1 << 63, HASH),
            StoredCopy("hall", KEY, 5, HASH.upper()),
            StoredCopy("hall", KEY, 5, ""),
        ],
    )
    def test_what_a_rebuild_could_not_find_is_refused(self, catalog: Catalog, copy: StoredCopy) -> None:
        before = catalog.digest()
        with pytest.raises(FormatError) as caught:
            catalog.confirm_copies([StoredCopy("hall", KEY, 5, HASH), copy])
        assert str(caught.value).isprintable()
        assert catalog.digest() == before


class TestSession:
    def test_covered_by_one_store_and_half_by_another(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        ingest_all(catalog, site, chain.records)
        hall, city = full_store(site, chain), full_store(site, chain, name="city")
        lost = [layout.media_key(chain.session, "subject", 1), layout.signature_key(chain.session, 4)]
        for key in lost:
            del city.objects[key]
        for store in (hall, city):
            confirm_all(catalog, store)
        found = catalog.session_keys_confirmed(chain.session)
        assert list(found) == ["city", "hall"]
        assert found["hall"].complete
        assert found["hall"].confirmed == tuple(sorted(key for key, _ in chain.objects()))
        assert not found["city"].complete
        assert found["city"].missing == tuple(lost)

    def test_other_bytes_do_not_cover_it(self, catalog: Catalog, site: Site) -> None:
        """A confirmation of something else must never let the recorder's own copy go."""
        chain = Chain(site.recorder)
        ingest_all(catalog, site, [chain.open()])
        record = chain.records[0]
        catalog.confirm_copy("hall", record.key, len(record.data), HASH)
        catalog.confirm_copy("city", record.key, len(record.data) + 1, record.sha256)
        found = catalog.session_keys_confirmed(chain.session)
        assert {name: (store.confirmed, store.different) for name, store in found.items()} == {
            "city": ((), (record.key,)),
            "hall": ((), (record.key,)),
        }

    def test_copies_of_other_sessions_do_not_count(self, catalog: Catalog, site: Site) -> None:
        """Not even of one whose id begins or sorts alike."""
        chain = Chain(site.recorder, SESSION)
        ingest_all(catalog, site, [chain.open()])
        for session in (f"a-{SESSION}", f"{SESSION[:-1]}b", f"{SESSION[:-1]}9"):
            catalog.confirm_copy("hall", layout.record_key(session, 0), 5, HASH)
        assert catalog.session_keys_confirmed(SESSION) == {}

    def test_copies_that_no_record_names_do_not_count(self, catalog: Catalog, site: Site) -> None:
        ingest_all(catalog, site, [Chain(site.recorder, SESSION).open()])
        catalog.confirm_copy("hall", KEY, 5, HASH)
        assert catalog.session_keys_confirmed(SESSION) == {}

    def test_unknown_session(self, catalog: Catalog) -> None:
        assert catalog.session_keys_confirmed(SESSION) == {}
