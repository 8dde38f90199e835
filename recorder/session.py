"""One interview, from the press of start to the close record: what is written where, and when.

    OPENING --open record--> RECORDING --stop, limit--> CLOSING --close record--> CLOSED
       ^                         ^
    (new)                   (recovered)

Used by the room's one thread. Everything that arrives from cameras comes through `write` and `ended`; `sync` makes it
durable. A disk that fails raises DiskError out of here: the process ends and recovery, which is the same code, goes on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from evidence_store.durable import OpenFile
from evidence_store.media import read_fragment
from evidence_store.records import from_us
from evidence_store.records import to_us as time_us
from recorder.clock import Clock
from recorder.feed import Ended, Fed
from recorder.fragments import AUDIO_TRACK_ID, VIDEO_TRACK_ID, TrackPart, render
from recorder.groups import VIDEO_TIMESCALE, Loss
from recorder.sealing import OpenSegment, Sealer, fragment_end, new_segment
from recorder.spool import SessionSpool

CLOCK_STEP_US = 500_000
MAX_SEGMENT_FRAGMENTS = 1200  # ten minutes: below what a record may name
MAX_SEGMENT_BYTES = 256 << 20  # below what a verifier reads at once
SHORT_US = 1_000_000  # a track that ends this much before the session does has a gap, also if nobody saw it end

CloseReason = Literal["operator", "limit", "recovered"]


class State(Enum):
    """Where an interview stands."""

    OPENING = "opening"
    RECORDING = "recording"
    CLOSING = "closing"
    CLOSED = "closed"


_NEXT: dict[State, set[State]] = {
    State.OPENING: {State.RECORDING},
    State.RECORDING: {State.CLOSING},
    State.CLOSING: {State.CLOSED},
    State.CLOSED: set(),
}


@dataclass(slots=True)
class _Run:
    """A run that is being written. `base` is the decode time of its first picture in the camera's stream."""

    serial: int
    number: int
    base: int
    fragments: int = 0


class Interview:
    """The recording of one session."""

    def __init__(self, spool: SessionSpool, sealer: Sealer, clock: Clock, segment_ms: int) -> None:
        self._spool = spool
        self._sealer = sealer
        self._clock = clock
        self._segment_us = segment_ms * 1000
        self._segments: dict[str, OpenSegment] = {}
        self._files: dict[str, OpenFile] = {}
        self._runs: dict[str, _Run] = {}
        self._losses: dict[str, Loss] = {}
        self._dirty: set[str] = set()
        self._clock_offset_us = clock.utc_us() - clock.monotonic_us()
        self.state = State.OPENING
        self.first_durable_us: int | None = None
        self.kept_until_us: dict[str, int] = {}  # UTC up to which each track is durable
        self._written_until_us: dict[str, int] = {}
        self._taken_us: dict[str, int] = {}

    @property
    def session(self) -> str:
        return self._sealer.session

    @property
    def tracks(self) -> Iterable[str]:
        """The tracks of the open record; no other can be written."""
        return self._sealer.tallies.keys()

    def open(self, **values: Any) -> None:
        """Write the open record (fields of OpenRecord but for those every record has)."""
        self._sealer.open(**values)
        self._move(State.RECORDING)

    def resume(self, loss: Loss) -> None:
        """Go on after recovery: each track has a gap from its last picture to the next one."""
        self._losses = dict.fromkeys(self._sealer.tallies, loss)
        self._move(State.RECORDING)

    def write(self, fed: Fed) -> None:
        """Append a fragment. It is durable after `sync`."""
        group, track = fed.group, fed.track
        # What is known of when pictures are taken gets better as they come; the film's time does not go back for it.
        taken_us = max(group.taken_us, self._taken_us.get(track, 0))
        self._taken_us[track] = taken_us
        taken_utc_us = taken_us + self._clock.utc_us() - self._clock.monotonic_us()
        if self._overlong(track):
            self._seal(track)
            self._losses[track] = Loss("stream_damaged", "the camera sent no key frame for too long")
            self._runs.pop(track)
        run = self._runs.get(track)
        if run is None and not group.keyframe:
            return
        if run is None or run.serial != fed.serial:
            self._seal(track)
            self._declare(track, taken_utc_us, fed.lost)
            run = _Run(fed.serial, self._sealer.tallies[track].next_run, group.video[0].dts)
            self._runs[track] = run
        segment = self._segments.get(track)
        if segment is not None and group.keyframe and segment.length_us >= self._segment_us:
            self._seal(track)
            segment = None
        if segment is None:
            segment = self._begin(track, run, fed)
        init = segment.init
        parts = [TrackPart(VIDEO_TRACK_ID, group.video, group.video_end, run.base)]
        audio_header = next((header for header in init.tracks if header.kind == "audio"), None)
        if audio_header is not None:
            base = run.base * audio_header.timescale // VIDEO_TIMESCALE
            sound = [sample for sample in group.audio if sample.dts >= base]
            parts.append(TrackPart(AUDIO_TRACK_ID, sound, group.audio_end, base))
        data = render(run.fragments + 1, taken_utc_us, parts)
        run.fragments += 1
        self._files[track].append(data)
        segment.add(data, read_fragment(data, init, segment.size_bytes))
        self._dirty.add(track)
        self._written_until_us[track] = time_us(fragment_end(segment.fragments[-1]))

    def ended(self, ended: Ended) -> None:
        """A camera was lost: what there is of its run is sealed now, the gap is declared when it is back."""
        self._seal(ended.track)
        self._losses[ended.track] = ended.loss

    def sync(self) -> None:
        """Make everything written so far durable."""
        for track in sorted(self._dirty):
            self._files[track].sync()
            self.kept_until_us[track] = self._written_until_us[track]
            if self.first_durable_us is None:
                self.first_durable_us = self._clock.monotonic_us()
        self._dirty.clear()

    def event(self, event: Any) -> None:
        """Put a mark, a note or another event into the chain."""
        self._sealer.event(event)

    def clock_stepped_us(self) -> int:
        """By how much the wall clock was set since the last call; 0 for what a time service does by slewing."""
        offset_us = self._clock.utc_us() - self._clock.monotonic_us()
        step_us = offset_us - self._clock_offset_us
        self._clock_offset_us = offset_us
        return step_us if abs(step_us) > CLOCK_STEP_US else 0

    def suspend(self) -> None:
        """Seal what is open and leave the session to be resumed at the next start."""
        for track in sorted(self._segments):
            self._seal(track)

    def close(self, reason: CloseReason, detail: str) -> None:
        """Seal what is open, declare what is missing, write the close record."""
        if self.state is State.RECORDING:
            self._move(State.CLOSING)
        self._spool.mark_stopping(reason)
        now_us = self._clock.utc_us()
        for track in sorted(self._sealer.tallies):
            self._seal(track)
            last = self._sealer.tallies[track].last_time
            if track in self._losses or last is None or now_us - time_us(last) > SHORT_US:
                loss = self._losses.get(track) or Loss("camera_lost", "no picture came before the session was closed")
                self._sealer.gap(track, from_us(now_us), loss.cause, loss.detail)
        self._sealer.close(reason, detail)
        self._move(State.CLOSED)

    def _move(self, state: State) -> None:
        if state not in _NEXT[self.state]:
            raise ValueError(f"an interview that is {self.state.value} cannot become {state.value}")
        self.state = state

    def _overlong(self, track: str) -> bool:
        """Whether a camera that sends no key frame has made a segment that is about to be longer than one may be."""
        segment = self._segments.get(track)
        return segment is not None and (
            len(segment.fragments) >= MAX_SEGMENT_FRAGMENTS or segment.size_bytes >= MAX_SEGMENT_BYTES
        )

    def _declare(self, track: str, first_utc_us: int, lost: Loss | None) -> None:
        """The gap before the first picture of a run, unless the picture was there when the session began."""
        tally = self._sealer.tallies[track]
        loss = self._losses.pop(track, None) or lost
        opened = self._sealer.opened
        if tally.segments == 0 and opened is not None and first_utc_us <= time_us(opened.time):
            return
        loss = loss or Loss("camera_lost", "the camera was not delivering when the session began")
        self._sealer.gap(track, from_us(first_utc_us), loss.cause, loss.detail)

    def _begin(self, track: str, run: _Run, fed: Fed) -> OpenSegment:
        stream = fed.group.stream
        index = self._sealer.tallies[track].segments
        file = self._spool.create_media(track, index, run.number)
        file.append(stream.init_bytes)
        segment = new_segment(track, run.number, index, stream.init_bytes, stream.init)
        self._files[track] = file
        self._segments[track] = segment
        return segment

    def _seal(self, track: str) -> None:
        segment = self._segments.pop(track, None)
        if segment is None:
            return
        file = self._files.pop(track)
        file.sync()
        file.close()
        self._dirty.discard(track)
        self.kept_until_us[track] = self._written_until_us[track]
        self._sealer.seal(segment)
