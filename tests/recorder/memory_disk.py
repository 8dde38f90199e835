"""A disk in memory that forgets what was never synced, as a real one does when the power goes.

What changes it is a step. A test cuts it off at one of them, and goes on with what a killed process or a power cut
leaves: `after_kill` and `after_power_cut`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from evidence_store.durable import DiskError, DiskLock, Entry, OpenFile


class PowerCut(Exception):  # noqa: N818 - nothing of the program may catch it as an error of its own
    """The process is gone at this step."""


@dataclass(eq=False)
class _File:
    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


class _OpenFile:
    def __init__(self, disk: "MemoryDisk", path: Path, file: _File) -> None:
        self._disk, self._path, self._file = disk, path, file

    def append(self, data: bytes) -> None:
        with self._disk.step("append", self._path, half=lambda: self._file.content.extend(data[: len(data) // 2])):
            self._file.content += data

    def sync(self) -> None:
        with self._disk.step("sync", self._path):
            self._file.durable = bytes(self._file.content)

    def close(self) -> None:
        """Changes nothing on a disk."""


class MemoryDisk:
    """`cut_at` is the number of the step that is not done any more, `half` whether half of what it appends still is."""

    def __init__(self, cut_at: int | None = None, *, half: bool = False) -> None:
        self.steps: list[tuple[str, Path]] = []
        self._cut_at = cut_at
        self._half = half
        self._names: dict[Path, _File] = {}
        self._durable_names: dict[Path, _File] = {}
        self._folders: set[Path] = {Path("/")}

    # --- What a crash leaves ---------------------------------------------------------------------------------------

    def after_kill(self, cut_at: int | None = None, *, half: bool = False) -> "MemoryDisk":
        """The kernel goes on and writes everything."""
        return self._copied(self._names, lambda file: bytes(file.content), cut_at, half)

    def after_power_cut(self, cut_at: int | None = None, *, half: bool = False, lucky: bool = False) -> "MemoryDisk":
        """Only what was synced is sure. With `lucky` names and half of the other bytes were written all the same."""

        def content(file: _File) -> bytes:
            if not lucky or len(file.content) <= len(file.durable):
                return file.durable
            return bytes(file.content[: (len(file.durable) + len(file.content)) // 2])

        return self._copied(self._names if lucky else self._durable_names, content, cut_at, half)

    def _copied(
        self, names: dict[Path, _File], content: Callable[[_File], bytes], cut_at: int | None, half: bool
    ) -> "MemoryDisk":
        disk = MemoryDisk(cut_at, half=half)
        disk._folders = set(self._folders)
        for path, file in names.items():
            data = content(file)
            disk._names[path] = disk._durable_names[path] = _File(bytearray(data), data)
        return disk

    @contextmanager
    def step(self, name: str, path: Path, half: Callable[[], object] | None = None) -> Iterator[None]:
        if self._cut_at is not None and len(self.steps) >= self._cut_at:
            if self._half and half is not None and len(self.steps) == self._cut_at:
                half()
                self.steps.append((name, path))
            raise PowerCut(f"{name} {path}")
        self.steps.append((name, path))
        yield

    def files(self) -> dict[Path, bytes]:
        """Everything that is there, for a test to look at."""
        return {path: bytes(file.content) for path, file in sorted(self._names.items())}

    def alter(self, path: Path, data: bytes) -> None:
        """Other bytes for a file, behind the program's back."""
        self._names[path] = self._durable_names[path] = _File(bytearray(data), data)

    # --- The interface ---------------------------------------------------------------------------------------------

    def create(self, path: Path) -> OpenFile:
        with self.step("create", path):
            self._refuse_taken(path)
            file = self._names[path] = _File()
            return _OpenFile(self, path, file)

    def write(self, path: Path, data: bytes) -> None:
        file = self.create(path)
        file.append(data)
        file.sync()

    def copy(self, source: Path, target: Path) -> None:
        self.write(target, self.read(source))

    def truncate(self, path: Path, length: int) -> None:
        with self.step("truncate", path):
            file = self._file(path)
            del file.content[length:]
            file.durable = bytes(file.content)

    def set_read_only(self, path: Path) -> None:
        self._file(path)

    def rename(self, source: Path, target: Path) -> None:
        with self.step("rename", source):
            if source in self._folders:
                moved = {path for path in (*self._folders, *self._names) if source in (path, *path.parents)}
                for path in moved & self._folders:
                    self._folders.remove(path)
                    self._folders.add(target / path.relative_to(source))
                for path in moved & self._names.keys():
                    self._names[target / path.relative_to(source)] = self._names.pop(path)
                self._durable_names = dict(self._names)
            else:
                self._names[target] = self._names.pop(source)

    def link(self, source: Path, target: Path) -> bool:
        with self.step("link", target):
            if target in self._names:
                return False
            self._names[target] = self._file(source)
            return True

    def remove(self, path: Path) -> None:
        with self.step("remove", path):
            self._file(path)
            del self._names[path]

    def make_folder(self, path: Path) -> None:
        with self.step("make_folder", path):
            self._folders |= {path, *path.parents}

    def sync_folder(self, path: Path) -> None:
        with self.step("sync_folder", path):
            for known in [known for known in self._durable_names if known.parent == path]:
                del self._durable_names[known]
            self._durable_names |= {name: file for name, file in self._names.items() if name.parent == path}

    def read(self, path: Path) -> bytes:
        return bytes(self._file(path).content)

    def read_range(self, path: Path, offset: int, length: int) -> bytes:
        return self.read(path)[offset : offset + length]

    def forget_cached(self, path: Path) -> None:
        self._file(path)

    def look(self, path: Path) -> Entry | None:
        if path in self._folders:
            return Entry("folder", 0)
        file = self._names.get(path)
        return Entry("file", len(file.content)) if file is not None else None

    def list(self, path: Path) -> list[Path]:
        return sorted(one for one in (*self._folders, *self._names) if one.parent == path and one != path)

    def free_bytes(self, path: Path) -> int:
        return 1 << 40

    def lock(self, path: Path) -> DiskLock | None:
        raise NotImplementedError

    def _file(self, path: Path) -> _File:
        if path not in self._names:
            raise DiskError("cannot be read: no such file or directory", where=str(path))
        return self._names[path]

    def _refuse_taken(self, path: Path) -> None:
        if path in self._names:
            raise DiskError("cannot be made: file exists", where=str(path), lasting=True)
        if path.parent not in self._folders:
            raise DiskError("cannot be made: no such file or directory", where=str(path), lasting=True)
