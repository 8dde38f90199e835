"""From the spool to the stores, while recording and after it.

Each store has a thread of its own, so a store that is down delays no other. What a thread sends, it sends in the order
of the chain: a segment's object, then the record that names it, then the signature; older sessions first. A thing
counts as stored when the store itself has confirmed its SHA-256. How far each store is stands in the spool
(`progress/<store>`), only to save time: if it is lost, everything is offered again and confirmed again.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from evidence_store import layout
from evidence_store.durable import Disk
from evidence_store.errors import EvidenceError, StoreError, StoreUnavailableError
from evidence_store.records import CloseRecord, SegmentRecord, parse_record, sha256_hex
from evidence_store.signing import certificate_objects
from evidence_store.site import RECORDER, SiteFolder
from evidence_store.stores import ObjectStore
from recorder.devices import LoadedDevices
from recorder.spool import SessionSpool, sessions_of

POLL_S = 1.0
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SpooledObject:
    """An object of a record, as it lies in the spool."""

    key: str
    sha256: str
    size_bytes: int
    path: Path


@dataclass(frozen=True, slots=True)
class SpooledRecord:
    """A record with everything that belongs to it, in the order in which it is stored."""

    seq: int
    data: bytes
    signature: bytes
    objects: tuple[SpooledObject, ...]
    last: bool


def spooled_records(spool: SessionSpool, first: int) -> Iterator[SpooledRecord]:
    """The signed records of a session in the spool from number `first` on."""
    for seq, data, signature in spool.records(first):
        record = parse_record(data, where=layout.record_key(spool.session, seq))
        json_path, signature_path = spool.record_paths(seq)
        objects = []
        if isinstance(record, SegmentRecord):
            path = spool.media_path(record.track, record.index)
            objects.append(SpooledObject(record.media.key, record.media.sha256, record.media.bytes, path))
        objects.append(SpooledObject(layout.record_key(spool.session, seq), sha256_hex(data), len(data), json_path))
        objects.append(
            SpooledObject(
                layout.signature_key(spool.session, seq), sha256_hex(signature), len(signature), signature_path
            )
        )
        yield SpooledRecord(seq, data, signature, tuple(objects), isinstance(record, CloseRecord))


class StoreUploader:
    """Brings the spool to one store. `trouble` is what stands in its way, empty when nothing does."""

    def __init__(self, store: ObjectStore, site: SiteFolder, loaded: LoadedDevices, disk: Disk) -> None:
        self.store = store
        self.trouble = ""
        self._site = site
        self._rooms = [room.id for room in loaded.devices.rooms]
        self._disk = disk
        self._finished: set[str] = set()
        self._sent: dict[str, int] = {}  # what the spool notes too, unless its disk is full
        self._proved = False
        self._pause_s = FIRST_PAUSE_S

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            stop.wait(POLL_S if self.once(stop) else self._pause_s)

    def once(self, stop: threading.Event) -> bool:
        """Send what is there. False when something stands in the way; the next call tries again."""
        try:
            if not self._proved:
                self._prove()
            trouble = self._send_all(stop)
        except StoreUnavailableError as error:
            self._pause_s = min(self._pause_s * 2, MAX_PAUSE_S)
            self._tell(str(error))
            return False
        except EvidenceError as error:
            trouble = str(error)
        # The promise is broken, or a key is taken by other bytes: nothing that trying again would mend soon.
        self._pause_s = MAX_PAUSE_S if trouble else FIRST_PAUSE_S
        self._tell(trouble)
        return not trouble

    def _prove(self) -> None:
        self.store.prove()
        for key, pem in certificate_objects(self._site.chain(RECORDER)).items():
            self.store.put_bytes(key, pem)
        self._proved = True

    def _sessions(self) -> list[SessionSpool]:
        found = [
            spool
            for room in self._rooms
            for spool in sessions_of(self._site.spool, room, self._disk)
            if spool.session not in self._finished
        ]
        return sorted(found, key=lambda spool: layout.session_time(spool.session))

    def _send_all(self, stop: threading.Event) -> str:
        """Send every session. One that cannot be stored does not hold up the others: its trouble is the answer."""
        trouble = ""
        for spool in self._sessions():
            try:
                self._send(spool, stop)
            except StoreUnavailableError:
                raise
            except EvidenceError as error:
                trouble = trouble or str(error)
        return trouble

    def _send(self, spool: SessionSpool, stop: threading.Event) -> None:
        sent = max(spool.progress(self.store.name), self._sent.get(spool.session, 0))
        for record in spooled_records(spool, sent):
            if stop.is_set():
                return
            for item in record.objects:
                confirmed = self.store.put_file(item.key, item.path, item.sha256)
                if confirmed.sha256 != item.sha256:
                    raise StoreError("the store confirmed another hash than was sent", where=item.key)
            spool.set_progress(self.store.name, record.seq + 1)
            self._sent[spool.session] = record.seq + 1
            if record.last:
                self._finished.add(spool.session)
                del self._sent[spool.session]

    def _tell(self, trouble: str) -> None:
        """Log a change once, not every attempt."""
        if trouble != self.trouble:
            if trouble:
                log.error("store in trouble", store=self.store.name, why=trouble)
            else:
                log.info("store is back", store=self.store.name)
        self.trouble = trouble
