"""What one camera hands on: kept in memory as pre-roll while idle, queued for the disk while recording.

The press of "start" loses nothing: the groups of the last seconds, from a key frame on, go first; even right after a
session the current group of pictures is there. While recording the queue is bounded: if the disk stands still for long,
the newest pictures are given up rather than the machine's memory, and the next group names the loss.
"""

import queue
import threading
from collections import deque
from dataclasses import dataclass

from recorder.groups import VIDEO_TIMESCALE, Group, Loss

QUEUE_BYTES = 64 << 20  # of one camera: two minutes at 4 Mb/s, 20 s of a 4K stream


@dataclass(frozen=True, slots=True)
class Fed:
    """A group on its way to the disk. `serial` changes with every run; `lost` explains a new one."""

    track: str
    serial: int
    group: Group
    lost: Loss | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The run of a track is over; nothing more comes until the camera is back."""

    track: str
    loss: Loss


class Feed:
    """The sink of one camera. `take` and `ended` run on the camera's thread, the rest on the session's."""

    def __init__(
        self, track: str, pre_roll_ms: int, out: "queue.SimpleQueue[object]", queue_bytes: int = QUEUE_BYTES
    ) -> None:
        self.track = track
        self._queue_bytes = queue_bytes
        self._pre_roll_us = pre_roll_ms * 1000
        self._out = out
        self._lock = threading.Lock()
        self._ring: deque[Group] = deque()
        self._recording = False
        self._serial = 0
        self._stream: int | None = None
        self._lost: Loss | None = None
        self._queued_bytes = 0

    def take(self, group: Group) -> None:
        with self._lock:
            if self._recording:
                self._feed(group)
            self._keep(group)

    def ended(self, loss: Loss) -> None:
        with self._lock:
            self._ring.clear()
            self._stream = None
            if self._recording:
                self._lost = loss
                self._out.put(Ended(self.track, loss))

    def held_us(self) -> int:
        """Length of the film that is held as pre-roll now."""
        with self._lock:
            if not self._ring:
                return 0
            first, last = self._ring[0], self._ring[-1]
            last_us = (last.video_end - last.video[0].dts) * 1_000_000 // VIDEO_TIMESCALE
            return last.taken_us - first.taken_us + last_us

    def start(self) -> None:
        """From now on everything goes to the queue, the pre-roll first."""
        with self._lock:
            self._recording = True
            self._lost = None
            self._stream = None
            for group in self._ring:
                self._feed(group)

    def stop(self) -> None:
        with self._lock:
            self._recording = False

    def written(self, fed: Fed) -> None:
        with self._lock:
            self._queued_bytes -= fed.group.bytes

    def _feed(self, group: Group) -> None:
        if self._queued_bytes > self._queue_bytes:
            self._lost = Loss("overload", "the disk was too slow for the camera")
            self._stream = None
            return
        if group.stream.number != self._stream:
            if not group.keyframe:
                return
            self._serial += 1
            self._stream = group.stream.number
            self._lost = self._lost or group.lost
        self._queued_bytes += group.bytes
        lost, self._lost = self._lost, None
        self._out.put(Fed(self.track, self._serial, group, lost))

    def _keep(self, group: Group) -> None:
        ring = self._ring
        if ring and ring[-1].stream is not group.stream:
            ring.clear()
        ring.append(group)
        # The ring starts at a key frame: the first one may go when a later one is old enough to start from.
        oldest_us = group.taken_us - (0 if self._recording else self._pre_roll_us)
        second = next((index for index, kept in enumerate(ring) if index and kept.keyframe), None)
        while second is not None and ring[second].taken_us <= oldest_us:
            for _ in range(second):
                ring.popleft()
            second = next((index for index, kept in enumerate(ring) if index and kept.keyframe), None)
