"""What one client is sent: the camera's units as interleaved RTP packets, with sender reports between them."""

import asyncio
from random import Random

import structlog

from shilu.cameras.camera import Camera
from shilu.cameras.media import MediaUnit, Track
from shilu.cameras.rtp import RtpSender, audio_payload, video_payload

REPORT_INTERVAL_US = 4_000_000
"""From one RTCP sender report to the next: RFC 3550 section 6.2 counts with 5 s, cameras send them every 1 to 10 s."""

_log = structlog.get_logger(__name__)


class RtpFeed:
    """The `Watcher` of one RTSP session. A client that takes pictures is sent nothing before a key frame; one that
    leaves too much lying is cut off, so that nobody waits for it."""

    def __init__(self, camera: Camera, transport: asyncio.Transport, backlog_limit_bytes: int, rng: Random) -> None:
        self.camera = camera
        self.playing = False
        self._transport, self._backlog_limit_bytes, self._rng = transport, backlog_limit_bytes, rng
        self._senders: dict[Track, RtpSender] = {}
        self._wild_frames: dict[Track, int] = {}
        self._started = False
        self._play_us = self._report_due_us = 0

    def set_up(self, track: Track, channel: int) -> RtpSender:
        """Add a track; `channel` is the interleaved channel of its RTP, the next one that of its RTCP."""
        source = self.camera.source
        form = audio_payload(source.audio) if track is Track.AUDIO and source.audio else video_payload(source.video)
        self._senders[track] = RtpSender(form, channel, self._rng)
        return self._senders[track]

    def play(self) -> dict[Track, tuple[int, int]]:
        """Begin to send. For each track the number of its next packet and the RTP timestamp of this moment."""
        now_us = self.camera.clock.monotonic_us()
        if not self.playing:
            self._play_us = now_us
            self._wild_frames = dict.fromkeys(Track, self.camera.faults.wild_start_frames)
            self.camera.join(self)
            self.playing = True
        return {
            track: (sender.next_number, sender.timestamp(self.camera.pts_at(track, now_us)))
            for track, sender in self._senders.items()
        }

    def stop(self) -> None:
        self.camera.leave(self)

    def close(self) -> None:
        self.stop()
        self._transport.abort()

    def deliver(self, unit: MediaUnit) -> None:
        sender = self._senders.get(unit.track)
        if sender is None or not self._is_time_for(unit):
            return
        if unit.due_us >= self._report_due_us:
            self._report_due_us = unit.due_us + REPORT_INTERVAL_US
            self._transport.write(self._reports())
        timestamp = sender.timestamp(unit.pts)
        if self._wild_frames[unit.track] > 0:
            self._wild_frames[unit.track] -= 1
            timestamp = self._rng.getrandbits(32)
        self._transport.write(sender.frame(unit.data, timestamp, self.camera.faults.loss_percent))
        if self._transport.get_write_buffer_size() > self._backlog_limit_bytes:
            _log.warning("client too slow, dropped", camera=self.camera.path)
            self.close()

    def write_garbage(self, size_bytes: int) -> None:
        self._transport.write(self._rng.randbytes(size_bytes))

    def _is_time_for(self, unit: MediaUnit) -> bool:
        if not self._started:
            self._started = Track.VIDEO not in self._senders or (unit.track is Track.VIDEO and unit.keyframe)
        late_sound_us = self._play_us + self.camera.faults.sound_delay_s * 1_000_000
        return self._started and (unit.track is Track.VIDEO or unit.due_us >= late_sound_us)

    def _reports(self) -> bytes:
        """What the wall clock shows now, and where each track's timestamps stand now."""
        camera = self.camera
        now_us = camera.clock.monotonic_us()
        utc_us = camera.clock.utc_us() + round(camera.faults.ntp_step_s * 1_000_000)
        return b"".join(
            sender.report(sender.timestamp(camera.pts_at(track, now_us)), utc_us)
            for track, sender in self._senders.items()
        )
