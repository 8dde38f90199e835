"""What is asked of the catalog. Each list that may be long comes in pages, from an index, newest first.

A cursor names the last entry of a page and not a number of entries to skip: what arrives between two pages neither
repeats an entry nor hides one. What is asked for is checked as any other input: FormatError.
"""

from dataclasses import fields
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, func, select, tuple_

from evidence_store import layout
from evidence_store.catalog.cursors import check_limit, read_cursor, write_cursor
from evidence_store.catalog.models import Case, Event, Record, Segment, Session
from evidence_store.catalog.tracks import tracks
from evidence_store.catalog.views import (
    AnyEvent,
    CaseView,
    EventView,
    Page,
    SegmentView,
    SessionDetail,
    SessionView,
)
from evidence_store.records import Event as EventStatement
from evidence_store.records import to_us

_EVENT: TypeAdapter[AnyEvent] = TypeAdapter(EventStatement)
_SESSION = tuple(getattr(Session, field.name) for field in fields(SessionView))
_SEGMENT = tuple(getattr(Segment, field.name) for field in fields(SegmentView))


def cases(connection: Connection, *, containing: str | None, limit: int, cursor: str | None) -> Page[CaseView]:
    """Cases whose number contains a text, upper and lower case of Latin letters alike; the highest number first."""
    query = select(Case.number).order_by(Case.number.desc()).limit(check_limit(limit) + 1)
    if containing:
        query = query.where(Case.number.icontains(layout.check_case_number(containing), autoescape=True))
    if cursor is not None:
        number, _ = read_cursor(cursor)
        query = query.where(Case.number < layout.check_case_number(number))
    numbers = connection.scalars(query).all()
    counted = connection.execute(
        select(Session.case_number, func.count(), func.min(Session.began_us), func.max(Session.began_us))
        .where(Session.case_number.in_(numbers[:limit]))
        .group_by(Session.case_number)
        .order_by(Session.case_number.desc())
    )
    items = tuple(CaseView(str(number), count, first_us, last_us) for number, count, first_us, last_us in counted)
    return Page(items, write_cursor(items[-1].number) if len(numbers) > limit else None)


def sessions(
    connection: Connection,
    *,
    case: str | None,
    site: str | None,
    room: str | None,
    after: datetime | None,
    before: datetime | None,
    limit: int,
    cursor: str | None,
) -> Page[SessionView]:
    """Sessions that began at `after` or later and earlier than `before`; the latest first."""
    query = select(*_SESSION).order_by(Session.began_us.desc(), Session.id.desc()).limit(check_limit(limit) + 1)
    if case is not None:
        query = query.where(Session.case_number == layout.check_case_number(case))
    if site is not None:
        query = query.where(Session.site == layout.check_id(site, name="site"))
    if room is not None:
        query = query.where(Session.room == layout.check_id(room, name="room"))
    if after is not None:
        query = query.where(Session.began_us >= to_us(after))
    if before is not None:
        query = query.where(Session.began_us < to_us(before))
    if cursor is not None:
        session_id, began_us = read_cursor(cursor)
        query = query.where(tuple_(Session.began_us, Session.id) < (began_us, layout.check_session_id(session_id)))
    items = tuple(SessionView(**row) for row in connection.execute(query).mappings())
    last = items[:limit][-1:]
    return Page(items[:limit], write_cursor(last[0].id, last[0].began_us) if len(items) > limit else None)


def session(connection: Connection, session_id: str) -> SessionDetail | None:
    """None for a session of which no record is here."""
    named = Session.id == layout.check_session_id(session_id)
    row = connection.execute(select(*_SESSION).where(named)).mappings().first()
    if row is None:
        return None
    records, last_seq = connection.execute(
        select(func.count(), func.max(Record.seq)).where(Record.session == session_id)
    ).one()
    return SessionDetail(SessionView(**row), tracks(connection, session_id), records, last_seq)


def segments(connection: Connection, session_id: str, track: str) -> tuple[SegmentView, ...]:
    """The segments of one track in their order: what a playlist is made from."""
    place = (
        Segment.session == layout.check_session_id(session_id),
        Segment.track == layout.check_id(track, name="track"),
    )
    query = select(*_SEGMENT).where(*place).order_by(Segment.index)
    return tuple(SegmentView(**row) for row in connection.execute(query).mappings())


def events(connection: Connection, session_id: str) -> tuple[EventView, ...]:
    """The events of a session in the order of their records."""
    place = Event.session == layout.check_session_id(session_id)
    query = select(Event.seq, Event.time_us, Event.detail).where(place).order_by(Event.seq)
    return tuple(
        EventView(session_id, seq, time_us, _EVENT.validate_json(detail))
        for seq, time_us, detail in connection.execute(query)
    )
