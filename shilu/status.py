"""What the rooms of a site are doing, asked from each of them, and what still waits to be stored."""

from pathlib import Path
from typing import Any

from evidence_store.durable import RealDisk
from evidence_store.site import SiteFolder, open_site
from recorder.control import ControlError, StatusRequest, ask, socket_path
from recorder.devices import load_devices
from recorder.spool import sessions_of

_TIMEOUT_S = 3.0


def site_status(directory: Path, room: str | None) -> dict[str, Any]:
    """`{"rooms": [...], "waiting": {store: records}}`; a room that does not answer has an `error`."""
    site = open_site(directory)
    devices = load_devices(site.devices).devices
    rooms = [devices.room(room)] if room is not None else list(devices.rooms)
    answers: list[dict[str, Any]] = []
    for settings in rooms:
        try:
            answers.append(ask(socket_path(site.run, settings.id), StatusRequest(), _TIMEOUT_S))
        except ControlError as error:
            answers.append({"room": settings.id, "error": str(error)})
    ids = [settings.id for settings in rooms]
    return {
        "rooms": answers,
        "waiting": {store.name: waiting_records(site, ids, store.name) for store in devices.stores},
    }


def waiting_records(site: SiteFolder, rooms: list[str], store: str) -> int:
    """How many sealed records a store has not confirmed yet."""
    disk = RealDisk()
    return sum(
        sum(1 for _ in spool.records(spool.progress(store)))
        for room in rooms
        for spool in sessions_of(site.spool, room, disk)
    )


def status_text(report: dict[str, Any]) -> str:
    """The report for a technician."""
    lines = []
    for room in report["rooms"]:
        if "error" in room:
            lines.append(f"{room['room']}: {room['error']}")
            continue
        what = f"recording {room['session']} for {room['elapsed_s']} s" if room["session"] else room["state"]
        lines.append(f"{room['room']}: {what}; {room['free_bytes'] / 1e9:.1f} GB free")
        for camera in room["cameras"]:
            kept = f", kept until {camera['kept_until']}" if camera["kept_until"] else ""
            detail = f" ({camera['detail']})" if camera["detail"] else ""
            lines.append(f"  {camera['track']} ({camera['camera']}): {camera['state']}{detail}{kept}")
    lines += [f"store {name}: {count} records to be stored" for name, count in report["waiting"].items()]
    return "\n".join(lines)
