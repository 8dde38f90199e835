"""The catalog as the rest of the system uses it. Several threads may share one, several processes open the same one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Self

from cryptography import x509

from evidence_store.catalog import copies, queries
from evidence_store.catalog.admission import Admitted, admit
from evidence_store.catalog.database import DEFAULT_WAIT_S, Database
from evidence_store.catalog.digest import digest
from evidence_store.catalog.ingest import IngestResult, take
from evidence_store.catalog.migrate import migrate
from evidence_store.catalog.rebuild import RebuildProgress, RebuildReport, RebuildSource, refill
from evidence_store.catalog.views import (
    CaseView,
    EventView,
    Page,
    SegmentView,
    SessionCopies,
    SessionDetail,
    SessionView,
    SignedRecord,
    StoredCopy,
)
from evidence_store.errors import CatalogError, EvidenceError
from evidence_store.trust import TrustAnchors

MAX_BATCH = 1000

_INCOMING = "record"  # what bytes are called until they say which record they are


class Catalog:
    """Every method may raise CatalogError; CatalogUnavailableError where the same call may succeed later."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str, *, password: str | None = None, wait_s: float = DEFAULT_WAIT_S) -> Self:
        """The catalog at `url` (sqlite:///path/to/file or postgresql://user@host/database), brought up to date.

        `password` is PostgreSQL's. A writer waits `wait_s` for others before it gives up. Raises CatalogError.
        """
        database = Database(url, password=password, wait_s=wait_s)
        try:
            database.prepare()
            migrate(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def __repr__(self) -> str:
        return f"Catalog({self._database.where!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of all connections."""
        self._database.close()

    # --- What comes in ---------------------------------------------------------------------------------------------

    def ingest(
        self, data: bytes, signature: bytes, certificates: Mapping[str, x509.Certificate], anchors: TrustAnchors
    ) -> IngestResult:
        """Takes one record, whatever of its session is known; `certificates` by the SHA-256 of their DER.

        Raises FormatError, SignatureError or ChainError for a record that is not taken.
        """
        item = admit(data, signature, certificates.get, anchors, where=_INCOMING)
        with self._database.writing() as connection:
            (outcome,) = take(connection, [item])
            if isinstance(outcome, EvidenceError):
                raise outcome
        return outcome

    def ingest_many(
        self,
        records: Sequence[SignedRecord],
        certificates: Mapping[str, x509.Certificate],
        anchors: TrustAnchors,
    ) -> list[IngestResult | EvidenceError]:
        """Takes at most MAX_BATCH records in one transaction; one outcome for each. A refused one stops no other."""
        if len(records) > MAX_BATCH:
            raise CatalogError(f"a batch of {len(records)} records", do=f"Give at most {MAX_BATCH} at a time.")
        outcomes: dict[int, IngestResult | EvidenceError] = {}
        admitted: dict[int, Admitted] = {}
        for place, record in enumerate(records):
            try:
                admitted[place] = admit(record.data, record.signature, certificates.get, anchors, where=_INCOMING)
            except EvidenceError as error:
                outcomes[place] = error
        with self._database.writing() as connection:
            taken = take(connection, list(admitted.values()))
        outcomes |= zip(admitted, taken, strict=True)
        return [outcomes[place] for place in range(len(records))]

    def confirm_copy(self, store: str, key: str, size_bytes: int, sha256: str) -> None:
        """Notes what a store confirmed to hold; the latest confirmation counts. Raises FormatError."""
        self.confirm_copies([StoredCopy(store, key, size_bytes, sha256)])

    def confirm_copies(self, confirmed: Iterable[StoredCopy]) -> None:
        """As `confirm_copy`, in one transaction: all or none."""
        with self._database.writing() as connection:
            copies.confirm(connection, confirmed)

    def rebuild(
        self,
        stores: Mapping[str, RebuildSource],
        anchors: TrustAnchors,
        on_progress: Callable[[RebuildProgress], None] | None = None,
    ) -> RebuildReport:
        """Empties the catalog and fills it from the stores, by name, in one transaction.

        Readers see the old contents until it ends, and go on seeing them when it fails; other writers wait, and give up
        with CatalogUnavailableError. Raises StoreError when a store cannot be read.
        """
        if not stores:
            raise CatalogError("there is no store to rebuild the catalog from", do="Configure at least one.")
        with self._database.rewriting() as connection:
            return refill(connection, stores, anchors, on_progress)

    # --- What is asked ---------------------------------------------------------------------------------------------

    def cases(self, *, containing: str | None = None, limit: int = 100, cursor: str | None = None) -> Page[CaseView]:
        """Cases whose number contains a text, Latin letters in either case; the highest number first."""
        with self._database.reading() as connection:
            return queries.cases(connection, containing=containing, limit=limit, cursor=cursor)

    def sessions(
        self,
        *,
        case: str | None = None,
        site: str | None = None,
        room: str | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[SessionView]:
        """Sessions that began at `after` or later and earlier than `before`; the latest first."""
        with self._database.reading() as connection:
            return queries.sessions(
                connection,
                case=case,
                site=site,
                room=room,
                after=after,
                before=before,
                limit=limit,
                cursor=cursor,
            )

    def session(self, session: str) -> SessionDetail | None:
        with self._database.reading() as connection:
            return queries.session(connection, session)

    def segments(self, session: str, track: str) -> tuple[SegmentView, ...]:
        """The segments of one track in their order: what a playlist is made from."""
        with self._database.reading() as connection:
            return queries.segments(connection, session, track)

    def events(self, session: str) -> tuple[EventView, ...]:
        """In the order of their records."""
        with self._database.reading() as connection:
            return queries.events(connection, session)

    def copies(self, key: str) -> tuple[StoredCopy, ...]:
        """What each store confirmed to hold under this key, in the order of the stores' names."""
        with self._database.reading() as connection:
            return copies.of_key(connection, key)

    def session_keys_confirmed(self, session: str) -> dict[str, SessionCopies]:
        """How far each store holds a session, by the store's name; a store that holds nothing of it is not there."""
        with self._database.reading() as connection:
            return copies.of_session(connection, session)

    def digest(self) -> str:
        """SHA-256 over everything in the catalog: equal for equal contents in any kind of database."""
        with self._database.reading() as connection:
            return digest(connection)
