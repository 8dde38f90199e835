"""Sound and picture of a recording of five minutes, at its start and at its end.

The recording is made while the other tests run: the first test in the suite begins it, the last one looks at it.
"""

from pathlib import Path

import pytest

from evidence_store.records import parse_time
from tests.integration.centre import records
from tests.integration.film import play_whole, watch_file
from tests.integration.longfilm import LongFilm

SYNC_LIMIT_S = 0.040


def test_five_minutes_begin(long_film: LongFilm) -> None:
    assert long_film.centre.rooms()["room-1"]["session"] == long_film.session


@pytest.mark.timeout(480)
def test_five_minutes_in_step(long_film: LongFilm) -> None:
    long_film.finish()
    site, session = long_film.centre.site, long_film.session
    chain = records(site, "room-1", session)
    segments = [one for one in chain if one["type"] == "segment" and one["track"] == "subject"]
    film_us = sum(fragment["duration_us"] for one in segments for fragment in one["fragments"])
    assert film_us > 300_000_000
    first, last = segments[0]["fragments"][0], segments[-1]["fragments"][-1]
    wall_us = round((parse_time(last["time"]) - parse_time(first["time"])).total_seconds() * 1e6) + last["duration_us"]
    assert abs(wall_us - film_us) < 100_000  # the film is as long as the interview
    folder = site.spool / "room-1" / session / "media"
    files = sorted((folder / "subject").glob("*.mp4"))
    long = [file for file, record in zip(files, segments, strict=True) if len(record["fragments"]) > 8]
    for file in (*long[:2], *long[-2:]):
        assert worst_offset_s(file) < SYNC_LIMIT_S, file.name
    for track in ("subject", "room"):
        play_whole(folder / track, chain, track)
    assert long_film.centre.verify(session)["verdict"] == "OK"


def worst_offset_s(file: Path) -> float:
    """The largest distance between a flash and its beep in a segment."""
    seen = watch_file(file)
    pairs = [
        abs(flash - min(seen.beeps_s(), key=lambda beep, flash=flash: abs(beep - flash)))  # type: ignore[misc]
        for flash in seen.flashes_s()
        if seen.sound_s[0] + 0.2 < flash < seen.sound_s[-1] - 0.2
    ]
    assert pairs, f"no flash in {file.name}"
    return max(pairs)
