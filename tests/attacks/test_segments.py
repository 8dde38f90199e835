"""Attacks on the objects that hold the film, by somebody who holds the store."""

from datetime import timedelta

import pytest

from evidence_store.verify import Verdict
from tests.attacks.expect import codes_of, expect, find
from tests.evidence_store.builder import Evidence, build


@pytest.fixture
def evidence() -> Evidence:
    return build().seal()


def place(evidence: Evidence, track: str, index: int, fragment: int) -> int:
    """Where a fragment begins in its object."""
    return int(evidence.recording.draft("segment", track, index)["fragments"][fragment]["offset"])


@pytest.mark.parametrize("fragment", range(4))
@pytest.mark.parametrize(("track", "index"), [("subject", 0), ("subject", 3), ("room", 2)])
def test_flipped_bit_in_segment_is_placed_at_its_fragment(
    evidence: Evidence, track: str, index: int, fragment: int
) -> None:
    key = evidence.media_key(track, index)
    evidence.flip(key, place(evidence, track, index, fragment) + 200, bit=3)
    report = evidence.verify()
    span = evidence.recording.span(track, index, fragment, fragment)
    found = expect(report, "fragment_changed", key, span)
    assert found.track == track
    assert found.seq == evidence.recording.seq("segment", track, index)
    assert codes_of(report) == {"fragment_changed"}


def test_flipped_bits_in_two_neighbouring_fragments_are_one_span(evidence: Evidence) -> None:
    key = evidence.media_key("room", 1)
    evidence.flip(key, place(evidence, "room", 1, 1) + 100)
    evidence.flip(key, place(evidence, "room", 1, 2) + 100)
    expect(evidence.verify(), "fragment_changed", key, evidence.recording.span("room", 1, 1, 2))


def test_flipped_bits_far_apart_are_two_spans(evidence: Evidence) -> None:
    key = evidence.media_key("room", 1)
    evidence.flip(key, place(evidence, "room", 1, 0) + 100)
    evidence.flip(key, place(evidence, "room", 1, 3) + 100)
    spans = {(found.from_time, found.to_time) for found in evidence.verify().findings if found.track == "room"}
    assert spans == {evidence.recording.span("room", 1, 0, 0), evidence.recording.span("room", 1, 3, 3)}


def test_flipped_bit_in_init_touches_the_whole_segment(evidence: Evidence) -> None:
    key = evidence.media_key("subject", 1)
    evidence.flip(key, 50)
    report = evidence.verify()
    expect(report, "init_changed", key, evidence.recording.span("subject", 1))
    assert codes_of(report) == {"init_changed"}


@pytest.mark.parametrize("fragment", range(4))
def test_truncated_segment_is_missing_from_the_first_fragment_cut(evidence: Evidence, fragment: int) -> None:
    key = evidence.media_key("subject", 0)
    evidence.objects[key] = evidence.objects[key][: place(evidence, "subject", 0, fragment) + 30]
    report = evidence.verify()
    expect(report, "object_truncated", key, evidence.recording.span("subject", 0, fragment))
    assert codes_of(report) == {"object_truncated"}


def test_segment_shortened_by_its_last_byte(evidence: Evidence) -> None:
    key = evidence.media_key("room", 4)
    evidence.objects[key] = evidence.objects[key][:-1]
    expect(evidence.verify(), "object_truncated", key, evidence.recording.span("room", 4, 3))


@pytest.mark.parametrize("rest", [b"", b"\x00\x00\x00\x20ftyp"])
def test_emptied_segment_is_missing_as_a_whole(evidence: Evidence, rest: bytes) -> None:
    key = evidence.media_key("room", 0)
    evidence.objects[key] = rest
    report = evidence.verify()
    expect(report, "object_truncated", key, evidence.recording.span("room", 0))
    assert codes_of(report) == {"object_truncated", "init_changed"}


def test_fragment_cut_out_of_the_middle(evidence: Evidence) -> None:
    key = evidence.media_key("room", 3)
    data = evidence.objects[key]
    evidence.objects[key] = data[: place(evidence, "room", 3, 1)] + data[place(evidence, "room", 3, 2) :]
    report = evidence.verify()
    assert codes_of(report) <= {"fragment_changed", "object_truncated"}
    touched = [found for found in report.findings if found.track == "room"]
    assert min(found.from_time for found in touched if found.from_time) == evidence.recording.span("room", 3, 1)[0]
    assert max(found.to_time for found in touched if found.to_time) == evidence.recording.span("room", 3)[1]
    assert report.verdict is Verdict.NOT_OK


@pytest.mark.parametrize("tail", [b"\x00", b"\x00\x00\x00\x08free"])
def test_bytes_added_to_a_segment(evidence: Evidence, tail: bytes) -> None:
    key = evidence.media_key("subject", 2)
    evidence.objects[key] += tail
    report = evidence.verify()
    end = evidence.recording.span("subject", 2)[1]
    expect(report, "object_lengthened", key, (end, end))
    assert codes_of(report) == {"object_lengthened"}


def test_deleted_segment_makes_the_session_incomplete(evidence: Evidence) -> None:
    key = evidence.media_key("subject", 1)
    del evidence.objects[key]
    report = evidence.verify()
    expect(report, "object_missing", key, evidence.recording.span("subject", 1))
    assert codes_of(report) == {"object_missing"}


def test_all_segments_of_a_track_deleted(evidence: Evidence) -> None:
    for index in range(5):
        del evidence.objects[evidence.media_key("room", index)]
    report = evidence.verify()
    assert report.verdict is Verdict.INCOMPLETE
    spans = {(found.from_time, found.to_time) for found in report.findings if found.code == "object_missing"}
    assert spans == {evidence.recording.span("room", index) for index in range(5)}


@pytest.mark.parametrize(
    ("first", "second"),
    [(("room", 1), ("room", 2)), (("subject", 0), ("room", 0))],
    ids=["within a track", "between tracks"],
)
def test_swapped_segments(evidence: Evidence, first: tuple[str, int], second: tuple[str, int]) -> None:
    evidence.swap(evidence.media_key(*first), evidence.media_key(*second))
    report = evidence.verify()
    assert report.verdict is Verdict.NOT_OK
    for track, index in (first, second):
        begin, end = evidence.recording.span(track, index)
        there = [found for found in report.findings if found.object == evidence.media_key(track, index)]
        assert {found.code for found in there} <= {
            "fragment_changed", "init_changed", "object_truncated", "object_lengthened",
        }  # fmt: skip
        assert min(found.from_time for found in there if found.from_time) == begin
        assert max(found.to_time for found in there if found.to_time) == end


def test_segment_duplicated_over_another(evidence: Evidence) -> None:
    key = evidence.media_key("room", 2)
    evidence.objects[key] = evidence.objects[evidence.media_key("room", 1)]
    report = evidence.verify()
    assert report.verdict is Verdict.NOT_OK
    assert {found.object for found in report.findings if found.code == "fragment_changed"} == {key}


def test_segment_duplicated_under_a_new_index_is_an_added_object(evidence: Evidence) -> None:
    key = evidence.media_key("room", 5)
    evidence.objects[key] = evidence.objects[evidence.media_key("room", 4)]
    report = evidence.verify()
    expect(report, "object_unnamed", key)
    assert codes_of(report) == {"object_unnamed"}


def test_fragments_reordered_within_a_segment(evidence: Evidence) -> None:
    key = evidence.media_key("room", 2)
    cuts = [place(evidence, "room", 2, fragment) for fragment in range(4)]
    data = evidence.objects[key]
    second, third = data[cuts[1] : cuts[2]], data[cuts[2] : cuts[3]]
    evidence.objects[key] = data[: cuts[1]] + third + second + data[cuts[3] :]
    report = evidence.verify()
    expect(report, "fragment_changed", key, evidence.recording.span("room", 2, 1, 2))


def test_fragment_replaced_with_another_of_the_same_size(evidence: Evidence) -> None:
    key = evidence.media_key("subject", 3)
    data = bytearray(evidence.objects[key])
    start, end = place(evidence, "subject", 3, 1), place(evidence, "subject", 3, 2)
    data[start:end] = bytes(reversed(data[start:end]))
    evidence.objects[key] = bytes(data)
    report = evidence.verify()
    expect(report, "fragment_changed", key, evidence.recording.span("subject", 3, 1, 1))
    assert codes_of(report) == {"fragment_changed"}


def test_sound_swapped_with_the_container_kept(evidence: Evidence) -> None:
    """The sound is what stands last in a fragment; boxes, pictures and lengths stay as they are."""
    key = evidence.media_key("subject", 2)
    data = bytearray(evidence.objects[key])
    for fragment in (1, 2):
        end = place(evidence, "subject", 2, fragment + 1)
        data[end - 60 : end] = bytes(60)
    evidence.objects[key] = bytes(data)
    report = evidence.verify()
    expect(report, "fragment_changed", key, evidence.recording.span("subject", 2, 1, 2))
    assert codes_of(report) == {"fragment_changed"}


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "media/subject/000004.mp4", "media/ceiling/000000.mp4", "media/subject/4.mp4", "records/x.json"],
)
def test_extra_object_in_the_session(evidence: Evidence, name: str) -> None:
    key = f"sessions/{evidence.recording.session}/{name}"
    evidence.objects[key] = b"added"
    report = evidence.verify()
    expect(report, "object_unnamed", key)
    assert codes_of(report) == {"object_unnamed"}


def test_track_moved_to_another_name(evidence: Evidence) -> None:
    for index in range(5):
        moved = evidence.media_key("room", index).replace("/room/", "/hall/")
        evidence.objects[moved] = evidence.objects.pop(evidence.media_key("room", index))
    report = evidence.verify()
    assert report.verdict is Verdict.NOT_OK
    assert codes_of(report) == {"object_missing", "object_unnamed"}


def test_tracks_exchanged(evidence: Evidence) -> None:
    for index in range(4):
        evidence.swap(evidence.media_key("room", index), evidence.media_key("subject", index))
    report = evidence.verify()
    assert report.verdict is Verdict.NOT_OK
    assert {found.track for found in report.findings if found.code == "init_changed"} == {"room", "subject"}


def test_an_attack_elsewhere_does_not_hide_a_second_one(evidence: Evidence) -> None:
    evidence.flip(evidence.media_key("room", 0), place(evidence, "room", 0, 1) + 99)
    del evidence.objects[evidence.media_key("subject", 3)]
    report = evidence.verify()
    assert find(report, "fragment_changed").track == "room"
    assert find(report, "object_missing").track == "subject"
    assert report.verdict is Verdict.NOT_OK


def test_findings_of_an_attack_lie_inside_the_session(evidence: Evidence) -> None:
    evidence.flip(evidence.media_key("room", 4), 5000)
    found = find(evidence.verify(), "fragment_changed")
    assert found.from_time is not None
    assert found.to_time is not None
    assert timedelta(0) < found.to_time - found.from_time <= timedelta(seconds=1)
