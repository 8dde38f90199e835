"""The spool: the files of a session on the recording machine, written so that a power cut tears nothing but a tail.

    <spool>/<room>/<session>/records/00000000.json, .sig
                             media/<track>/<index>.<run>.mp4     a segment, growing while it is recorded
                             torn/...                            bytes set aside at recovery, never deleted
                             stopping                            the operator has pressed stop

Order of writes, nothing before the one before it is durable:

    1. fragment bytes (appended, fdatasync)          as they come
    2. the record (written, fdatasync)               at the cut
    3. its signature (written, fdatasync), under the name of a draft
    4. the folder of records (fsync)
    5. the signature gets its name: from now on the uploader sees the record

The media file is its own journal, because fragments delimit themselves. A record without a whole signature is as if it
had not been written: it never left the machine, and is made again. One whose signature is whole and still a draft may
have left it: recovery gives the signature its name.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from evidence_store import layout
from evidence_store.durable import Disk, OpenFile
from evidence_store.errors import ChainError

_MEDIA_NAME = re.compile(r"(?P<index>\d{6})\.(?P<run>\d{4})\.mp4")
_STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class SpooledMedia:
    """A media file in the spool: which segment of which run it is."""

    path: Path
    track: str
    index: int
    run: int


class SessionSpool:
    """The files of one session. Not for two threads at once."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        self.session = folder.name
        self._disk = disk
        self._records = folder / "records"

    def create(self, tracks: list[str]) -> None:
        """Make the folders of a new session, durably."""
        self._disk.make_folder(self._records)
        for track in tracks:
            self._disk.make_folder(self.folder / "media" / track)

    def create_media(self, track: str, index: int, run: int) -> OpenFile:
        folder = self.folder / "media" / track
        file = self._disk.create(folder / f"{index:06d}.{run:04d}.mp4")
        self._disk.sync_folder(folder)
        return file

    def write_record(self, seq: int, data: bytes, signature: bytes) -> None:
        json_path, signature_path = self.record_paths(seq)
        self._disk.write(json_path, data)
        self._disk.write(self._draft(seq), signature)
        self._disk.sync_folder(self._records)
        self._disk.rename(self._draft(seq), signature_path)

    def drafted(self, seq: int) -> tuple[bytes, bytes] | None:
        """Bytes and signature of a record whose signature a crash left as a draft, whole or not."""
        json_path, _ = self.record_paths(seq)
        if self._disk.look(json_path) is None or self._disk.look(self._draft(seq)) is None:
            return None
        return self._disk.read(json_path), self._disk.read(self._draft(seq))

    def accept_draft(self, seq: int) -> None:
        """Give a signature its name that was found whole."""
        self._disk.rename(self._draft(seq), self.record_paths(seq)[1])

    def mark_stopping(self, reason: str) -> None:
        """Make durable that the session is to be closed, so that a crash from here on does not resume it."""
        if self.stopping() is None:
            self._disk.write(self.folder / _STOPPING, reason.encode())
            self._disk.sync_folder(self.folder)

    def abandon(self) -> None:
        """Put away a session that never got a whole open record: it holds no picture."""
        self._disk.rename(self.folder, self.folder.with_name(f"{self.session}.abandoned"))
        self._disk.sync_folder(self.folder.parent)

    def stopping(self) -> str | None:
        path = self.folder / _STOPPING
        return self._disk.read(path).decode() if self._disk.look(path) is not None else None

    def set_aside_records(self, first_seq: int) -> None:
        """Set aside what a crash left of records from `first_seq` on."""
        for path in self._disk.list(self._records):
            if int(path.name[:8]) >= first_seq:
                self.set_aside(path, None, f"record-{path.name}")

    def records(self, first: int = 0) -> Iterator[tuple[int, bytes, bytes]]:
        """Number, bytes and signature of every whole record from `first` on, up to the first missing or unsigned."""
        seq = first
        while True:
            json_path, signature_path = self.record_paths(seq)
            if self._disk.look(signature_path) is None or self._disk.look(json_path) is None:
                return
            yield seq, self._disk.read(json_path), self._disk.read(signature_path)
            seq += 1

    def _draft(self, seq: int) -> Path:
        return self._records / f"{seq:08d}.sig.new"

    def record_paths(self, seq: int) -> tuple[Path, Path]:
        return self._records / f"{seq:08d}.json", self._records / f"{seq:08d}.sig"

    def media(self) -> list[SpooledMedia]:
        """All media files by track and index."""
        return [
            SpooledMedia(path, folder.name, int(name["index"]), int(name["run"]))
            for folder in self._disk.list(self.folder / "media")
            for path in self._disk.list(folder)
            if (name := _MEDIA_NAME.fullmatch(path.name))
        ]

    def media_path(self, track: str, index: int) -> Path:
        """The file of one segment; raises ChainError when it is not there."""
        prefix = f"{index:06d}."
        for path in self._disk.list(self.folder / "media" / track):
            if path.name.startswith(prefix):
                return path
        raise ChainError(
            "the segment is not in the spool",
            where=layout.media_key(self.session, track, index),
            do="Look in torn/ and in the stores.",
        )

    def set_aside(self, path: Path, keep_bytes: int | None, label: str) -> None:
        """Cut `path` to `keep_bytes` (None: take all of it away) after copying what goes into torn/."""
        data = self._disk.read(path)
        torn = data if keep_bytes is None else data[keep_bytes:]
        folder = self.folder / "torn"
        self._disk.make_folder(folder)
        target = folder / f"{label}.{len(self._disk.list(folder)):04d}"
        self._disk.write(target, torn)
        self._disk.sync_folder(folder)
        if keep_bytes is None:
            self._disk.remove(path)
            self._disk.sync_folder(path.parent)
        else:
            self._disk.truncate(path, keep_bytes)

    def progress(self, name: str) -> int:
        """Number of records that `name` (a store, the catalog) is done with."""
        path = self.folder / "progress" / name
        noted = self._disk.read(path) if self._disk.look(path) is not None else b""
        return int(noted) if noted.isdigit() else 0

    def set_progress(self, name: str, records: int) -> None:
        """Note it. Not made durable, and left out where the disk does not take it: what is lost is only done again.

        Written over what was there, always equally long: a rename or a truncation would make the file system sync.
        """
        path = self.folder / "progress" / name
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                os.pwrite(descriptor, b"%08d" % records, 0)
            finally:
                os.close(descriptor)

    def read(self, path: Path) -> bytes:
        return self._disk.read(path)


def sessions_of(spool: Path, room: str, disk: Disk) -> list[SessionSpool]:
    """Sessions of a room in the spool, oldest first (ids sort by time)."""
    return [SessionSpool(path, disk) for path in disk.list(spool / room) if layout.is_session_id(path.name)]
