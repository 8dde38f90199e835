"""An object store in memory that does what a test tells it to: lose, change or hold back objects."""

import hashlib
from collections.abc import Iterator

from evidence_store.errors import ObjectConflictError, ObjectMissingError, StoreUnavailableError
from evidence_store.stores import Confirmation, ObjectInfo


class MemoryStore:
    """Reads and writes as `evidence_store.stores` promises. Tests change `objects` behind its back.

    With `calls_left` set, that many calls succeed and all later ones find the store unavailable.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.objects: dict[str, bytes] = {}
        self.rewritten: set[str] = set()
        self.calls_left: int | None = None

    def put_bytes(self, key: str, data: bytes) -> Confirmation:
        self._call()
        if self.objects.setdefault(key, data) != data:
            raise ObjectConflictError("already holds other bytes", where=f"{self.name}/{key}")
        return self._confirmation(key)

    def confirm(self, key: str) -> Confirmation | None:
        self._call()
        return self._confirmation(key) if key in self.objects else None

    def altered(self, prefix: str = "") -> tuple[str, ...]:
        self._call()
        return tuple(sorted(key for key in self.rewritten if key.startswith(prefix)))

    def read(self, key: str) -> bytes:
        self._call()
        return self._object(key)

    def stream(self, key: str, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        self._call()
        data = self._object(key)
        for start in range(0, len(data), chunk_bytes):
            yield data[start : start + chunk_bytes]

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        return self.read(key)[offset : offset + length]

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        for key in sorted(self.objects):
            if key.startswith(prefix):
                self._call()
                yield ObjectInfo(key, len(self.objects[key]))

    def _object(self, key: str) -> bytes:
        try:
            return self.objects[key]
        except KeyError:
            raise ObjectMissingError("is not there", where=f"{self.name}/{key}") from None

    def _confirmation(self, key: str) -> Confirmation:
        data = self.objects[key]
        return Confirmation(key, len(data), hashlib.sha256(data).hexdigest())

    def _call(self) -> None:
        if self.calls_left is None:
            return
        if self.calls_left == 0:
            raise StoreUnavailableError("cannot be reached", where=f"store {self.name}", do="Try again later.")
        self.calls_left -= 1
