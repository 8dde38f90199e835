"""Freeing the spool: a local copy goes only when every store holds the session, asked anew, and it is old enough."""

import shutil
import threading
import time
from datetime import datetime
from pathlib import Path

import structlog

from evidence_store import layout
from evidence_store.durable import Disk
from evidence_store.errors import EvidenceError
from evidence_store.records import parse_record, to_us
from evidence_store.site import SiteFolder
from evidence_store.stores import ObjectStore
from recorder.devices import LoadedDevices
from recorder.spool import SessionSpool, sessions_of
from recorder.upload import SpooledObject, spooled_records

INTERVAL_S = 600.0
_DAY_US = 86_400_000_000
_LEAVING = ".leaving"

log = structlog.get_logger()


class Pruner:
    """Looks through the spool now and then."""

    def __init__(self, stores: list[ObjectStore], site: SiteFolder, loaded: LoadedDevices, disk: Disk) -> None:
        self._stores = stores
        self._site = site
        self._rooms = [room.id for room in loaded.devices.rooms]
        self._keep_us = round(loaded.devices.limits.keep_local_days * _DAY_US)
        self._disk = disk

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(INTERVAL_S):
            try:
                self.once(time.time_ns() // 1000)
            except EvidenceError as error:
                log.warning("spool not freed", why=str(error))

    def once(self, now_us: int) -> list[str]:
        """Remove what may go; the answer names the sessions. Raises EvidenceError when a store cannot be asked."""
        gone = []
        for room in self._rooms:
            for path in self._disk.list(self._site.spool / room):
                if path.suffix == _LEAVING:
                    _delete(path)
            for spool in sessions_of(self._site.spool, room, self._disk):
                if self._may_go(spool, now_us):
                    self._remove(spool)
                    gone.append(spool.session)
                    log.info("local copy removed", session=spool.session)
        return gone

    def _remove(self, spool: SessionSpool) -> None:
        """Out of its name in one step: half a session would look like one that was never closed."""
        leaving = spool.folder.with_name(f"{spool.session}{_LEAVING}")
        self._disk.rename(spool.folder, leaving)
        self._disk.sync_folder(leaving.parent)
        _delete(leaving)

    def _may_go(self, spool: SessionSpool, now_us: int) -> bool:
        if _begun_us(spool.session) + self._keep_us > now_us or self._disk.list(spool.folder / "torn"):
            return False  # what was set aside at recovery is never deleted
        objects: list[SpooledObject] = []
        closed_us = None
        try:
            for record in spooled_records(spool, 0):
                objects += record.objects
                if record.last:
                    closed_us = to_us(parse_record(record.data, where=spool.session).time)
        except EvidenceError as error:
            log.warning("local copy kept", session=spool.session, why=str(error))
            return False
        if closed_us is None or closed_us + self._keep_us > now_us:
            return False
        return all(self._holds(store, spool, objects) for store in self._stores)

    def _holds(self, store: ObjectStore, spool: SessionSpool, objects: list[SpooledObject]) -> bool:
        """Whether a store has everything: first by name, which costs little, then by what it confirms anew."""
        named = {found.key for found in store.list(layout.session_prefix(spool.session))}
        return all(item.key in named for item in objects) and all(
            (confirmed := store.confirm(item.key)) is not None and confirmed.sha256 == item.sha256 for item in objects
        )


def _begun_us(session: str) -> int:
    """What its name says, without reading a record; no session is closed before it has begun."""
    return to_us(datetime.fromisoformat(layout.session_time(session)[:16]))


def _delete(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise EvidenceError(f"cannot be removed: {(error.strerror or '').lower()}", where=str(folder)) from None
