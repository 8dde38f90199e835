"""What several tests of the catalog do."""

from collections.abc import Iterable

from evidence_store.catalog import Catalog, IngestResult, SignedRecord, StoredCopy
from tests.evidence_store.chains import Chain, Signed, Site, store_chain, store_site
from tests.evidence_store.memory_store import MemoryStore


def ingest(catalog: Catalog, site: Site, record: Signed) -> IngestResult:
    return catalog.ingest(record.data, record.signature, site.certificates, site.anchors)


def ingest_all(catalog: Catalog, site: Site, records: Iterable[Signed]) -> None:
    """In one batch; every record has to be taken."""
    outcomes = catalog.ingest_many(
        [SignedRecord(record.data, record.signature) for record in records], site.certificates, site.anchors
    )
    refused = [outcome for outcome in outcomes if not isinstance(outcome, IngestResult)]
    assert not refused, refused[0]


def full_store(site: Site, *chains: Chain, name: str = "hall") -> MemoryStore:
    """A store that holds everything that there is of these chains."""
    store = MemoryStore(name)
    store_site(store, site)
    for chain in chains:
        store_chain(store, chain)
    return store


def confirm_all(catalog: Catalog, store: MemoryStore) -> None:
    """As an uploader does after every object."""
    found = [confirmation for key in store.objects if (confirmation := store.confirm(key))]
    catalog.confirm_copies([StoredCopy(store.name, each.key, each.bytes, each.sha256) for each in found])


def clear(catalog: Catalog, site: Site) -> None:
    catalog.rebuild({"empty": MemoryStore("empty")}, site.anchors)
