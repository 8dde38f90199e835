"""What the records of a session say, added up: compared with the close record, and shown in the report."""

from dataclasses import dataclass, field
from datetime import datetime

from evidence_store.records import CloseRecord, Gap, GapCause, OpenRecord, SegmentRecord, TrackTotals
from evidence_store.verify.entry import Entry
from evidence_store.verify.film import AnyRecord, fragment_end

MAX_GAPS_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class DeclaredGap:
    """A gap as its record declares it."""

    track: str
    from_time: datetime
    to_time: datetime
    missing_us: int
    cause: GapCause
    detail: str


@dataclass(slots=True)
class TrackTally:
    """One track so far. Times and hash are None as long as it has no segment."""

    track: str
    segments: int = 0
    first_time: datetime | None = None
    last_time: datetime | None = None
    recorded_us: int = 0
    gaps: int = 0
    missing_us: int = 0
    last_segment_sha256: str | None = None

    def totals(self) -> TrackTotals:
        """As a close record states them."""
        return TrackTotals(
            track=self.track,
            segments=self.segments,
            first_time=self.first_time,
            last_time=self.last_time,
            recorded_us=self.recorded_us,
            gaps=self.gaps,
            missing_us=self.missing_us,
            last_segment_sha256=self.last_segment_sha256,
        )


@dataclass(slots=True)
class Tally:
    """The whole session so far. `records` counts those that could be read."""

    records: int = 0
    opened: OpenRecord | None = None
    closed: CloseRecord | None = None
    tracks: dict[str, TrackTally] = field(default_factory=dict)
    gaps: list[DeclaredGap] = field(default_factory=list)

    def record(self, _entry: Entry, record: AnyRecord) -> None:
        self.records += 1
        if isinstance(record, OpenRecord):
            self.opened = record
            for info in record.tracks:
                self.track(info.track)
        elif isinstance(record, SegmentRecord):
            self._segment(record)
        elif isinstance(record, CloseRecord):
            self.closed = record
        elif isinstance(record.event, Gap):
            self._gap(record.event)

    def track(self, track: str) -> TrackTally:
        return self.tracks.setdefault(track, TrackTally(track))

    def _segment(self, record: SegmentRecord) -> None:
        tally = self.track(record.track)
        tally.segments += 1
        tally.first_time = tally.first_time or record.fragments[0].time
        tally.last_time = fragment_end(record.fragments[-1])
        tally.recorded_us += sum(fragment.duration_us for fragment in record.fragments)
        tally.last_segment_sha256 = record.media.sha256

    def _gap(self, gap: Gap) -> None:
        tally = self.track(gap.track)
        tally.gaps += 1
        tally.missing_us += gap.missing_us
        if len(self.gaps) < MAX_GAPS_SHOWN:
            self.gaps.append(DeclaredGap(gap.track, gap.from_time, gap.to_time, gap.missing_us, gap.cause, gap.detail))
