"""Attacks on the records of the chain, by somebody who holds the store and no key."""

from datetime import datetime

import pytest

from evidence_store import layout
from evidence_store.verify import Verdict
from tests.attacks.expect import codes_of, expect, find
from tests.evidence_store.builder import SESSION, Evidence, build
from tests.evidence_store.chains import CASE


@pytest.fixture
def evidence() -> Evidence:
    return build().seal()


def between(evidence: Evidence, seq: int) -> tuple[datetime | None, datetime | None]:
    """From the record before `seq` to the one after it."""
    stated = evidence.recording.drafts
    before, after = (stated[number]["time"] if 0 <= number < len(stated) else None for number in (seq - 1, seq + 1))
    return before and datetime.fromisoformat(before), after and datetime.fromisoformat(after)


def pair(evidence: Evidence, seq: int) -> tuple[str, str]:
    session = evidence.recording.session
    return layout.record_key(session, seq), layout.signature_key(session, seq)


def test_flipped_bit_that_leaves_json_in_a_segment_record(evidence: Evidence) -> None:
    seq = evidence.recording.seq("segment", "room", 2)
    key, signature_key = pair(evidence, seq)
    position = evidence.objects[key].index(b'"sharpness":300') + len(b'"sharpness":')
    evidence.flip(key, position, bit=1)
    report = evidence.verify()
    expect(report, "signature_wrong", signature_key, evidence.recording.span("room", 2))
    assert find(report, "record_prev_differs").seq == seq + 1
    assert codes_of(report) == {"signature_wrong", "record_prev_differs"}


def test_flipped_bit_that_breaks_a_record(evidence: Evidence) -> None:
    seq = evidence.recording.seq("mark")
    key, _ = pair(evidence, seq)
    evidence.flip(key, 0)
    report = evidence.verify()
    expect(report, "record_malformed", key, between(evidence, seq))
    assert find(report, "record_prev_differs").seq == seq + 1


def test_changed_case_number(evidence: Evidence) -> None:
    key, signature_key = pair(evidence, 0)
    evidence.objects[key] = evidence.objects[key].replace(CASE.encode(), CASE.replace("0012", "0013").encode())
    report = evidence.verify()
    opened = evidence.recording.time("open")
    expect(report, "signature_wrong", signature_key, (opened, opened))
    assert codes_of(report) == {"signature_wrong", "record_prev_differs"}


def test_changed_mark(evidence: Evidence) -> None:
    seq = evidence.recording.seq("mark")
    key, signature_key = pair(evidence, seq)
    evidence.objects[key] = evidence.objects[key].replace("陈述".encode(), "否认".encode())
    moment = evidence.recording.time("mark")
    expect(evidence.verify(), "signature_wrong", signature_key, (moment, moment))


def test_record_truncated(evidence: Evidence) -> None:
    seq = evidence.recording.seq("segment", "subject", 1)
    key, _ = pair(evidence, seq)
    evidence.objects[key] = evidence.objects[key][:-20]
    report = evidence.verify()
    expect(report, "record_malformed", key, between(evidence, seq))


@pytest.mark.parametrize("kind", ["segment", "mark", "gap"])
def test_deleted_record_is_placed_between_its_neighbours(evidence: Evidence, kind: str) -> None:
    seq = evidence.recording.seq(kind, "subject", 1)
    key, signature_key = pair(evidence, seq)
    del evidence.objects[key], evidence.objects[signature_key]
    report = evidence.verify()
    code = expect(report, "record_missing", key, between(evidence, seq), verdict=report.verdict)
    assert code.seq == seq
    if kind == "segment":
        # Its object is still there, and the record that named it is the one that is missing.
        assert codes_of(report) == {"record_missing", "segment_missing", "object_unexplained", "totals_incomplete"}
        begin, end = evidence.recording.span("subject", 1)
        assert (find(report, "segment_missing").from_time, begin) == (begin, evidence.recording.span("subject", 0)[1])
        assert find(report, "segment_missing").to_time == evidence.recording.span("subject", 2)[0]
        assert end <= evidence.recording.span("subject", 2)[0]
    assert report.verdict is Verdict.INCOMPLETE


def test_deleted_segment_with_its_record(evidence: Evidence) -> None:
    seq = evidence.recording.seq("segment", "room", 3)
    for key in (*pair(evidence, seq), evidence.media_key("room", 3)):
        del evidence.objects[key]
    report = evidence.verify()
    expect(report, "segment_missing", evidence.media_key("room", 3), evidence.recording.span("room", 3))
    assert report.verdict is Verdict.INCOMPLETE
    assert codes_of(report) == {"record_missing", "segment_missing", "totals_incomplete"}


def test_deleted_last_segment_with_its_record_shows_in_the_totals(evidence: Evidence) -> None:
    seq = evidence.recording.seq("segment", "room", 4)
    for key in (*pair(evidence, seq), evidence.media_key("room", 4)):
        del evidence.objects[key]
    report = evidence.verify()
    key = evidence.record_key("close")
    expect(report, "totals_incomplete", key, evidence.recording.span("room", 4))
    assert codes_of(report) == {"record_missing", "totals_incomplete"}


def test_deleted_gap_record_leaves_the_gap_in_doubt(evidence: Evidence) -> None:
    for key in pair(evidence, evidence.recording.seq("gap")):
        del evidence.objects[key]
    report = evidence.verify()
    span = (evidence.recording.span("subject", 1)[1], evidence.recording.span("subject", 2)[0])
    expect(report, "gap_record_missing", evidence.media_key("subject", 2), span)
    assert report.verdict is Verdict.INCOMPLETE


def test_deleted_open_record(evidence: Evidence) -> None:
    key, signature_key = pair(evidence, 0)
    del evidence.objects[key], evidence.objects[signature_key]
    report = evidence.verify()
    expect(report, "record_missing", key, (None, evidence.recording.time("segment", "subject", 0)))
    assert report.facts.case is None
    assert report.verdict is Verdict.INCOMPLETE


def test_deleted_close_record(evidence: Evidence) -> None:
    for key in pair(evidence, evidence.recording.seq("close")):
        del evidence.objects[key]
    report = evidence.verify()
    expect(report, "close_missing", f"sessions/{SESSION}/", (evidence.recording.span("room", 4)[1], None))
    assert codes_of(report) == {"close_missing"}


def test_tail_of_the_session_deleted(evidence: Evidence) -> None:
    first = evidence.recording.seq("segment", "room", 4)
    for seq in range(first, len(evidence.recording.drafts)):
        for key in pair(evidence, seq):
            del evidence.objects[key]
    del evidence.objects[evidence.media_key("room", 4)], evidence.objects[evidence.media_key("subject", 3)]
    report = evidence.verify()
    assert "close_missing" in codes_of(report)
    assert report.verdict is Verdict.INCOMPLETE


def test_all_records_deleted(evidence: Evidence) -> None:
    evidence.objects = {key: data for key, data in evidence.objects.items() if "/records/" not in key}
    report = evidence.verify()
    expect(report, "session_missing", f"sessions/{SESSION}/")
    assert codes_of(report) == {"session_missing", "close_missing", "object_unexplained"}


def test_swapped_records(evidence: Evidence) -> None:
    first, second = (evidence.recording.seq("segment", "room", index) for index in (1, 2))
    for one, other in zip(pair(evidence, first), pair(evidence, second), strict=True):
        evidence.swap(one, other)
    report = evidence.verify()
    assert report.verdict is Verdict.NOT_OK
    assert {found.seq for found in report.findings if found.code == "record_number_differs"} == {first, second}
    spans = {(one.from_time, one.to_time) for one in report.findings if one.code == "record_number_differs"}
    assert spans == {evidence.recording.span("room", 1), evidence.recording.span("room", 2)}


def test_record_duplicated_after_the_close(evidence: Evidence) -> None:
    end = len(evidence.recording.drafts)
    for source, target in zip(pair(evidence, evidence.recording.seq("mark")), pair(evidence, end), strict=True):
        evidence.objects[target] = evidence.objects[source]
    report = evidence.verify()
    moment = evidence.recording.time("mark")
    expect(report, "record_after_close", pair(evidence, end)[0], (moment, moment))
    assert codes_of(report) == {"record_after_close", "record_number_differs", "record_prev_differs"}


def test_record_duplicated_over_another(evidence: Evidence) -> None:
    seq = evidence.recording.seq("gap")
    for source, target in zip(pair(evidence, evidence.recording.seq("mark")), pair(evidence, seq), strict=True):
        evidence.objects[target] = evidence.objects[source]
    report = evidence.verify()
    assert find(report, "record_number_differs").seq == seq
    assert {found.seq for found in report.findings if found.code == "record_prev_differs"} == {seq, seq + 1}
    assert report.verdict is Verdict.NOT_OK


def test_open_record_inserted_again(evidence: Evidence) -> None:
    seq = evidence.recording.seq("mark")
    for source, target in zip(pair(evidence, 0), pair(evidence, seq), strict=True):
        evidence.objects[target] = evidence.objects[source]
    report = evidence.verify()
    assert find(report, "record_number_differs").seq == seq
    assert report.facts.opened == evidence.recording.time("open")
    assert report.verdict is Verdict.NOT_OK


def test_records_shifted_to_hide_a_deleted_one(evidence: Evidence) -> None:
    """The mark is taken out and everything behind it moves up by one number."""
    seq = evidence.recording.seq("mark")
    for number in range(seq, len(evidence.recording.drafts) - 1):
        for source, target in zip(pair(evidence, number + 1), pair(evidence, number), strict=True):
            evidence.objects[target] = evidence.objects[source]
    for key in pair(evidence, len(evidence.recording.drafts) - 1):
        del evidence.objects[key]
    report = evidence.verify()
    assert min(one.seq or 0 for one in report.findings if one.code == "record_number_differs") == seq
    assert find(report, "record_prev_differs").seq == seq
    assert find(report, "totals_differ").object == pair(evidence, len(evidence.recording.drafts) - 2)[0]
    assert report.verdict is Verdict.NOT_OK


def test_record_of_another_session(evidence: Evidence) -> None:
    other = build()
    other.session = "xindai-room-1-20261124T020000Z-1111"
    foreign = other.seal()
    seq = evidence.recording.seq("mark")
    for theirs, ours in zip(pair(foreign, seq), pair(evidence, seq), strict=True):
        evidence.objects[ours] = foreign.objects[theirs]
    report = evidence.verify()
    found = expect(report, "record_of_other_session", pair(evidence, seq)[0], between(evidence, seq))
    assert other.session in found.en


def test_session_renamed(evidence: Evidence) -> None:
    renamed = "xindai-room-1-20261123T093001Z-7f3a"
    evidence.objects = {key.replace(SESSION, renamed): data for key, data in evidence.objects.items()}
    evidence.recording.session = renamed
    report = evidence.verify()
    assert report.verdict is Verdict.NOT_OK
    assert codes_of(report) == {"record_of_other_session", "object_unexplained", "close_missing"}
    assert report.facts.records == 0


def test_session_moved_to_another_room_with_its_records_rewritten(evidence: Evidence) -> None:
    renamed = SESSION.replace("room-1", "room-2")
    evidence.objects = {
        key.replace(SESSION, renamed): data.replace(SESSION.encode(), renamed.encode()) if "/records/" in key else data
        for key, data in evidence.objects.items()
    }
    evidence.recording.session = renamed
    report = evidence.verify()
    assert {"session_name_differs", "signature_wrong"} <= codes_of(report)
    assert report.verdict is Verdict.NOT_OK


def test_session_deleted() -> None:
    evidence = build().seal()
    evidence.objects = {}
    report = evidence.verify()
    expect(report, "session_missing", f"sessions/{SESSION}/")
    assert report.verdict is Verdict.INCOMPLETE


def test_far_away_record_is_one_finding_and_not_a_hundred_million(evidence: Evidence) -> None:
    evidence.objects[layout.record_key(SESSION, 99_999_999)] = b"{}"
    report = evidence.verify()
    found = find(report, "record_missing")
    assert "99999998" in found.en
    assert report.verdict is Verdict.NOT_OK


def test_second_key_for_the_same_record_in_other_digits(evidence: Evidence) -> None:
    key = layout.record_key(SESSION, 0).replace("00000000.json", "٠٠٠٠٠٠٠٠.json")
    evidence.objects[key] = b"{}"
    expect(evidence.verify(), "object_unnamed", key)
