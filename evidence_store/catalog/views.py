"""What goes into the catalog and leaves it: values that know of no database. Times are in microseconds of UTC."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from evidence_store.records import Alarm, AlarmCleared, Document, Gap, Mark, Note, Person, Resumed

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list. `next_cursor` asks for the part after it; None at the end."""

    items: tuple[Item, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A record as it comes in: its exact bytes and their signature (DER)."""

    data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case that sessions name; the times are those of its earliest and latest session."""

    number: str
    sessions: int
    first_began_us: int
    last_began_us: int


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as far as it is known. `began_us` is the time of the earliest record known.

    What only `open` states (`site` to `follows`) is None while that record is not here, `closed_us` and `close_reason`
    while the session is open.
    """

    id: str
    began_us: int
    site: str | None
    room: str | None
    case_number: str | None
    no_case_reason: str | None
    operator: str | None
    opened_us: int | None
    pre_roll_us: int | None
    follows: str | None
    closed_us: int | None
    close_reason: str | None

    @property
    def state(self) -> Literal["open", "closed"]:
        return "open" if self.closed_us is None else "closed"


@dataclass(frozen=True, slots=True)
class TrackTotals:
    """Times and hash are None where there is no segment."""

    segments: int
    first_time_us: int | None
    last_time_us: int | None
    recorded_us: int
    gaps: int
    missing_us: int
    last_segment_sha256: str | None


@dataclass(frozen=True, slots=True)
class TrackView:
    """A track. `camera`, `role` and `sound` are None while `open` is not here or does not name the track.

    `stated` is what `close` says of it, None before; `known` is what the records here add up to by now.
    """

    track: str
    camera: str | None
    role: str | None
    sound: bool | None
    video: str | None
    audio: str | None
    stated: TrackTotals | None
    known: TrackTotals


@dataclass(frozen=True, slots=True)
class SessionDetail:
    """`records` counts those known; `last_seq` is the highest number among them, so a hole shows as a difference."""

    session: SessionView
    tracks: tuple[TrackView, ...]
    records: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class SegmentView:
    """`first_time_us` is the UTC of the first picture, `media_start_us` that picture's decode time in the run."""

    session: str
    track: str
    index: int
    run: int
    seq: int
    key: str
    size_bytes: int
    init_bytes: int
    sha256: str
    mime: str
    first_time_us: int
    duration_us: int
    media_start_us: int
    fragments: int


AnyEvent = Mark | Gap | Alarm | AlarmCleared | Person | Document | Note | Resumed


@dataclass(frozen=True, slots=True)
class EventView:
    session: str
    seq: int
    time_us: int
    event: AnyEvent


@dataclass(frozen=True, slots=True)
class StoredCopy:
    """What a store confirmed to hold under a key."""

    store: str
    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SessionCopies:
    """Which objects of a session one store confirmed to hold: keys, sorted.

    A record or segment counts as `confirmed` with the size and hash that the chain states, else as `different`. Of a
    signature the chain states nothing: any bytes count.
    """

    confirmed: tuple[str, ...]
    different: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return not self.different and not self.missing
