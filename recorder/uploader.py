"""The uploader's process: a thread a store, one for the catalog, one that frees the spool.

`run_uploader` is what the supervisor runs in a process of its own; a recording in the foreground uses `Uploads`.
"""

import os
import signal
import threading
from pathlib import Path

import structlog

from evidence_store.catalog import Catalog
from evidence_store.durable import Disk, RealDisk
from evidence_store.errors import EvidenceError
from evidence_store.site import SiteFolder, open_site
from evidence_store.stores import ObjectStore, S3Credentials, open_store
from recorder.devices import LoadedDevices, StoreSettings, load_devices, read_secret
from recorder.index import Indexer
from recorder.lock import UPLOADER_LOCK, ProcessLock
from recorder.prune import Pruner
from recorder.upload import StoreUploader

_HEALTH_S = 5.0

log = structlog.get_logger()


def open_configured_store(settings: StoreSettings, folder: Path) -> ObjectStore:
    """A store of devices.yaml with its secrets; paths count from the file's folder."""
    what = f"store {settings.name}"
    access = read_secret(settings.access_key_file, settings.access_key_env, folder, os.environ, what)
    secret = read_secret(settings.secret_key_file, settings.secret_key_env, folder, os.environ, what)
    return open_store(
        settings.url,
        name=settings.name,
        credentials=S3Credentials(access, secret) if access is not None and secret is not None else None,
        retention_days=settings.retention_days,
        ca_file=folder / settings.ca_file if settings.ca_file else None,
    )


class Uploads:
    """Everything that brings the spool out of the machine, on threads of its own."""

    def __init__(self, site: SiteFolder, loaded: LoadedDevices, disk: Disk) -> None:
        stores = [open_configured_store(settings, loaded.folder) for settings in loaded.devices.stores]
        url, password = site.database()
        self._lock = ProcessLock(site.run, UPLOADER_LOCK)
        self._stop = threading.Event()
        self.uploaders = [StoreUploader(store, site, loaded, disk) for store in stores]
        indexer = Indexer(lambda: Catalog.open(url, password=password), site, loaded, disk)
        pruner = Pruner(stores, site, loaded, disk)
        self._threads = [
            threading.Thread(target=run, args=(self._stop,), name=name, daemon=True)
            for name, run in (
                *((f"store {uploader.store.name}", uploader.run) for uploader in self.uploaders),
                ("catalog", indexer.run),
                ("prune", pruner.run),
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def healthy(self) -> bool:
        """Whether every thread still runs: one that a fault of the program ended is not missed by anybody else."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """End after what each is at now. What is not stored yet is stored at the next start."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._lock.release()


def run_uploader(site_root: Path) -> int:
    """The uploader's process: until SIGTERM; its exit status."""
    try:
        site = open_site(site_root)
        uploads = Uploads(site, load_devices(site.devices), RealDisk())
    except EvidenceError as error:
        log.critical("cannot upload", why=str(error))
        return 2
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    uploads.start()
    while not ending.wait(_HEALTH_S):
        if not uploads.healthy():
            log.critical("a thread of the uploader has ended; it starts anew")
            return 1
    uploads.stop()
    return 0
