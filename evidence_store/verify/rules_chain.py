"""Rules of the chain: every record parses and follows the one before it (`chain.ChainState` says what that means).

1. Numbers run from 0 without a hole. A missing record, or one that is listed and cannot be found, makes the session
   incomplete; the finding lies between the times of its readable neighbours.
2. A record that does not parse is NOT_OK. One whose `format` is another version of this format cannot be judged; its
   bytes still have to be those whose hash the next record names, and its signature has to hold.
3. Session, number, `prev` and type are those that are due. After a record that could not be read, `prev` is unknown
   and the next record is believed.
4. A record of another session, one after the close and an `open` that is not the first are reported and otherwise
   ignored: what they name counts as named by nobody.
5. A record that states another number than its key has is reported, and what it says is still checked against the
   store, so that every other finding keeps its place in time.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from evidence_store import layout
from evidence_store.chain import ChainRule, ChainState
from evidence_store.records import UnknownFormatError
from evidence_store.verify import codes
from evidence_store.verify.entry import Entry, Progress
from evidence_store.verify.film import AnyRecord, joined, record_span
from evidence_store.verify.findings import NOWHERE, Code, Span, finding
from evidence_store.verify.source import Absence


class ChainRules:
    """Follows the chain record by record; `state` says where it stands."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._findings = progress.findings
        self._prev_known = True
        self._time: datetime | None = None  # of the last readable record
        self._span: Span = NOWHERE  # of the film it speaks of
        self.state = ChainState(progress.session)

    def follow(self, entry: Entry) -> AnyRecord | None:
        """Take the next entry; the answer is its record if the other rules are to judge it."""
        if entry.seq > self.state.next_seq:
            self._missing(self.state.next_seq, entry.seq - 1)
        record = entry.record
        if record is None:
            self._unreadable(entry)
            return None
        if record.session != self.state.session:
            self._foreign(entry, record)
            return None
        self._findings.reach(record.time)
        if not self._prev_known:
            self.state = replace(self.state, prev=record.prev)
        ignored = self._report_faults(entry, record)
        self._time, self._span = record.time, record_span(record)
        self._prev_known = True
        self.state = self.state.after("ignored" if ignored else record.type, entry.sha256)
        return None if ignored else record

    def end(self, last_signature: int) -> None:
        """After the last record; signatures up to `last_signature` are there."""
        if not self.state.closed and last_signature >= self.state.next_seq:
            self._missing(self.state.next_seq, last_signature)

    def _missing(self, first: int, last: int) -> None:
        key = layout.record_key(self._progress.session, first)
        self._lost(codes.RECORD_MISSING, key, first, first=first, last=last)
        self.state = replace(self.state, next_seq=last + 1)
        self._prev_known = False

    def _unreadable(self, entry: Entry) -> None:
        seq, key = entry.seq, entry.key
        if entry.stored.absence is Absence.MISSING:
            self._missing(seq, seq)
            return
        if entry.stored.absence is Absence.UNREADABLE:
            self._lost(codes.OBJECT_UNREADABLE, key, seq, detail=entry.stored.detail)
            self._prev_known = False
        else:
            unknown = isinstance(entry.fault, UnknownFormatError)
            code = codes.FORMAT_UNKNOWN if unknown else codes.RECORD_MALFORMED
            self._lost(code, key, seq, detail=entry.fault.what if entry.fault else "")
            self._prev_known = entry.stored.absence is None
        self.state = self.state.after("unreadable", entry.sha256)

    def _foreign(self, entry: Entry, record: AnyRecord) -> None:
        self._lost(codes.RECORD_OF_OTHER_SESSION, entry.key, entry.seq, other=record.session)
        self._prev_known = True
        self.state = self.state.after("foreign", entry.sha256)

    def _lost(self, code: Code, key: str, seq: int, **values: Any) -> None:
        """Something that the chain has here cannot be used: from the record before it to the one after it."""
        self._progress.holes += 1
        found = finding(code, object_key=key, seq=seq, span=Span(self._time), **values)
        self._findings.add(found, until_next_record=True)

    def _report_faults(self, entry: Entry, record: AnyRecord) -> bool:
        """Report what the record breaks; True if the other rules are to ignore it."""
        span = record_span(record)
        for rule, _ in self.state.faults(record, record.type):
            values: dict[str, Any] = {}
            where = span
            if rule is ChainRule.NUMBER:
                code = codes.RECORD_NUMBER_DIFFERS
                values = {"due": self.state.next_seq, "stated": record.seq}
            elif rule is ChainRule.PREV:
                code, where = codes.RECORD_PREV_DIFFERS, joined(self._span, span)
            elif rule is ChainRule.OPEN:
                code = codes.RECORD_AFTER_CLOSE
            else:
                code, values = codes.RECORD_OUT_OF_ORDER, {"kind": record.type}
            self._findings.add(finding(code, object_key=entry.key, seq=entry.seq, span=where, **values))
        return self.state.closed or (record.type == "open" and entry.seq != 0)
