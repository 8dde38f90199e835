"""Places in the film: which UTC span a fragment, a segment or a record touches. Hostile lengths do not overflow."""

from datetime import UTC, datetime, timedelta

from evidence_store.records import CloseRecord, EventRecord, Fragment, Gap, OpenRecord, SegmentRecord, to_us
from evidence_store.verify.findings import Span

AnyRecord = OpenRecord | SegmentRecord | EventRecord | CloseRecord

_LATEST = datetime.max.replace(tzinfo=UTC)


def later(time: datetime, length_us: int) -> datetime:
    """`time` plus a length that is not negative; the last day of the calendar if there is no such day."""
    try:
        return time + timedelta(microseconds=length_us)
    except OverflowError:
        return _LATEST


def between_us(earlier: datetime, after: datetime) -> int:
    """How much later `after` is; negative if it is not."""
    return to_us(after) - to_us(earlier)


def fragment_end(fragment: Fragment) -> datetime:
    return later(fragment.time, fragment.duration_us)


def fragments_span(fragments: tuple[Fragment, ...]) -> Span:
    """From the first picture of the first to the end of the last."""
    return Span(fragments[0].time, fragment_end(fragments[-1]))


def record_span(record: AnyRecord) -> Span:
    """The film a record speaks of: a segment's or a gap's span, else the moment at which it was written."""
    if isinstance(record, SegmentRecord):
        return fragments_span(record.fragments)
    if isinstance(record, EventRecord) and isinstance(record.event, Gap):
        return Span(record.event.from_time, record.event.to_time)
    return Span(record.time, record.time)


def joined(first: Span, second: Span) -> Span:
    """From the earlier start to the later end, as far as they are known."""
    starts = [span.start for span in (first, second) if span.start]
    ends = [span.end for span in (first, second) if span.end]
    return Span(min(starts, default=None), max(ends, default=None))


def tiles(record: SegmentRecord) -> bool:
    """Whether init and fragments, as stated, fill the segment exactly and in order."""
    position = record.media.init_bytes
    for fragment in record.fragments:
        if fragment.offset != position:
            return False
        position += fragment.bytes
    return position == record.media.bytes
