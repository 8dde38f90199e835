"""Telling the catalog what the stores have confirmed. The catalog is an index: late or away, it costs nothing.

Works from the spool and its progress notes alone, so nothing is queued in memory while the database is away, and what
was told twice changes nothing.
"""

import threading
from collections.abc import Callable
from itertools import islice

import structlog
from cryptography import x509

from evidence_store.catalog import Catalog, SignedRecord, StoredCopy
from evidence_store.durable import Disk
from evidence_store.errors import EvidenceError
from evidence_store.records import sha256_hex
from evidence_store.signing import certificate_id, certificate_objects
from evidence_store.site import RECORDER, SiteFolder
from recorder.devices import LoadedDevices
from recorder.spool import SessionSpool, sessions_of
from recorder.upload import SpooledRecord, spooled_records

POLL_S = 2.0
MAX_PAUSE_S = 30.0
_BATCH = 200

log = structlog.get_logger()


class Indexer:
    """Keeps the catalog up with the stores."""

    def __init__(
        self, open_catalog: Callable[[], Catalog], site: SiteFolder, loaded: LoadedDevices, disk: Disk
    ) -> None:
        self._open_catalog = open_catalog
        self._catalog: Catalog | None = None
        self._site = site
        self._rooms = [room.id for room in loaded.devices.rooms]
        self._stores = [store.name for store in loaded.devices.stores]
        self._disk = disk
        self._anchors = site.anchors()
        chain = site.chain(RECORDER)
        self._certificates: dict[str, x509.Certificate] = {certificate_id(one): one for one in chain}
        self._pems = certificate_objects(chain)
        self._told_certificates: set[str] = set()
        self._finished: set[tuple[str, str]] = set()
        self._told: dict[tuple[str, str], int] = {}  # what the spool notes too, unless its disk is full
        self._unreadable: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        pause_s = POLL_S
        trouble = ""
        while not stop.wait(pause_s):
            try:
                self.once()
                pause_s = POLL_S
                trouble = ""
            except EvidenceError as error:
                pause_s = min(pause_s * 2, MAX_PAUSE_S)
                if str(error) != trouble:
                    trouble = str(error)
                    log.warning("catalog in trouble", why=trouble)
        if self._catalog is not None:
            self._catalog.close()

    def once(self) -> None:
        """Tell what is new; raises CatalogError when the database cannot take it."""
        for store in self._stores:
            batch: list[tuple[SessionSpool, SpooledRecord]] = []
            for room in self._rooms:
                for spool in sessions_of(self._site.spool, room, self._disk):
                    if (spool.session, store) not in self._finished:
                        self._add_new(batch, spool, store)
                    if len(batch) >= _BATCH:
                        self._tell(store, batch)
                        batch = []
            if batch:
                self._tell(store, batch)

    def _add_new(self, batch: list[tuple[SessionSpool, SpooledRecord]], spool: SessionSpool, store: str) -> None:
        """What the store has confirmed of a session and the catalog was not told."""
        confirmed = spool.progress(store)
        told = max(spool.progress(_note(store)), self._told.get((spool.session, store), 0))
        try:
            new = islice(spooled_records(spool, told), max(0, min(confirmed - told, _BATCH)))
            batch.extend((spool, record) for record in new)
        except EvidenceError as error:
            if spool.session not in self._unreadable:
                self._unreadable.add(spool.session)
                log.warning("session not taken into the catalog", session=spool.session, why=str(error))

    def _tell(self, store: str, batch: list[tuple[SessionSpool, SpooledRecord]]) -> None:
        catalog = self._catalog or self._open_catalog()
        self._catalog = catalog
        outcomes = catalog.ingest_many(
            [SignedRecord(record.data, record.signature) for _, record in batch], self._certificates, self._anchors
        )
        for outcome in outcomes:
            if isinstance(outcome, EvidenceError):
                log.error("record not taken into the catalog", why=str(outcome))
        copies = [
            StoredCopy(store, item.key, item.size_bytes, item.sha256) for _, record in batch for item in record.objects
        ]
        if store not in self._told_certificates:
            copies += [StoredCopy(store, key, len(pem), sha256_hex(pem)) for key, pem in self._pems.items()]
        catalog.confirm_copies(copies)
        self._told_certificates.add(store)
        for spool, record in batch:
            spool.set_progress(_note(store), record.seq + 1)
            self._told[spool.session, store] = record.seq + 1
            if record.last:
                self._finished.add((spool.session, store))


def _note(store: str) -> str:
    return f"catalog-{store}"
