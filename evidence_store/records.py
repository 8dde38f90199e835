"""Records: the signed JSON statements of a session's chain (docs/evidence-format.md, "Records").

Pure: bytes in, values out. The stored bytes are what is signed and hashed; a record is parsed once, at the edge, and
never written again from its parsed form.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
)

from evidence_store import layout
from evidence_store.errors import FormatError
from evidence_store.strict_json import canonical_bytes, parse_object

FORMAT = "shilu-record/1"
_FORMAT_FAMILY = "shilu-record/"
ZERO_HASH = "0" * 64
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):\d{2}:\d{2}\.\d{6}Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnknownFormatError(FormatError):
    """A record of another version of the format, which this program cannot read: nothing can be said of it."""


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with six decimals."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> datetime:
    """The time in the one spelling the format allows; raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError("a time must look like 2026-11-23T01:30:00.000000Z")
    return datetime.fromisoformat(text)


def to_us(value: datetime) -> int:
    """Microseconds since 1970 (exact: no floating point)."""
    return (value - _EPOCH) // timedelta(microseconds=1)


def from_us(value_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value_us)


def sha256_hex(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _time_in(value: object) -> object:
    return parse_time(value) if isinstance(value, str) else value


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without a zone")
    return value.astimezone(UTC)


UtcTime = Annotated[
    datetime, BeforeValidator(_time_in), AfterValidator(_utc), PlainSerializer(format_time, return_type=str)
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Id = Annotated[str, AfterValidator(lambda value: layout.check_id(value, name="id"))]
SessionId = Annotated[str, AfterValidator(layout.check_session_id)]
CaseNumber = Annotated[str, AfterValidator(layout.check_case_number)]
Text = Annotated[str, Field(max_length=2000)]
Line = Annotated[str, Field(max_length=200)]
Count = Annotated[int, Field(ge=0)]
DurationUs = Annotated[int, Field(ge=0)]

GapCause = Literal[
    "camera_lost",
    "camera_restarted",
    "stream_damaged",
    "recorder_restarted",
    "power_lost",
    "disk_full",
    "disk_error",
    "overload",
]
AlarmKind = Literal[
    "picture_black",
    "picture_covered",
    "picture_frozen",
    "picture_out_of_focus",
    "picture_dark",
    "camera_lost",
    "silence",
    "sound_clipped",
    "clock_step",
    "clock_unsynchronized",
    "disk",
    "store_unreachable",
    "certificate",
    "overload",
]


class Part(BaseModel):
    """Base of everything in a record: immutable, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ClockState(Part):
    """What the recorder knew of its clock: offset and uncertainty against its time source, microseconds."""

    source: Literal["chrony", "kernel", "none"]
    offset_us: int
    uncertainty_us: Count
    synchronized: bool


class Officer(Part):
    id: Line
    name: Line
    certificate_no: Line


class TrackInfo(Part):
    """A track as it stood at `open`. `video` and `audio` are codec names; null while the camera is not delivering,
    and `audio` is null for a camera without sound (`sound` then says whether sound is expected at all)."""

    track: Id
    camera: Id
    role: Line
    sound: bool
    video: Line | None
    audio: Line | None


class ReadinessCheck(Part):
    name: Line
    result: Literal["ok", "warning", "failed"]
    detail: Text


class Software(Part):
    name: Line
    version: Line
    sha256: Sha256


class Media(Part):
    """A segment's object: the first `init_bytes` are the init (ftyp+moov), the rest its fragments."""

    key: Annotated[str, Field(max_length=300)]
    bytes: Count
    sha256: Sha256
    init_bytes: Count
    init_sha256: Sha256
    mime: Line


class SampleCounts(Part):
    video: Count
    audio: Count


class Fragment(Part):
    """`offset` and `bytes` in the segment's object; `time` is the UTC of its first picture, `media_start_us` that
    picture's decode time in the run, `duration_us` how far the picture reaches."""

    offset: Count
    bytes: Count
    sha256: Sha256
    time: UtcTime
    media_start_us: Count
    duration_us: DurationUs
    keyframe: bool
    samples: SampleCounts


class SoundLevel(Part):
    """Hundredths of a decibel relative to full scale (0 is full scale, silence is very negative)."""

    rms_cdbfs: int
    peak_cdbfs: int


class PictureLevel(Part):
    """Mean brightness 0 to 255 and sharpness (variance of the Laplacian) of decoded key frames."""

    brightness: Count
    sharpness: Count


class Levels(Part):
    """Findings over the span of a segment; null where nothing was measured."""

    sound: SoundLevel | None
    picture: PictureLevel | None


class Mark(Part):
    kind: Literal["mark"]
    text: Text


class Gap(Part):
    """Time of one track that was not recorded, from the end of segment `after_index` (null: from the very start)."""

    kind: Literal["gap"]
    track: Id
    after_index: Count | None
    from_time: UtcTime = Field(alias="from")
    to_time: UtcTime = Field(alias="to")
    missing_us: DurationUs
    cause: GapCause
    detail: Text


class Alarm(Part):
    kind: Literal["alarm"]
    alarm: AlarmKind
    track: Id | None
    detail: Text


class AlarmCleared(Part):
    kind: Literal["alarm_cleared"]
    alarm: AlarmKind
    track: Id | None
    detail: Text


class Person(Part):
    kind: Literal["person"]
    action: Literal["entered", "left"]
    role: Line
    name: Line


class Document(Part):
    """A version of the transcript (笔录), bound by its hash."""

    kind: Literal["document"]
    name: Line
    bytes: Count
    sha256: Sha256


class Note(Part):
    kind: Literal["note"]
    text: Text


class Resumed(Part):
    """Recording goes on in the same session after the recorder had stopped running."""

    kind: Literal["resumed"]
    cause: GapCause
    down_us: DurationUs
    detail: Text


Event = Annotated[Mark | Gap | Alarm | AlarmCleared | Person | Document | Note | Resumed, Field(discriminator="kind")]


class TrackTotals(Part):
    """What a close record says of one track; times and hash are null when the track has no segment."""

    track: Id
    segments: Count
    first_time: UtcTime | None
    last_time: UtcTime | None
    recorded_us: DurationUs
    gaps: Count
    missing_us: DurationUs
    last_segment_sha256: Sha256 | None


class Envelope(Part):
    """What every record carries. `monotonic_us` counts since the recorder's boot, which `boot` names."""

    format: Literal["shilu-record/1"]
    session: SessionId
    seq: Count
    prev: Sha256
    time: UtcTime
    monotonic_us: Count
    boot: Line
    signer: Sha256


class OpenRecord(Envelope):
    type: Literal["open"]
    site: Id
    room: Id
    case: CaseNumber | None
    no_case_reason: Text | None
    officers: Annotated[tuple[Officer, ...], Field(max_length=20)]
    officers_reason: Text | None
    operator: Line
    interview: Literal["inquiry", "other"]
    rights_read: bool
    follows: SessionId | None
    tracks: Annotated[tuple[TrackInfo, ...], Field(min_length=1, max_length=32)]
    pre_roll_us: DurationUs
    checks: Annotated[tuple[ReadinessCheck, ...], Field(max_length=200)]
    override_reason: Text | None
    clock: ClockState
    software: Software
    devices_sha256: Sha256


class SegmentRecord(Envelope):
    type: Literal["segment"]
    track: Id
    run: Count
    index: Count
    media: Media
    fragments: Annotated[tuple[Fragment, ...], Field(min_length=1, max_length=2000)]
    clock: ClockState
    levels: Levels


class EventRecord(Envelope):
    type: Literal["event"]
    event: Event


class CloseRecord(Envelope):
    type: Literal["close"]
    reason: Literal["operator", "limit", "recovered"]
    detail: Text
    records: Count
    tracks: tuple[TrackTotals, ...]


Record = Annotated[OpenRecord | SegmentRecord | EventRecord | CloseRecord, Field(discriminator="type")]
_ADAPTER: TypeAdapter[OpenRecord | SegmentRecord | EventRecord | CloseRecord] = TypeAdapter(Record)


def parse_record(data: bytes, *, where: str) -> OpenRecord | SegmentRecord | EventRecord | CloseRecord:
    """The record in `data`; raises FormatError with the first field that is wrong."""
    values = parse_object(data, where=where)
    named = values.get("format")
    if named != FORMAT:
        other = isinstance(named, str) and named.startswith(_FORMAT_FAMILY)
        error_class = UnknownFormatError if other else FormatError
        raise error_class(f"format {str(named)[:40]!r} is not known; this program reads {FORMAT}", where=where)
    try:
        # From the text again, since JSON has no tuples and only there does strict mode take arrays for them. What the
        # two readers could disagree about was refused by the first.
        return _ADAPTER.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise FormatError(_printable(f"{field}: {first['msg']}"), where=where) from None


def record_bytes(record: Envelope) -> bytes:
    """The bytes of a new record, to be signed, hashed and stored as they are."""
    return canonical_bytes(record.model_dump(mode="json", by_alias=True))


def _printable(text: str) -> str:
    """The text on one line: what the sender wrote must not break a log or steer a terminal."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text[:400])
