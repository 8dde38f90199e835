"""What is a folder's own: crashes at every step, two processes at once, the disk's failures, and tampering."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from evidence_store.durable import Disk, DiskError, DiskLock, RealDisk
from evidence_store.errors import ObjectConflictError, ObjectMissingError, StoreError, StoreUnavailableError
from evidence_store.stores import Confirmation, ObjectStore
from evidence_store.stores.file import TEMPORARY, FileStore
from tests.evidence_store.stores.conftest import KEY, Files, open_folder, sha256_of

PROJECT = Path(__file__).parents[3]

# What puts one file into an empty store, in this order: a name only for what is durable and was read back.
STEPS = [
    "lock",
    "list",
    "copy",
    "forget_cached",
    "read_range",
    "read_range",
    "set_read_only",
    "make_folder",
    *["sync_folder"] * 3,
    "link",
    "sync_folder",
    "remove",
]
# The object has its name from here on.
LINKED = STEPS.index("link")


class WatchedDisk:
    """A real disk that notes what is asked of it, looking apart, and may be cut off at one of the steps.

    After the cut every step fails, also those that would tidy up: as if the process had been killed.
    """

    def __init__(self, *, cut_at: int | None = None, cut_after: bool = False, **before: Callable[[], object]) -> None:
        """The step with the number `cut_at` is not done, or the last one done; `before` a step, something else runs."""
        self.steps: list[str] = []
        self._real = RealDisk()
        self._locks: list[DiskLock] = []
        self._cut_at = cut_at
        self._cut_after = cut_after
        self._cut = False
        self._before = before

    @property
    def disk(self) -> Disk:
        return cast("Disk", self)

    def end_process(self) -> None:
        for lock in self._locks:
            lock.release()

    def look(self, path: Path) -> object:
        return self._real.look(path)

    def __getattr__(self, name: str) -> Callable[..., object]:
        def step(*arguments: object) -> object:
            if self._cut:
                raise DiskError("the power is gone", where="the disk")
            number = len(self.steps)
            self.steps.append(name)
            self._before.pop(name, bool)()
            self._cut = number == self._cut_at
            if self._cut and not self._cut_after:
                raise DiskError("the power is gone", where="the disk")
            result = getattr(self._real, name)(*arguments)
            if name == "lock":
                self._locks.append(result)
            if self._cut:
                raise DiskError("the power is gone", where="the disk")
            return result

        return step


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    open_folder(folder).prepare()
    return folder


def temporaries(root: Path) -> list[str]:
    return sorted(path.name for path in (root / TEMPORARY).iterdir() if path.suffix != ".lock")


class TestCrash:
    def test_the_order_of_writing(self, root: Path, files: Files) -> None:
        watched = WatchedDisk()
        FileStore(root, "town", watched.disk).put_file(KEY, *files.make(b"evidence"))
        assert watched.steps == STEPS

    def test_later_objects_of_a_folder_take_less(self, root: Path, files: Files) -> None:
        watched = WatchedDisk()
        store = FileStore(root, "town", watched.disk)
        store.put_file(KEY, *files.make(b"evidence"))
        watched.steps.clear()
        store.put_file(KEY.replace("0.", "1."), *files.make(b"more"))
        assert watched.steps == [step for step in STEPS[2:] if step != "make_folder"][:5] + STEPS[LINKED:]

    @pytest.mark.parametrize("cut_after", [False, True])
    @pytest.mark.parametrize("step", range(len(STEPS)))
    def test_power_cut_at_any_step(self, root: Path, files: Files, step: int, cut_after: bool) -> None:
        path, sha256 = files.make(b"evidence")
        watched = WatchedDisk(cut_at=step, cut_after=cut_after)
        if STEPS[step] == "remove":  # the object is stored: what is left to do can wait
            FileStore(root, "town", watched.disk).put_file(KEY, path, sha256)
        else:
            with pytest.raises(StoreUnavailableError, match="the power is gone"):
                FileStore(root, "town", watched.disk).put_file(KEY, path, sha256)
        watched.end_process()

        there = step > LINKED or (step == LINKED and cut_after)
        confirmed = Confirmation(KEY, 8, sha256)
        again = open_folder(root)
        assert again.confirm(KEY) == (confirmed if there else None)
        assert [info.key for info in again.list()] == ([KEY] if there else [])

        assert again.put_file(KEY, path, sha256) == confirmed
        again.prove()
        assert temporaries(root) == []
        assert [info.key for info in again.list()] == [KEY]
        assert again.read(KEY) == b"evidence"

    def test_an_object_of_a_crashed_writer_is_made_durable_before_it_is_confirmed(self, root: Path) -> None:
        """It was linked, but its folder was not synced: the next power cut could still have taken it away."""
        watched = WatchedDisk(cut_at=LINKED, cut_after=True)
        with pytest.raises(StoreUnavailableError):
            FileStore(root, "town", watched.disk).put_bytes(KEY, b"evidence")
        again = WatchedDisk()
        FileStore(root, "town", again.disk).put_bytes(KEY, b"evidence")
        assert again.steps[-1] == "sync_folder"
        assert again.steps.count("sync_folder") == STEPS.count("sync_folder")

    def test_a_writer_killed_in_the_middle_leaves_nothing_that_looks_like_an_object(self, root: Path) -> None:
        code = (
            "import os, signal, sys; from pathlib import Path; from evidence_store.durable import RealDisk;"
            "from evidence_store.stores.file import FileStore\n"
            "class Half(RealDisk):\n"
            "    def write(self, path, data):\n"
            "        path.write_bytes(data[:3]); print('half', flush=True); signal.pause()\n"
            f"FileStore(Path(sys.argv[1]), 'town', Half()).put_bytes({KEY!r}, b'evidence')"
        )
        writer = subprocess.Popen([sys.executable, "-c", code, root], cwd=PROJECT, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        with writer.stdout as output:
            assert output.readline() == b"half\n"
            store = open_folder(root)
            store.put_bytes("other", b"x")
            assert len(temporaries(root)) == 1, "its writer still lives"
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        assert store.confirm(KEY) is None
        assert [info.key for info in store.list()] == ["other"]
        open_folder(root).put_bytes(KEY, b"evidence")
        assert temporaries(root) == []

    def test_two_processes_do_not_clear_each_others_files(self, root: Path, files: Files) -> None:
        watched = WatchedDisk(link=lambda: open_folder(root).put_bytes("meanwhile", b"x"))
        FileStore(root, "town", watched.disk).put_file(KEY, *files.make(b"evidence"))
        assert [info.key for info in open_folder(root).list()] == ["meanwhile", KEY]

    def test_of_two_writers_the_second_sees_what_the_first_linked(self, root: Path) -> None:
        same = WatchedDisk(link=lambda: open_folder(root).put_bytes("same", b"evidence"))
        assert FileStore(root, "town", same.disk).put_bytes("same", b"evidence").sha256 == sha256_of(b"evidence")
        other = WatchedDisk(link=lambda: open_folder(root).put_bytes("other", b"something else"))
        with pytest.raises(ObjectConflictError):
            FileStore(root, "town", other.disk).put_bytes("other", b"evidence")
        assert temporaries(root) == []


class TestDisk:
    def test_an_object_is_read_only_and_linked_once(self, folder_store: ObjectStore, root: Path) -> None:
        folder_store.put_bytes(KEY, b"evidence")
        status = (root / KEY).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_nlink) == (0o444, 1)

    def test_a_disk_that_gives_back_other_bytes_is_found_before_anything_has_a_name(self, root: Path) -> None:
        def flip() -> None:
            (temporary,) = (path for path in (root / TEMPORARY).iterdir() if path.suffix != ".lock")
            temporary.write_bytes(b"evidencf")

        store = FileStore(root, "town", WatchedDisk(forget_cached=flip).disk)
        with pytest.raises(StoreError, match="the disk gave back other bytes than were written"):
            store.put_bytes(KEY, b"evidence")
        assert store.confirm(KEY) is None
        assert temporaries(root) == []

    def test_a_full_disk_is_told_and_its_space_given_back(self, root: Path) -> None:
        class FullDisk(RealDisk):
            def write(self, path: Path, data: bytes) -> None:
                super().write(path, data[:3])
                raise DiskError("cannot be written: no space left on device", where=str(path), full=True)

        with pytest.raises(StoreUnavailableError, match="store town: cannot be written: no space left"):
            FileStore(root, "town", FullDisk()).put_bytes(KEY, b"evidence")
        assert temporaries(root) == []

    def test_too_little_space_is_no_proof(self, root: Path) -> None:
        with pytest.raises(StoreUnavailableError, match="MiB are left on this disk"):
            FileStore(root, "town", RealDisk(), min_free_bytes=1 << 60).prove()

    def test_a_file_system_without_hard_links_is_no_store(self, root: Path) -> None:
        class WithoutLinks(RealDisk):
            def link(self, source: Path, target: Path) -> bool:
                raise DiskError("cannot be linked: operation not permitted", where=str(source), lasting=True)

        with pytest.raises(StoreError, match="cannot give a file a second name"):
            FileStore(root, "town", WithoutLinks()).prove()
        assert temporaries(root) == []

    def test_a_file_system_that_overwrites_names_is_no_store(self, root: Path) -> None:
        class Overwriting(RealDisk):
            def link(self, source: Path, target: Path) -> bool:
                target.write_bytes(source.read_bytes())
                return True

        with pytest.raises(StoreError, match="overwrites a name that is taken"):
            FileStore(root, "town", Overwriting()).prove()

    def test_a_disk_that_is_not_mounted_is_not_replaced_by_an_empty_store(self, tmp_path: Path) -> None:
        mount = tmp_path / "mnt"
        mount.mkdir()
        for folder in [mount, mount / "evidence"]:
            store = open_folder(folder)
            uses: list[Callable[[], object]] = [
                lambda store=store: store.put_bytes(KEY, b"x"),  # type: ignore[misc]
                lambda store=store: store.confirm(KEY),  # type: ignore[misc]
                lambda store=store: store.read(KEY),  # type: ignore[misc]
                lambda store=store: list(store.list()),  # type: ignore[misc]
                lambda store=store: store.versions(KEY),  # type: ignore[misc]
                lambda store=store: store.prove(),  # type: ignore[misc]
            ]
            for use in uses:
                with pytest.raises(StoreUnavailableError, match=r"there is no store in .* Mount its disk") as raised:
                    use()
                assert not isinstance(raised.value, ObjectMissingError)
        assert list(mount.iterdir()) == []

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without rights")
    def test_a_folder_without_rights(self, root: Path) -> None:
        store = open_folder(root)
        os.seteuid(65534)
        try:
            with pytest.raises(StoreError, match=r"permission denied. Check the disk and the rights") as raised:
                store.put_bytes(KEY, b"x")
        finally:
            os.seteuid(0)
        assert not isinstance(raised.value, StoreUnavailableError)


class TestTampering:
    def test_flipped_bytes_are_confirmed_as_what_they_are(self, folder_store: ObjectStore, root: Path) -> None:
        folder_store.put_bytes(KEY, b"evidence")
        (root / KEY).chmod(0o644)
        (root / KEY).write_bytes(b"evidencf")
        assert folder_store.confirm(KEY) == Confirmation(KEY, 8, sha256_of(b"evidencf"))
        with pytest.raises(ObjectConflictError):
            folder_store.put_bytes(KEY, b"evidence")

    @pytest.mark.parametrize("linked", ["sessions", "sessions/a", "sessions/a/records"])
    def test_a_link_instead_of_a_folder(
        self, folder_store: ObjectStore, root: Path, tmp_path: Path, linked: str
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (root / linked).parent.mkdir(parents=True, exist_ok=True)
        (root / linked).symlink_to(outside)
        self.refused_everywhere(folder_store, root / linked)
        assert list(outside.iterdir()) == []

    def test_a_link_instead_of_an_object(self, folder_store: ObjectStore, root: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_bytes(b"x")
        (root / KEY).parent.mkdir(parents=True)
        (root / KEY).symlink_to(outside)
        self.refused_everywhere(folder_store, root / KEY)
        assert outside.read_bytes() == b"x"

    def test_a_pipe_instead_of_an_object(self, folder_store: ObjectStore, root: Path) -> None:
        (root / KEY).parent.mkdir(parents=True)
        os.mkfifo(root / KEY)
        self.refused_everywhere(folder_store, root / KEY)

    def refused_everywhere(self, store: ObjectStore, where: Path) -> None:
        uses: list[Callable[[], object]] = [
            lambda: store.put_bytes(KEY, b"x"),
            lambda: store.confirm(KEY),
            lambda: store.versions(KEY),
            lambda: store.read(KEY),
            lambda: next(store.stream(KEY)),
            lambda: store.read_range(KEY, 0, 1),
            lambda: list(store.list()),
            lambda: list(store.list(KEY)),
        ]
        for use in uses:
            with pytest.raises(StoreError, match="is a link or a device") as raised:
                use()
            assert str(raised.value).startswith(f"{where}: ")

    def test_a_pipe_is_not_stored(self, folder_store: ObjectStore, tmp_path: Path) -> None:
        """Opening one would wait for ever."""
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(StoreError, match="is no file"):
            folder_store.put_file(KEY, tmp_path / "pipe", sha256_of(b""))

    @pytest.mark.parametrize("taken", ["sessions/a", "sessions/a/records/00000000.json/x"])
    def test_a_name_cannot_be_both_object_and_folder(self, folder_store: ObjectStore, taken: str) -> None:
        folder_store.put_bytes(taken, b"x")
        with pytest.raises(StoreError) as raised:
            folder_store.put_bytes(KEY, b"evidence")
        assert not isinstance(raised.value, StoreUnavailableError)
        assert [info.key for info in folder_store.list()] == [taken]

    def test_a_foreign_file_is_listed(self, folder_store: ObjectStore, root: Path) -> None:
        (root / "sessions").mkdir()
        (root / "sessions" / "slipped in.mp4").write_bytes(b"x")
        assert [info.key for info in folder_store.list("sessions/")] == ["sessions/slipped in.mp4"]

    def test_folders_nested_without_end(self, folder_store: ObjectStore, root: Path) -> None:
        folders = [root]
        for _ in range(1200):
            folders.append(folders[-1] / "x")
            folders[-1].mkdir()
        try:
            (folders[-1] / "y").write_bytes(b"")
            assert [info.key for info in folder_store.list()] == ["x/" * 1200 + "y"]
            (folders[-1] / "y").unlink()
        finally:  # what clears up after tests goes down step by step, and not as far as this
            for folder in reversed(folders[1:]):
                folder.rmdir()


class TestDiskOperations:
    """What the store asks of the disk beyond what the recorder does."""

    @pytest.mark.parametrize("size_bytes", [0, 1, 4095, (8 << 20) + 1])
    def test_a_copy_has_the_same_bytes(self, tmp_path: Path, files: Files, size_bytes: int) -> None:
        path, sha256 = files.make(os.urandom(size_bytes))
        RealDisk().copy(path, tmp_path / "copy")
        assert sha256_of((tmp_path / "copy").read_bytes()) == sha256

    @pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no second file system")
    def test_a_copy_from_another_file_system(self, tmp_path: Path) -> None:
        source = Path("/dev/shm") / f"shilu-{os.getpid()}"
        data = os.urandom((8 << 20) + 1)
        try:
            source.write_bytes(data)
            RealDisk().copy(source, tmp_path / "copy")
        finally:
            source.unlink()
        assert (tmp_path / "copy").read_bytes() == data

    def test_a_copy_replaces_nothing(self, tmp_path: Path, files: Files) -> None:
        path, _ = files.make(b"x")
        (tmp_path / "taken").write_bytes(b"y")
        with pytest.raises(DiskError, match="file exists"):
            RealDisk().copy(path, tmp_path / "taken")
        assert (tmp_path / "taken").read_bytes() == b"y"

    def test_a_copy_of_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(DiskError, match=r"nowhere: cannot be read: no such file"):
            RealDisk().copy(tmp_path / "nowhere", tmp_path / "copy")
        assert not (tmp_path / "copy").exists()

    def test_a_lock_is_held_once_and_can_be_had_again(self, tmp_path: Path) -> None:
        disk = RealDisk()
        lock = disk.lock(tmp_path / "lock")
        assert lock is not None
        assert disk.lock(tmp_path / "lock") is None
        lock.release()
        lock.release()
        assert disk.lock(tmp_path / "lock") is not None

    def test_what_stands_at_a_path(self, tmp_path: Path) -> None:
        disk = RealDisk()
        (tmp_path / "file").write_bytes(b"12345")
        (tmp_path / "link").symlink_to("file")
        kinds = [getattr(disk.look(tmp_path / name), "kind", None) for name in ["file", ".", "link", "none", "file/x"]]
        assert kinds == ["file", "folder", "other", None, None]
