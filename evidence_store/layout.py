"""Names of things in the store: identifiers and object keys. Pure text, no I/O.

The layout is part of the evidence format (docs/evidence-format.md, "Objects in the store").
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

from evidence_store.errors import FormatError

ID_PATTERN = r"[a-z0-9]+(-[a-z0-9]+)*"
SESSION_PATTERN = r"[a-z0-9]+(-[a-z0-9]+)*-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}"
MAX_CASE_CHARACTERS = 100
MAX_ID_CHARACTERS = 40

_ID = re.compile(ID_PATTERN)
_SESSION = re.compile(SESSION_PATTERN)
_RECORD_KEY = re.compile(rf"sessions/(?P<session>{SESSION_PATTERN})/records/(?P<seq>[0-9]{{8}})\.(?P<kind>json|sig)")
_MEDIA_KEY = re.compile(
    rf"sessions/(?P<session>{SESSION_PATTERN})/media/(?P<track>{ID_PATTERN})/(?P<index>[0-9]{{6}})\.mp4"
)
_CERTIFICATE_KEY = re.compile(r"certs/(?P<sha256>[0-9a-f]{64})\.pem")


@dataclass(frozen=True, slots=True)
class RecordKey:
    """A record (`kind` json) or its detached signature (`kind` sig)."""

    session: str
    seq: int
    kind: str


@dataclass(frozen=True, slots=True)
class MediaKey:
    session: str
    track: str
    index: int


def check_id(value: str, *, name: str) -> str:
    """A site, room, camera, track or store id; raises FormatError."""
    if not _ID.fullmatch(value) or len(value) > MAX_ID_CHARACTERS:
        raise FormatError(
            f"{name} {value[:60]!r} is not an id",
            do=f"Use lower-case letters, digits and single hyphens, at most {MAX_ID_CHARACTERS} characters.",
        )
    return value


def is_session_id(value: str) -> bool:
    return _SESSION.fullmatch(value) is not None and len(value) <= 2 * MAX_ID_CHARACTERS + 24


def check_session_id(value: str) -> str:
    if not is_session_id(value):
        raise FormatError(
            f"{value[:120]!r} is not a session id", do="One looks like xindai-room-1-20261123T013000Z-7f3a."
        )
    return value


def session_time(session: str) -> str:
    """The part of a session id that says when it began; sorts by time across rooms and sites."""
    return session[-21:]


def new_session_id(site: str, room: str, started: datetime, suffix: int) -> str:
    """An id that sorts by time and can be said on the telephone; `suffix` is 16 random bits."""
    return check_session_id(f"{site}-{room}-{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{suffix & 0xFFFF:04x}")


def check_case_number(value: str) -> str:
    """A case number as the agency writes it, in normal form C without outer spaces; raises FormatError."""
    number = unicodedata.normalize("NFC", value).strip()
    do = f"Give the number of the case file, 1 to {MAX_CASE_CHARACTERS} printable characters."
    if not number:
        raise FormatError("the case number is empty", do=do)
    if len(number) > MAX_CASE_CHARACTERS:
        raise FormatError(f"the case number has {len(number)} characters", do=do)
    for character in number:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            raise FormatError(f"the case number contains the unprintable character U+{ord(character):04X}", do=do)
    return number


def session_prefix(session: str) -> str:
    return f"sessions/{session}/"


def record_key(session: str, seq: int) -> str:
    return f"sessions/{session}/records/{seq:08d}.json"


def signature_key(session: str, seq: int) -> str:
    return f"sessions/{session}/records/{seq:08d}.sig"


def media_key(session: str, track: str, index: int) -> str:
    return f"sessions/{session}/media/{track}/{index:06d}.mp4"


def certificate_key(sha256: str) -> str:
    return f"certs/{sha256}.pem"


def parse_key(key: str) -> RecordKey | MediaKey | None:
    """What a key of a session names, or None for a key that is not of the layout."""
    if found := _RECORD_KEY.fullmatch(key):
        return RecordKey(found["session"], int(found["seq"]), found["kind"])
    if found := _MEDIA_KEY.fullmatch(key):
        return MediaKey(found["session"], found["track"], int(found["index"]))
    return None


def certificate_sha256(key: str) -> str | None:
    """The hash in a certificate's key, or None for any other key."""
    found = _CERTIFICATE_KEY.fullmatch(key)
    return found["sha256"] if found else None
