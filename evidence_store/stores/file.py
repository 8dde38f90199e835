"""A store in a folder. Its protection ends where the rights on the folder end.

What it keeps: nothing is overwritten, nothing half-written ever has an object's name, and what was confirmed was read
back from the disk after it was durable. Objects are read-only (mode 0444) against mistakes; whoever is root, or owns
the folder, can change or delete them, and only verification finds that. Where that is not enough: a bucket with lock.

Order of writing an object, each step durable before what depends on it:

1. a new file in `.tmp`, copied or written, and synced;
2. read back from the disk and hashed; with another hash than the stated one it goes no further;
3. read-only;
4. the object's folder made, and synced up to the root;
5. linked to its name, which fails when the name is taken;
6. that folder synced: only now is it confirmed;
7. the name in `.tmp` removed.

A crash leaves at most files in `.tmp`. The next process that writes removes those whose writer no longer runs, which
it sees by the lock file that every writer holds.
"""

import hashlib
import itertools
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evidence_store.durable import Disk, DiskError, DiskLock, Entry
from evidence_store.errors import ObjectConflictError, ObjectMissingError, StoreError, StoreUnavailableError
from evidence_store.stores.interface import Confirmation, ObjectInfo, ObjectVersion
from evidence_store.stores.keys import check_key, check_prefix, check_range, check_sha256

TEMPORARY = ".tmp"
MIN_FREE_BYTES = 64 << 20

_CHUNK_BYTES = 1 << 20
_NOT_STORED = "Nothing was stored; check that file and the disks."


class FileStore:
    """An ObjectStore in the folder `root`, which `prepare` makes."""

    def __init__(self, root: Path, name: str, disk: Disk, *, min_free_bytes: int = MIN_FREE_BYTES) -> None:
        """`min_free_bytes` is what `prove` asks the disk to have left."""
        self._root = root
        self._name = name
        self._disk = disk
        self._min_free_bytes = min_free_bytes
        self._temporary = root / TEMPORARY
        self._token = secrets.token_hex(8)
        self._counter = itertools.count()
        self._starting = threading.Lock()
        self._held: DiskLock | None = None
        self._durable_folders: set[Path] = set()

    def __repr__(self) -> str:
        return f"FileStore({self._name!r}, {self.url!r})"

    @property
    def name(self) -> str:
        return self._name

    @property
    def url(self) -> str:
        return self._root.as_uri()

    # --- Reading ---------------------------------------------------------------------------------------------------

    def read(self, key: str) -> bytes:
        with self._disk_errors():
            path, _ = self._object(key)
            return self._disk.read(path)

    def stream(self, key: str, chunk_bytes: int = _CHUNK_BYTES) -> Iterator[bytes]:
        with self._disk_errors():
            path, entry = self._object(key)
            for offset in range(0, entry.bytes, chunk_bytes):
                yield self._disk.read_range(path, offset, chunk_bytes)

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        check_range(offset, length, where=self._at(key))
        with self._disk_errors():
            path, entry = self._object(key)
            if offset + length > entry.bytes:
                raise StoreError(
                    f"bytes {offset} to {offset + length} leave the object of {entry.bytes} bytes", where=self._at(key)
                )
            return self._disk.read_range(path, offset, length)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        with self._disk_errors():
            self._require_store()
            folder = self._root
            for part in prefix.split("/")[:-1]:
                folder /= part
                entry = self._disk.look(folder)
                if entry is None or entry.kind == "file":
                    return
                self._refuse_other(entry, folder)
            yield from self._walk(folder, prefix)

    def confirm(self, key: str) -> Confirmation | None:
        with self._disk_errors():
            path, entry = self._look(key)
            return self._read_back(key, path) if entry else None

    def versions(self, key: str) -> tuple[ObjectVersion, ...]:
        with self._disk_errors():
            _, entry = self._look(key)
        if entry is None:
            return ()
        return (ObjectVersion("", entry.bytes, is_delete_marker=False, retain_until=None, written=None),)

    def altered(self, prefix: str = "") -> tuple[str, ...]:
        """None: a folder has one version of everything."""
        check_prefix(prefix)
        return ()

    # --- Writing ---------------------------------------------------------------------------------------------------

    def put_file(self, key: str, path: Path, sha256: str) -> Confirmation:
        check_sha256(sha256, where=self._at(key))
        with self._disk_errors():
            source = self._disk.look(path)
            if source is None or source.kind != "file":
                raise StoreError("is not there, or is no file", where=str(path), do=f"Nothing was stored as {key}.")
            return self._put(key, sha256, lambda temporary: self._disk.copy(path, temporary), source=path)

    def put_bytes(self, key: str, data: bytes) -> Confirmation:
        sha256 = hashlib.sha256(data).hexdigest()
        with self._disk_errors():
            return self._put(key, sha256, lambda temporary: self._disk.write(temporary, data))

    def prepare(self) -> None:
        with self._disk_errors():
            self._disk.make_folder(self._temporary)

    def prove(self) -> None:
        """The folder can be written to and has space left, and a name that is taken stays as it is.

        That is all that can be proved of a folder: it does not lock anything (see the top of this file).
        """
        with self._disk_errors():
            self._start_writing()
            free_bytes = self._disk.free_bytes(self._temporary)
            if free_bytes < self._min_free_bytes:
                raise StoreUnavailableError(
                    f"{free_bytes >> 20} MiB are left on this disk",
                    where=f"store {self._name}",
                    do=f"Free at least {self._min_free_bytes >> 20} MiB.",
                )
            probe, second, data = self._new_temporary(), self._new_temporary(), secrets.token_bytes(32)
            try:
                self._disk.write(probe, data)
                self._disk.set_read_only(probe)
                self._prove_links(probe, second)
                self._disk.sync_folder(self._temporary)
                self._disk.forget_cached(second)
                if self._disk.read(second) != data:
                    raise StoreError("gives back other bytes than were written", where=f"store {self._name}")
            finally:
                self._clear(probe)
                self._clear(second)

    def _prove_links(self, probe: Path, second: Path) -> None:
        try:
            linked, linked_again = self._disk.link(probe, second), self._disk.link(probe, second)
        except DiskError as error:
            raise StoreError(
                "cannot give a file a second name, so nothing could be written there once and for all",
                where=f"store {self._name}",
                do="Use a file system with hard links, such as ext4 or XFS.",
            ) from error
        if not linked or linked_again:
            raise StoreError(
                "overwrites a name that is taken",
                where=f"store {self._name}",
                do="Use a file system with hard links, such as ext4 or XFS.",
            )

    def _put(self, key: str, sha256: str, write: Callable[[Path], None], source: Path | None = None) -> Confirmation:
        path, entry = self._look(key)
        if entry is not None:
            return self._already_there(key, path, sha256)
        self._start_writing()
        temporary = self._new_temporary()
        try:
            write(temporary)
            found = self._read_back(key, temporary)
            if found.sha256 != sha256:
                raise self._mismatch(key, sha256, source)
            self._disk.set_read_only(temporary)
            self._make_folder(path.parent)
            if not self._disk.link(temporary, path):
                return self._already_there(key, path, sha256)
            self._disk.sync_folder(path.parent)
            return found
        finally:
            self._clear(temporary)

    def _already_there(self, key: str, path: Path, sha256: str) -> Confirmation:
        found = self._read_back(key, path)
        if found.sha256 != sha256:
            raise ObjectConflictError(
                f"already holds other bytes (SHA-256 {found.sha256[:16]}..., not {sha256[:16]}...)",
                where=self._at(key),
                do="Keep both for whoever looks into it.",
            )
        # Whoever linked it may have crashed before it was durable.
        self._make_folder(path.parent)
        self._disk.sync_folder(path.parent)
        return found

    def _mismatch(self, key: str, sha256: str, source: Path | None) -> StoreError:
        if source is not None and self._read_back(key, source).sha256 != sha256:
            return StoreError(f"does not have the stated hash ({sha256[:16]}...)", where=str(source), do=_NOT_STORED)
        return StoreError("the disk gave back other bytes than were written", where=self._at(key), do=_NOT_STORED)

    def _read_back(self, key: str, path: Path) -> Confirmation:
        """Size and hash of what the disk itself gives back."""
        self._disk.forget_cached(path)
        digest = hashlib.sha256()
        offset = 0
        while data := self._disk.read_range(path, offset, _CHUNK_BYTES):
            digest.update(data)
            offset += len(data)
        return Confirmation(key, offset, digest.hexdigest())

    def _make_folder(self, folder: Path) -> None:
        """Make a folder whose own name is durable all the way up, also when an earlier process made part of it."""
        if folder in self._durable_folders:
            return
        self._disk.make_folder(folder)
        for above in folder.parents:
            self._disk.sync_folder(above)
            if above == self._root:
                break
        self._durable_folders.add(folder)

    # --- Temporary files -------------------------------------------------------------------------------------------

    def _start_writing(self) -> None:
        """Before the first write: hold a lock of our own, and clear up after writers that hold theirs no more."""
        with self._starting:
            self._require_store()
            if self._held is None:
                self._held = self._disk.lock(self._temporary / f"{self._token}.lock")
                self._clear_leftovers()

    def _clear_leftovers(self) -> None:
        found = self._disk.list(self._temporary)
        for path in found:
            if path.suffix != ".lock" or path.stem == self._token:
                continue
            lock = self._disk.lock(path)
            if lock is None:
                continue  # its writer is alive
            for leftover in found:
                if leftover.name.startswith(f"{path.stem}-"):
                    self._clear(leftover)
            self._clear(path)
            lock.release()

    def _new_temporary(self) -> Path:
        return self._temporary / f"{self._token}-{next(self._counter)}"

    def _clear(self, path: Path) -> None:
        with suppress(DiskError):  # it was never made, or the next writer to start clears it
            self._disk.remove(path)

    # --- Keys, paths, errors ---------------------------------------------------------------------------------------

    def _at(self, key: str) -> str:
        return f"{self._name}/{key}"

    def _require_store(self) -> None:
        entry = self._disk.look(self._temporary)
        if entry is None or entry.kind != "folder":
            raise StoreUnavailableError(
                f"there is no store in {self._root}",
                where=f"store {self._name}",
                do="Mount its disk; or, if it is to be a new store, prepare it.",
            )

    def _object(self, key: str) -> tuple[Path, Entry]:
        path, entry = self._look(key)
        if entry is None:
            raise ObjectMissingError("is not there", where=self._at(key))
        return path, entry

    def _look(self, key: str) -> tuple[Path, Entry | None]:
        """Where an object is or would be, and what stands there; no link is followed on the way."""
        path = self._root
        for folder in check_key(key).split("/")[:-1]:
            path /= folder
            entry = self._disk.look(path)
            if entry is None:
                break
            self._refuse_other(entry, path)
        path = self._root / key
        entry = self._disk.look(path)
        if entry is None or entry.kind == "folder":
            self._require_store()
            return path, None
        self._refuse_other(entry, path)
        return path, entry

    def _refuse_other(self, entry: Entry, path: Path) -> None:
        if entry.kind == "other":
            raise StoreError(
                "is a link or a device, not an object or a folder of objects",
                where=str(path),
                do="Find out who put it there, and take it away.",
            )

    def _walk(self, folder: Path, prefix: str) -> Iterator[ObjectInfo]:
        """Objects under a folder in the order of their keys. No recursion: whoever tampers may nest without end."""
        waiting = [iter(self._entries(folder))]
        while waiting:
            for key, path, entry in waiting[-1]:
                if not key.startswith(prefix):
                    continue
                self._refuse_other(entry, path)
                if entry.kind == "folder":
                    waiting.append(iter(self._entries(path)))
                    break
                yield ObjectInfo(key, entry.bytes)
            else:
                waiting.pop()

    def _entries(self, folder: Path) -> tuple[tuple[str, Path, Entry], ...]:
        """What is in a folder, sorted by key: a folder sorts as if its name ended in a slash."""
        found = []
        for path in self._disk.list(folder):
            entry = self._disk.look(path)
            if entry is not None and path != self._temporary:
                key = path.relative_to(self._root).as_posix()
                found.append((f"{key}/" if entry.kind == "folder" else key, path, entry))
        return tuple(sorted(found, key=lambda one: one[0]))

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except DiskError as error:
            kind = StoreError if error.lasting else StoreUnavailableError
            raise kind(f"store {self._name}: {error.what}", where=error.where, do=error.do) from error
