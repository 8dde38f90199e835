"""One interview from start to close, by the clock: what is written where, and what is declared."""

from datetime import timedelta
from pathlib import Path

import pytest

from evidence_store.durable import RealDisk
from evidence_store.errors import ChainError
from evidence_store.records import (
    Alarm,
    CloseRecord,
    EventRecord,
    Gap,
    Mark,
    OpenRecord,
    SegmentRecord,
    parse_record,
    to_us,
)
from evidence_store.verify import Verdict
from recorder.groups import Loss
from recorder.session import MAX_SEGMENT_FRAGMENTS, State
from recorder.upload import spooled_records
from tests.evidence_store.chains import START
from tests.recorder.memory_disk import MemoryDisk
from tests.recorder.studio import GONE, Studio

AnyRecord = OpenRecord | SegmentRecord | EventRecord | CloseRecord


def records(studio: Studio) -> list[AnyRecord]:
    return [parse_record(record.data, where="") for record in spooled_records(studio.spool, 0)]


def segments(studio: Studio, track: str) -> list[SegmentRecord]:
    return [one for one in records(studio) if isinstance(one, SegmentRecord) and one.track == track]


def gaps(studio: Studio, track: str) -> list[Gap]:
    return [
        one.event
        for one in records(studio)
        if isinstance(one, EventRecord) and isinstance(one.event, Gap) and one.event.track == track
    ]


@pytest.fixture
def studio() -> Studio:
    return Studio(MemoryDisk())


def test_an_ordinary_interview(studio: Studio) -> None:
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(120)
    studio.interview.event(Mark(kind="mark", text="出示证据"))
    studio.roll(130)
    studio.stop()
    report = studio.verify()
    assert report.verdict is Verdict.OK, report.text("en")
    assert report.facts.close_reason == "operator"
    for track in report.facts.tracks:
        assert track.segments == 5
        assert track.recorded_us == 10_000_000
        assert track.first_time == START
        assert track.last_time == START + timedelta(seconds=10)
    assert studio.interview.state is State.CLOSED


def test_records_come_in_the_order_in_which_things_happened(studio: Studio) -> None:
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(120)
    studio.interview.event(Mark(kind="mark", text=""))
    studio.stop()
    kinds = [one.event.kind if isinstance(one, EventRecord) else one.type for one in records(studio)]
    assert kinds == ["open", *["segment"] * 4, "mark", *["segment"] * 2, "close"]
    assert [one.seq for one in records(studio)] == list(range(9))


def test_segments_are_cut_at_the_first_key_frame_after_their_length(studio: Studio) -> None:
    """Key frames come every 2 s; a segment of 3 s is one of 4."""
    studio.segment_ms = 3000
    studio.connect("room")
    studio.begin(("room",))
    studio.roll(250)
    studio.stop()
    lengths = [sum(fragment.duration_us for fragment in one.fragments) for one in segments(studio, "room")]
    assert lengths == [4_000_000, 4_000_000, 2_000_000]
    assert all(one.fragments[0].keyframe for one in segments(studio, "room"))
    assert {one.run for one in segments(studio, "room")} == {0}


def test_pictures_from_before_start_are_its_beginning(studio: Studio) -> None:
    studio.connect("room")
    taken = list(studio.takes["room"].pictures(60))
    studio.clock.advance(2_400_000)
    studio.begin(("room",))
    for group in taken:
        studio.write("room", group)
    studio.roll(40)
    studio.stop()
    report = studio.verify()
    assert report.verdict is Verdict.OK, report.text("en")
    (track,) = report.facts.tracks
    assert track.first_time == START
    assert report.facts.opened == START + timedelta(milliseconds=2400)


def test_a_camera_that_comes_late_leaves_a_gap_from_the_start(studio: Studio) -> None:
    studio.connect("room")
    studio.begin()
    studio.roll(100)
    studio.connect("subject", lost=GONE)
    studio.roll(100)
    studio.stop()
    assert studio.verify().verdict is Verdict.OK_WITH_DECLARED_GAPS
    (gap,) = gaps(studio, "subject")
    assert (gap.after_index, gap.missing_us, gap.cause, gap.detail) == (None, 4_000_000, *vars_of(GONE))
    assert gaps(studio, "room") == []


def vars_of(loss: Loss) -> tuple[str, str]:
    return loss.cause, loss.detail


def test_a_camera_that_is_lost_and_back_is_a_second_run_behind_a_gap(studio: Studio) -> None:
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(120)
    studio.lose("subject")
    studio.roll(80)
    studio.connect("subject", lost=GONE)
    studio.roll(100)
    studio.stop()
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    (gap,) = gaps(studio, "subject")
    assert gap.from_time == START + timedelta(seconds=4.8)
    assert gap.to_time == START + timedelta(seconds=8)
    assert gap.missing_us == 3_200_000
    assert gap.after_index == 2
    assert [one.run for one in segments(studio, "subject")] == [0, 0, 0, 1, 1]
    assert segments(studio, "subject")[3].fragments[0].media_start_us == 0
    assert {one.run for one in segments(studio, "room")} == {0}


def test_what_a_lost_camera_sent_is_sealed_at_once(studio: Studio) -> None:
    studio.connect("room")
    studio.begin(("room",))
    studio.roll(70)
    assert len(segments(studio, "room")) == 1
    studio.lose("room")
    assert len(segments(studio, "room")) == 2


def test_the_gap_is_declared_before_the_film_goes_on(studio: Studio) -> None:
    studio.connect("room")
    studio.begin(("room",))
    studio.roll(60)
    studio.lose("room")
    studio.wait(5)
    assert gaps(studio, "room") == []
    studio.connect("room", lost=GONE)
    studio.roll(14)
    assert [gap.missing_us for gap in gaps(studio, "room")] == [5_000_000]


def test_a_camera_that_is_not_back_at_the_end_leaves_a_gap_to_the_end(studio: Studio) -> None:
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(100)
    studio.lose("room")
    studio.roll(100)
    studio.stop()
    assert studio.verify().verdict is Verdict.OK_WITH_DECLARED_GAPS
    (gap,) = gaps(studio, "room")
    assert (gap.from_time, gap.missing_us) == (START + timedelta(seconds=4), 4_000_000)
    assert (gap.cause, gap.detail) == vars_of(GONE)


def test_a_camera_that_never_delivers_is_missing_for_the_whole_session(studio: Studio) -> None:
    studio.connect("room")
    studio.begin()
    studio.roll(150)
    studio.stop()
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    (gap,) = gaps(studio, "subject")
    assert (gap.after_index, gap.missing_us) == (None, 6_000_000)
    assert gap.detail == "no picture came before the session was closed"
    assert segments(studio, "subject") == []


def test_a_session_without_any_picture_can_be_closed(studio: Studio) -> None:
    studio.begin()
    studio.wait(3)
    studio.stop()
    assert studio.verify().verdict is Verdict.OK_WITH_DECLARED_GAPS


def test_a_track_that_ends_a_moment_before_the_session_has_no_gap(studio: Studio) -> None:
    studio.connect("room")
    studio.begin(("room",))
    studio.roll(100)
    studio.wait(0.9)
    studio.stop()
    assert studio.verify().verdict is Verdict.OK


def test_a_camera_that_was_seen_to_be_lost_has_a_gap_however_short(studio: Studio) -> None:
    studio.connect("room")
    studio.begin(("room",))
    studio.roll(100)
    studio.lose("room")
    studio.wait(0.1)
    studio.stop()
    assert studio.verify().verdict is Verdict.OK_WITH_DECLARED_GAPS
    assert [gap.missing_us for gap in gaps(studio, "room")] == [100_000]


@pytest.mark.parametrize("losses", [1, 2, 5])
def test_every_loss_has_its_gap_and_the_times_add_up(studio: Studio, losses: int) -> None:
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(30)
    for _ in range(losses):
        studio.lose("room")
        studio.roll(25)
        studio.connect("room", lost=GONE, first=100)
        studio.roll(60)
    studio.stop()
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    room = next(track for track in report.facts.tracks if track.track == "room")
    subject = next(track for track in report.facts.tracks if track.track == "subject")
    assert (room.gaps, room.missing_us) == (losses, losses * 1_000_000)
    assert room.recorded_us + room.missing_us == subject.recorded_us


def test_new_coding_parameters_are_a_new_run_with_a_gap_of_nothing(studio: Studio) -> None:
    changed = Loss("camera_restarted", "the camera changed its coding parameters")
    studio.connect("room")
    studio.begin(("room",))
    studio.roll(50)
    studio.lose("room", changed)
    studio.connect("room", lost=changed)
    studio.roll(50)
    studio.stop()
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    assert [(gap.missing_us, gap.cause) for gap in gaps(studio, "room")] == [(0, "camera_restarted")]


def test_what_was_synced_is_told_as_kept(studio: Studio) -> None:
    studio.connect("room")
    studio.begin(("room",))
    assert studio.interview.kept_until_us == {}
    studio.roll(14)
    assert studio.interview.kept_until_us == {"room": to_us(START) + 520_000}
    assert studio.interview.first_durable_us is not None


def test_nothing_is_told_as_kept_before_it_is_synced() -> None:
    disk = MemoryDisk()
    studio = Studio(disk)
    studio.connect("room")
    studio.begin(("room",))
    for group in studio.takes["room"].pictures(14):
        studio.write("room", group)
    assert studio.interview.kept_until_us == {}
    studio.interview.sync()
    assert studio.interview.kept_until_us != {}
    assert disk.steps[-1][0] == "sync"


def test_sound_belongs_to_its_pictures(studio: Studio) -> None:
    studio.connect("subject")
    studio.begin(("subject",))
    studio.roll(100)
    studio.stop()
    counts = [fragment.samples for one in segments(studio, "subject") for fragment in one.fragments]
    assert sum(count.video for count in counts) == 100
    assert 55 <= sum(count.audio for count in counts) <= 62


class TestTime:
    def test_the_films_time_does_not_go_back_when_arrival_tells_more(self, studio: Studio) -> None:
        """The first pictures of a connection can be late by more than a fragment, which only later ones show."""
        studio.connect("room")
        studio.begin(("room",))
        take = studio.takes["room"]
        take.start_us += 700_000
        late = list(take.pictures(13))
        take.start_us -= 700_000
        for group in (*late, *take.pictures(60)):
            studio.write("room", group)
        studio.clock.advance(73 * 40_000)
        studio.stop()
        report = studio.verify()
        times = [fragment.time for one in segments(studio, "room") for fragment in one.fragments]
        assert times == sorted(times)
        assert report.verdict in {Verdict.OK, Verdict.OK_WITH_DECLARED_GAPS}, report.text("en")

    @pytest.mark.parametrize("step_s", [-3600, -2, 2, 3600])
    def test_a_clock_that_is_set_is_told_once(self, studio: Studio, step_s: int) -> None:
        studio.connect("room")
        studio.begin(("room",))
        studio.roll(60)
        assert studio.interview.clock_stepped_us() == 0
        studio.clock.set_utc(studio.clock.utc_us() + step_s * 1_000_000)
        assert studio.interview.clock_stepped_us() == step_s * 1_000_000
        assert studio.interview.clock_stepped_us() == 0

    def test_slewing_is_no_step(self, studio: Studio) -> None:
        studio.begin()
        for _ in range(100):
            studio.clock.advance(1_000_000)
            studio.clock.set_utc(studio.clock.utc_us() + 500)
            assert studio.interview.clock_stepped_us() == 0

    def test_a_session_over_a_step_forward_verifies(self, studio: Studio) -> None:
        studio.connect("room")
        studio.begin(("room",))
        studio.roll(60)
        studio.clock.set_utc(studio.clock.utc_us() + 30_000_000)
        assert studio.interview.clock_stepped_us() == 30_000_000
        studio.interview.event(Alarm(kind="alarm", alarm="clock_step", track=None, detail="set by 30 s"))
        studio.roll(60)
        studio.stop()
        report = studio.verify()
        assert report.verdict is Verdict.OK, report.text("en")
        (track,) = report.facts.tracks
        assert track.recorded_us == 4_800_000


def test_a_segment_is_bounded_though_no_key_frame_comes(studio: Studio) -> None:
    studio.connect("room")
    studio.begin(("room",))
    studio.takes["room"].keyless = True
    for group in studio.takes["room"].pictures(13 * (MAX_SEGMENT_FRAGMENTS + 5)):
        studio.write("room", group)
    studio.clock.advance(13 * (MAX_SEGMENT_FRAGMENTS + 5) * 40_000)
    studio.takes.clear()
    studio.connect("room")
    studio.roll(40)
    studio.stop()
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    first, second = segments(studio, "room")
    assert len(first.fragments) == MAX_SEGMENT_FRAGMENTS
    assert second.fragments[0].keyframe
    (gap,) = gaps(studio, "room")
    assert (gap.cause, gap.detail) == ("stream_damaged", "the camera sent no key frame for too long")


class TestStates:
    def test_a_session_goes_one_way(self, studio: Studio) -> None:
        interview = studio.begin()
        states = [interview.state]
        studio.stop()
        states.append(interview.state)
        assert states == [State.RECORDING, State.CLOSED]
        with pytest.raises(ValueError, match="an interview that is closed cannot become recording"):
            interview.resume(GONE)

    def test_nothing_follows_the_close(self, studio: Studio) -> None:
        studio.begin()
        studio.stop()
        with pytest.raises(ChainError, match="follows the close of its session"):
            studio.interview.event(Mark(kind="mark", text="too late"))


def test_on_a_real_disk(tmp_path: Path) -> None:
    """The same on files: every name and every right as another process sees them."""
    studio = Studio(RealDisk(), folder=tmp_path / "xindai-room-1-20261123T013000Z-7f3a")
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(120)
    studio.stop()
    assert studio.verify().verdict is Verdict.OK
    names = sorted(path.relative_to(studio.folder).as_posix() for path in studio.folder.rglob("*") if path.is_file())
    assert names == [
        *(f"media/{track}/00000{index}.0000.mp4" for track in ("room", "subject") for index in range(3)),
        *(f"records/0000000{seq}.{kind}" for seq in range(8) for kind in ("json", "sig")),
        "stopping",
    ]
