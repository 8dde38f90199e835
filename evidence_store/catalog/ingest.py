"""Takes records into the catalog, in any order of arrival.

A record is taken when it agrees with what is known of its session by then: the record before it, the record after it,
where the session closes, which segments there are. What comes later is held against it in turn, so the records of one
chain end in the same rows whatever the order. What is not stated yet is null.

Order inside a transaction: the sessions first, which locks them against every other writer of the same chain; then
certificates and cases, which sessions share; each table in the order of its keys. So no writers wait for each other.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, insert, select, tuple_, update

from evidence_store.catalog import rows
from evidence_store.catalog.admission import Admitted
from evidence_store.catalog.models import Case, Certificate, Event, Record, Segment, Session, Track
from evidence_store.catalog.upsert import upsert
from evidence_store.chain import ChainState
from evidence_store.errors import ChainError, EvidenceError
from evidence_store.records import CloseRecord, EventRecord, OpenRecord, SegmentRecord, to_us


@dataclass(frozen=True, slots=True)
class IngestResult:
    """A record that is in the catalog; `new` is False when it was there before."""

    session: str
    seq: int
    type: str
    sha256: str
    new: bool


def take(connection: Connection, items: Sequence[Admitted]) -> list[IngestResult | EvidenceError]:
    """One outcome for each item, in their order: taken, or why not. Holds at most one row of a session per item."""
    known = _lock_sessions(connection, items)
    batch = _Batch()
    outcomes: list[IngestResult | EvidenceError] = []
    for item in items:
        record = item.record
        try:
            new = known[record.session].accept(item)
            if new:
                batch.add(item)
        except EvidenceError as error:
            outcomes.append(error)
        else:
            outcomes.append(IngestResult(record.session, record.seq, record.type, item.sha256, new))
    batch.write(connection, known)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Link:
    sha256: str
    prev: str


@dataclass(slots=True)
class _Known:
    """What the catalog knows of a session, as far as the records at hand touch it."""

    began_us: int
    close_seq: int | None
    last_seq: int
    links: dict[int, _Link]
    segments: dict[tuple[str, int], int]

    def accept(self, item: Admitted) -> bool:
        """Whether the record is new here; raises ChainError when it contradicts what is known."""
        record = item.record
        same = self.links.get(record.seq)
        if same is not None:
            if same.sha256 != item.sha256:
                raise ChainError("other bytes are known under this number", where=item.where)
            return False
        before, after = self.links.get(record.seq - 1), self.links.get(record.seq + 1)
        state = ChainState(
            record.session,
            record.seq,
            before.sha256 if before else record.prev,
            closed=self.close_seq is not None and self.close_seq < record.seq,
        ).extend(record, record.type, item.data)
        if after is not None and after.prev != state.prev:
            raise ChainError("the record after it names the hash of other bytes", where=item.where)
        if state.closed and self.last_seq > record.seq:
            raise ChainError(f"closes the session before its record {self.last_seq}", where=item.where)
        if isinstance(record, SegmentRecord):
            seq = self.segments.setdefault((record.track, record.index), record.seq)
            if seq != record.seq:
                raise ChainError(
                    f"record {seq} states segment {record.index} of track {record.track} already", where=item.where
                )
        self.links[record.seq] = _Link(item.sha256, record.prev)
        self.last_seq = max(self.last_seq, record.seq)
        self.began_us = min(self.began_us, to_us(record.time))
        if state.closed:
            self.close_seq = record.seq
        return True


def _lock_sessions(connection: Connection, items: Sequence[Admitted]) -> dict[str, _Known]:
    """The sessions of these records, made where they are new, locked until the transaction ends.

    A new session is never left without a record: nothing is known of it that its first record could contradict.
    """
    by_session: defaultdict[str, list[Admitted]] = defaultdict(list)
    for item in items:
        by_session[item.record.session].append(item)
    ids = sorted(by_session)
    first = [{"id": session, "began_us": to_us(by_session[session][0].record.time)} for session in ids]
    upsert(connection, Session, first)
    locked = select(Session.id, Session.began_us, Session.close_seq).where(Session.id.in_(ids)).order_by(Session.id)
    return {
        row.id: _known(connection, row.id, row.began_us, row.close_seq, by_session[row.id])
        for row in connection.execute(locked.with_for_update()).all()
    }


def _known(
    connection: Connection, session: str, began_us: int, close_seq: int | None, items: Iterable[Admitted]
) -> _Known:
    seqs = {item.record.seq + step for item in items for step in (-1, 0, 1)}
    places = [(item.record.track, item.record.index) for item in items if isinstance(item.record, SegmentRecord)]
    last_seq = connection.scalar(select(func.max(Record.seq)).where(Record.session == session))
    links = connection.execute(
        select(Record.seq, Record.sha256, Record.prev).where(Record.session == session, Record.seq.in_(seqs))
    )
    segments = connection.execute(
        select(Segment.track, Segment.index, Segment.seq).where(
            Segment.session == session, tuple_(Segment.track, Segment.index).in_(places)
        )
    )
    return _Known(
        began_us,
        close_seq,
        -1 if last_seq is None else last_seq,
        {seq: _Link(sha256, prev) for seq, sha256, prev in links},
        {(track, index): seq for track, index, seq in segments},
    )


@dataclass(slots=True)
class _Batch:
    """Rows of the accepted records, table by table."""

    certificates: dict[str, rows.Row] = field(default_factory=dict)
    cases: set[str] = field(default_factory=set)
    sessions: defaultdict[str, rows.Row] = field(default_factory=lambda: defaultdict(dict))
    tracks: list[rows.Row] = field(default_factory=list)
    opened_tracks: list[rows.Row] = field(default_factory=list)
    closed_tracks: list[rows.Row] = field(default_factory=list)
    records: list[rows.Row] = field(default_factory=list)
    segments: list[rows.Row] = field(default_factory=list)
    events: list[rows.Row] = field(default_factory=list)

    def add(self, item: Admitted) -> None:
        record = item.record
        if record.signer not in self.certificates:
            self.certificates[record.signer] = rows.certificate_row(item)
        self.records.append(rows.record_row(item))
        session = self.sessions[record.session]
        match record:
            case OpenRecord():
                if record.case is not None:
                    self.cases.add(record.case)
                session |= rows.opened_values(record)
                self.opened_tracks += [
                    rows.opened_track_row(record, position, track) for position, track in enumerate(record.tracks)
                ]
            case SegmentRecord():
                self.tracks.append(rows.track_key(record, record.track))
                self.segments.append(rows.segment_row(record))
            case EventRecord():
                self.events.append(rows.event_row(record))
            case CloseRecord():
                session |= rows.closed_values(record)
                self.closed_tracks += [rows.closed_track_row(record, totals) for totals in record.tracks]

    def write(self, connection: Connection, known: dict[str, _Known]) -> None:
        upsert(connection, Certificate, self.certificates.values())
        upsert(connection, Case, [{"number": number} for number in self.cases])
        for session, stated in self.sessions.items():
            values = stated | {"began_us": known[session].began_us}
            connection.execute(update(Session).where(Session.id == session).values(values))
        upsert(connection, Track, self.tracks)
        upsert(connection, Track, self.opened_tracks, update=("position", "camera", "role", "sound", "video", "audio"))
        upsert(
            connection,
            Track,
            self.closed_tracks,
            update=(
                *("segments", "first_time_us", "last_time_us"),
                *("recorded_us", "gaps", "missing_us", "last_segment_sha256"),
            ),
        )
        for table, new in ((Record, self.records), (Segment, self.segments), (Event, self.events)):
            if new:
                connection.execute(insert(table), new)
