"""Reading a camera that sends an MPEG transport stream over TCP or HTTP, with FFmpeg's demuxer through PyAV.

In bursts, like RTSP: when the socket is empty, the reader sleeps until some pictures have gathered; never when it is
behind.
"""

from typing import Any

import av
import structlog
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from recorder.groups import VIDEO_TIMESCALE, Loss
from recorder.inits import codec_name
from recorder.intake import Intake, StreamTaker
from recorder.lag import Lag
from recorder.nal import VideoCodec, parse_picture, split
from recorder.sound import Sound, is_heard, sound_of
from recorder.timeline import MAX_UNSTAMPED, StreamDamagedError

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 4.0
BURST_S = 0.2
_BURST_BYTES = 200_000  # keeps a burst of a fat stream well inside the socket's receive buffer
_DRY_US = 2_000  # a read that took longer has waited for the network: the socket is empty

_CODECS: dict[str, VideoCodec] = {"h264": "h264", "hevc": "hevc"}

log = structlog.get_logger()


def read_transport_stream(camera: StreamTaker, loss: Loss | None) -> Loss:
    """Read until the camera is lost or the recorder stops; the answer is why it ended. Raises StreamDamagedError."""
    # FFmpeg would read for a second to estimate the frame rate, which nobody asks for here.
    options = {"analyzeduration": "1500000", "fpsprobesize": "1"}
    try:
        with av.open(camera.source.url, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)) as container:
            return _Reading(camera, container, loss).run()
    except (av.FFmpegError, OSError) as error:
        return Loss("camera_lost", _words(error))


class _Reading:
    """One connection, from the first packet to the last."""

    def __init__(self, camera: StreamTaker, container: InputContainer, loss: Loss | None) -> None:
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
        announced = parse_picture(self._codec, bytes(self._video.codec_context.extradata or b"")).parameters
        self._intake = Intake(camera, self._codec, announced, self._sound, loss)
        self._unstamped: list[tuple[Packet[Any], int]] = []
        self._caught_up = False
        self._bytes = 0
        self._since_us = self._pictured_us = camera.clock.monotonic_us()

    def run(self) -> Loss:
        """Read until the camera is lost or the recorder stops; the answer is why it ended."""
        packets = self._container.demux([stream for stream in (self._video, self._audio) if stream is not None])
        stopping, clock = self._camera.stopping, self._camera.clock
        lag = Lag()
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
                self._intake.sound(packet, _ticks(packet, packet.pts, self._sound.timescale), now_us)
            elif self._await_sound:
                return Loss("camera_restarted", "the camera began to send sound")
            if now_us - asked_us <= _DRY_US:
                continue
            if self._caught_up:
                self._camera.settle()
                if not lag.is_behind(self._intake.video_line.late_us, now_us):
                    stopping.wait(self._burst_s(now_us))
            self._caught_up = True  # the first slow read can as well be that of a busy machine
        return Loss("camera_lost", "the recorder stopped")

    def _burst_s(self, now_us: int) -> float:
        bytes_per_s = self._bytes * 1_000_000 / max(now_us - self._since_us, 1_000_000)
        return min(BURST_S, _BURST_BYTES / max(bytes_per_s, 1.0))

    def _picture(self, packet: "Packet[Any]", now_us: int) -> None:
        """Take in a picture. The first ones can come without a time: it counts back from the first that has one."""
        stamp = _ticks(packet, packet.dts, VIDEO_TIMESCALE)
        if stamp is None and not self._intake.video_line.begun and len(self._unstamped) < MAX_UNSTAMPED:
            self._unstamped.append((packet, now_us))
            return
        if self._unstamped:
            early, self._unstamped = self._unstamped, []
            rate = self._video.guessed_rate
            step = round(VIDEO_TIMESCALE / rate) if rate else self._intake.video_line.usual_step
            for number, (unstamped, arrival_us) in enumerate(early):
                first = None if stamp is None else stamp - (len(early) - number) * step
                self._place(unstamped, first, arrival_us)
        self._place(packet, stamp, now_us)

    def _place(self, packet: "Packet[Any]", stamp: int | None, now_us: int) -> None:
        nals = split(bytes(packet))
        self._intake.picture(nals, stamp, _shown_after(packet), now_us, key=packet.is_keyframe)


def _ticks(packet: "Packet[Any]", stamp: int | None, timescale: int) -> int | None:
    if stamp is None:
        stamp = packet.pts if packet.pts is not None else packet.dts
    if stamp is None or packet.time_base is None:
        return None
    return int(stamp * packet.time_base * timescale)


def _shown_after(packet: "Packet[Any]") -> int:
    """Presentation minus decode time in ticks of 90 kHz; 0 where the stream does not say both."""
    if packet.pts is None or packet.dts is None or packet.time_base is None:
        return 0
    return int((packet.pts - packet.dts) * packet.time_base * VIDEO_TIMESCALE)


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
