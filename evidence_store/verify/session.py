"""Verifying a session: from its objects and the trust anchors to a report. Pure; reading is the source's business.

The folder is listed once, then the chain is walked record by record. Every rule sees each record in order; the objects
of the segments met meanwhile are judged through `mapper`, a few records' worth at a time, so that memory does not grow
with the length of the session. Which rules there are, and what each decides, stands at the top of its own file:

    inventory       what lies in the folder and is named by nobody
    rules_chain     numbers, parsing, `prev`, session, order
    rules_signing   signatures and certificates
    rules_clock     clocks that go back
    rules_session   beginning, end, totals
    rules_tracks    segments of a track
    rules_gaps      time that was not recorded
    rules_media     the bytes of one segment

A missing thing never counts as right: what could not be read counts as a hole (`Progress.holes`), and what a hole may
explain is incomplete, never OK.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

from evidence_store import layout
from evidence_store.errors import EvidenceError
from evidence_store.records import OpenRecord, SegmentRecord
from evidence_store.trust import TrustAnchors
from evidence_store.verify import codes
from evidence_store.verify.entry import Entry, Progress, load
from evidence_store.verify.film import AnyRecord, fragments_span
from evidence_store.verify.findings import Findings, finding
from evidence_store.verify.inventory import Inventory, report_unnamed, take_inventory
from evidence_store.verify.report import Facts, Report
from evidence_store.verify.rules_chain import ChainRules
from evidence_store.verify.rules_clock import ClockRules
from evidence_store.verify.rules_gaps import GapRules
from evidence_store.verify.rules_media import SegmentJob, check_segment
from evidence_store.verify.rules_session import SessionRules
from evidence_store.verify.rules_signing import SigningRules
from evidence_store.verify.rules_tracks import TrackRules
from evidence_store.verify.source import EvidenceSource
from evidence_store.verify.tally import Tally

LOOK_AHEAD = 32  # records that are read, and whose objects are judged, at the same time

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Mapper(Protocol):
    """How work on many things is spread: the built-in `map`, or `ThreadPoolExecutor.map`. Results come in order."""

    def __call__(self, function: Callable[[_Item], _Result], items: Iterable[_Item], /) -> Iterable[_Result]: ...


class Rule(Protocol):
    """Sees every record that is part of the chain, in order."""

    def record(self, entry: Entry, record: AnyRecord) -> None: ...


def verify_session(
    session: str, source: EvidenceSource, anchors: TrustAnchors | None, *, mapper: Mapper = map
) -> Report:
    """Judge one session. Raises FormatError for a `session` that is no session id, and nothing for what it finds."""
    layout.check_session_id(session)
    return _Verification(session, source, anchors, mapper).run()


class _Verification:
    def __init__(self, session: str, source: EvidenceSource, anchors: TrustAnchors | None, mapper: Mapper) -> None:
        self._session = session
        self._source = source
        self._mapper = mapper
        self._findings = Findings()
        progress = self._progress = Progress(session, self._findings)
        self._tally = Tally()
        self._chain = ChainRules(progress)
        self._signing = SigningRules(progress, source, anchors)
        self._session_rules = SessionRules(progress, anchors, self._tally)
        self._tracks = TrackRules(progress)
        self._gaps = GapRules(progress)
        self._rules: tuple[Rule, ...] = (
            self._tally,
            ClockRules(progress),
            self._session_rules,
            self._tracks,
            self._gaps,
        )
        self._sound: dict[str, str | None] = {}
        self._objects_checked = 0
        self._bytes_checked = 0

    def run(self) -> Report:
        key = layout.session_prefix(self._session)
        try:
            inventory = take_inventory(self._session, self._source, self._findings)
        except EvidenceError as error:
            self._findings.add(finding(codes.STORE_UNREADABLE, object_key=key, detail=str(error)))
            return self._report()
        if inventory.records.last < 0:
            self._findings.add(finding(codes.SESSION_MISSING, object_key=key))
        for numbers in _batches(inventory.records, LOOK_AHEAD):
            self._check_batch(inventory, numbers)
        self._finish(inventory)
        return self._report()

    def _check_batch(self, inventory: Inventory, numbers: list[int]) -> None:
        jobs: list[SegmentJob] = []
        for entry in self._mapper(partial(load, self._session, self._source, inventory), numbers):
            record = self._chain.follow(entry)
            self._signing.check(entry)
            if record is None:
                continue
            for rule in self._rules:
                rule.record(entry, record)
            if isinstance(record, OpenRecord):
                self._sound = {info.track: info.audio for info in record.tracks}
            elif isinstance(record, SegmentRecord) and _names_its_own(record):
                if record.media.key in inventory.altered:
                    inventory.altered.remove(record.media.key)
                    self._report_rewritten(entry, record)
                too_large = record.media.key in inventory.too_large
                jobs.append(SegmentJob(entry.seq, record, self._sound.get(record.track), too_large))
        for result in self._mapper(partial(check_segment, self._source), jobs):
            self._objects_checked += 1
            self._bytes_checked += result.bytes_checked
            for found in result.findings:
                self._findings.add(found)

    def _report_rewritten(self, entry: Entry, record: SegmentRecord) -> None:
        span = fragments_span(record.fragments)
        found = finding(
            codes.OBJECT_REWRITTEN, object_key=record.media.key, seq=entry.seq, track=record.track, span=span
        )
        self._findings.add(found)

    def _finish(self, inventory: Inventory) -> None:
        for key in sorted(inventory.altered):
            self._findings.add(finding(codes.OBJECT_REWRITTEN, object_key=key))
        last_record = self._chain.state.next_seq - 1
        self._chain.end(inventory.signatures.last)
        self._signing.end()
        self._session_rules.end()
        self._gaps.end()
        report_unnamed(
            self._session,
            inventory,
            self._tracks.named(),
            last_record=last_record,
            closed=self._chain.state.closed,
            holes=self._progress.holes,
            findings=self._findings,
        )

    def _report(self) -> Report:
        return Report(
            session=self._session,
            verdict=self._findings.verdict,
            findings=self._findings.sorted(),
            findings_left_out=self._findings.left_out(),
            facts=Facts.of(self._tally, objects_checked=self._objects_checked, bytes_checked=self._bytes_checked),
        )


def _names_its_own(record: SegmentRecord) -> bool:
    """Whether the record names the object of its own segment; no other object is read for it."""
    return record.media.key == layout.media_key(record.session, record.track, record.index)


def _batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
