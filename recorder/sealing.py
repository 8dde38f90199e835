"""Sealing: turning what was recorded into signed records of a chain, while recording.

Hashes run as bytes pass, so nothing is left to do after "stop". One `Sealer` per session, used by one thread.
The same code seals a segment that was cut in the ordinary way and one that recovery found.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

from evidence_store import layout
from evidence_store.chain import ChainState
from evidence_store.errors import ChainError
from evidence_store.media import FragmentBoxes, Init, to_us
from evidence_store.records import (
    FORMAT,
    CloseRecord,
    EventRecord,
    Fragment,
    Gap,
    GapCause,
    Levels,
    Media,
    OpenRecord,
    Resumed,
    SampleCounts,
    SegmentRecord,
    TrackTotals,
    from_us,
    parse_record,
    record_bytes,
    sha256_hex,
)
from evidence_store.records import to_us as time_us
from evidence_store.signing import Signer, verify_signature
from recorder.clock import Clock
from recorder.spool import SessionSpool

R = TypeVar("R", OpenRecord, SegmentRecord, EventRecord, CloseRecord)
NO_LEVELS = Levels(sound=None, picture=None)


@dataclass(slots=True)
class OpenSegment:
    """What is known of a segment whose record is not written yet."""

    track: str
    run: int
    index: int
    init: Init
    init_sha256: str
    sha256: Any
    size_bytes: int
    fragments: list[Fragment] = field(default_factory=list)

    @property
    def length_us(self) -> int:
        return sum(fragment.duration_us for fragment in self.fragments)

    def add(self, data: bytes | memoryview, boxes: FragmentBoxes) -> None:
        """Take in a whole fragment that stands at the segment's end."""
        self.sha256.update(data)
        self.fragments.append(_fragment(data, boxes, self.init))
        self.size_bytes += len(data)


@dataclass(slots=True)
class TrackTally:
    """What the records so far say of one track."""

    track: str
    segments: int = 0
    next_run: int = 0
    first_time: datetime | None = None
    last_time: datetime | None = None
    recorded_us: int = 0
    gaps: int = 0
    missing_us: int = 0
    last_segment_sha256: str | None = None

    def add_segment(self, record: SegmentRecord) -> None:
        self.segments = record.index + 1
        self.next_run = record.run + 1
        self.first_time = self.first_time or record.fragments[0].time
        self.last_time = fragment_end(record.fragments[-1])
        self.recorded_us += sum(fragment.duration_us for fragment in record.fragments)
        self.last_segment_sha256 = record.media.sha256

    def add_gap(self, gap: Gap) -> None:
        self.gaps += 1
        self.missing_us += gap.missing_us

    def totals(self) -> TrackTotals:
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


class Sealer:
    """Writes the records of one session. Every method that makes a record leaves it durable."""

    def __init__(self, spool: SessionSpool, signer: Signer, clock: Clock) -> None:
        self._spool = spool
        self._signer = signer
        self._signer_id = signer.id
        self._clock = clock
        self._chain = ChainState(spool.session)
        self.opened: OpenRecord | None = None
        self.tallies: dict[str, TrackTally] = {}
        self.active_until: datetime | None = None  # segments apart, whose records recovery writes long after the film
        self.active_boot: str | None = None  # of when recording was begun or taken up last

    @property
    def session(self) -> str:
        return self._spool.session

    @property
    def records(self) -> int:
        return self._chain.next_seq

    @property
    def closed(self) -> bool:
        return self._chain.closed

    def load(self) -> None:
        """Take up the chain where the spool has it; raises FormatError or ChainError when it does not hold."""
        for _seq, data, _signature in self._spool.records():
            self._read(data)
        seq = self._chain.next_seq
        drafted = self._spool.drafted(seq)
        if drafted is not None and verify_signature(self._signer.certificate, drafted[1], drafted[0]):
            self._spool.accept_draft(seq)
            self._read(drafted[0])

    def open(self, **values: Any) -> OpenRecord:
        return self._write(OpenRecord(**self._envelope(), type="open", **values))

    def event(self, event: Any) -> EventRecord:
        """`event` is one of the event models of evidence_store.records."""
        return self._write(EventRecord(**self._envelope(), type="event", event=event))

    def gap(self, track: str, to_time: datetime, cause: GapCause, detail: str) -> None:
        """Declare that `track` was not recorded from its last picture (or the session's start) until `to_time`."""
        tally = self.tallies[track]
        from_time = tally.last_time or self._opened().time
        missing_us = max(0, time_us(to_time) - time_us(from_time))
        self.event(
            Gap.model_validate(
                {
                    "kind": "gap",
                    "track": track,
                    "after_index": tally.segments - 1 if tally.segments else None,
                    "from": from_time,
                    "to": max(to_time, from_time),
                    "missing_us": missing_us,
                    "cause": cause,
                    "detail": detail[:2000],
                }
            )
        )

    def seal(self, segment: OpenSegment) -> SegmentRecord:
        """The record of a segment whose bytes are durable."""
        return self._write(
            SegmentRecord(
                **self._envelope(),
                type="segment",
                track=segment.track,
                run=segment.run,
                index=segment.index,
                media=Media(
                    key=layout.media_key(self.session, segment.track, segment.index),
                    bytes=segment.size_bytes,
                    sha256=segment.sha256.hexdigest(),
                    init_bytes=segment.init.bytes,
                    init_sha256=segment.init_sha256,
                    mime=segment.init.mime,
                ),
                fragments=tuple(segment.fragments),
                clock=self._clock.state(),
                levels=NO_LEVELS,
            )
        )

    def close(self, reason: Literal["operator", "limit", "recovered"], detail: str) -> CloseRecord:
        totals = tuple(self.tallies[track].totals() for track in sorted(self.tallies))
        return self._write(
            CloseRecord(
                **self._envelope(), type="close", reason=reason, detail=detail, records=self.records + 1, tracks=totals
            )
        )

    def _read(self, data: bytes) -> None:
        record = parse_record(data, where=layout.record_key(self.session, self._chain.next_seq))
        self._chain = self._chain.extend(record, record.type, data)
        self._take_in(record)

    def _opened(self) -> OpenRecord:
        if self.opened is None:
            raise ChainError("has no open record", where=self.session)
        return self.opened

    def _envelope(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "session": self.session,
            "seq": self._chain.next_seq,
            "prev": self._chain.prev,
            "time": from_us(self._clock.utc_us()),
            "monotonic_us": self._clock.monotonic_us(),
            "boot": self._clock.boot_id(),
            "signer": self._signer_id,
        }

    def _write(self, record: R) -> R:
        data = record_bytes(record)
        chain = self._chain.extend(record, record.type, data)
        self._spool.write_record(record.seq, data, self._signer.sign(data))
        self._chain = chain
        self._take_in(record)
        return record

    def _take_in(self, record: OpenRecord | SegmentRecord | EventRecord | CloseRecord) -> None:
        if not isinstance(record, SegmentRecord):
            self.active_until = record.time
        if isinstance(record, OpenRecord):
            self.opened = record
            self.active_boot = record.boot
            self.tallies = {track.track: TrackTally(track.track) for track in record.tracks}
        elif isinstance(record, SegmentRecord):
            self.tallies[record.track].add_segment(record)
        elif isinstance(record, EventRecord) and isinstance(record.event, Gap):
            self.tallies[record.event.track].add_gap(record.event)
        elif isinstance(record, EventRecord) and isinstance(record.event, Resumed):
            self.active_boot = record.boot


def new_segment(track: str, run: int, index: int, init_bytes: bytes, init: Init) -> OpenSegment:
    """A segment that holds its init and no fragment yet."""
    return OpenSegment(track, run, index, init, sha256_hex(init_bytes), hashlib.sha256(init_bytes), len(init_bytes))


def fragment_end(fragment: Fragment) -> datetime:
    return from_us(time_us(fragment.time) + fragment.duration_us)


def _fragment(data: bytes | memoryview, boxes: FragmentBoxes, init: Init) -> Fragment:
    """What the record says of a fragment: read from its own boxes, so that both always agree."""
    video = next(run for run in boxes.runs if run.track_id == init.video.id)  # media.py lets no other pass
    audio = next((run.samples for run in boxes.runs if run is not video), 0)
    start_us = to_us(video.start, init.video.timescale)
    return Fragment(
        offset=boxes.offset,
        bytes=boxes.bytes,
        sha256=sha256_hex(data),
        time=from_us(boxes.utc_us),
        media_start_us=start_us,
        duration_us=to_us(video.start + video.duration, init.video.timescale) - start_us,
        keyframe=video.starts_with_sync,
        samples=SampleCounts(video=video.samples, audio=audio),
    )
