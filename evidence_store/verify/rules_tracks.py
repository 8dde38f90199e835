"""Rules of a track: its segments as their records state them. The bytes themselves are judged elsewhere.

1. The open record names the track.
2. Indices run from 0 without a hole. A hole next to a record that is missing is that record (incomplete); a hole in a
   whole chain, or an index that comes again, contradicts. The finding lies between the segments around the hole.
3. Runs are numbered from 0 and counted up one by one. What lies between two runs is a matter of gaps.
4. The object is the one that the layout gives to this session, track and index.
5. Init and fragments fill the object exactly; the init is the same through a run.
6. Decode times run on exactly, through fragments and segments of a run: in microseconds, which is exact because no
   track counts in shorter ticks and every length reaches to where the next fragment starts.
7. A segment starts with a key frame.
8. The time of fragments does not go back by more than the clock allows (see its rules) and late arrival explains.

Rules 3, 5, 6 and 8 compare with the segment before, so they pause where that one is missing.
"""

from dataclasses import dataclass, field
from datetime import datetime

from evidence_store import layout
from evidence_store.records import ClockState, Fragment, OpenRecord, SegmentRecord
from evidence_store.verify import codes
from evidence_store.verify.entry import Entry, Progress
from evidence_store.verify.film import AnyRecord, between_us, fragment_end, fragments_span, tiles
from evidence_store.verify.findings import Code, Span, finding, seconds
from evidence_store.verify.inventory import Numbers
from evidence_store.verify.rules_clock import allowed_back_us

# The time of a fragment is read from when its packets arrived. When a camera or a network hands over at once what it
# held back, two neighbouring fragments can be placed closer than they are: each at most its own length, which is at
# most a second, before the moment at which all of it came.
ARRIVAL_TOLERANCE_US = 1_000_000


@dataclass(slots=True)
class _Track:
    """The last segment of a track, as far as the next has to follow it. `run` is None before the first."""

    next_index: int = 0
    holes: int = 0
    run: int | None = None
    init: tuple[int, str] = (0, "")
    media_end_us: int = 0
    last_time: datetime | None = None
    end: datetime | None = None
    clock: ClockState | None = None
    named: Numbers = field(default_factory=Numbers)


class TrackRules:
    """Follows every track; `tracks` of the open record are known once it was read."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._known: set[str] | None = None
        self._opened: datetime | None = None
        self._tracks: dict[str, _Track] = {}

    def record(self, entry: Entry, record: AnyRecord) -> None:
        if isinstance(record, OpenRecord):
            self._known = {info.track for info in record.tracks}
            self._opened = record.time
        elif isinstance(record, SegmentRecord):
            track = self._tracks.setdefault(record.track, _Track())
            follows = self._check_order(entry, record, track)
            self._check_statement(entry, record)
            self._check_film(entry, record, track, follows=follows)
            self._move_on(record, track)

    def named(self) -> dict[str, Numbers]:
        """Indices of the segments that records name, by track."""
        return {name: track.named for name, track in self._tracks.items()}

    def _add(self, code: Code, entry: Entry, record: SegmentRecord, span: Span, **values: object) -> None:
        key = layout.media_key(record.session, record.track, record.index)
        found = finding(code, object_key=key, seq=entry.seq, track=record.track, span=span, **values)
        self._progress.findings.add(found)

    def _check_order(self, entry: Entry, record: SegmentRecord, track: _Track) -> bool:
        """Rules 1 to 3; True if the segment follows the one before it directly."""
        span = fragments_span(record.fragments)
        if self._known is not None and record.track not in self._known:
            self._add(codes.TRACK_UNKNOWN, entry, record, span, name=record.track)
        due = track.next_index
        if record.index > due:
            code = codes.SEGMENT_MISSING if track.holes != self._progress.holes else codes.SEGMENT_SKIPPED
            hole = Span(track.end or self._opened, span.start)
            key = layout.media_key(record.session, record.track, due)
            found = finding(
                code, object_key=key, seq=entry.seq, track=record.track, span=hole, first=due, last=record.index - 1
            )
            self._progress.findings.add(found)
            return False
        if record.index < due:
            self._add(codes.SEGMENT_REPEATED, entry, record, span, index=record.index, due=due)
            return False
        before = -1 if track.run is None else track.run
        if record.run not in (track.run, before + 1):
            self._add(codes.RUN_OUT_OF_ORDER, entry, record, span, run=record.run, before=before)
        return track.run is not None

    def _check_statement(self, entry: Entry, record: SegmentRecord) -> None:
        """Rules 4, 7 and the first half of 5: what the record says by itself."""
        span = fragments_span(record.fragments)
        if record.media.key != layout.media_key(record.session, record.track, record.index):
            self._add(codes.SEGMENT_KEY_DIFFERS, entry, record, span, named=record.media.key)
        if not tiles(record):
            self._add(codes.FRAGMENTS_DO_NOT_TILE, entry, record, span)
        if not record.fragments[0].keyframe:
            self._add(codes.SEGMENT_WITHOUT_KEY_FRAME, entry, record, span)

    def _check_film(self, entry: Entry, record: SegmentRecord, track: _Track, *, follows: bool) -> None:
        """Rules 6 and 8 and the second half of 5: what has to agree with the segment before."""
        first = record.fragments[0]
        if follows and record.run == track.run:
            if (record.media.init_bytes, record.media.init_sha256) != track.init:
                self._add(codes.INIT_DIFFERS_IN_RUN, entry, record, fragments_span(record.fragments))
            self._check_decode_time(entry, record, track.media_end_us, first)
        if follows and track.last_time is not None:
            self._check_time(entry, record, track.last_time, first, allowed_back_us(track.clock, record.clock))
        allowed_us = allowed_back_us(record.clock, None)
        before = first
        for fragment in record.fragments[1:]:
            self._check_decode_time(entry, record, before.media_start_us + before.duration_us, fragment)
            self._check_time(entry, record, before.time, fragment, allowed_us)
            before = fragment

    def _check_decode_time(self, entry: Entry, record: SegmentRecord, due_us: int, fragment: Fragment) -> None:
        missing_us = fragment.media_start_us - due_us
        if missing_us:
            span = Span(fragment.time, fragment.time)
            self._add(codes.DECODE_TIMES_BREAK, entry, record, span, off=seconds(missing_us))

    def _check_time(
        self, entry: Entry, record: SegmentRecord, before: datetime, fragment: Fragment, allowed_us: int | None
    ) -> None:
        if fragment.time >= before:
            return
        back_us = between_us(fragment.time, before)
        if back_us <= ARRIVAL_TOLERANCE_US + (allowed_us or 0):
            return
        code = codes.CLOCK_SET_BACK if allowed_us is None else codes.CLOCK_BACKWARDS
        span = Span(fragment.time, before)
        self._add(code, entry, record, span, back=seconds(back_us), allowed=seconds(allowed_us or 0))

    def _move_on(self, record: SegmentRecord, track: _Track) -> None:
        last = record.fragments[-1]
        if record.media.key == layout.media_key(record.session, record.track, record.index):
            track.named.add(record.index)
        track.next_index = max(track.next_index, record.index + 1)
        track.holes = self._progress.holes
        track.run = record.run
        track.init = (record.media.init_bytes, record.media.init_sha256)
        track.media_end_us = last.media_start_us + last.duration_us
        track.last_time, track.end, track.clock = last.time, fragment_end(last), record.clock
