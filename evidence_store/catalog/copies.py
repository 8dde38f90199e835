"""What the stores confirmed to hold, and how far that covers what the records state."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, select

from evidence_store import layout
from evidence_store.catalog.models import Copy, Record, Segment
from evidence_store.catalog.upsert import upsert
from evidence_store.catalog.views import SessionCopies, StoredCopy
from evidence_store.errors import FormatError

_SHA256 = re.compile("[0-9a-f]{64}")
_MAX_BYTES = (1 << 63) - 1


def confirm(connection: Connection, copies: Iterable[StoredCopy]) -> None:
    """The latest confirmation of a key counts: it is what the store holds now. Raises FormatError."""
    upsert(connection, Copy, [_row(copy) for copy in copies], update=("size_bytes", "sha256"))


def of_key(connection: Connection, key: str) -> tuple[StoredCopy, ...]:
    query = select(Copy.store, Copy.key, Copy.size_bytes, Copy.sha256).where(Copy.key == _check_key(key))
    return tuple(StoredCopy(*row) for row in connection.execute(query.order_by(Copy.store)))


def of_session(connection: Connection, session: str) -> dict[str, SessionCopies]:
    """For each store that confirmed any object of the session, by name."""
    named = dict(_named(connection, layout.check_session_id(session)))
    stores: defaultdict[str, dict[str, bool]] = defaultdict(dict)
    prefix = layout.session_prefix(session)
    held = select(Copy.store, Copy.key, Copy.size_bytes, Copy.sha256).where(
        Copy.key >= prefix, Copy.key < prefix[:-1] + chr(ord("/") + 1)
    )
    for store, key, size_bytes, sha256 in connection.execute(held.order_by(Copy.key)):
        if key in named:
            stores[store][key] = named[key] in {None, (size_bytes, sha256)}
    return {
        store: SessionCopies(
            confirmed=tuple(key for key, same in keys.items() if same),
            different=tuple(key for key, same in keys.items() if not same),
            missing=tuple(sorted(named.keys() - keys.keys())),
        )
        for store, keys in sorted(stores.items())
    }


def _named(connection: Connection, session: str) -> Iterator[tuple[str, tuple[int, str] | None]]:
    """The objects that the records of a session consist of or name, with size and hash where the chain states them."""
    records = select(Record.seq, Record.size_bytes, Record.sha256).where(Record.session == session)
    for seq, size_bytes, sha256 in connection.execute(records):
        yield layout.record_key(session, seq), (size_bytes, sha256)
        yield layout.signature_key(session, seq), None
    segments = select(Segment.key, Segment.size_bytes, Segment.sha256).where(Segment.session == session)
    for key, size_bytes, sha256 in connection.execute(segments):
        yield key, (size_bytes, sha256)


def _check_key(key: str) -> str:
    """A key that a rebuild would find as well; raises FormatError."""
    if layout.parse_key(key) is None and layout.certificate_sha256(key) is None:
        raise FormatError(f"{key[:160]!r} is not the key of an object of a session or of a certificate")
    return key


def _row(copy: StoredCopy) -> dict[str, object]:
    if not _SHA256.fullmatch(copy.sha256):
        raise FormatError("the confirmed hash is not a SHA-256 in lower-case hex", where=copy.key)
    if not 0 <= copy.size_bytes <= _MAX_BYTES:
        raise FormatError(f"a size of {copy.size_bytes} bytes", where=copy.key)
    return {
        "store": layout.check_id(copy.store, name="store"),
        "key": _check_key(copy.key),
        "size_bytes": copy.size_bytes,
        "sha256": copy.sha256,
    }
