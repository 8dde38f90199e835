"""A session that holds, seen whole; and what a verification does with its source, its mapper and its memory."""

import io
import struct
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import timedelta
from typing import Any

import av
import pytest

from evidence_store.errors import FormatError, StoreError, StoreUnavailableError
from evidence_store.media import fragments, ntp_from_us, parse_init
from evidence_store.records import format_time, parse_time, sha256_hex
from evidence_store.verify import ReaderSource, Report, Verdict, verify_session
from evidence_store.verify.inventory import MAX_MEDIA_BYTES, MAX_SIGNATURE_BYTES
from evidence_store.verify.session import LOOK_AHEAD
from tests.evidence_store.builder import CLOSED, OPENED, SESSION, START, Evidence, build, stated_fragments
from tests.evidence_store.chains import CASE


@pytest.fixture
def evidence() -> Evidence:
    return build().seal()


@pytest.fixture
def whole() -> Evidence:
    """A session without a gap: the subject's second run is left out, and the close comes at the end of the first."""
    recording = build()
    for kind, track, index in (
        ("gap", "", 0),
        ("segment", "subject", 2),
        ("segment", "subject", 3),
        ("segment", "room", 2),
        ("segment", "room", 3),
        ("segment", "room", 4),
    ):
        draft = recording.drafts.pop(recording.seq(kind, track, index))
        if kind == "segment":
            del recording.media[draft["media"]["key"]]
    recording.draft("close").update(time="2026-11-23T01:30:04.300000Z")
    recording.draft("close")["monotonic_us"] -= 6_000_000
    recording.count()
    return recording.seal()


class Source:
    """A source that a test makes fail."""

    def __init__(self, evidence: Evidence) -> None:
        self.objects = evidence.objects
        self.reads: list[str] = []
        self.failing: dict[str, StoreError] = {}
        self.sizes: dict[str, int] = {}
        self.listing: StoreError | None = None

    def altered(self, prefix: str) -> tuple[str, ...]:
        return ()

    def keys(self, prefix: str) -> Iterator[tuple[str, int]]:
        for key in sorted(self.objects):
            if self.listing is not None:
                raise self.listing
            if key.startswith(prefix):
                yield key, self.sizes.get(key, len(self.objects[key]))

    def read(self, key: str) -> bytes:
        self.reads.append(key)
        if key in self.failing:
            raise self.failing[key]
        return self.objects[key]


def verify(evidence: Evidence, source: Source, **options: Any) -> Report:
    return verify_session(SESSION, source, evidence.recording.site.anchors, **options)


def test_untouched_session_without_a_gap_is_ok(whole: Evidence) -> None:
    report = whole.verify()
    assert report.verdict is Verdict.OK
    assert report.findings == ()


def test_untouched_session_with_its_gap_says_so(evidence: Evidence) -> None:
    report = evidence.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS
    (gap,) = report.findings
    assert (gap.code, gap.track, gap.object) == ("gap_declared", "subject", evidence.record_key("gap"))
    assert (gap.from_time, gap.to_time) == (START + timedelta(seconds=4), START + timedelta(seconds=6))


def test_facts_are_those_of_the_records(evidence: Evidence) -> None:
    facts = evidence.verify().facts
    assert (facts.case, facts.site, facts.room, facts.operator) == (CASE, "xindai", "room-1", "赵操作")
    assert (facts.opened, facts.closed, facts.close_reason) == (OPENED, CLOSED, "operator")
    assert [
        (track.track, track.segments, track.recorded_us, track.gaps, track.missing_us) for track in facts.tracks
    ] == [
        ("room", 5, 10_000_000, 0, 0),
        ("subject", 4, 8_000_000, 1, 2_000_000),
    ]
    assert [(gap.track, gap.missing_us, gap.cause) for gap in facts.gaps] == [("subject", 2_000_000, "camera_lost")]
    assert facts.records == len(evidence.recording.drafts)
    assert facts.objects_checked == len(evidence.recording.media)
    assert facts.bytes_checked == sum(map(len, evidence.recording.media.values()))


def test_the_builder_makes_film_that_plays(evidence: Evidence) -> None:
    """The segments of a run, put end to end, are one film; each of them plays by itself."""
    first, second = (evidence.objects[evidence.media_key("subject", index)] for index in (2, 3))
    init_bytes = evidence.recording.draft("segment", "subject", 3)["media"]["init_bytes"]
    for data, pictures in ((first, 50), (second, 50), (first + second[init_bytes:], 100)):
        with av.open(io.BytesIO(data), "r") as film:
            assert len(list(film.decode(video=0))) == pictures
        with av.open(io.BytesIO(data), "r") as film:
            samples = [frame.samples for frame in film.decode(audio=0)]
            assert sum(samples) > 16_000 * pictures // 25 - 2048


def test_a_session_that_is_still_running_is_incomplete_and_nothing_else(evidence: Evidence) -> None:
    """As it lies in the store meanwhile: no close, a segment whose record is yet to come, a record not yet signed."""
    for kind, track, index in (("close", "", 0), ("segment", "room", 4)):
        del evidence.objects[evidence.record_key(kind, track, index)]
        del evidence.objects[evidence.signature_key(kind, track, index)]
    del evidence.objects[evidence.signature_key("segment", "subject", 3)]
    report = evidence.verify()
    assert report.verdict is Verdict.INCOMPLETE
    assert {found.code for found in report.findings} - {"gap_declared"} == {
        "close_missing", "object_unexplained", "signature_missing",
    }  # fmt: skip


def test_another_session_beside_it_is_not_looked_at(evidence: Evidence) -> None:
    evidence.objects["sessions/xindai-room-1-20261123T013001Z-7f3b/notes"] = b""
    assert evidence.verify().verdict is Verdict.OK_WITH_DECLARED_GAPS


@pytest.mark.parametrize("session", ["", "../x", "sessions/a", SESSION + "/", SESSION.upper(), SESSION + "\n"])
def test_what_is_no_session_id_is_wrong_use(evidence: Evidence, session: str) -> None:
    with pytest.raises(FormatError):
        verify_session(session, evidence.source(), evidence.recording.site.anchors)


def test_threads_find_the_same(evidence: Evidence) -> None:
    evidence.flip(evidence.media_key("room", 2), 9000)
    del evidence.objects[evidence.media_key("subject", 1)]
    alone = evidence.verify()
    with ThreadPoolExecutor(4) as pool:
        together = verify_session(SESSION, evidence.source(), evidence.recording.site.anchors, mapper=pool.map)
    assert together == alone


def test_no_more_than_a_batch_is_asked_for_at_once(evidence: Evidence) -> None:
    sizes = []

    def mapper(function: Callable[[Any], Any], items: Iterable[Any], /) -> Iterable[Any]:
        items = list(items)
        sizes.append(len(items))
        return map(function, items)

    recording = evidence.recording
    mark = recording.draft("mark")
    at = recording.seq("mark")
    recording.drafts[at:at] = [dict(mark) for _ in range(10 * LOOK_AHEAD)]
    recording.count()
    report = verify_session(SESSION, recording.seal().source(), recording.site.anchors, mapper=mapper)
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS
    assert max(sizes) == LOOK_AHEAD


def test_memory_does_not_grow_with_the_session() -> None:
    """Ten times as many records, segments among them, take no more memory while they are verified."""
    peaks = []
    for rounds in (8, 80):
        sealed = _long(rounds)
        source, anchors = sealed.source(), sealed.recording.site.anchors
        tracemalloc.start()
        try:
            report = verify_session(SESSION, source, anchors)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert {found.code for found in report.findings} == {"gap_declared"}
        assert report.facts.objects_checked == 9 + rounds * 5
    assert peaks[1] < peaks[0] + 300_000


def _long(rounds: int) -> Evidence:
    """The room's film goes on: its five segments come again and again, later each time, as long as the clip is."""
    recording = build()
    close = recording.drafts.pop()
    subject_gap = recording.draft("gap")
    first = [recording.draft("segment", "room", index) for index in range(5)]
    end = START + timedelta(seconds=10)
    for number in range(1, rounds + 1):
        for draft in first:
            later = deepcopy(draft)
            later["run"] = 0
            later["index"] += 5 * number
            key = f"sessions/{SESSION}/media/room/{later['index']:06d}.mp4"
            data = move(recording.media[draft["media"]["key"]], timedelta(seconds=10 * number))
            recording.media[key] = data
            later["media"].update(key=key, sha256=sha256_hex(data))
            later["fragments"] = stated_fragments(data, parse_init(data))
            sealed = parse_time(later["fragments"][-1]["time"]) + timedelta(seconds=1)
            later.update(time=format_time(sealed), monotonic_us=close["monotonic_us"] + 10_000_000 * number)
            later["monotonic_us"] += 2_000_000 * draft["index"]
            recording.drafts.append(later)
        end += timedelta(seconds=10)
    gap = deepcopy(subject_gap)
    gap["event"].update(after_index=3, to=format_time(end), missing_us=10_000_000 * rounds)
    gap["event"]["from"] = format_time(START + timedelta(seconds=10))
    for draft in (gap, close):
        draft.update(time=format_time(end + timedelta(seconds=1)), monotonic_us=recording.drafts[-1]["monotonic_us"])
        recording.drafts.append(draft)
    recording.count()
    return recording.seal()


def move(data: bytes, by: timedelta) -> bytes:
    """A segment of the room's track, later in its run."""
    moved = bytearray(data)
    for boxes in fragments(data, parse_init(data)):
        prft = data.index(b"prft", boxes.offset) + 4
        utc_us = boxes.utc_us + by // timedelta(microseconds=1)
        struct.pack_into(">Q", moved, prft + 8, ntp_from_us(utc_us))
        tfdt = data.index(b"tfdt", boxes.offset) + 8
        (start,) = struct.unpack_from(">Q", data, tfdt)
        struct.pack_into(">Q", moved, tfdt, start + int(by.total_seconds()) * 90_000)
    return bytes(moved)


def test_each_object_is_read_once(evidence: Evidence) -> None:
    source = Source(evidence)
    verify(evidence, source)
    assert sorted(source.reads) == sorted(evidence.objects)


@pytest.mark.parametrize("kind", ["record", "signature", "media", "certificate"])
def test_an_object_that_cannot_be_read_cannot_be_judged(evidence: Evidence, kind: str) -> None:
    key = {
        "record": evidence.record_key("mark"),
        "signature": evidence.signature_key("mark"),
        "media": evidence.media_key("room", 1),
        "certificate": evidence.certificate_key,
    }[kind]
    source = Source(evidence)
    source.failing[key] = StoreUnavailableError("cannot be reached", where="hall")
    report = verify(evidence, source)
    assert report.verdict is Verdict.CANNOT_JUDGE
    (found,) = (one for one in report.findings if one.code == "object_unreadable")
    assert found.object == key
    assert "cannot be reached" in found.en


def test_a_store_that_cannot_be_listed_cannot_be_judged(evidence: Evidence) -> None:
    source = Source(evidence)
    source.listing = StoreUnavailableError("cannot be reached", where="hall")
    report = verify(evidence, source)
    assert report.verdict is Verdict.CANNOT_JUDGE
    assert [found.code for found in report.findings] == ["store_unreadable"]
    assert source.reads == []


@pytest.mark.parametrize(
    ("kind", "size_bytes", "code"),
    [
        ("record", (1 << 20) + 1, "record_malformed"),
        ("signature", MAX_SIGNATURE_BYTES + 1, "signature_wrong"),
        ("media", MAX_MEDIA_BYTES + 1, "object_too_large"),
    ],
)
def test_what_is_larger_than_the_format_allows_is_not_read(
    evidence: Evidence, kind: str, size_bytes: int, code: str
) -> None:
    keys = {
        "record": evidence.record_key("close"),
        "signature": evidence.signature_key("close"),
        "media": evidence.media_key("room", 1),
    }
    source = Source(evidence)
    source.sizes[keys[kind]] = size_bytes
    report = verify(evidence, source)
    assert keys[kind] not in source.reads
    assert code in {found.code for found in report.findings}
    assert report.verdict in {Verdict.NOT_OK, Verdict.CANNOT_JUDGE}


def test_an_object_that_disappears_after_it_was_listed_is_missing(evidence: Evidence) -> None:
    class Forgetful(ReaderSource):
        def read(self, key: str) -> bytes:
            if key == evidence.record_key("mark"):
                del evidence.objects[key]
            return super().read(key)

    source = evidence.source()
    forgetful = Forgetful(source._reader)
    report = verify_session(SESSION, forgetful, evidence.recording.site.anchors)
    assert report.verdict is Verdict.INCOMPLETE
    assert {found.code for found in report.findings} == {"gap_declared", "record_missing"}
