"""Reading one camera for ever: connect, take its packets, hand on fragments-to-be, connect again when it is lost.

Runs whether or not an interview is being recorded, so that the pictures before the press of "start" are there. What it
hands on are groups: the samples of one fragment, not yet bytes. Nothing here touches a disk or waits for anybody.

Reading goes in bursts: FFmpeg's RTSP reader wakes for every packet that arrives, which costs more than all else the
recorder does. When the socket is empty, the reader sleeps until some pictures have gathered; never when it is behind.
"""

import threading
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import av
import structlog
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from evidence_store.media import Init, MediaError
from recorder.clock import Clock
from recorder.fragments import Sample
from recorder.groups import VIDEO_TIMESCALE, Cutter, Group, Loss, Stream
from recorder.inits import codec_name, make_init
from recorder.nal import VideoCodec, annex_b, parse_picture
from recorder.sound import Sound, is_heard, sound_of
from recorder.timeline import MAX_UNSTAMPED, Lost, StreamDamagedError, Timeline

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 4.0
FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0
BURST_S = 0.2
_BURST_BYTES = 200_000  # keeps a burst of a fat stream well inside the socket's receive buffer
_DRY_US = 2_000  # a read that took longer has waited for the network: the socket is empty
_BEHIND_US = 500_000

_CODECS: dict[str, VideoCodec] = {"h264": "h264", "hevc": "hevc"}

CameraState = Literal["connecting", "delivering", "lost"]

log = structlog.get_logger()


class GroupSink(Protocol):
    """Where groups go; called on the camera's thread and must return at once."""

    def take(self, group: Group) -> None: ...
    def ended(self, loss: Loss) -> None:
        """The stream is over and another may follow."""


@dataclass(frozen=True, slots=True)
class Source:
    """How to reach a camera. `url` may carry credentials and is therefore never logged; `label` is."""

    url: str = field(repr=False)
    label: str
    sound: bool
    fragment_ms: int


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
                with _open(self.source) as container:
                    loss = _Reading(self, container, loss).run()
            except (StreamDamagedError, MediaError) as error:
                loss = Loss("stream_damaged", str(error))
            except (av.FFmpegError, OSError) as error:
                loss = Loss("camera_lost", _words(error))
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


class _Reading:
    """One connection, from the first packet to the last."""

    def __init__(self, camera: Camera, container: InputContainer, loss: Loss | None) -> None:
        if not container.streams.video:
            raise StreamDamagedError("the camera sends no picture")
        self._camera = camera
        self._container = container
        self._video = container.streams.video[0]
        name = codec_name(self._video)
        if name not in _CODECS:
            raise StreamDamagedError(f"the camera codes pictures as {name or 'unknown'}; set it to H.264 or H.265")
        self._codec = _CODECS[name]
        self._audio: AudioStream | None = (
            container.streams.audio[0] if container.streams.audio and camera.source.sound else None
        )
        self._sound: Sound | None = sound_of(self._audio) if self._audio else None
        # Once, so that sound which stays unknown does not end one connection after the other.
        self._await_sound = self._audio is not None and not is_heard(self._audio) and not camera.sound_awaited
        camera.sound_awaited = self._await_sound
        if self._audio and not self._sound and not self._await_sound:
            log.warning("sound is not recorded", codec=codec_name(self._audio), known="AAC, Opus, G.711")
        self._loss = loss
        # Sets that the camera announced; those that come with its pictures replace them.
        self._parameters = parse_picture(self._codec, bytes(self._video.codec_context.extradata or b"")).parameters
        self._unstamped: list[tuple[Packet[Any], int]] = []
        self._video_line = Timeline(VIDEO_TIMESCALE)
        self._audio_line = Timeline(self._sound.timescale if self._sound else VIDEO_TIMESCALE)
        self._caught_up = False
        self._bytes = 0
        self._since_us = self._pictured_us = camera.clock.monotonic_us()

    def run(self) -> Loss:
        """Read until the camera is lost or the recorder stops; the answer is why it ended."""
        packets = self._container.demux([stream for stream in (self._video, self._audio) if stream is not None])
        stopping, clock = self._camera.stopping, self._camera.clock
        while not stopping.is_set():
            asked_us = clock.monotonic_us()
            packet = next(packets, None)
            now_us = clock.monotonic_us()
            if packet is None or packet.size == 0:
                return Loss("camera_lost", "the camera ended the stream")
            self._camera.last_packet_us = now_us
            self._bytes += packet.size
            if packet.stream is self._video:
                self._pictured_us = now_us
                self._picture(packet, now_us)
            elif now_us - self._pictured_us > READ_TIMEOUT_S * 1e6:
                return Loss("camera_lost", "the camera sends sound and no picture")
            elif self._sound is not None:
                self._blocks(self._sound, packet, now_us)
            elif self._await_sound:
                return Loss("camera_restarted", "the camera began to send sound")
            if now_us - asked_us <= _DRY_US:
                continue
            if self._caught_up:
                self._camera.settle()
                if self._video_line.late_us < _BEHIND_US:
                    stopping.wait(self._burst_s(now_us))
            self._caught_up = True  # the first slow read can as well be that of a busy machine
        return Loss("camera_lost", "the recorder stopped")

    def _burst_s(self, now_us: int) -> float:
        bytes_per_s = self._bytes * 1_000_000 / max(now_us - self._since_us, 1_000_000)
        return min(BURST_S, _BURST_BYTES / max(bytes_per_s, 1.0))

    def _picture(self, packet: "Packet[Any]", now_us: int) -> None:
        """Take in a picture. The first ones can come without a time: it counts back from the first that has one."""
        stamp = _ticks(packet, packet.dts, VIDEO_TIMESCALE)
        if stamp is None and not self._video_line.begun and len(self._unstamped) < MAX_UNSTAMPED:
            self._unstamped.append((packet, now_us))
            return
        if self._unstamped:
            early, self._unstamped = self._unstamped, []
            rate = self._video.guessed_rate
            step = round(VIDEO_TIMESCALE / rate) if rate else self._video_line.usual_step
            for number, (unstamped, arrival_us) in enumerate(early):
                first = None if stamp is None else stamp - (len(early) - number) * step
                self._place(unstamped, first, arrival_us)
        self._place(packet, stamp, now_us)

    def _place(self, packet: "Packet[Any]", stamp: int | None, now_us: int) -> None:
        picture = parse_picture(self._codec, bytes(packet))
        if not picture.data:
            return
        dts = self._video_line.place(stamp, now_us)
        if isinstance(dts, Lost):
            self._loss = Loss("camera_lost", f"no picture for {dts.missing_us / 1e6:.1f} s")
            self._camera.end_stream(self._loss)
            dts = dts.dts
        key = picture.key or packet.is_keyframe
        if key and picture.parameters and picture.parameters != self._parameters:
            if self._camera.stream is not None:
                self._loss = Loss("camera_restarted", "the camera changed its coding parameters")
                self._camera.end_stream(self._loss)
            self._parameters = picture.parameters
        if key and self._camera.stream is None:
            self._begin(bytes(packet) if picture.parameters else annex_b(self._parameters) + bytes(packet))
        self._camera.add_video(Sample(picture.data, dts, _offset(packet), key), now_us)

    def _begin(self, key_frame: bytes) -> None:
        sound = self._sound
        init_bytes, init = make_init(self._codec, key_frame, sound.template if sound else None)
        codecs = (self._codec, sound.codec if sound else None)
        self._camera.begin_stream(init_bytes, init, codecs, self._video_line, self._loss)

    def _blocks(self, sound: Sound, packet: "Packet[Any]", now_us: int) -> None:
        placed = self._audio_line.place(_ticks(packet, packet.pts, sound.timescale), now_us)
        dts = self._audio_line.bring_to(self._video_line, placed.dts if isinstance(placed, Lost) else placed)
        for block in sound.blocks(packet, dts):
            self._camera.add_audio(Sample(block.data, block.dts, 0, True), sound.block_samples)


def _open(source: Source) -> InputContainer:
    # FFmpeg would read for a second to estimate the frame rate, which nobody asks for here.
    options = {"analyzeduration": "1500000", "fpsprobesize": "1"}
    if source.url.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    return av.open(source.url, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S))


def _ticks(packet: "Packet[Any]", stamp: int | None, timescale: int) -> int | None:
    if stamp is None:
        stamp = packet.pts if packet.pts is not None else packet.dts
    if stamp is None or packet.time_base is None:
        return None
    return int(stamp * packet.time_base * timescale)


def _offset(packet: "Packet[Any]") -> int:
    """Presentation minus decode time in ticks of 90 kHz; 0 where the camera's stamps make no sense."""
    if packet.pts is None or packet.dts is None or packet.time_base is None:
        return 0
    offset = int((packet.pts - packet.dts) * packet.time_base * VIDEO_TIMESCALE)
    return offset if 0 <= offset <= 2 * VIDEO_TIMESCALE else 0


def _words(error: Exception) -> str:
    """Why a camera cannot be read, for a technician. FFmpeg's own text can hold the address with its password."""
    if isinstance(error, av.HTTPUnauthorizedError | av.HTTPForbiddenError):
        return "the camera refused user name or password"
    if isinstance(error, av.HTTPNotFoundError):
        return "the camera has no stream at this path"
    if isinstance(error, av.ExitError | TimeoutError):
        return "the camera does not answer"
    if isinstance(error, av.InvalidDataError):
        return "the camera answers with something that is not a stream"
    if isinstance(error, av.EOFError):
        return "the camera ended the stream"
    return (error.strerror or type(error).__name__).lower() if isinstance(error, OSError) else type(error).__name__
