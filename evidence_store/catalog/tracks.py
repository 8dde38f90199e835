"""The tracks of a session: what `open` says of them, what `close` says, and what the records here add up to."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields

from sqlalchemy import Connection, func, select, tuple_

from evidence_store.catalog.models import Event, Segment, Track
from evidence_store.catalog.views import TrackTotals, TrackView

_OPENED = (Track.track, Track.camera, Track.role, Track.sound, Track.video, Track.audio)
_STATED = tuple(getattr(Track, field.name) for field in fields(TrackTotals))


def tracks(connection: Connection, session_id: str) -> tuple[TrackView, ...]:
    """In the order in which `open` names them; those that it does not name come last."""
    opened = select(*_OPENED).where(Track.session == session_id)
    rows = connection.execute(opened.order_by(Track.position.is_(None), Track.position, Track.track)).mappings()
    stated = _stated_totals(connection, session_id)
    known = _known_totals(connection, session_id)
    return tuple(TrackView(**row, stated=stated.get(row["track"]), known=known[row["track"]]) for row in rows)


def _stated_totals(connection: Connection, session_id: str) -> Mapping[str, TrackTotals]:
    query = select(Track.track, *_STATED).where(Track.session == session_id, Track.segments.is_not(None))
    return {track: TrackTotals(*totals) for track, *totals in connection.execute(query)}


def _known_totals(connection: Connection, session_id: str) -> Mapping[str, TrackTotals]:
    gaps: defaultdict[str, list[int]] = defaultdict(list)
    declared = select(Event.track, Event.missing_us).where(Event.session == session_id, Event.kind == "gap")
    for track, missing_us in connection.execute(declared):
        gaps[str(track)].append(missing_us or 0)
    totals = defaultdict(lambda: TrackTotals(0, None, None, 0, 0, 0, None))
    for track, missing in gaps.items():
        totals[track] = TrackTotals(0, None, None, 0, len(missing), sum(missing), None)
    end_us = Segment.first_time_us + Segment.duration_us
    added_up = connection.execute(
        select(
            *(Segment.track, func.max(Segment.index), func.count()),
            *(func.min(Segment.first_time_us), func.max(end_us), func.sum(Segment.duration_us)),
        )
        .where(Segment.session == session_id)
        .group_by(Segment.track)
    ).all()
    places = [(track, index) for track, index, *_ in added_up]
    last = connection.execute(
        select(Segment.track, Segment.sha256).where(
            Segment.session == session_id, tuple_(Segment.track, Segment.index).in_(places)
        )
    )
    hashes = {str(track): sha256 for track, sha256 in last}
    for track, _, count, first_us, last_us, recorded_us in added_up:
        missing = gaps[track]
        totals[track] = TrackTotals(
            count, first_us, last_us, int(recorded_us), len(missing), sum(missing), hashes[track]
        )
    return totals
