"""Sessions in a site's spool, made in no time, and a store that does what a test tells it to."""

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from evidence_store import layout
from evidence_store.durable import RealDisk
from evidence_store.errors import StoreError
from evidence_store.site import RECORDER, SiteFolder
from evidence_store.stores import Confirmation
from recorder.spool import SessionSpool
from tests.evidence_store.memory_store import MemoryStore
from tests.recorder.clocks import FakeClock
from tests.recorder.rooms import ROOM
from tests.recorder.studio import Studio

NOW = datetime.now(UTC)
"""The site's certificates are made now, so its sessions have to be, too."""
_suffixes = itertools.count()


@dataclass
class Recording:
    """A session that is under way or closed, on the site's real disk."""

    site: SiteFolder
    began: datetime = NOW
    room: str = ROOM
    studio: Studio = field(init=False)

    def __post_init__(self) -> None:
        session = layout.new_session_id("xindai", self.room, self.began, next(_suffixes))
        clock = FakeClock(self.began)
        signer = self.site.signer(RECORDER)
        self.studio = Studio(RealDisk(), self.site.spool / self.room / session, clock, signer=signer)
        self.studio.connect("room")
        self.studio.begin(("room",), room=self.room)

    @property
    def session(self) -> str:
        return self.studio.folder.name

    @property
    def spool(self) -> SessionSpool:
        return self.studio.spool

    def roll(self, segments: int = 1) -> None:
        """So many more segments are sealed."""
        self.studio.roll(50 * segments + 14)

    def stop(self) -> None:
        self.studio.stop()


def closed_session(site: SiteFolder, *, days_ago: float = 0, segments: int = 1, room: str = ROOM) -> Recording:
    recording = Recording(site, NOW - timedelta(days=days_ago), room)
    recording.roll(segments)
    recording.stop()
    return recording


class WatchedStore(MemoryStore):
    """Notes in which order it is given things. `before` each of them a test may do something; `refuses` is the error
    of `prove`."""

    def __init__(self, name: str = "main") -> None:
        super().__init__(name)
        self.put: list[str] = []
        self.proved = 0
        self.refuses: StoreError | None = None
        self.before: Callable[[str], None] = lambda _: None
        self.lies = False

    @property
    def url(self) -> str:
        return f"memory:{self.name}"

    def prepare(self) -> None: ...

    def prove(self) -> None:
        self._call()
        self.proved += 1
        if self.refuses is not None:
            raise self.refuses

    def put_bytes(self, key: str, data: bytes) -> Confirmation:
        self.before(key)
        confirmed = super().put_bytes(key, data)
        self.put.append(key)
        if self.lies:
            return Confirmation(key, len(data), hashlib.sha256(data + b"!").hexdigest())
        return confirmed

    def put_file(self, key: str, path: Path, sha256: str) -> Confirmation:
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256
        return self.put_bytes(key, data)

    def versions(self, key: str) -> tuple[()]:
        raise NotImplementedError
