"""From records to rows. Pure: a record gives the same rows whenever it arrives and whatever arrived before it."""

from typing import Any

from evidence_store.catalog.admission import Admitted, segment_duration_us
from evidence_store.records import (
    CloseRecord,
    Envelope,
    EventRecord,
    Gap,
    OpenRecord,
    Resumed,
    SegmentRecord,
    TrackInfo,
    TrackTotals,
    to_us,
)
from evidence_store.strict_json import canonical_bytes

Row = dict[str, Any]


def certificate_row(item: Admitted) -> Row:
    return {
        "sha256": item.record.signer,
        "subject": item.subject,
        "not_before_us": to_us(item.certificate.not_valid_before_utc),
        "not_after_us": to_us(item.certificate.not_valid_after_utc),
    }


def record_row(item: Admitted) -> Row:
    record = item.record
    return {
        "session": record.session,
        "seq": record.seq,
        "type": record.type,
        "time_us": to_us(record.time),
        "sha256": item.sha256,
        "prev": record.prev,
        "signer": record.signer,
        "size_bytes": len(item.data),
    }


def opened_values(record: OpenRecord) -> Row:
    """What `open` states of its session."""
    return {
        "site": record.site,
        "room": record.room,
        "case_number": record.case,
        "no_case_reason": record.no_case_reason,
        "operator": record.operator,
        "opened_us": to_us(record.time),
        "pre_roll_us": record.pre_roll_us,
        "follows": record.follows,
    }


def closed_values(record: CloseRecord) -> Row:
    """What `close` states of its session."""
    return {"closed_us": to_us(record.time), "close_reason": record.reason, "close_seq": record.seq}


def opened_track_row(record: OpenRecord, position: int, track: TrackInfo) -> Row:
    return {
        **track_key(record, track.track),
        "position": position,
        "camera": track.camera,
        "role": track.role,
        "sound": track.sound,
        "video": track.video,
        "audio": track.audio,
    }


def closed_track_row(record: CloseRecord, totals: TrackTotals) -> Row:
    return {
        **track_key(record, totals.track),
        "segments": totals.segments,
        "first_time_us": None if totals.first_time is None else to_us(totals.first_time),
        "last_time_us": None if totals.last_time is None else to_us(totals.last_time),
        "recorded_us": totals.recorded_us,
        "gaps": totals.gaps,
        "missing_us": totals.missing_us,
        "last_segment_sha256": totals.last_segment_sha256,
    }


def track_key(record: Envelope, track: str) -> Row:
    return {"session": record.session, "track": track}


def segment_row(record: SegmentRecord) -> Row:
    first = record.fragments[0]
    return {
        **track_key(record, record.track),
        "index": record.index,
        "run": record.run,
        "seq": record.seq,
        "key": record.media.key,
        "size_bytes": record.media.bytes,
        "init_bytes": record.media.init_bytes,
        "sha256": record.media.sha256,
        "mime": record.media.mime,
        "first_time_us": to_us(first.time),
        "duration_us": segment_duration_us(record),
        "media_start_us": first.media_start_us,
        "fragments": len(record.fragments),
    }


def event_row(record: EventRecord) -> Row:
    event = record.event
    gap = event if isinstance(event, Gap) else None
    return {
        "session": record.session,
        "seq": record.seq,
        "kind": event.kind,
        "time_us": to_us(record.time),
        "track": getattr(event, "track", None),
        "from_us": gap and to_us(gap.from_time),
        "to_us": gap and to_us(gap.to_time),
        "missing_us": gap and gap.missing_us,
        "cause": event.cause if isinstance(event, Gap | Resumed) else None,
        "detail": canonical_bytes(event.model_dump(mode="json", by_alias=True)).decode(),
    }
