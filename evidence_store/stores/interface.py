"""What a store is and what it owes to those who trust it with evidence.

1. Objects are written once. The same bytes again change nothing and are confirmed; other bytes at the same key are an
   ObjectConflictError and change nothing.
2. A confirmation is what the store itself says it holds, found out after the object was durable. It is never a value
   that the writer handed in, and never an ETag.
3. There is nothing here that deletes. A store proves that it keeps its promise before anybody records to it.
4. Every failure is a StoreError: a StoreUnavailableError where the same call may succeed later, a plain one where it
   will not. Nothing is tried again in here: the caller knows how long it can wait.

Stores may be used by several threads and several processes at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from evidence_store.errors import StoreError


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    key: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the store says it holds: `sha256` in lower-case hex."""

    key: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One of the things that stand at a key. More than one means that what was written first was overwritten or hidden.

    `written` is by the store's own clock. `retain_until` is None where the store does not lock this version.
    """

    version_id: str
    bytes: int
    is_delete_marker: bool
    retain_until: datetime | None
    written: datetime | None


@dataclass(frozen=True, slots=True)
class S3Credentials:
    access_key: str
    secret_key: str = field(repr=False)

    def __post_init__(self) -> None:
        for what, value in (("access", self.access_key), ("secret", self.secret_key)):
            # They go into a header, where a stray line break would be an error that quotes the whole signature.
            if not value or not value.isascii() or not value.isprintable() or " " in value:
                raise StoreError(
                    f"the {what} key is empty or holds a space, a line break or a character outside ASCII",
                    where="S3 credentials",
                    do="Check the file or variable that it comes from.",
                )


class ObjectReader(Protocol):
    """Reads objects; all that a verifier needs."""

    def read(self, key: str) -> bytes:
        """All bytes of an object; raises ObjectMissingError."""

    def stream(self, key: str, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """The bytes of an object in pieces of at most `chunk_bytes`; errors come when a piece is asked for."""

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Exactly `length` bytes (at least 1) from `offset` on; a range that leaves the object is a StoreError."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """What is there, sorted by key, without holding it all in memory.

        Names are told as they stand: also those that nobody could have written through this interface.
        """


class ObjectStore(ObjectReader, Protocol):
    @property
    def name(self) -> str:
        """The id that the configuration gives this store."""

    @property
    def url(self) -> str:
        """Where it is; holds no secret."""

    def prepare(self) -> None:
        """Make the folder or the bucket (with object lock) that the store lives in, if it is not there.

        For whoever sets a site up. Never at every start: a store that was there yesterday and is gone today is a disk
        that is not mounted or a wrong address, and must not be replaced by an empty one.
        """

    def prove(self) -> None:
        """Find out whether the store keeps its promise, on objects of its own that do not stay for long.

        Raises StoreError saying in one line what does not hold. Asked at every start of whoever writes.
        """

    def put_file(self, key: str, path: Path, sha256: str) -> Confirmation:
        """Store a file whose hash is known; raises ObjectConflictError, or StoreError if the file has another hash."""

    def put_bytes(self, key: str, data: bytes) -> Confirmation:
        """Store some bytes; raises ObjectConflictError."""

    def confirm(self, key: str) -> Confirmation | None:
        """What the store holds under this key; None if it holds or shows nothing."""

    def versions(self, key: str) -> tuple[ObjectVersion, ...]:
        """All that stands at a key, newest first. One that is not a delete marker is as it should be."""

    def altered(self, prefix: str = "") -> tuple[str, ...]:
        """The keys at which more stands than was once written: overwritten or hidden. `versions` tells what.

        One listing for a whole session, where `versions` would ask for each of its objects.
        """
