"""Freeing the spool: a local copy goes only when every store holds the session, asked anew, and it is old enough."""

import shutil
import threading
import time

import structlog

from evidence_store.durable import Disk
from evidence_store.errors import EvidenceError
from evidence_store.records import CloseRecord, parse_record, to_us
from evidence_store.site import SiteFolder
from evidence_store.stores import ObjectStore
from recorder.devices import LoadedDevices
from recorder.spool import SessionSpool, sessions_of
from recorder.upload import spooled_records

INTERVAL_S = 600.0
_DAY_US = 86_400_000_000

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
            for spool in sessions_of(self._site.spool, room, self._disk):
                if self._may_go(spool, now_us):
                    shutil.rmtree(spool.folder)
                    gone.append(spool.session)
                    log.info("local copy removed", session=spool.session)
        return gone

    def _may_go(self, spool: SessionSpool, now_us: int) -> bool:
        closed = False
        for record in spooled_records(spool, 0):
            if record.last:
                parsed = parse_record(record.data, where=spool.session)
                closed = isinstance(parsed, CloseRecord) and to_us(parsed.time) + self._keep_us <= now_us
        if not closed or self._disk.list(spool.folder / "torn"):
            return False  # what was set aside at recovery is never deleted
        return all(
            (confirmed := store.confirm(item.key)) is not None and confirmed.sha256 == item.sha256
            for store in self._stores
            for record in spooled_records(spool, 0)
            for item in record.objects
        )
