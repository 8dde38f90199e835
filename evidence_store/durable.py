"""Files that survive a power cut: the one small interface through which spool and `file://` store touch the disk.

Whoever records evidence has to know which bytes are durable. Every operation that matters for that is a method here
and nothing else writes evidence to disk; so the order of writes can be recorded, cut at any point and replayed.

After a failed sync nothing is known of the file: the kernel may have marked the pages clean and dropped them, so
retrying the sync proves nothing. Callers treat the file as after a crash (see `DiskError`).
"""

import errno
import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from evidence_store.errors import EvidenceError

# What trying again will not cure: rights, a read-only disk, names that cannot be, an operation the disk does not have.
_LASTING = frozenset(
    {
        errno.EACCES,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOTDIR,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EROFS,
    }
)
# What a file system answers that cannot copy in this way, or not from that other file system.
_CANNOT_COPY = frozenset({errno.EBADF, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV})
_COPY_BYTES = 1 << 23
_PLAIN_COPY_BYTES = 1 << 18


class DiskError(EvidenceError):
    """The disk refused. `full` tells a lack of space from a fault, `lasting` what trying again will not cure."""

    def __init__(self, what: str, *, where: str, do: str = "", full: bool = False, lasting: bool = False) -> None:
        super().__init__(what, where=where, do=do)
        self.full = full
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at a path. A link is `other`, whatever it leads to; `bytes` counts for files alone."""

    kind: Literal["file", "folder", "other"]
    bytes: int


class OpenFile(Protocol):
    """A file that grows at its end."""

    def append(self, data: bytes) -> None: ...
    def sync(self) -> None:
        """All bytes appended so far are durable when this returns (fdatasync)."""

    def close(self) -> None: ...


class DiskLock(Protocol):
    """Something held by this process alone. The end of the process releases it too, however it ends."""

    def release(self) -> None: ...


class Disk(Protocol):
    """What the evidence needs of a file system. Paths are absolute; errors are DiskError."""

    def create(self, path: Path) -> OpenFile:
        """A new, empty file; it must not exist. Its name is durable only after `sync_folder` of its folder."""

    def write(self, path: Path, data: bytes) -> None:
        """A new file with these bytes, durable when this returns; its name only after `sync_folder`."""

    def copy(self, source: Path, target: Path) -> None:
        """A new file with the bytes of another, durable when this returns; its name only after `sync_folder`."""

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file to `length` bytes, durable when this returns."""

    def set_read_only(self, path: Path) -> None:
        """Take away everybody's right to write to a file: a guard against mistakes."""

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name in the same file system; an existing target is replaced."""

    def link(self, source: Path, target: Path) -> bool:
        """Give a file a second name; False if that name is taken."""

    def remove(self, path: Path) -> None: ...
    def make_folder(self, path: Path) -> None:
        """Make the folder and its parents; their names are durable when this returns."""

    def sync_folder(self, path: Path) -> None: ...
    def read(self, path: Path) -> bytes: ...
    def read_range(self, path: Path, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset` on; fewer only where the file ends."""

    def forget_cached(self, path: Path) -> None:
        """Let go of what memory holds of a file, so that reading tells what the device holds. Does what it can."""

    def look(self, path: Path) -> Entry | None:
        """What stands at a path, links not followed; None if nothing does."""

    def list(self, path: Path) -> list[Path]:
        """Names in a folder, sorted; empty if there is no such folder."""

    def free_bytes(self, path: Path) -> int:
        """What this process may still write to the file system of a folder."""

    def lock(self, path: Path) -> DiskLock | None:
        """Hold a lock file, made if it is not there; None while anybody else holds it."""


class _RealFile:
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def append(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise _disk_error(error, self._path, "cannot be written") from error

    def sync(self) -> None:
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise _disk_error(error, self._path, "cannot be made durable") from error

    def close(self) -> None:
        os.close(self._descriptor)


class _RealLock:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.release()


class RealDisk:
    """The machine's own file system."""

    def create(self, path: Path) -> OpenFile:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise _disk_error(error, path, "cannot be made") from error
        return _RealFile(path, descriptor)

    def write(self, path: Path, data: bytes) -> None:
        file = self.create(path)
        try:
            file.append(data)
            file.sync()
        finally:
            file.close()

    def copy(self, source: Path, target: Path) -> None:
        try:
            origin = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _disk_error(error, source, "cannot be read") from error
        try:
            file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            try:
                _copy(origin, file)
                os.fdatasync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise _disk_error(error, target, f"cannot be made a copy of {source}") from error
        finally:
            os.close(origin)

    def truncate(self, path: Path, length: int) -> None:
        try:
            with path.open("r+b") as file:
                file.truncate(length)
                os.fsync(file.fileno())
        except OSError as error:
            raise _disk_error(error, path, "cannot be cut") from error

    def set_read_only(self, path: Path) -> None:
        try:
            path.chmod(0o444)
        except OSError as error:
            raise _disk_error(error, path, "cannot be made read-only") from error

    def rename(self, source: Path, target: Path) -> None:
        try:
            source.rename(target)
        except OSError as error:
            raise _disk_error(error, source, f"cannot be renamed to {target.name}") from error

    def link(self, source: Path, target: Path) -> bool:
        try:
            os.link(source, target)
        except FileExistsError:
            return False
        except OSError as error:
            raise _disk_error(error, source, f"cannot be linked as {target.name}") from error
        return True

    def remove(self, path: Path) -> None:
        try:
            path.unlink()
        except OSError as error:
            raise _disk_error(error, path, "cannot be removed") from error

    def make_folder(self, path: Path) -> None:
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        try:
            for folder in reversed(missing):
                folder.mkdir(mode=0o750, exist_ok=True)
                self.sync_folder(folder.parent)
        except OSError as error:
            raise _disk_error(error, missing[0], "cannot be made") from error

    def sync_folder(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _disk_error(error, path, "cannot be made durable") from error

    def read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise _disk_error(error, path, "cannot be read") from error

    def read_range(self, path: Path, offset: int, length: int) -> bytes:
        try:
            with path.open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            raise _disk_error(error, path, "cannot be read") from error

    def forget_cached(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _disk_error(error, path, "cannot be read") from error

    def look(self, path: Path) -> Entry | None:
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _disk_error(error, path, "cannot be looked at") from error
        if stat.S_ISREG(found.st_mode):
            return Entry("file", found.st_size)
        return Entry("folder" if stat.S_ISDIR(found.st_mode) else "other", 0)

    def list(self, path: Path) -> list[Path]:
        try:
            return sorted(path.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _disk_error(error, path, "cannot be listed") from error

    def free_bytes(self, path: Path) -> int:
        try:
            found = os.statvfs(path)
        except OSError as error:
            raise _disk_error(error, path, "does not tell its free space") from error
        return found.f_bavail * found.f_frsize

    def lock(self, path: Path) -> DiskLock | None:
        while True:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            except OSError as error:
                raise _disk_error(error, path, "cannot be opened") from error
            lock = _RealLock(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_nlink:
                    return lock
            except BlockingIOError:
                lock.release()
                return None
            except OSError as error:
                lock.release()
                raise _disk_error(error, path, "cannot be locked") from error
            # Whoever held it took the file away between our opening and locking it: that lock is nobody's.
            lock.release()


def _copy(origin: int, target: int) -> None:
    """All bytes from one descriptor to another; inside the kernel, in whichever way the file systems allow."""
    left = os.fstat(origin).st_size
    for step in (_copy_range, _send, _read_and_write):
        try:
            while left > 0:
                copied = step(origin, target, left)
                if not copied:
                    break  # the file has become shorter, or this way only says that it works
                left -= copied
        except OSError as error:
            if error.errno not in _CANNOT_COPY or step is _read_and_write:
                raise


def _copy_range(origin: int, target: int, left: int) -> int:
    return os.copy_file_range(origin, target, min(left, _COPY_BYTES))


def _send(origin: int, target: int, left: int) -> int:
    return os.sendfile(target, origin, None, min(left, _COPY_BYTES))


def _read_and_write(origin: int, target: int, left: int) -> int:
    data = os.read(origin, min(left, _PLAIN_COPY_BYTES))
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
    return len(data)


def _disk_error(error: OSError, path: Path, what: str) -> DiskError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    lasting = error.errno in _LASTING
    do = "Free space on this disk." if full else "Check the disk and the rights on this path."
    told = f"{what}: {os.strerror(error.errno or 0).lower()}"
    return DiskError(told, where=str(path), do=do, full=full, lasting=lasting)
