"""Rules of the recorder's clocks.

1. Within one boot the monotonic clock never goes back.
2. Within one boot the time of records, and within one track the time of fragments, never goes back by more than the
   stated state of the clock allows: offset and uncertainty before and after, since a correction may take out both.
3. A clock that says it is not synchronised promises nothing: being set back is then reported and holds against nobody.
"""

from dataclasses import dataclass

from evidence_store.records import ClockState, OpenRecord, SegmentRecord
from evidence_store.verify import codes
from evidence_store.verify.entry import Entry, Progress
from evidence_store.verify.film import AnyRecord, between_us
from evidence_store.verify.findings import Span, finding, seconds


def allowed_back_us(before: ClockState | None, after: ClockState | None) -> int | None:
    """By how much the clock may have been set back between two moments; None: by any amount."""
    allowed_us = 0
    for state in (before, after):
        if state is not None:
            if not state.synchronized:
                return None
            allowed_us += abs(state.offset_us) + state.uncertainty_us
    return allowed_us


@dataclass(slots=True)
class _Moment:
    record: AnyRecord
    clock: ClockState | None


class ClockRules:
    """Rules 1 and 2 for records. Those for fragments are where tracks are followed."""

    def __init__(self, progress: Progress) -> None:
        self._findings = progress.findings
        self._last: _Moment | None = None

    def record(self, entry: Entry, record: AnyRecord) -> None:
        known = self._last.clock if self._last else None
        own = record.clock if isinstance(record, OpenRecord | SegmentRecord) else None
        if self._last is not None and self._last.record.boot == record.boot:
            self._compare(entry, self._last.record, record, allowed_back_us(known, own))
        self._last = _Moment(record, own or known)

    def _compare(self, entry: Entry, before: AnyRecord, record: AnyRecord, allowed_us: int | None) -> None:
        span = Span(record.time, before.time)
        back_us = before.monotonic_us - record.monotonic_us
        if back_us > 0:
            found = finding(
                codes.MONOTONIC_BACKWARDS, object_key=entry.key, seq=entry.seq, span=span, back=seconds(back_us)
            )
            self._findings.add(found)
        back_us = between_us(record.time, before.time)
        if back_us > (allowed_us or 0):
            code = codes.CLOCK_SET_BACK if allowed_us is None else codes.CLOCK_BACKWARDS
            found = finding(
                code,
                object_key=entry.key,
                seq=entry.seq,
                span=span,
                back=seconds(back_us),
                allowed=seconds(allowed_us or 0),
            )
            self._findings.add(found)
