"""Rules of a session's beginning and end.

1. The session's id begins with site and room of its open record, and the trust anchors are that site's.
2. The open record names each track once.
3. A session without a close record is incomplete: what came last may be missing.
4. The close record counts all records, itself included, and states for every track of the open record, once each, what
   the records add up to. Where records are missing, totals that are not reached are one more sign of that.
5. A close written after a failure (`recovered`) is reported; it is no fault.
"""

from evidence_store import layout
from evidence_store.records import CloseRecord, OpenRecord
from evidence_store.trust import TrustAnchors
from evidence_store.verify import codes
from evidence_store.verify.entry import Entry, Progress
from evidence_store.verify.film import AnyRecord
from evidence_store.verify.findings import Code, Finding, Span, finding
from evidence_store.verify.tally import Tally, TrackTally

_ID_TAIL_CHARACTERS = len("-20261123T013000Z-7f3a")


class SessionRules:
    """Judges open and close; `tally` has taken in every record before this rule does."""

    def __init__(self, progress: Progress, anchors: TrustAnchors | None, tally: Tally) -> None:
        self._progress = progress
        self._anchors = anchors
        self._tally = tally

    def record(self, entry: Entry, record: AnyRecord) -> None:
        if isinstance(record, OpenRecord):
            self._open(entry, record)
        elif isinstance(record, CloseRecord):
            self._close(entry, record)

    def end(self) -> None:
        if self._tally.closed is None:
            ends = [tally.last_time for tally in self._tally.tracks.values() if tally.last_time]
            key = layout.session_prefix(self._progress.session)
            self._add(finding(codes.CLOSE_MISSING, object_key=key, span=Span(max(ends, default=None))))

    def _add(self, found: Finding) -> None:
        self._progress.findings.add(found)

    def _open(self, entry: Entry, record: OpenRecord) -> None:
        span = Span(record.time, record.time)
        key, seq = entry.key, entry.seq
        if self._progress.session[:-_ID_TAIL_CHARACTERS] != f"{record.site}-{record.room}":
            site, room = record.site, record.room
            self._add(finding(codes.SESSION_NAME_DIFFERS, object_key=key, seq=seq, span=span, site=site, room=room))
        if self._anchors is not None and self._anchors.site != record.site:
            anchored = self._anchors.site
            self._add(
                finding(codes.SITE_DIFFERS, object_key=key, seq=seq, span=span, site=record.site, anchored=anchored)
            )
        names = [info.track for info in record.tracks]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._add(finding(codes.TRACK_TWICE, object_key=key, seq=seq, track=name, span=span, name=name))

    def _close(self, entry: Entry, record: CloseRecord) -> None:
        holes = self._progress.holes > 0
        code = codes.TOTALS_INCOMPLETE if holes else codes.TOTALS_DIFFER
        span = Span(record.time, record.time)
        if record.reason == "recovered":
            self._add(finding(codes.CLOSE_RECOVERED, object_key=entry.key, seq=entry.seq, span=span))
        if record.records != entry.seq + 1:
            self._add(finding(code, object_key=entry.key, seq=entry.seq, span=span, fields="records"))
        self._compare_tracks(entry, record, code)

    def _compare_tracks(self, entry: Entry, record: CloseRecord, code: Code) -> None:
        stated = {totals.track: totals for totals in record.tracks}
        if len(stated) != len(record.tracks) or set(stated) != set(self._tally.tracks):
            span = Span(record.time, record.time)
            self._add(finding(code, object_key=entry.key, seq=entry.seq, span=span, fields="tracks"))
        for track, totals in stated.items():
            tally = self._tally.tracks.get(track) or TrackTally(track)
            found = tally.totals()
            fields = [name for name in type(found).model_fields if getattr(found, name) != getattr(totals, name)]
            if fields:
                self._add(
                    finding(
                        code,
                        object_key=entry.key,
                        seq=entry.seq,
                        track=track,
                        span=Span(tally.last_time or record.time, totals.last_time or record.time),
                        fields=", ".join(fields),
                    )
                )
