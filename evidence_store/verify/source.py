"""Where a verifier gets objects from: an interface that it calls and others implement. No I/O in here.

`EvidenceSource` is all that verification needs. Whatever can list and read objects, such as an object store, becomes
one through `ReaderSource`. What a source raises becomes a finding: ObjectMissingError says that an object is not there,
every other EvidenceError that it could not be read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from evidence_store.errors import EvidenceError, ObjectMissingError


class EvidenceSource(Protocol):
    """Objects by key. `read` may be called from several threads at once."""

    def keys(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Key and size in bytes of every object whose key starts with `prefix`, sorted by key."""

    def read(self, key: str) -> bytes:
        """All bytes of an object; raises ObjectMissingError, or another EvidenceError when it cannot be read."""

    def altered(self, prefix: str) -> Iterable[str]:
        """Keys under `prefix` at which more stands than was once written; none where a source keeps no versions."""


class Listed(Protocol):
    """An object as a store lists it."""

    @property
    def key(self) -> str: ...
    @property
    def bytes(self) -> int: ...


class ListingReader(Protocol):
    """What is needed of an object store."""

    def read(self, key: str) -> bytes: ...
    def list(self, prefix: str) -> Iterator[Listed]: ...
    def altered(self, prefix: str) -> Iterable[str]: ...


class ReaderSource:
    """An object store as a source."""

    def __init__(self, reader: ListingReader) -> None:
        self._reader = reader

    def keys(self, prefix: str) -> Iterator[tuple[str, int]]:
        for listed in self._reader.list(prefix):
            yield listed.key, listed.bytes

    def read(self, key: str) -> bytes:
        return self._reader.read(key)

    def altered(self, prefix: str) -> Iterable[str]:
        return self._reader.altered(prefix)


class Absence(Enum):
    """Why there are no bytes."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bytes of an object, or why there are none; `detail` is what the source said."""

    data: bytes = b""
    absence: Absence | None = None
    detail: str = ""


def fetch(source: EvidenceSource, key: str) -> Fetched:
    try:
        return Fetched(source.read(key))
    except ObjectMissingError:
        return Fetched(absence=Absence.MISSING)
    except EvidenceError as error:
        return Fetched(absence=Absence.UNREADABLE, detail=str(error))
