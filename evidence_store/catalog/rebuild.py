"""Fills the catalog from the object stores, which are the truth.

Every object under `certs/` and `sessions/` is listed; what a store confirms to hold becomes a copy; every record goes
through the same door as one that comes from a recorder. The stores are read one after the other, and a record that an
earlier store gave is not read again. At most one batch of records is in memory.

What is wrong with one object is reported, and no record is taken from it; a store that cannot be read ends the rebuild.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from cryptography import x509
from sqlalchemy import Connection, Select, delete, func, or_, select

from evidence_store import layout
from evidence_store.catalog import copies
from evidence_store.catalog.admission import Admitted, admit
from evidence_store.catalog.ingest import take
from evidence_store.catalog.models import Base, Copy, Record, Segment, Session
from evidence_store.catalog.views import StoredCopy
from evidence_store.errors import ChainError, EvidenceError, FormatError, SignatureError, StoreUnavailableError
from evidence_store.records import sha256_hex
from evidence_store.signing import certificate_id, parse_certificates
from evidence_store.stores.interface import Confirmation, ObjectInfo
from evidence_store.strict_json import MAX_BYTES as MAX_RECORD_BYTES
from evidence_store.trust import TrustAnchors

MAX_PROBLEMS = 1000

_BATCH_RECORDS = 200
_BATCH_BYTES = 16 << 20
_BATCH_COPIES = 1000
_MAX_SIGNATURE_BYTES = 1 << 10
_MAX_CERTIFICATE_BYTES = 64 << 10
_CACHED_CERTIFICATES = 1000


class RebuildSource(Protocol):
    """What a rebuild needs of an object store (stores.interface says what each method owes)."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]: ...
    def stream(self, key: str, chunk_bytes: int = 1 << 20) -> Iterator[bytes]: ...
    def confirm(self, key: str) -> Confirmation | None: ...


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """How far a rebuild is: objects seen in this store, records taken and problems met in all stores."""

    store: str
    objects: int
    records: int
    problems: int


@dataclass(frozen=True, slots=True)
class RebuildProblem:
    """An object that is not as it should be in this store, and why, in one line.

    `key` is as the store tells it: a name that nobody gave may hold any character.
    """

    store: str
    key: str
    what: str


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What the catalog holds now. `problems` are the first MAX_PROBLEMS of `problem_count`."""

    sessions: int
    records: int
    segments: int
    copies: int
    problem_count: int
    problems: tuple[RebuildProblem, ...]


def refill(
    connection: Connection,
    stores: Mapping[str, RebuildSource],
    anchors: TrustAnchors,
    on_progress: Callable[[RebuildProgress], None] | None,
) -> RebuildReport:
    """Empties the tables and fills them; what it does counts only when the transaction is committed."""
    for table in reversed(Base.metadata.sorted_tables):
        connection.execute(delete(table))
    rebuild = _Rebuild(connection, stores, anchors, on_progress)
    for name in stores:
        rebuild.read_store(layout.check_id(name, name="store"))
    rebuild.compare_copies()
    return rebuild.report()


class _Rebuild:
    def __init__(
        self,
        connection: Connection,
        stores: Mapping[str, RebuildSource],
        anchors: TrustAnchors,
        on_progress: Callable[[RebuildProgress], None] | None,
    ) -> None:
        self._connection = connection
        self._stores = stores
        self._anchors = anchors
        self._on_progress = on_progress
        self._certificate = lru_cache(_CACHED_CERTIFICATES)(self._find_certificate)
        self._copies: list[StoredCopy] = []
        self._records: list[tuple[str, Admitted]] = []
        self._record_bytes = 0
        self._objects = 0
        self._taken = 0
        self._problems: list[RebuildProblem] = []
        self._problem_count = 0

    def read_store(self, name: str) -> None:
        self._objects = 0
        store = self._stores[name]
        for info in store.list("certs/"):
            with self._reporting(name, info.key):
                sha256 = layout.certificate_sha256(info.key)
                if sha256 is None:
                    raise FormatError("not a key of the layout")
                self._confirm(name, info.key)
                _certificate_in(store, sha256)
            self._count(name)
        last = None
        for info in store.list("sessions/"):
            with self._reporting(name, info.key):
                named = layout.parse_key(info.key)
                if named is None:
                    raise FormatError("not a key of the layout")
                confirmation = self._confirm(name, info.key)
                if isinstance(named, layout.RecordKey) and named.kind == "json":
                    last = named
                    self._read_record(name, named, confirmation)
                elif isinstance(named, layout.RecordKey) and last != layout.RecordKey(named.session, named.seq, "json"):
                    raise FormatError("a signature without its record")
            self._count(name)
        self._flush(name)

    def compare_copies(self) -> None:
        """Everything that was confirmed, against the other stores and against what the records state."""
        several = select(Copy.key).group_by(Copy.key).having(func.min(Copy.sha256) != func.max(Copy.sha256))
        self._report_all(
            select(Copy.store, Copy.key).where(Copy.key.in_(several)), "the stores hold different bytes under this key"
        )
        self._report_all(
            select(Copy.store, Copy.key)
            .join(Segment, Segment.key == Copy.key)
            .where(or_(Copy.sha256 != Segment.sha256, Copy.size_bytes != Segment.size_bytes)),
            "the store holds other bytes than the record states",
        )

    def report(self) -> RebuildReport:
        def count(model: type[Base]) -> int:
            return self._connection.execute(select(func.count()).select_from(model)).scalar_one()

        return RebuildReport(
            sessions=count(Session),
            records=count(Record),
            segments=count(Segment),
            copies=count(Copy),
            problem_count=self._problem_count,
            problems=tuple(self._problems),
        )

    # --- One object --------------------------------------------------------------------------------------------------

    def _confirm(self, store: str, key: str) -> Confirmation:
        confirmation = self._stores[store].confirm(key)
        if confirmation is None:
            raise FormatError("was listed, and is not there any more")
        self._copies.append(StoredCopy(store, key, confirmation.bytes, confirmation.sha256))
        return confirmation

    def _read_record(self, store: str, named: layout.RecordKey, confirmation: Confirmation) -> None:
        place = (Record.session == named.session, Record.seq == named.seq)
        if self._connection.scalar(select(Record.sha256).where(*place)) == confirmation.sha256:
            return
        source = self._stores[store]
        data = _read(source, confirmation.key, MAX_RECORD_BYTES)
        if sha256_hex(data) != confirmation.sha256:
            raise FormatError("the store gives other bytes than it confirms to hold")
        signature = _read(source, layout.signature_key(named.session, named.seq), _MAX_SIGNATURE_BYTES)
        item = admit(data, signature, self._certificate, self._anchors, where=confirmation.key)
        if (item.record.session, item.record.seq) != (named.session, named.seq):
            raise ChainError(f"it is {item.where}, moved to another's place")
        self._records.append((confirmation.key, item))
        self._record_bytes += len(data)

    def _find_certificate(self, sha256: str) -> x509.Certificate | None:
        for store in self._stores.values():
            try:
                return _certificate_in(store, sha256)
            except StoreUnavailableError:
                raise
            except EvidenceError:
                continue  # another store may hold it; what is wrong with this one is reported where it is listed
        return None

    # --- Batches and reports -----------------------------------------------------------------------------------------

    def _count(self, store: str) -> None:
        self._objects += 1
        if (
            len(self._records) >= _BATCH_RECORDS
            or self._record_bytes >= _BATCH_BYTES
            or len(self._copies) >= _BATCH_COPIES
        ):
            self._flush(store)

    def _flush(self, store: str) -> None:
        outcomes = take(self._connection, [item for _, item in self._records])
        for (key, _), outcome in zip(self._records, outcomes, strict=True):
            if isinstance(outcome, EvidenceError):
                self._report(store, key, str(outcome))
            else:
                self._taken += outcome.new
        copies.confirm(self._connection, self._copies)
        self._records.clear()
        self._record_bytes = 0
        self._copies.clear()
        if self._on_progress is not None:
            self._on_progress(RebuildProgress(store, self._objects, self._taken, self._problem_count))

    @contextmanager
    def _reporting(self, store: str, key: str) -> Iterator[None]:
        try:
            yield
        except StoreUnavailableError:
            raise
        except EvidenceError as error:
            self._report(store, key, str(error))

    def _report(self, store: str, key: str, what: str) -> None:
        self._problem_count += 1
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(RebuildProblem(store, key, what))

    def _report_all(self, query: Select[str, str], what: str) -> None:
        rows = self._connection.execute(query.order_by(Copy.key, Copy.store).execution_options(yield_per=1000))
        for store, key in rows:
            self._report(store, key, what)


def _read(store: RebuildSource, key: str, max_bytes: int) -> bytes:
    """The bytes of an object that cannot be large; raises FormatError when it is, without reading it all."""
    data = b""
    for chunk in store.stream(key, max_bytes + 1):
        data += chunk
        if len(data) > max_bytes:
            raise FormatError(f"more than {max_bytes} bytes", where=key)
    return data


def _certificate_in(store: RebuildSource, sha256: str) -> x509.Certificate:
    key = layout.certificate_key(sha256)
    for certificate in parse_certificates(_read(store, key, _MAX_CERTIFICATE_BYTES), where=key):
        if certificate_id(certificate) == sha256:
            return certificate
    raise SignatureError("does not hold the certificate of its name", where=key)
