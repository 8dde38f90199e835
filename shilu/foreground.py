"""`shilu record`: one interview in the foreground, with the same room and uploads that the daemon runs."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from evidence_store.durable import RealDisk
from evidence_store.errors import EvidenceError
from evidence_store.site import SiteFolder, open_site
from recorder.clock import SystemClock
from recorder.control import ControlError, ControlServer, StartRequest, StopRequest, socket_path
from recorder.devices import LoadedDevices, load_devices
from recorder.lock import UPLOADER_LOCK, holder
from recorder.room import Room
from recorder.spool import SessionSpool
from recorder.uploader import Uploads
from shilu.preflight import prove_stores

CAMERAS_TIMEOUT_S = 10.0
UPLOAD_TIMEOUT_S = 60.0
_TURN_S = 0.2


def record_session(directory: Path, room_id: str, request: StartRequest, seconds: float | None) -> str:
    """Record until Ctrl-C, SIGTERM or `seconds`; the session's id. Raises EvidenceError before anything is made."""
    site = open_site(directory)
    loaded = load_devices(site.devices)
    loaded.devices.room(room_id)
    if request.case is None and request.no_case_reason is None:
        raise ControlError("no case is given", do="Give --case, or --no-case-reason.")
    prove_stores(loaded)
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    room = Room(site, loaded, room_id, SystemClock(), RealDisk())
    room.open()
    server = ControlServer(socket_path(site.run, room_id), room.request)
    try:
        with _uploading(site, loaded):
            _wait_for_cameras(room, ending)
            session = str(room.request(request)["session"])
            _show(room, ending, seconds)
            room.request(StopRequest())
            _wait_for_stores(SessionSpool(site.spool / room_id / session, RealDisk()), loaded)
    finally:
        server.close()
        room.shut()
    return session


@contextmanager
def _uploading(site: SiteFolder, loaded: LoadedDevices) -> Iterator[None]:
    """Upload here, unless a running recorder does it already."""
    if holder(site.run, UPLOADER_LOCK) is not None:
        yield
        return
    uploads = Uploads(site, loaded, RealDisk())
    uploads.start()
    try:
        yield
    finally:
        uploads.stop()


def _wait_for_cameras(room: Room, ending: threading.Event) -> None:
    """Give cameras time to connect; what is not there then is told by the start itself."""
    deadline_s = time.monotonic() + CAMERAS_TIMEOUT_S
    while time.monotonic() < deadline_s and not ending.is_set():
        cameras = room.status()["cameras"]
        if all(camera["state"] == "delivering" for camera in cameras):
            return
        if any(camera["state"] == "lost" and _final(camera["detail"]) for camera in cameras):
            return
        time.sleep(_TURN_S)


def _final(detail: str) -> bool:
    """Whether waiting longer cannot help."""
    return "refused" in detail or "no stream at this path" in detail


def _show(room: Room, ending: threading.Event, seconds: float | None) -> None:
    console = Console(stderr=True)
    deadline_s = time.monotonic() + seconds if seconds is not None else float("inf")
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while time.monotonic() < deadline_s and not ending.is_set():
            if room.failure is not None:
                raise EvidenceError(
                    f"recording stopped: {room.failure}", do="Start the recorder: it takes up the session."
                )
            status = room.status()
            until = ", ".join(f"{one['track']} {one['kept_until'] or '-'}" for one in status["cameras"])
            live.update(Text(f"● recording {status['session']}  {status['elapsed_s']} s  kept until: {until}"))
            ending.wait(min(_TURN_S, max(0.0, deadline_s - time.monotonic())))


def _wait_for_stores(spool: SessionSpool, loaded: LoadedDevices) -> None:
    """The evidence is sealed and safe in the spool; say so if a store did not take it in time."""
    records = sum(1 for _ in spool.records())
    deadline_s = time.monotonic() + UPLOAD_TIMEOUT_S
    names = [name for store in loaded.devices.stores for name in (store.name, f"catalog-{store.name}")]
    while (late := [name for name in names if spool.progress(name) < records]) and time.monotonic() < deadline_s:
        time.sleep(_TURN_S)
    if late:
        Console(stderr=True).print(
            f"sealed, but not stored yet in {', '.join(late)}. Leave `shilu recorder` running to store it.",
            markup=False,
        )
