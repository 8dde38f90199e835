"""Reading a camera over RTSP, in bursts: a pause lets pictures gather, one read takes them all."""

import structlog
from av.packet import Packet

from recorder.groups import Loss
from recorder.intake import Intake, StreamTaker
from recorder.lag import Lag
from recorder.rtsp.errors import RtspError
from recorder.rtsp.source import RtspSource
from recorder.rtsp.templates import g711_decoder, passed_sound
from recorder.sound import FlacSound, PassedSound, Sound

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 4.0
BURST_S = 0.2
_WAIT_S = 0.25  # how long one read waits for a camera that sends nothing

log = structlog.get_logger()


def read_rtsp(camera: StreamTaker, loss: Loss | None) -> Loss:
    """Read until the camera is lost or the recorder stops; the answer is why it ended."""
    clock = camera.clock
    source = RtspSource(
        camera.source.url,
        want_audio=camera.source.sound,
        now_us=clock.monotonic_us,
        open_timeout_s=OPEN_TIMEOUT_S,
        read_timeout_s=READ_TIMEOUT_S,
    )
    try:
        with source:
            return _Reading(camera, source, loss).run()
    except RtspError as error:
        return Loss("camera_lost", str(error))


class _Reading:
    def __init__(self, camera: StreamTaker, source: RtspSource, loss: Loss | None) -> None:
        about = source.description
        if about.silent_because and camera.source.sound:
            log.warning("sound is not recorded", camera=camera.source.label, why=about.silent_because)
        self._camera = camera
        self._source = source
        self._intake = Intake(camera, about.video.codec, about.video.parameter_sets, _sound(source), loss)
        self._pictured_us = camera.clock.monotonic_us()

    def run(self) -> Loss:
        camera, source, intake, lag = self._camera, self._source, self._intake, Lag()
        while not camera.stopping.is_set():
            burst = source.read(_WAIT_S)
            now_us = burst.arrival_us
            for unit in burst.units:
                stamp = source.media_ticks(unit.kind, unit.timestamp)
                if unit.kind == "video":
                    self._pictured_us = now_us
                    intake.picture(unit.nals, stamp, None, now_us)
                else:
                    intake.sound(Packet(unit.data), stamp, now_us)
            if burst.units:
                camera.last_packet_us = now_us
            if now_us - self._pictured_us > READ_TIMEOUT_S * 1e6:
                return Loss("camera_lost", "the camera sends no picture any more")
            if burst.drained:
                camera.settle()
                if not lag.is_behind(intake.video_line.late_us, now_us):
                    camera.stopping.wait(BURST_S)
        return Loss("camera_lost", "the recorder stopped")


def _sound(source: RtspSource) -> Sound | None:
    about = source.description.audio
    if about is None:
        return None
    if about.codec in ("pcm_alaw", "pcm_mulaw"):
        return FlacSound(g711_decoder(about))
    return PassedSound(passed_sound(about), about.codec, about.sample_rate_hz, about.frame_samples)
