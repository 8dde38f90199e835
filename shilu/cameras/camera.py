"""A camera: one source, its faults, and everybody who watches.

The source runs while there is at least one watcher. All methods belong to the event loop's thread, except where one
says otherwise.
"""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from functools import cache
from typing import Protocol

import structlog

from shilu.cameras.clock import Clock
from shilu.cameras.encoding import silent_packet
from shilu.cameras.faults import Faults
from shilu.cameras.media import VIDEO_CLOCK_HZ, MediaUnit, Track
from shilu.cameras.source import Source

_log = structlog.get_logger(__name__)
_silent_packet = cache(silent_packet)


class Watcher(Protocol):
    """One connection that takes a camera's units."""

    def deliver(self, unit: MediaUnit) -> None:
        """Take one unit, at once and without waiting: a watcher that cannot must close itself."""
        ...

    def close(self) -> None:
        """End the connection without a word, as a camera does that is switched off."""
        ...

    def write_garbage(self, size_bytes: int) -> None:
        """Put random bytes into the middle of the stream."""
        ...


class Camera:
    """`path` is its place in URLs, such as `room-1/subject`."""

    def __init__(self, path: str, source: Source, clock: Clock) -> None:
        self.path = path
        self.source = source
        self.faults = Faults()
        self.clock = clock
        self._watchers: list[Watcher] = []
        self._pump: asyncio.Task[None] | None = None
        self._no_key_frames_until_us = 0

    def clock_hz(self, track: Track) -> int:
        """The track's RTP clock."""
        return self.source.audio.rate_hz if track is Track.AUDIO and self.source.audio else VIDEO_CLOCK_HZ

    def pts_at(self, track: Track, monotonic_us: int) -> int:
        """What the track's timestamps say about a moment of the monotonic clock."""
        elapsed_us = monotonic_us - self.source.epoch_us
        return elapsed_us * self.clock_hz(track) // 1_000_000 + self._shift(track)

    def join(self, watcher: Watcher) -> None:
        """Deliver every unit to `watcher` from now on."""
        self._watchers.append(watcher)
        self.source.request_key_frame()
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._run(), name=f"camera {self.path}")
            self._pump.add_done_callback(self._ended)

    def leave(self, watcher: Watcher) -> None:
        """Stop delivering; a watcher that has left already may leave again."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)
        if not self._watchers and self._pump is not None:
            self._pump.cancel()
            self._pump = None

    def drop_watchers(self) -> None:
        for watcher in list(self._watchers):
            watcher.close()

    def send_garbage(self, size_bytes: int) -> None:
        for watcher in list(self._watchers):
            watcher.write_garbage(size_bytes)

    def drop_key_frames(self, seconds: float) -> None:
        """Leave out the key frames of the next `seconds`; the pictures that refer to them are sent. Any thread."""
        self._no_key_frames_until_us = self.clock.monotonic_us() + round(seconds * 1_000_000)

    async def _run(self) -> None:
        async with aclosing(self.source.units()) as units:
            async for unit in units:
                if not self._withheld(unit):
                    changed = self._changed(unit)
                    for watcher in list(self._watchers):
                        watcher.deliver(changed)

    def _ended(self, pump: asyncio.Task[None]) -> None:
        """A source that fails takes its watchers' connections with it, as a camera does that crashes."""
        if not pump.cancelled() and (error := pump.exception()) is not None:
            _log.error("camera source failed", camera=self.path, exc_info=error)
            self.drop_watchers()

    def _withheld(self, unit: MediaUnit) -> bool:
        if unit.track is Track.AUDIO:
            return self.faults.stalled or self.faults.sound_muted
        return self.faults.stalled or (unit.keyframe and unit.due_us < self._no_key_frames_until_us)

    def _changed(self, unit: MediaUnit) -> MediaUnit:
        data = unit.data
        if unit.track is Track.AUDIO and self.faults.silent and self.source.audio is not None:
            data = _silent_packet(self.source.audio.codec)
        return replace(unit, data=data, pts=unit.pts + self._shift(unit.track))

    def _shift(self, track: Track) -> int:
        return round(self.faults.timestamp_shift_s * self.clock_hz(track))
