"""Ways to rewrite a recording before it is sealed, as somebody who holds the recorder's key can."""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from evidence_store.records import format_time, parse_time, to_us
from tests.evidence_store.builder import SESSION, Recording


def drop(recording: Recording, kind: str, track: str = "", index: int = 0) -> dict[str, Any]:
    return recording.drafts.pop(recording.seq(kind, track, index))


def moved(time: str, by: timedelta) -> str:
    return format_time(parse_time(time) + by)


def add_gap(
    recording: Recording, track: str, after: int | None, start: datetime, end: datetime, seq: int | None = None
) -> None:
    gap = deepcopy(recording.draft("gap"))
    at = len(recording.drafts) - 1 if seq is None else seq
    gap.update(time=recording.drafts[at]["time"], monotonic_us=recording.drafts[at]["monotonic_us"])
    gap["event"].update(track=track, after_index=after, to=format_time(end), missing_us=to_us(end) - to_us(start))
    gap["event"]["from"] = format_time(start)
    recording.drafts.insert(at, gap)
    recording.count()


def remove_track(recording: Recording, track: str) -> None:
    recording.drafts[:] = [draft for draft in recording.drafts if draft.get("track") != track]
    recording.media = {key: data for key, data in recording.media.items() if f"/{track}/" not in key}
    recording.count()


def late_start(recording: Recording) -> None:
    """The room's first two segments never were: the other three start its run, four seconds later."""
    for index in (0, 1):
        drop(recording, "segment", "room", index)
        del recording.media[f"sessions/{SESSION}/media/room/{index:06d}.mp4"]
    for draft in recording.drafts:
        if draft.get("track") == "room":
            old, new = draft["media"]["key"], f"sessions/{SESSION}/media/room/{draft['index'] - 2:06d}.mp4"
            draft["index"] -= 2
            draft["media"]["key"] = new
            recording.media[new] = recording.media.pop(old)
    recording.count()
