"""The tables. A change here needs a migration; a test compares the two.

Keys are what the evidence itself uses (session id, number, hash), never a number that the database gave: only so do two
catalogs of the same stores have the same rows. Text is compared by its bytes in both kinds of database.
"""

from typing import Any

from sqlalchemy import BigInteger, Dialect, ForeignKey, ForeignKeyConstraint, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from evidence_store.layout import MAX_CASE_CHARACTERS, MAX_ID_CHARACTERS

_SESSION_CHARACTERS = 2 * MAX_ID_CHARACTERS + 24  # see layout.check_session_id
_KEY_CHARACTERS = 300  # see records.Media


def _text(characters: int) -> TypeEngine[str]:
    return String(characters).with_variant(String(characters, collation="C"), "postgresql")


class FreeText(TypeDecorator[str]):
    """Text as somebody typed it. PostgreSQL cannot hold U+0000: it is escaped, as is the escape character U+001A."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return value and value.replace("\x1a", "\x1a1").replace("\x00", "\x1a0")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return value and value.replace("\x1a0", "\x00").replace("\x1a1", "\x1a")


ID = _text(MAX_ID_CHARACTERS)
SESSION_ID = _text(_SESSION_CHARACTERS)
CASE_NUMBER = _text(MAX_CASE_CHARACTERS)
KEY = _text(_KEY_CHARACTERS)
SHA256 = _text(64)
WORD = _text(20)  # of a closed list: types, kinds, causes, reasons


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {int: BigInteger}  # noqa: RUF012


class Case(Base):
    """A case that at least one session names."""

    __tablename__ = "cases"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    number: Mapped[str] = mapped_column(CASE_NUMBER, primary_key=True)


class Certificate(Base):
    """A certificate that signed at least one record here."""

    __tablename__ = "certificates"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    subject: Mapped[str] = mapped_column(FreeText)
    not_before_us: Mapped[int]
    not_after_us: Mapped[int]


class Session(Base):
    """A session of which at least one record is known. What `open` or `close` states is null until that one is here.

    `began_us` is the time of the earliest record known, so that a session can be listed before its `open` arrived.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index(None, "case_number", "began_us", "id"),
        Index(None, "room", "began_us", "id"),
        Index(None, "began_us", "id"),
        {"sqlite_with_rowid": False},
    )

    id: Mapped[str] = mapped_column(SESSION_ID, primary_key=True)
    began_us: Mapped[int]
    site: Mapped[str | None] = mapped_column(ID)
    room: Mapped[str | None] = mapped_column(ID)
    case_number: Mapped[str | None] = mapped_column(CASE_NUMBER, ForeignKey("cases.number"))
    no_case_reason: Mapped[str | None] = mapped_column(FreeText)
    operator: Mapped[str | None] = mapped_column(FreeText)
    opened_us: Mapped[int | None]
    pre_roll_us: Mapped[int | None]
    follows: Mapped[str | None] = mapped_column(SESSION_ID)
    closed_us: Mapped[int | None]
    close_reason: Mapped[str | None] = mapped_column(WORD)
    close_seq: Mapped[int | None]


class Track(Base):
    """A track that `open`, a segment or `close` names; `position` to `audio` are from `open`, the rest from `close`."""

    __tablename__ = "tracks"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    session: Mapped[str] = mapped_column(SESSION_ID, ForeignKey("sessions.id"), primary_key=True)
    track: Mapped[str] = mapped_column(ID, primary_key=True)
    position: Mapped[int | None]
    camera: Mapped[str | None] = mapped_column(ID)
    role: Mapped[str | None] = mapped_column(FreeText)
    sound: Mapped[bool | None]
    video: Mapped[str | None] = mapped_column(FreeText)
    audio: Mapped[str | None] = mapped_column(FreeText)
    segments: Mapped[int | None]
    first_time_us: Mapped[int | None]
    last_time_us: Mapped[int | None]
    recorded_us: Mapped[int | None]
    gaps: Mapped[int | None]
    missing_us: Mapped[int | None]
    last_segment_sha256: Mapped[str | None] = mapped_column(SHA256)


class Record(Base):
    __tablename__ = "records"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    session: Mapped[str] = mapped_column(SESSION_ID, ForeignKey("sessions.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(WORD)
    time_us: Mapped[int]
    sha256: Mapped[str] = mapped_column(SHA256)
    prev: Mapped[str] = mapped_column(SHA256)
    signer: Mapped[str] = mapped_column(SHA256, ForeignKey("certificates.sha256"))
    size_bytes: Mapped[int]


class Segment(Base):
    """`first_time_us` is the UTC of the first picture, `media_start_us` its decode time in the run."""

    __tablename__ = "segments"
    __table_args__ = (
        ForeignKeyConstraint(["session", "track"], ["tracks.session", "tracks.track"]),
        ForeignKeyConstraint(["session", "seq"], ["records.session", "records.seq"]),
        Index(None, "session", "seq", unique=True),
        {"sqlite_with_rowid": False},
    )

    session: Mapped[str] = mapped_column(SESSION_ID, primary_key=True)
    track: Mapped[str] = mapped_column(ID, primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    run: Mapped[int]
    seq: Mapped[int]
    key: Mapped[str] = mapped_column(KEY)
    size_bytes: Mapped[int]
    init_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(SHA256)
    mime: Mapped[str] = mapped_column(FreeText)
    first_time_us: Mapped[int]
    duration_us: Mapped[int]
    media_start_us: Mapped[int]
    fragments: Mapped[int]


class Event(Base):
    """`detail` is the event as the record states it, JSON; `from_us` to `cause` are null for all but gaps.

    `cause` is also set for `resumed`. A track need not be one that `open` names, so nothing refers to it.
    """

    __tablename__ = "events"
    __table_args__ = (
        ForeignKeyConstraint(["session", "seq"], ["records.session", "records.seq"]),
        {"sqlite_with_rowid": False},
    )

    session: Mapped[str] = mapped_column(SESSION_ID, primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(WORD)
    time_us: Mapped[int]
    track: Mapped[str | None] = mapped_column(ID)
    from_us: Mapped[int | None]
    to_us: Mapped[int | None]
    missing_us: Mapped[int | None]
    cause: Mapped[str | None] = mapped_column(WORD)
    detail: Mapped[str] = mapped_column(FreeText)


class Copy(Base):
    """What a store confirmed to hold under a key, whatever the records say of that key."""

    __tablename__ = "copies"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    key: Mapped[str] = mapped_column(KEY, primary_key=True)
    store: Mapped[str] = mapped_column(ID, primary_key=True)
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(SHA256)
