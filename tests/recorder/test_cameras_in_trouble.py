"""One session with many cameras, each of which misbehaves in its own way. None takes the others with it, what was lost
is declared, and what was kept plays."""

from itertools import pairwise
from pathlib import Path

import av
import pytest

from evidence_store.records import SegmentRecord, to_us
from evidence_store.verify import Report, Verdict
from shilu.cameras.clip import make_clip
from shilu.cameras.media import MediaUnit, Track
from shilu.cameras.nal import START_CODE, split
from shilu.cameras.spec import MediaSpec
from tests.integration.film import decode, length_s
from tests.parts.process import free_port
from tests.parts.require import require
from tests.recorder.conftest import SMALL, Hosts
from tests.recorder.rooms import ROOM, START, Camera, Recorded, Running, new_site, wait_for, write_devices

SYNC_S = 0.040

CAMERAS: dict[str, dict[str, object]] = {
    "good": {},
    "lost": {},
    "hangs": {},
    "holds-its-breath": {},
    "changes-its-size": {},
    "sends-garbage": {},
    "sound-comes-late": {},
    "sound-stops": {},
    "wild-start": {},
    "wild-start-g711": {"audio": "pcm_alaw"},
    "clock-leaps": {},
    "announces-its-parameters": {"audio": None},
    "sound-comes-late-ts": {},
    "picture-stops": {},
    "drops-packets": {},
}
"""Each is served by a host of its own only where it has to be."""
ALONE = {"lost"}
TRANSPORT_STREAMS = {"sound-comes-late-ts"}
WHOLE = {
    "good",
    "sound-comes-late",
    "sound-stops",
    "wild-start",
    "wild-start-g711",
    "clock-leaps",
    "announces-its-parameters",
}
"""Cameras from which no picture may be lost."""


class Edits:
    """Switches for what goes into a camera's stream; `parameter_sets` in it or only announced."""

    def __init__(self) -> None:
        self.parameter_sets = False
        self.sound = False
        self.picture = True

    def bare(self, unit: MediaUnit) -> MediaUnit:
        if self.parameter_sets or not unit.keyframe:
            return unit
        kept = [nal for nal in split(unit.data) if nal[0] & 0x1F not in (7, 8)]
        data = b"".join(START_CODE + nal for nal in kept)
        return MediaUnit(unit.track, data, unit.keyframe, unit.pts, unit.due_us)

    def silent_first(self, unit: MediaUnit) -> MediaUnit | None:
        return unit if self.sound or unit.track is Track.VIDEO else None

    def blind(self, unit: MediaUnit) -> MediaUnit | None:
        return unit if self.picture or unit.track is Track.AUDIO else None


@pytest.fixture(scope="module")
def recorded(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory, clip_cache: Path) -> Recorded:
    edits = Edits()
    edited = {
        "announces-its-parameters": edits.bare,
        "sound-comes-late-ts": edits.silent_first,
        "picture-stops": edits.blind,
    }
    of_many = {name: fields for name, fields in CAMERAS.items() if name not in ALONE | TRANSPORT_STREAMS}
    many = hosts(of_many, edits=edited)
    lost = hosts({"lost": CAMERAS["lost"]})
    streams = hosts({name: CAMERAS[name] for name in TRANSPORT_STREAMS}, edits=edited, mpegts=True)
    for name in ("wild-start", "wild-start-g711"):
        many.camera(name).faults.wild_start_frames = 4
    many.camera("drops-packets").faults.loss_percent = 2
    many.camera("sound-comes-late").faults.sound_delay_s = 3
    cameras: dict[str, Camera] = {name: many.rtsp_url(name) for name in of_many}
    cameras |= {"lost": lost.rtsp_url("lost")} | {name: streams.tcp_url(name) for name in TRANSPORT_STREAMS}
    cameras["never"] = f"rtsp://127.0.0.1:{free_port()}/cam"
    other_size = make_clip(MediaSpec.model_validate(SMALL_SPEC | {"width": 256, "height": 144}), cache=clip_cache)

    site = new_site(tmp_path_factory.mktemp("trouble") / "site")
    with Running(site, write_devices(site, {ROOM: cameras}, pre_roll_s=0)) as room:
        room.wait_delivering(*CAMERAS)
        session = room.start(START.model_copy(update={"override_reason": "one camera is away"}))
        room.wait_recorded(2)
        lost.refuse_connections(True)
        lost.drop_clients("lost")
        many.camera("hangs").faults.stalled = True
        many.camera("holds-its-breath").faults.stalled = True
        many.switch_clip("changes-its-size", other_size)
        many.send_garbage("sends-garbage", 5000)
        many.camera("sound-stops").faults.sound_muted = True
        many.camera("clock-leaps").faults.timestamp_shift_s = 30
        edits.parameter_sets = edits.sound = True
        edits.picture = False
        room.wait_recorded(4)
        lost.refuse_connections(False)
        many.camera("clock-leaps").faults.timestamp_shift_s = -20
        room.wait_recorded(4.6)
        many.camera("holds-its-breath").faults.stalled = False
        many.camera("sound-stops").faults.sound_muted = False
        wait_for(lambda: room.state("hangs") == "lost", "the camera that hangs to be noticed")
        wait_for(lambda: room.state("picture-stops") == "lost", "the camera without pictures to be noticed")
        many.camera("hangs").faults.stalled = False
        edits.picture = True
        room.wait_delivering(*CAMERAS)
        back_s = room.room.status()["elapsed_s"]
        room.wait_recorded(back_s + 1.5)
        room.stop()
    return Recorded(site, session)


SMALL_SPEC = {name: value for name, value in SMALL.items() if name in MediaSpec.model_fields}


@pytest.fixture(scope="module")
def report(recorded: Recorded) -> Report:
    return recorded.verify()


def test_everything_holds_and_what_was_lost_was_declared(report: Report) -> None:
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    assert {track.track for track in report.facts.tracks} == {*CAMERAS, "never"}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_camera_that_only_lies_about_time_loses_nothing(recorded: Recorded, name: str) -> None:
    assert recorded.gaps(name) == []
    (run,) = recorded.runs(name)
    steps = [later - earlier for earlier, later in pairwise(recorded.watch(run).picture_s)]
    assert steps == pytest.approx([0.04] * len(steps), abs=0.045), "a leap is taken out to within a picture"
    (good,) = recorded.runs("good")
    assert recorded.length_s(run) == pytest.approx(recorded.length_s(good), abs=1.0)


@pytest.mark.parametrize("name", sorted(CAMERAS.keys() - {"sends-garbage", "drops-packets"}))
def test_every_segment_plays_by_itself(recorded: Recorded, name: str) -> None:
    ffmpeg = require("ffmpeg")
    for segment in recorded.segments(name):
        assert decode(ffmpeg, recorded.data(segment)) == "", segment.media.key


@pytest.mark.parametrize("name", sorted(CAMERAS.keys()))
def test_every_run_is_one_film_of_the_stated_length(recorded: Recorded, name: str) -> None:
    for run in recorded.runs(name):
        assert length_s(recorded.film(run)) == pytest.approx(recorded.length_s(run), abs=0.1)


@pytest.mark.parametrize("name", sorted({*CAMERAS, "never"}))
def test_film_and_gaps_fill_the_session(recorded: Recorded, name: str) -> None:
    totals = next(one for one in recorded.closed.tracks if one.track == name)
    span_us = to_us(recorded.closed.time) - to_us(totals.first_time or recorded.opened.time)
    assert totals.recorded_us + totals.missing_us == pytest.approx(span_us, abs=1_500_000)


def seconds_missing(recorded: Recorded, name: str) -> list[tuple[str, float]]:
    return [(gap.cause, gap.missing_us / 1e6) for gap in recorded.gaps(name)]


def test_a_camera_that_was_lost_and_came_back(recorded: Recorded) -> None:
    ((cause, missing_s),) = seconds_missing(recorded, "lost")
    assert cause == "camera_lost"
    assert 1.8 < missing_s < 8
    assert len(recorded.runs("lost")) == 2
    (gap,) = recorded.gaps("lost")
    first, second = recorded.runs("lost")
    last = first[-1].fragments[-1]
    assert to_us(gap.from_time) == to_us(last.time) + last.duration_us
    assert gap.to_time == second[0].fragments[0].time
    assert gap.after_index == first[-1].index


def test_a_camera_that_hangs_is_read_anew(recorded: Recorded) -> None:
    ((cause, missing_s),) = seconds_missing(recorded, "hangs")
    assert cause == "camera_lost"
    assert missing_s > 3.5
    assert len(recorded.runs("hangs")) == 2


def test_a_hole_in_the_stream_is_declared_though_the_connection_stood(recorded: Recorded) -> None:
    ((cause, missing_s),) = seconds_missing(recorded, "holds-its-breath")
    assert cause == "camera_lost"
    assert 2.2 < missing_s < 4
    assert "no picture for" in recorded.gaps("holds-its-breath")[0].detail


def test_new_parameter_sets_begin_a_new_run(recorded: Recorded) -> None:
    ((cause, missing_s),) = seconds_missing(recorded, "changes-its-size")
    assert cause == "camera_restarted"
    assert missing_s < 0.5
    sizes = []
    for run in recorded.runs("changes-its-size"):
        seen = recorded.watch(run)
        assert {picture.shape for picture in seen.pictures} == {seen.pictures[0].shape}
        sizes.append(seen.pictures[0].shape)
    assert sizes == [(270, 320), (216, 256)]


def test_garbage_between_packets_costs_little(recorded: Recorded) -> None:
    recorded_s = sum(recorded.length_s(run) for run in recorded.runs("sends-garbage"))
    (good,) = recorded.runs("good")
    assert recorded_s > recorded.length_s(good) - 4


def test_packets_that_a_camera_leaves_out_cost_little(recorded: Recorded) -> None:
    (run,) = recorded.runs("drops-packets")
    (good,) = recorded.runs("good")
    assert recorded.length_s(run) > recorded.length_s(good) - 1
    kept, all_ = (
        sum(fragment.samples.video for segment in one for fragment in segment.fragments) for one in (run, good)
    )
    assert kept > 0.8 * all_


def test_sound_that_comes_late(recorded: Recorded) -> None:
    (run,) = recorded.runs("sound-comes-late")
    assert {segment.media.mime.split(", ")[-1] for segment in run} == {'mp4a.40.2"'}
    counts = [fragment.samples.audio for segment in run for fragment in segment.fragments]
    assert counts[0] == 0
    assert counts[-2] > 0
    in_step(recorded, run)


def test_sound_that_stops_for_a_while(recorded: Recorded) -> None:
    (run,) = recorded.runs("sound-stops")
    counts = [fragment.samples.audio for segment in run for fragment in segment.fragments]
    assert counts[0] > 0
    assert 0 in counts
    assert counts[-2] > 0
    in_step(recorded, run)


@pytest.mark.parametrize("name", ["good", "wild-start", "wild-start-g711", "clock-leaps"])
def test_picture_and_sound_stay_together(recorded: Recorded, name: str) -> None:
    (run,) = recorded.runs(name)
    in_step(recorded, run)
    assert recorded.sound_samples(run) > 0.8 * recorded.sound_samples(recorded.runs("good")[0]) * (
        14 / 47 if name.endswith("g711") else 1
    )


def in_step(recorded: Recorded, run: list[SegmentRecord]) -> None:
    """Every beep is heard when the flash is seen."""
    seen = recorded.watch(run)
    # Where sound begins, AAC's overlap plays what was last heard before: an echo of a beep.
    begins = [seen.sound_s[0], *(now for before, now in pairwise(seen.sound_s) if now - before > 0.2)]
    beeps = [beep for beep in seen.beeps_s() if all(not 0 <= beep - begin < 0.1 for begin in begins)]
    assert len(beeps) >= 2
    for beep in beeps[:-1]:
        assert min(abs(beep - flash) for flash in [seen.picture_s[0], *seen.flashes_s()]) < SYNC_S


def test_parameter_sets_that_were_announced_are_no_change_when_they_come(recorded: Recorded) -> None:
    assert len(recorded.runs("announces-its-parameters")) == 1


def test_sound_that_a_transport_stream_announced_and_sent_late(recorded: Recorded) -> None:
    """Nothing is known of it before: the run with sound is another one."""
    runs = recorded.runs("sound-comes-late-ts")
    with av.open(str(recorded.spool.media_path("sound-comes-late-ts", 0))) as first:
        assert [stream.type for stream in first.streams] == ["video"]
    assert recorded.sound_samples(runs[0]) == 0
    assert recorded.sound_samples(runs[-1]) > 0
    ((cause, missing_s),) = seconds_missing(recorded, "sound-comes-late-ts")
    assert cause == "camera_restarted"
    assert missing_s < 5
    in_step(recorded, runs[-1])


def test_a_camera_that_sends_only_sound_is_read_anew(recorded: Recorded) -> None:
    ((cause, missing_s),) = seconds_missing(recorded, "picture-stops")
    assert cause == "camera_lost"
    assert missing_s > 3.5


def test_a_camera_that_never_delivers_is_missing_from_beginning_to_end(recorded: Recorded) -> None:
    (gap,) = recorded.gaps("never")
    assert gap.after_index is None
    assert gap.from_time == recorded.opened.time
    assert to_us(gap.to_time) == pytest.approx(to_us(recorded.closed.time), abs=2_000_000)
    assert recorded.segments("never") == []
