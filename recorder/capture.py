"""Reading one camera for ever: connect, take its packets, hand on fragments-to-be, connect again when it is lost.

Runs whether or not an interview is being recorded, so that the pictures before the press of "start" are there. What it
hands on are groups: the samples of one fragment, not yet bytes. Nothing here touches a disk or waits for anybody.

How a camera is read is the business of `read_rtsp` and `read_ts`; what both hand on goes through `intake`.
"""

import threading
from dataclasses import replace
from typing import Literal, Protocol

import structlog

from evidence_store.media import Init, MediaError
from recorder.clock import Clock
from recorder.fragments import Sample
from recorder.groups import VIDEO_TIMESCALE, Cutter, Group, Loss, Stream
from recorder.intake import Source
from recorder.read_rtsp import read_rtsp
from recorder.read_ts import read_transport_stream
from recorder.timeline import StreamDamagedError, Timeline

FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0

CameraState = Literal["connecting", "delivering", "lost"]

log = structlog.get_logger()


class GroupSink(Protocol):
    """Where groups go; called on the camera's thread and must return at once."""

    def take(self, group: Group) -> None: ...
    def ended(self, loss: Loss) -> None:
        """The stream is over and another may follow."""


class Camera:
    """One camera's thread. `state` and `detail` say in words how it is; other threads read them."""

    def __init__(self, source: Source, sink: GroupSink, clock: Clock) -> None:
        self.source = source
        self.clock = clock
        self.stopping = threading.Event()
        self.state: CameraState = "connecting"
        self.detail = ""
        self.stream: Stream | None = None
        self.last_packet_us = 0
        self.sound_awaited = False  # the camera announced sound of which nothing was heard
        self._sink = sink
        self._lock = threading.Lock()  # guards _cutter between the camera's thread and flush_stale
        self._cutter: Cutter | None = None
        self._early: list[Group] | None = None
        self._line = Timeline(VIDEO_TIMESCALE)
        self._streams = 0
        self._thread = threading.Thread(target=self._run, name=f"camera {source.label}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        self.stopping.set()
        self._thread.join(timeout_s)

    def flush_stale(self, after_us: int) -> None:
        """Hand on what a camera that fell silent had sent, so that it becomes durable in time."""
        with self._lock:
            self._hand_on(self._cutter.stale(self.clock.monotonic_us(), after_us) if self._cutter else None)

    def settle(self) -> None:
        """All that had gathered before the stream was read is here: from now on arrival tells when pictures were taken.

        The groups until now came in a rush, the first of them late; they are handed on with the time that is now known.
        """
        with self._lock:
            early, self._early = self._early or [], None
            for group in early:
                self._hand_on(replace(group, taken_us=self._line.monotonic_us(group.video[0].dts)))

    def begin_stream(
        self, init_bytes: bytes, init: Init, codecs: tuple[str, str | None], line: Timeline, loss: Loss | None
    ) -> None:
        """From here on samples belong to a new stream; `loss` says why the one before ended, if one did."""
        with self._lock:
            self._streams += 1
            self.stream = Stream(self._streams, init_bytes, init, *codecs)
            self._cutter = Cutter(self.stream, line, self.source.fragment_ms, loss)
            self._early = [] if line is not self._line else None
            self._line = line
        self.last_packet_us = self.clock.monotonic_us()  # before others see that it delivers
        self.state, self.detail = "delivering", ""

    def end_stream(self, loss: Loss) -> None:
        self.settle()
        with self._lock:
            rest = self._cutter.rest() if self._cutter else None
            self._cutter = None
            self.stream = None
            if rest is not None:
                self._hand_on(rest)
                self._sink.ended(loss)

    def add_video(self, sample: Sample, arrival_us: int) -> None:
        with self._lock:
            self._hand_on(self._cutter.video(sample, arrival_us) if self._cutter else None)

    def add_audio(self, sample: Sample, step: int) -> None:
        with self._lock:
            if self._cutter is not None:
                self._cutter.audio(sample, step)

    def _hand_on(self, group: Group | None) -> None:
        if group is None:
            return
        if self._early is not None:
            self._early.append(group)
        else:
            self._sink.take(group)

    def _run(self) -> None:
        loss: Loss | None = None
        pause_s = FIRST_PAUSE_S
        while not self.stopping.is_set():
            streams = self._streams
            try:
                read = read_rtsp if self.source.url.startswith("rtsp") else read_transport_stream
                loss = read(self, loss)
            except (StreamDamagedError, MediaError) as error:
                loss = Loss("stream_damaged", str(error))
            except Exception as error:  # a stream nobody thought of must not end the thread: it is read anew
                loss = Loss("stream_damaged", f"the recorder could not handle the stream ({type(error).__name__})")
                log.exception("stream not handled", camera=self.source.label)
            self.end_stream(loss)
            if self.stopping.is_set():
                return
            if self._streams > streams:
                pause_s = FIRST_PAUSE_S
            self.state, self.detail = "lost", loss.detail
            log.warning("camera lost", camera=self.source.label, why=loss.detail, again_in_s=round(pause_s, 1))
            self.stopping.wait(pause_s)
            pause_s = min(pause_s * 2, MAX_PAUSE_S)
