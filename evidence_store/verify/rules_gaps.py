"""Rules of gaps: time of a track that was not recorded is declared, inside the chain, by the recorder itself.

1. Between two runs of a track lies time that was not recorded. One gap event, or several that follow each other, reach
   from the end of the last segment of the old run (named by `after_index`) to the start of the first of the new one.
   They may come before or after the record of that first segment, and have to come before the close.
2. The same holds before the first segment of a track that starts after the session was opened (`after_index` null), and
   after the last segment of a track that ends before the session was closed.
3. `missing_us` is the length from `from` to `to`; a clock that was set back meanwhile makes it 0.
4. No gap lies inside a run: its decode times run on.
5. What may have been declared by a record that is missing makes the session incomplete, not NOT_OK.
"""

from dataclasses import dataclass, field
from datetime import datetime

from evidence_store import layout
from evidence_store.records import CloseRecord, Gap, OpenRecord, SegmentRecord
from evidence_store.verify import codes
from evidence_store.verify.entry import Entry, Progress
from evidence_store.verify.film import AnyRecord, between_us, fragments_span
from evidence_store.verify.findings import Code, Span, finding, seconds

# The recorder knows the end of a run only as its last picture plus the usual length of a picture, and the two ends of a
# gap are read from a clock that may be corrected in between; an honest gap is off by far less than a second. A second
# is also the least that the recorder takes for a gap at the end of a session.
GAP_TOLERANCE_US = 1_000_000
# Closing seals every track before it writes the close record, on a disk that may be slow.
END_TOLERANCE_US = 5_000_000


@dataclass(slots=True)
class _Transition:
    """Time without film after segment `after_index`, declared up to `covered`. `start` is where film goes on."""

    after_index: int | None
    end: datetime | None
    covered: datetime | None
    holes: int
    start: datetime | None = None
    gaps: int = 0


@dataclass(slots=True)
class _Track:
    """`ahead` is what was declared after the last segment so far; `waiting` are runs whose gap is still to come."""

    index: int | None = None
    run: int | None = None
    end: datetime | None = None
    holes: int = 0
    ahead: _Transition | None = None
    waiting: list[_Transition] = field(default_factory=list)


class GapRules:
    """Holds gap events against the segments around them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tracks: dict[str, _Track] = {}
        self._opened: datetime | None = None
        self._known = False
        self._closed = False

    def record(self, entry: Entry, record: AnyRecord) -> None:
        if isinstance(record, OpenRecord):
            self._opened, self._known = record.time, True
            self._tracks = {info.track: _Track(end=record.time) for info in record.tracks}
        elif isinstance(record, SegmentRecord):
            self._segment(entry, record)
        elif isinstance(record, CloseRecord):
            self._close(record)
        elif isinstance(record.event, Gap):
            self._gap(entry, record.event)

    def end(self) -> None:
        """Without a close record, what is not declared may have been declared in what is missing."""
        if not self._closed:
            for name, track in self._tracks.items():
                for transition in track.waiting:
                    self._undeclared(name, transition, codes.GAP_RECORD_MISSING)

    def _add(self, code: Code, key: str, track: str, span: Span, seq: int | None = None, **values: object) -> None:
        self._progress.findings.add(finding(code, object_key=key, seq=seq, track=track, span=span, **values))

    def _segment(self, entry: Entry, record: SegmentRecord) -> None:
        track = self._tracks.setdefault(record.track, _Track(holes=self._progress.holes))
        if track.index is not None and record.index <= track.index:
            return  # a segment that comes again; reported by the rules of tracks
        start = record.fragments[0].time
        ahead, track.ahead = track.ahead, None
        if record.index == (0 if track.index is None else track.index + 1):
            if track.run is not None and record.run == track.run:
                if ahead is not None:
                    key = layout.media_key(record.session, record.track, record.index)
                    span = Span(ahead.end, start)
                    self._add(codes.GAP_INSIDE_RUN, key, record.track, span, entry.seq)
            elif self._has_gap(track, start):
                transition = ahead or self._after(track)
                transition.start = start
                if not _reached(transition):
                    track.waiting.append(transition)
        track.index, track.run = record.index, record.run
        track.end, track.holes = fragments_span(record.fragments).end, self._progress.holes

    def _has_gap(self, track: _Track, start: datetime) -> bool:
        """Whether a new run that starts at `start` has time without film before it."""
        if track.index is not None or track.ahead is not None:
            return True
        return self._opened is not None and between_us(self._opened, start) > GAP_TOLERANCE_US

    def _after(self, track: _Track) -> _Transition:
        return _Transition(track.index, track.end, track.end, track.holes)

    def _gap(self, entry: Entry, gap: Gap) -> None:
        span = Span(gap.from_time, gap.to_time)
        missing, cause_zh = seconds(gap.missing_us), codes.GAP_CAUSES_ZH[gap.cause]
        self._add(
            codes.GAP_DECLARED,
            entry.key,
            gap.track,
            span,
            entry.seq,
            missing=missing,
            cause=gap.cause,
            cause_zh=cause_zh,
        )
        if self._known and gap.track not in self._tracks:
            self._add(codes.TRACK_UNKNOWN, entry.key, gap.track, span, entry.seq, name=gap.track)
        track = self._tracks.setdefault(gap.track, _Track(holes=self._progress.holes))
        length_us = max(0, between_us(gap.from_time, gap.to_time))
        if gap.to_time < gap.from_time or abs(length_us - gap.missing_us) > GAP_TOLERANCE_US:
            self._add(codes.GAP_LENGTH_DIFFERS, entry.key, gap.track, span, entry.seq, missing=missing)
        transition = next((one for one in track.waiting if one.after_index == gap.after_index), None)
        if transition is not None:
            self._cover(entry, gap, transition)
            if _reached(transition):
                track.waiting.remove(transition)
        elif gap.after_index == track.index:
            track.ahead = track.ahead or self._after(track)
            self._cover(entry, gap, track.ahead)
        elif track.holes == self._progress.holes:
            self._add(codes.GAP_MISPLACED, entry.key, gap.track, span, entry.seq, after=gap.after_index)

    def _cover(self, entry: Entry, gap: Gap, transition: _Transition) -> None:
        if transition.covered is not None and abs(between_us(transition.covered, gap.from_time)) > GAP_TOLERANCE_US:
            span = Span(gap.from_time, gap.to_time)
            self._add(codes.GAP_START_DIFFERS, entry.key, gap.track, span, entry.seq)
        transition.covered = gap.to_time
        transition.gaps += 1

    def _close(self, record: CloseRecord) -> None:
        self._closed = True
        for name, track in self._tracks.items():
            for transition in track.waiting:
                hole = transition.holes != self._progress.holes
                self._undeclared(name, transition, codes.GAP_RECORD_MISSING if hole else codes.GAP_UNDECLARED)
            covered = track.ahead.covered if track.ahead is not None else track.end
            if covered is None:
                continue
            key = layout.record_key(record.session, record.seq)
            if between_us(covered, record.time) > END_TOLERANCE_US:
                hole = track.holes != self._progress.holes
                code = codes.GAP_RECORD_MISSING if hole else codes.FILM_ENDS_EARLY
                self._add(code, key, name, Span(covered, record.time), record.seq)
            elif track.ahead is not None and _beyond(covered, max(record.time, track.end or record.time)):
                self._add(codes.GAP_END_DIFFERS, key, name, Span(record.time, covered), record.seq)

    def _undeclared(self, track: str, transition: _Transition, code: Code) -> None:
        """Film goes on at `start` and nothing, or not enough, was declared up to there."""
        index = 0 if transition.after_index is None else transition.after_index + 1
        key = layout.media_key(self._progress.session, track, index)
        if transition.gaps and code is codes.GAP_UNDECLARED:
            self._add(codes.GAP_END_DIFFERS, key, track, Span(transition.end, transition.start))
        else:
            self._add(code, key, track, Span(transition.covered, transition.start))


def _beyond(covered: datetime, limit: datetime) -> bool:
    return between_us(limit, covered) > GAP_TOLERANCE_US


def _reached(transition: _Transition) -> bool:
    """Whether what was declared reaches to where the film goes on."""
    if transition.start is None or transition.covered is None or not transition.gaps:
        return False
    return abs(between_us(transition.covered, max(transition.start, transition.end or transition.start))) <= (
        GAP_TOLERANCE_US
    )
