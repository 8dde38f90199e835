"""What is checked before anything is recorded, so that a mistake is told at once and nothing is half made."""

import structlog

from evidence_store.errors import StoreUnavailableError
from recorder.devices import LoadedDevices
from recorder.uploader import open_configured_store

log = structlog.get_logger()


def prove_stores(loaded: LoadedDevices) -> None:
    """Refuse (StoreError) a store that does not keep its promise; one that is away now is waited for later."""
    for settings in loaded.devices.stores:
        store = open_configured_store(settings, loaded.folder)
        try:
            store.prove()
        except StoreUnavailableError as error:
            log.warning(
                "store cannot be reached; recording goes on into the spool", store=settings.name, why=str(error)
            )
