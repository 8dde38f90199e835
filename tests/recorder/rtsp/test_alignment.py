"""Picture and sound on one time line, with what cameras say and what they get wrong."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.alignment import Alignment, SenderReport
from recorder.rtsp.units import Kind

CLOCKS_HZ: dict[Kind, int] = {"video": 90_000, "audio": 48_000}
UTC_US = 1_767_225_600_000_000
T0_US = 5_000_000_000


@dataclass
class Camera:
    """A camera whose capture began at media moment 0 with these timestamps. Moments are in microseconds."""

    video_first: int = 3_000_000_000
    audio_first: int = 1_234
    audio_late_us: int = 0
    """How much later than pictures of the same moment sound arrives."""

    def __post_init__(self) -> None:
        self.line = Alignment(CLOCKS_HZ)
        self.wall_us = UTC_US

    def timestamp(self, kind: Kind, moment_us: int) -> int:
        first = self.video_first if kind == "video" else self.audio_first
        return first + moment_us * CLOCKS_HZ[kind] // 1_000_000

    def unit(self, kind: Kind, moment_us: int) -> None:
        late_us = self.audio_late_us if kind == "audio" else 0
        self.line.seen(kind, self.timestamp(kind, moment_us), T0_US + moment_us + late_us)

    def play(self, until_us: int, since_us: int = 0) -> None:
        for moment_us in range(since_us, until_us, 40_000):
            self.unit("video", moment_us)
            self.unit("audio", moment_us)

    def report(self, kind: Kind, moment_us: int, arrival_us: int | None = None) -> None:
        arrived_us = T0_US + (moment_us if arrival_us is None else arrival_us)
        timestamp = self.timestamp(kind, moment_us) & 0xFFFFFFFF
        self.line.report(kind, SenderReport(self.wall_us + moment_us, timestamp, arrived_us))

    def announce(self, moment_us: int = 0) -> None:
        kinds: tuple[Kind, ...] = ("video", "audio")
        self.line.announce({kind: self.timestamp(kind, moment_us) & 0xFFFFFFFF for kind in kinds})

    def at_us(self, kind: Kind, moment_us: int) -> int:
        """Where a unit of this moment lies on the line."""
        return self.line.media_ticks(kind, self.timestamp(kind, moment_us)) * 1_000_000 // CLOCKS_HZ[kind]

    def apart_us(self, moment_us: int = 1_000_000) -> int:
        """How much too late sound is placed."""
        return self.at_us("audio", moment_us) - self.at_us("video", moment_us)


def test_rtp_info_places_both_exactly() -> None:
    camera = Camera(audio_late_us=700_000)
    camera.announce()
    camera.play(200_000)
    assert camera.at_us("video", 0) == 0
    assert abs(camera.apart_us()) <= 50
    assert camera.line.placed_by == "rtp-info"


def test_the_first_picture_may_come_some_seconds_after_play() -> None:
    camera = Camera()
    camera.announce()
    camera.play(4_200_000, since_us=4_000_000)
    assert camera.at_us("video", 4_000_000) == 4_000_000
    assert abs(camera.apart_us()) <= 50


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_rtp_info_that_cannot_be_true_is_not_believed(kind: Kind) -> None:
    camera = Camera()
    info: dict[Kind, int] = {"video": camera.video_first, "audio": camera.audio_first}
    camera.line.announce(info | {kind: info[kind] + 777 * CLOCKS_HZ[kind]})
    camera.play(200_000)
    assert camera.at_us("video", 0) == 0
    assert abs(camera.apart_us()) <= 50
    assert camera.line.placed_by == "arrival"


def test_rtp_info_of_one_track_says_nothing_of_the_other() -> None:
    camera = Camera()
    camera.line.announce({"video": camera.video_first})
    camera.play(200_000)
    assert abs(camera.apart_us()) <= 50
    assert camera.line.placed_by == "arrival"


def test_without_a_word_arrival_places_sound() -> None:
    camera = Camera(audio_late_us=300_000)
    camera.play(200_000)
    camera.unit("audio", 240_000)
    assert abs(camera.apart_us() - 300_000) <= 50


def test_sound_that_begins_late_is_where_it_came() -> None:
    camera = Camera()
    for moment_us in range(0, 3_000_000, 40_000):
        camera.unit("video", moment_us)
    camera.unit("audio", 3_000_000)
    assert abs(camera.apart_us()) <= 50


def test_sound_may_come_first() -> None:
    camera = Camera()
    camera.unit("audio", 0)
    camera.unit("audio", 20_000)
    camera.unit("video", 500_000)
    assert camera.at_us("audio", 0) == 0
    assert abs(camera.apart_us()) <= 50


def test_sound_300_ms_late_is_put_right_by_the_first_sender_reports() -> None:
    camera = Camera(audio_late_us=300_000)
    camera.play(1_000_000)
    assert abs(camera.apart_us() - 300_000) <= 50
    before_us = camera.at_us("video", 500_000)
    camera.report("video", 900_000)
    camera.report("audio", 950_000)
    assert abs(camera.apart_us()) <= 50
    assert camera.at_us("video", 500_000) == before_us, "pictures do not move"
    assert camera.line.placed_by == "reports"


def test_reports_that_come_before_the_first_unit_are_kept() -> None:
    camera = Camera(audio_late_us=300_000)
    camera.report("video", 0)
    camera.report("audio", 0)
    camera.play(200_000)
    assert abs(camera.apart_us()) <= 50


def test_a_clock_that_steps_after_the_first_reports_moves_nothing() -> None:
    camera = Camera(audio_late_us=300_000)
    camera.play(1_000_000)
    camera.report("video", 900_000)
    camera.report("audio", 900_000)
    before_us = [camera.at_us(kind, 1_000_000) for kind in CLOCKS_HZ]
    for step_us in (3_600_000_000, -86_400_000_000, 900_000):
        camera.wall_us = UTC_US + step_us
        camera.report("video", 5_000_000)
        camera.wall_us += 250_000
        camera.report("audio", 5_000_000)
        camera.play(5_200_000, since_us=5_000_000)
        assert [camera.at_us(kind, 1_000_000) for kind in CLOCKS_HZ] == before_us


@pytest.mark.parametrize("step_us", [3_600_000_000, -3_600_000_000, 1_000_000, -700_000])
def test_a_clock_that_steps_between_the_first_two_reports_misleads_nobody(step_us: int) -> None:
    camera = Camera(audio_late_us=100_000)
    camera.play(1_000_000)
    camera.report("video", 900_000)
    camera.wall_us += step_us
    camera.report("audio", 1_000_000)
    assert abs(camera.apart_us() - 100_000) <= 50
    camera.report("video", 5_900_000)
    camera.report("audio", 6_000_000)
    assert abs(camera.apart_us()) <= 50


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_reports_whose_timestamp_is_nonsense_are_not_believed(kind: Kind) -> None:
    camera = Camera(audio_late_us=100_000)
    camera.play(1_000_000)
    camera.report("video", 900_000)
    camera.report("audio", 900_000)
    camera.line.report(kind, SenderReport(UTC_US + 900_000, 0x5555_5555, T0_US + 900_000))
    assert abs(camera.apart_us() - 100_000) <= 50


def test_timestamps_that_wrap_between_unit_and_report() -> None:
    camera = Camera(video_first=(1 << 32) - 90_000, audio_first=(1 << 32) - 24_000, audio_late_us=200_000)
    camera.play(2_000_000)
    camera.report("video", 1_900_000)
    camera.report("audio", 200_000, arrival_us=200_000)
    camera.report("audio", 1_900_000)
    assert abs(camera.apart_us()) <= 50
    assert camera.at_us("video", 0) == 0


def test_wild_timestamps_at_the_start_leave_the_reports_to_put_things_right() -> None:
    camera = Camera(audio_late_us=300_000)
    camera.line.seen("video", camera.video_first + 1_000_000_000, T0_US)
    camera.line.seen("audio", camera.audio_first - 1_000_000_000, T0_US)
    camera.line.media_ticks("audio", 0)
    camera.report("video", 0)
    camera.report("audio", 0)
    camera.play(400_000, since_us=40_000)
    assert abs(camera.apart_us()) <= 50


def test_the_last_report_is_shown() -> None:
    camera = Camera()
    assert camera.line.sender_report("video") is None
    camera.report("video", 1_000_000)
    camera.report("video", 2_000_000)
    shown = camera.line.sender_report("video")
    assert shown is not None
    assert shown.utc_us == UTC_US + 2_000_000


def test_a_camera_without_sound() -> None:
    camera = Camera()
    camera.unit("video", 0)
    camera.report("video", 0)
    camera.unit("video", 40_000)
    assert [camera.at_us("video", moment_us) for moment_us in (0, 40_000)] == [0, 40_000]


@given(
    st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 32) - 1), st.integers(0, 400_000), st.booleans(), st.booleans()
)
def test_whatever_timestamps_begin_with(
    video_first: int, audio_first: int, late_us: int, announced: bool, reported: bool
) -> None:
    camera = Camera(video_first, audio_first, late_us)
    if announced:
        camera.announce()
    camera.play(1_000_000)
    if reported:
        camera.report("video", 500_000)
        camera.report("audio", 700_000)
    assert camera.at_us("video", 0) == 0
    assert abs(camera.apart_us() - (0 if announced or reported else late_us)) <= 50
