"""Attacks on gaps by somebody who holds the recorder's key: time without film that is hidden, moved or made smaller."""

from copy import deepcopy
from datetime import timedelta

import pytest

from evidence_store.records import format_time, parse_time
from evidence_store.verify import Verdict
from tests.attacks.edits import add_gap, drop, late_start, moved, remove_track
from tests.attacks.expect import codes_of, expect
from tests.evidence_store.builder import CLOSED, OPENED, SESSION, START, Recording, build


@pytest.fixture
def recording() -> Recording:
    return build()


def test_gap_removed_and_the_chain_made_anew(recording: Recording) -> None:
    hole = recording.span("subject", 1)[1], recording.span("subject", 2)[0]
    drop(recording, "gap")
    recording.count()
    evidence = recording.seal()
    report = evidence.verify()
    expect(report, "gap_undeclared", evidence.media_key("subject", 2), hole)
    assert codes_of(report) == {"gap_undeclared"}


def test_gap_declared_after_the_film_goes_on_is_in_time(recording: Recording) -> None:
    gap = drop(recording, "gap")
    gap["time"], gap["monotonic_us"] = recording.drafts[-2]["time"], recording.drafts[-2]["monotonic_us"]
    recording.drafts.insert(len(recording.drafts) - 1, gap)
    assert recording.seal().verify().verdict is Verdict.OK_WITH_DECLARED_GAPS


def test_gap_declared_in_two_parts_that_meet(recording: Recording) -> None:
    first = recording.draft("gap")
    second = deepcopy(first)
    middle = START + timedelta(seconds=5)
    first["event"].update(to=format_time(middle), missing_us=1_000_000)
    second["event"].update({"from": format_time(middle)}, missing_us=1_000_000)
    recording.drafts.insert(recording.seq("gap") + 1, second)
    recording.count()
    assert recording.seal().verify().verdict is Verdict.OK_WITH_DECLARED_GAPS


def test_gap_declared_too_short(recording: Recording) -> None:
    """The camera was away for six seconds and two are admitted: what follows is shifted by four."""
    gap = recording.draft("gap")["event"]
    gap["from"] = moved(gap["from"], timedelta(0))
    gap["to"] = moved(gap["from"], timedelta(milliseconds=500))
    gap["missing_us"] = 500_000
    recording.count()
    evidence = recording.seal()
    report = evidence.verify()
    hole = recording.span("subject", 1)[1], recording.span("subject", 2)[0]
    expect(report, "gap_end_differs", evidence.media_key("subject", 2), hole)


def test_gap_that_starts_before_the_film_ends(recording: Recording) -> None:
    gap = recording.draft("gap")["event"]
    gap["from"] = moved(gap["from"], timedelta(seconds=-2))
    gap["missing_us"] = 4_000_000
    recording.count()
    evidence = recording.seal()
    report = evidence.verify()
    span = parse_time(gap["from"]), parse_time(gap["to"])
    expect(report, "gap_start_differs", evidence.record_key("gap"), span)
    assert codes_of(report) == {"gap_start_differs"}


@pytest.mark.parametrize("missing_us", [0, 900_000, 3_100_000, 1 << 62])
def test_gap_with_another_length_than_its_times(recording: Recording, missing_us: int) -> None:
    recording.draft("gap")["event"]["missing_us"] = missing_us
    recording.count()
    evidence = recording.seal()
    expect(evidence.verify(), "gap_length_differs", evidence.record_key("gap"))


def test_gap_that_ends_before_it_starts(recording: Recording) -> None:
    gap = recording.draft("gap")["event"]
    gap["from"], gap["to"] = gap["to"], gap["from"]
    assert "gap_length_differs" in codes_of(recording.seal().verify())


def test_gap_declared_for_another_track(recording: Recording) -> None:
    recording.draft("gap")["event"]["track"] = "room"
    recording.count()
    report = recording.seal().verify()
    assert codes_of(report) == {"gap_undeclared", "gap_inside_run"}


def test_gap_for_a_track_that_was_never_opened(recording: Recording) -> None:
    extra = deepcopy(recording.draft("gap"))
    extra["event"]["track"] = "ceiling"
    recording.drafts.insert(recording.seq("gap"), extra)
    recording.draft("close")["records"] += 1
    report = recording.seal().verify()
    assert {"track_unknown", "gap_misplaced"} <= codes_of(report)


def test_gap_claimed_where_the_run_goes_on(recording: Recording) -> None:
    begin = recording.span("room", 1)[1]
    gap = deepcopy(recording.draft("gap"))
    gap.update(time=recording.draft("segment", "room", 1)["time"])
    gap["monotonic_us"] = recording.draft("segment", "room", 1)["monotonic_us"]
    gap["event"].update(track="room", after_index=1, to=format_time(begin), missing_us=0)
    gap["event"]["from"] = format_time(begin)
    recording.drafts.insert(recording.seq("segment", "room", 1) + 1, gap)
    recording.count()
    evidence = recording.seal()
    report = evidence.verify()
    expect(report, "gap_inside_run", evidence.media_key("room", 2), (begin, begin))


@pytest.mark.parametrize("after_index", [0, 7, None])
def test_gap_after_another_segment(recording: Recording, after_index: int | None) -> None:
    recording.draft("gap")["event"]["after_index"] = after_index
    report = recording.seal().verify()
    assert codes_of(report) == {"gap_misplaced", "gap_undeclared"}


def test_second_gap_for_the_same_time(recording: Recording) -> None:
    recording.drafts.insert(recording.seq("gap"), deepcopy(recording.draft("gap")))
    recording.count()
    report = recording.seal().verify()
    assert codes_of(report) == {"gap_start_differs"}


def test_gap_declared_after_the_close(recording: Recording) -> None:
    gap = drop(recording, "gap")
    recording.count()
    gap["time"], gap["monotonic_us"] = recording.drafts[-1]["time"], recording.drafts[-1]["monotonic_us"]
    recording.drafts.append(gap)
    report = recording.seal().verify()
    assert codes_of(report) == {"gap_undeclared", "record_after_close"}


def test_session_closed_long_after_the_film_ends(recording: Recording) -> None:
    close = recording.draft("close")
    closed = CLOSED + timedelta(minutes=20)
    close["time"] = format_time(closed)
    close["monotonic_us"] += 20 * 60 * 1_000_000
    evidence = recording.seal()
    report = evidence.verify()
    assert {(found.track, found.from_time, found.to_time) for found in report.findings[:2]} == {
        ("room", recording.span("room", 4)[1], closed),
        ("subject", recording.span("subject", 3)[1], closed),
    }
    assert codes_of(report) == {"film_ends_early"}
    assert report.verdict is Verdict.NOT_OK


def test_gap_declared_up_to_the_close(recording: Recording) -> None:
    for index in (4, 3):
        drop(recording, "segment", "room", index)
        recording.media.pop(f"sessions/{SESSION}/media/room/{index:06d}.mp4")
    add_gap(recording, "room", 2, recording.span("room", 2)[1], CLOSED)
    assert recording.seal().verify().verdict is Verdict.OK_WITH_DECLARED_GAPS


def test_gap_declared_beyond_the_close(recording: Recording) -> None:
    add_gap(recording, "room", 4, recording.span("room", 4)[1], CLOSED + timedelta(hours=1))
    evidence = recording.seal()
    expect(evidence.verify(), "gap_end_differs", evidence.record_key("close"))


def test_track_that_starts_late_without_a_gap(recording: Recording) -> None:
    late_start(recording)
    evidence = recording.seal()
    report = evidence.verify()
    expect(report, "gap_undeclared", evidence.media_key("room", 0), (OPENED, recording.span("room", 0)[0]))


def test_track_that_starts_late_with_a_gap(recording: Recording) -> None:
    late_start(recording)
    add_gap(recording, "room", None, OPENED, recording.span("room", 0)[0], seq=1)
    assert recording.seal().verify().verdict is Verdict.OK_WITH_DECLARED_GAPS


def test_track_without_any_film(recording: Recording) -> None:
    remove_track(recording, "room")
    recording.draft("close")["time"] = format_time(CLOSED)
    evidence = recording.seal()
    report = evidence.verify()
    found = expect(report, "film_ends_early", evidence.record_key("close"), (OPENED, CLOSED))
    assert found.track == "room"
