"""One interview room: its cameras, its session, its socket. One process a room, a thread a camera, one for the disk.

All that changes a session happens on the room's own thread, in the order of its inbox: groups from the cameras and
requests from people. `run_room` is what the supervisor runs in a process of its own.
"""

import os
import queue
import secrets
import shutil
import signal
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from evidence_store import layout
from evidence_store.durable import Disk, DiskError, RealDisk
from evidence_store.errors import ChainError, EvidenceError, FormatError
from evidence_store.records import Alarm, Mark, Resumed, TrackInfo, format_time, from_us, to_us
from evidence_store.site import RECORDER, SiteFolder, open_site
from recorder.capture import Camera
from recorder.clock import Clock, SystemClock
from recorder.control import (
    ControlError,
    ControlServer,
    MarkRequest,
    Request,
    StartRequest,
    StatusRequest,
    StopRequest,
    socket_path,
)
from recorder.devices import LoadedDevices, camera_url, load_devices
from recorder.feed import Ended, Fed, Feed
from recorder.intake import Source
from recorder.lock import ProcessLock, room_lock
from recorder.memory import give_back
from recorder.read_rtsp import BURST_S
from recorder.readiness import check
from recorder.recovery import loss_of, recover
from recorder.sealing import Sealer
from recorder.session import CloseReason, Interview, State
from recorder.software import software
from recorder.spool import SessionSpool, sessions_of

TICK_S = 0.25
STALE_US = 600_000
GIVE_BACK_AFTER_US = 2_000_000  # by then the pre-roll is on disk
REQUEST_TIMEOUT_S = 12.0
_OFFICERS_ASKED_FOR = 2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Asked:
    request: Request
    answer: "Future[dict[str, Any]]"


class Room:
    """A room from `open` to `shut`."""

    def __init__(self, site: SiteFolder, loaded: LoadedDevices, room: str, clock: Clock, disk: Disk) -> None:
        self._site = site
        self._loaded = loaded
        self._settings = loaded.devices.room(room)
        self._limits = loaded.devices.limits
        self._clock = clock
        self._disk = disk
        self._spool = site.spool / room
        self._signer = site.signer(RECORDER)
        self._software = software()  # now, and not at the first start: an update may change the files meanwhile
        self._inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._interview: Interview | None = None
        self._case: str | None = None
        self._opened_us = 0
        self._give_back_us: int | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"room {room}", daemon=True)
        self._cameras: dict[str, Camera] = {}
        self._feeds: dict[str, Feed] = {}
        self.failure: Exception | None = None
        for camera in self._settings.cameras:
            feed = Feed(camera.role, round(self._limits.pre_roll_s * 1000), self._inbox)
            source = Source(camera_url(camera, loaded.folder), camera.id, camera.sound, self._limits.fragment_ms)
            self._feeds[camera.role] = feed
            self._cameras[camera.role] = Camera(source, feed, clock)

    def open(self) -> None:
        """Take the room's lock, recover what a crash left, then read the cameras and take requests."""
        self._lock = ProcessLock(self._site.run, room_lock(self._settings.id))
        self._disk.make_folder(self._spool)
        self._recover()
        for camera in self._cameras.values():
            camera.start()
        self._thread.start()

    def shut(self) -> None:
        """Stop reading. A session that is being recorded is sealed so far and goes on at the next start."""
        self.end()
        self._thread.join()
        for camera in self._cameras.values():
            camera.stop(timeout_s=1.0)
        self._lock.release()

    def end(self) -> None:
        """Ask the room's thread to finish; for a signal handler, which must not wait."""
        self._ending.set()

    def wait(self) -> None:
        """Until the room is shut or has failed."""
        self._thread.join()

    def request(self, request: Request) -> dict[str, Any]:
        """Do what is asked; raises EvidenceError with one line when it cannot be done. For any thread."""
        if isinstance(request, StatusRequest):
            return self.status()
        asked = _Asked(request, Future())
        self._inbox.put(asked)
        try:
            return asked.answer.result(timeout=REQUEST_TIMEOUT_S)
        except TimeoutError:
            raise ControlError("the room is busy; its disk may be too slow", where=self._settings.id) from None

    def status(self) -> dict[str, Any]:
        """What is known now. Answers even when the room's thread waits for the disk."""
        interview = self._interview
        now_us = self._clock.monotonic_us()
        return {
            "room": self._settings.id,
            "pid": os.getpid(),
            "state": "idle" if interview is None else interview.state.value,
            "session": interview.session if interview else None,
            "case": self._case if interview else None,
            "elapsed_s": round((now_us - self._opened_us) / 1e6, 1) if interview else None,
            "cameras": [
                {
                    "track": track,
                    "camera": camera.source.label,
                    "state": camera.state,
                    "detail": camera.detail,
                    "kept_until": self._kept(interview, track),
                }
                for track, camera in self._cameras.items()
            ],
            "free_bytes": shutil.disk_usage(self._spool).free,
        }

    def _kept(self, interview: Interview | None, track: str) -> str | None:
        until_us = interview.kept_until_us.get(track) if interview else None
        return format_time(from_us(until_us)) if until_us is not None else None

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self._turn(TICK_S)
                self._tick()
            if self._interview is not None:
                self._interview.suspend()
        except Exception as error:  # the process ends, and recovery puts right what this left
            self.failure = error
            log.critical(
                "recording stopped",
                room=self._settings.id,
                why=str(error),
                exc_info=not isinstance(error, EvidenceError),
            )

    def _turn(self, timeout_s: float) -> None:
        """Handle what is in the inbox, waiting for the first of it; then make it durable."""
        written: list[Fed] = []
        asked: list[_Asked] = []
        try:
            message = self._inbox.get(timeout=timeout_s)
            while True:
                if isinstance(message, Fed | Ended):
                    self._take(message, written)
                elif isinstance(message, _Asked):
                    asked.append(message)
                message = self._inbox.get_nowait()
        except queue.Empty:
            pass
        if self._interview is not None:
            self._interview.sync()
        for fed in written:
            self._feeds[fed.track].written(fed)
        for one in asked:
            self._answer(one)

    def _take(self, message: Fed | Ended, written: list[Fed]) -> None:
        if self._interview is None:
            return
        if isinstance(message, Ended):
            self._interview.ended(message)
        else:
            self._interview.write(message)
            written.append(message)

    def _tick(self) -> None:
        for camera in self._cameras.values():
            camera.flush_stale(STALE_US)
        interview = self._interview
        if interview is None:
            return
        if step_us := interview.clock_stepped_us():
            detail = f"the clock was set by {step_us / 1e6:+.3f} s"
            interview.event(Alarm(kind="alarm", alarm="clock_step", track=None, detail=detail))
        if self._give_back_us is not None and self._clock.monotonic_us() > self._give_back_us:
            self._give_back_us = None
            give_back()
        if self._clock.monotonic_us() - self._opened_us > self._limits.max_session_hours * 3.6e9:
            self._close("limit", f"longer than {self._limits.max_session_hours:g} hours")

    def _answer(self, asked: _Asked) -> None:
        try:
            asked.answer.set_result(self._do(asked.request))
        except EvidenceError as error:
            asked.answer.set_exception(error)
            if isinstance(error, DiskError):
                raise

    def _do(self, request: Request) -> dict[str, Any]:
        match request:
            case StartRequest():
                return self._start(request)
            case StopRequest():
                return self._stop(request)
            case MarkRequest():
                return self._mark(request)
            case StatusRequest():
                return self.status()

    def _start(self, request: StartRequest) -> dict[str, Any]:
        if self._interview is not None:
            raise ControlError(f"session {self._interview.session} is being recorded here", do="Stop it first.")
        self._refuse_incomplete(request)
        checks = check(self._cameras.values(), self._spool, self._signer, self._clock, self._limits)
        failed = [one for one in checks if one.result == "failed"]
        if failed and request.override_reason is None:
            details = "; ".join(one.detail for one in failed)
            raise ControlError(f"not ready: {details}", do="Put it right, or start with a stated reason.")
        now_us = self._clock.utc_us()
        session = layout.new_session_id(
            self._loaded.devices.site, self._settings.id, from_us(now_us), secrets.randbits(16)
        )
        spool = SessionSpool(self._spool / session, self._disk)
        spool.create(list(self._cameras))
        sealer = Sealer(spool, self._signer, self._clock)
        interview = Interview(spool, sealer, self._clock, self._limits.segment_s * 1000)
        interview.open(
            site=self._loaded.devices.site,
            room=self._settings.id,
            **request.model_dump(exclude={"op", "officers"}),
            officers=request.officers,
            tracks=tuple(self._track(track) for track in self._cameras),
            pre_roll_us=max(feed.held_us() for feed in self._feeds.values()),
            checks=checks,
            clock=self._clock.state(),
            software=self._software,
            devices_sha256=self._loaded.sha256,
        )
        self._begin(interview, request.case, self._clock.monotonic_us())
        self._give_back_us = self._opened_us + GIVE_BACK_AFTER_US
        log.info("recording", room=self._settings.id, session=session)
        return {"session": session}

    def _refuse_incomplete(self, request: StartRequest) -> None:
        if request.case is None and request.no_case_reason is None:
            raise ControlError("no case is given", do="Give the case number, or the reason why there is none.")
        if len(request.officers) < _OFFICERS_ASKED_FOR and request.officers_reason is None:
            raise ControlError("two officers are asked for", do="Name them, or state the reason for fewer.")

    def _begin(self, interview: Interview, case: str | None, opened_us: int) -> None:
        self._interview, self._case, self._opened_us = interview, case, opened_us
        for track in interview.tracks:  # as they were when the session began, whatever devices.yaml says since
            if track in self._feeds:
                self._feeds[track].start()

    def _track(self, track: str) -> TrackInfo:
        settings = next(camera for camera in self._settings.cameras if camera.role == track)
        stream = self._cameras[track].stream
        return TrackInfo(
            track=track,
            camera=settings.id,
            role=settings.role,
            sound=settings.sound,
            video=stream.video_codec if stream else None,
            audio=stream.audio_codec if stream else None,
        )

    def _mark(self, request: MarkRequest) -> dict[str, Any]:
        interview = self._recording()
        interview.event(Mark(kind="mark", text=request.text))
        return {"session": interview.session}

    def _stop(self, request: StopRequest) -> dict[str, Any]:
        interview = self._recording()
        self._close("operator", request.detail)
        return {"session": interview.session}

    def _recording(self) -> Interview:
        if self._interview is None or self._interview.state is not State.RECORDING:
            raise ControlError("nothing is being recorded in this room", do="Start a session first.")
        return self._interview

    def _close(self, reason: CloseReason, detail: str) -> None:
        interview = self._recording()
        written: list[Fed] = []
        # Pictures taken before the press are still on their way: one burst of reading brings them.
        until_us = self._clock.monotonic_us() + round(BURST_S * 1.1e6)
        later: list[_Asked] = []
        while (left_us := until_us - self._clock.monotonic_us()) > 0:
            self._collect(left_us / 1e6, written, later)
        for camera in self._cameras.values():
            camera.flush_stale(0)
        for feed in self._feeds.values():
            feed.stop()
        while not self._inbox.empty():
            self._collect(0, written, later)
        interview.close(reason, detail)
        for fed in written:
            self._feeds[fed.track].written(fed)
        self._interview = None
        for asked in later:
            self._inbox.put(asked)
        log.info("sealed", room=self._settings.id, session=interview.session, reason=reason)

    def _collect(self, timeout_s: float, written: list[Fed], later: list[_Asked]) -> None:
        try:
            message = self._inbox.get(timeout=timeout_s) if timeout_s > 0 else self._inbox.get_nowait()
        except queue.Empty:
            return
        if isinstance(message, Fed | Ended):
            self._take(message, written)
        elif isinstance(message, _Asked):
            later.append(message)

    def _recover(self) -> None:
        """Close or take up again what was being recorded when the process ended."""
        for spool in sessions_of(self._site.spool, self._settings.id, self._disk):
            try:
                self._recover_session(spool)
            except (FormatError, ChainError) as error:
                # Whatever happened to an earlier session, the next interview has to be recorded.
                log.critical("session left as it is: its records do not hold", session=spool.session, why=str(error))

    def _recover_session(self, spool: SessionSpool) -> None:
        sealer = recover(spool, self._signer, self._clock)
        if sealer is None or sealer.opened is None:
            spool.abandon()
            return
        if sealer.closed:
            return
        loss, down_us = loss_of(sealer, self._clock)
        interview = Interview(spool, sealer, self._clock, self._limits.segment_s * 1000)
        interview.resume(loss)
        stopping = spool.stopping() is not None
        too_long = down_us > self._limits.resume_within_minutes * 6e7
        if stopping or too_long:
            detail = "stop had been asked for" if stopping else f"the recorder was down for {down_us / 1e6:.0f} s"
            interview.close("recovered", detail)
            log.warning("session closed at recovery", session=spool.session)
            return
        interview.event(Resumed(kind="resumed", cause=loss.cause, down_us=down_us, detail=loss.detail))
        since_us = self._clock.utc_us() - to_us(sealer.opened.time)
        self._begin(interview, sealer.opened.case, self._clock.monotonic_us() - since_us)
        log.warning("session resumed", session=spool.session, down_s=round(down_us / 1e6, 1))


def run_room(site_root: Path, room_id: str) -> int:
    """The room's process: until SIGTERM, or until something fails that only a new start puts right; its exit status."""
    try:
        site = open_site(site_root)
        room = Room(site, load_devices(site.devices), room_id, SystemClock(), RealDisk())
        room.open()
        server = ControlServer(socket_path(site.run, room_id), room.request)
    except EvidenceError as error:
        log.critical("cannot run the room", room=room_id, why=str(error))
        return 2
    signal.signal(signal.SIGTERM, lambda *_: room.end())
    room.wait()
    server.close()
    room.shut()
    return 1 if room.failure else 0
