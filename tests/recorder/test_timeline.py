"""Decode times: whatever a camera says of time, no picture is dropped and time runs forward."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.timeline import JUMP_US, MAX_STEP_US, MAX_UNSTAMPED, Lost, StreamDamagedError, Timeline

RATE = 90_000
STEP = 3600
STEP_US = 40_000
T0_US = 7_000_000_000


def place_all(line: Timeline, packets: Iterable[tuple[int | None, int]]) -> list[int]:
    """Decode times of (stamp, arrival) pairs none of which is a loss."""
    times = []
    for stamp, arrival_us in packets:
        placed = line.place(stamp, arrival_us)
        assert isinstance(placed, int), placed
        times.append(placed)
    return times


def live(count: int, first: int = 1_000_000, start_us: int = T0_US) -> list[tuple[int, int]]:
    """A camera in good order: each picture arrives when it was taken."""
    return [(first + number * STEP, start_us + number * STEP_US) for number in range(count)]


def steps(times: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_stamps_of_a_camera_in_good_order_are_believed() -> None:
    packets = live(100)
    assert place_all(Timeline(RATE), packets) == [stamp for stamp, _ in packets]


def test_pictures_that_gathered_before_the_first_read_are_believed_too() -> None:
    """FFmpeg keeps what came while it probed the stream, and gives it out all at once."""
    packets = [(stamp, max(arrival_us, T0_US + 1_500_000)) for stamp, arrival_us in live(100)]
    line = Timeline(RATE)
    assert place_all(line, packets) == [stamp for stamp, _ in packets]
    assert line.jumps == 0


@pytest.mark.parametrize(
    "wild",
    [
        [2**31],
        [4_273_774_622, 12, 4_854_770_546],
        [0, 2**32 - 1, 0, 2**32 - 1],
        [-(2**33), 2**33],
        [None, 2_641_280_133, 3_432_370_395],
        [None, None, None],
    ],
)
def test_wild_times_at_the_start(wild: list[int | None]) -> None:
    line = Timeline(RATE)
    good = live(50, start_us=T0_US + len(wild) * STEP_US)
    stamps = [*wild, *(stamp for stamp, _ in good)]
    times = place_all(line, ((stamp, T0_US + number * STEP_US) for number, stamp in enumerate(stamps)))
    assert all(step > 0 for step in steps(times))
    assert steps(times)[len(wild) :] == [STEP] * 49


@pytest.mark.parametrize("leap_s", [-3600.0, -10.0, -1.1, 1.1, 10.0, 3600.0])
def test_a_leap_of_the_cameras_clock_is_taken_out(leap_s: float) -> None:
    line = Timeline(RATE)
    packets = live(200)
    leap = round(leap_s * RATE)
    leapt = packets[:100] + [(stamp + leap, arrival_us) for stamp, arrival_us in packets[100:]]
    assert steps(place_all(line, leapt)) == [STEP] * 199
    assert line.jumps == 1


def test_leaps_back_and_forth_are_taken_out_each_time() -> None:
    line = Timeline(RATE)
    times = place_all(line, ((s + (number % 2) * 500 * RATE, at_us) for number, (s, at_us) in enumerate(live(100))))
    assert steps(times) == [STEP] * 99
    assert line.jumps == 99


@pytest.mark.parametrize("back", [0, 1, STEP, JUMP_US * RATE // 1_000_000 - STEP])
def test_a_stamp_that_stands_still_or_goes_back_a_little_moves_on_by_one_tick(back: int) -> None:
    line = Timeline(RATE)
    packets = live(11)
    (*good, (last, arrival_us)) = packets
    place_all(line, good)
    assert line.place(last - STEP - back, arrival_us) == last - STEP + 1


def test_time_stands_until_stamps_that_went_back_a_little_have_caught_up() -> None:
    packets = live(60)
    back = [(stamp - (RATE // 2 if number >= 30 else 0), at_us) for number, (stamp, at_us) in enumerate(packets)]
    times = place_all(Timeline(RATE), back)
    assert all(step > 0 for step in steps(times))
    assert times[-1] == back[-1][0]


def test_missing_stamps_are_filled_with_the_usual_step() -> None:
    packets: list[tuple[int | None, int]] = [*live(120)]
    for number in (*range(10, 30), 50, 70):
        packets[number] = None, packets[number][1]
    assert steps(place_all(Timeline(RATE), packets)) == [STEP] * 119


def test_a_stream_without_stamps_is_given_up() -> None:
    line = Timeline(RATE)
    place_all(line, live(10))
    place_all(line, ((None, T0_US + number * STEP_US) for number in range(10, 10 + MAX_UNSTAMPED)))
    with pytest.raises(StreamDamagedError, match="50 packets in a row without a time"):
        line.place(None, T0_US + 61 * STEP_US)


def test_one_stamp_now_and_then_is_enough() -> None:
    packets = [(None if number % MAX_UNSTAMPED else stamp, at_us) for number, (stamp, at_us) in enumerate(live(500))]
    assert steps(place_all(Timeline(RATE), packets)) == [STEP] * 499


@pytest.mark.parametrize("missing_s", [2.1, 3.0, 60.0, 3600.0])
def test_time_in_which_nothing_came_is_lost(missing_s: float) -> None:
    line = Timeline(RATE)
    place_all(line, live(100))
    last, last_us = live(100)[-1]
    missing = round(missing_s * RATE)
    lost = line.place(last + missing, last_us + round(missing_s * 1e6))
    assert lost == Lost(missing * 1_000_000 // RATE, last + missing)
    assert line.place(last + missing + STEP, last_us + round(missing_s * 1e6) + STEP_US) == last + missing + STEP


def test_a_slow_picture_is_no_loss() -> None:
    line = Timeline(RATE)
    place_all(line, live(100))
    last, last_us = live(100)[-1]
    slow = MAX_STEP_US * RATE // 1_000_000
    assert line.place(last + slow, last_us + MAX_STEP_US) == last + slow


def test_after_a_loss_an_earlier_leap_stays_taken_out() -> None:
    """Picture and sound leap together; if only one of them then has a hole, they must not come apart."""
    line = Timeline(RATE)
    place_all(line, live(10))
    leapt = live(20)[10:]
    times = place_all(line, ((stamp - 20 * RATE, at_us) for stamp, at_us in leapt))
    (last, last_us) = leapt[-1]
    lost = line.place(last - 20 * RATE + 5 * RATE, last_us + 5_000_000)
    assert lost == Lost(5_000_000, times[-1] + 5 * RATE)


@pytest.mark.parametrize("leap_s", [-100, 100])
def test_a_camera_that_restarts_its_clock_after_a_hole_does_not_hide_the_hole(leap_s: int) -> None:
    line = Timeline(RATE)
    place_all(line, live(100))
    last, last_us = live(100)[-1]
    lost = line.place(last + leap_s * RATE, last_us + 3_000_000)
    assert lost == Lost(3_000_000, last + 3 * RATE)
    assert line.place(last + leap_s * RATE + STEP, last_us + 3_000_000 + STEP_US) == last + 3 * RATE + STEP


@pytest.mark.parametrize("stall_s", [0.5, 1.5, 3.9, 30.0])
def test_a_burst_after_a_stall_of_the_network_is_neither_leap_nor_loss(stall_s: float) -> None:
    line = Timeline(RATE)
    packets = live(2000)
    until_us = packets[100][1] + round(stall_s * 1e6)
    late = [(stamp, max(at_us, until_us) if number >= 100 else at_us) for number, (stamp, at_us) in enumerate(packets)]
    assert place_all(line, late) == [stamp for stamp, _ in packets]
    assert line.jumps == 0


def test_lateness_is_told_while_it_lasts() -> None:
    line = Timeline(RATE)
    packets = live(100)
    place_all(line, packets[:50])
    assert line.late_us == 0
    stamp, at_us = packets[50]
    line.place(stamp, at_us + 700_000)
    assert line.late_us == pytest.approx(700_000, abs=1000)
    place_all(line, packets[70:])
    assert line.late_us == 0


def test_when_a_picture_was_taken_is_told_by_the_one_that_came_soonest() -> None:
    line = Timeline(RATE)
    delays_us = [900_000, 400_000, 30_000, 200_000, 90_000]
    packets = [(stamp, at_us + delay_us) for (stamp, at_us), delay_us in zip(live(5), delays_us, strict=True)]
    times = place_all(line, packets)
    for number, time in enumerate(times):
        assert line.monotonic_us(time) == pytest.approx(T0_US + number * STEP_US + 30_000, abs=200)


def test_a_camera_whose_clock_runs_slow_is_followed() -> None:
    """100 ppm, more than any quartz: after an hour its pictures would else seem a third of a second too early."""
    line = Timeline(RATE)
    arrivals_us = {number: T0_US + number * STEP_US + number * STEP_US // 10_000 for number in range(0, 90_000, 25)}
    for number, at_us in arrivals_us.items():
        line.place(number * STEP, at_us)
    assert line.monotonic_us(89_975 * STEP) == pytest.approx(arrivals_us[89_975], abs=1000)


def test_sound_that_began_with_wild_times_is_brought_to_where_the_pictures_are() -> None:
    pictures, sound = Timeline(RATE), Timeline(48_000)
    place_all(pictures, live(25))
    sound.place(3_000_000_000, T0_US + 880_000)
    sound.place(17, T0_US + 920_000)
    placed = sound.place(4_000_000_000, T0_US + 960_000)
    assert isinstance(placed, int)
    brought = sound.bring_to(pictures, placed)
    assert sound.monotonic_us(brought) == pytest.approx(T0_US + 960_000, abs=1000)
    assert brought / 48_000 == pytest.approx((1_000_000 + 24 * STEP) / RATE, abs=0.05)
    following = sound.place(4_000_000_000 + 1024, T0_US + 981_333)
    assert following == brought + 1024
    assert sound.bring_to(pictures, following) == following


@pytest.mark.parametrize("leap_s", [-20, 30])
def test_what_was_taken_out_of_the_pictures_is_taken_out_of_the_sound(leap_s: int) -> None:
    """Each line alone would be right to within one packet; together they are exact."""
    pictures, sound = Timeline(RATE), Timeline(48_000)
    for number in range(200):
        at_us = T0_US + number * STEP_US
        leap = leap_s if number >= 100 else 0
        video = pictures.place((number * STEP) + leap * RATE, at_us)
        heard = sound.place(number * 1920 + 777 + leap * 48_000, at_us + 5_000)
        assert isinstance(video, int)
        assert isinstance(heard, int)
        brought = sound.bring_to(pictures, heard)
        assert brought / 48_000 - video / RATE == pytest.approx(777 / 48_000, abs=0.002)


def test_sound_whose_own_leap_lost_time_is_put_right_by_the_pictures() -> None:
    """Reading in bursts, arrival is coarse; as soon as the stamps can be compared, they tell exactly."""
    pictures, sound = Timeline(RATE), Timeline(48_000)
    place_all(pictures, live(10, first=0))
    sound.place(4_000_000_000, T0_US + 600_000)
    for number in range(10, 20):
        pictures.place(number * STEP, T0_US + number * STEP_US)
        heard = sound.place(number * 1920, T0_US + number * STEP_US + 400_000)
        assert isinstance(heard, int)
        sound.bring_to(pictures, heard)
    heard = sound.place(20 * 1920, T0_US + 20 * STEP_US + 400_000)
    assert heard == 20 * 1920


@pytest.mark.parametrize("late_us", [-1_500_000, -300_000, 0, 300_000, 1_500_000])
def test_sound_that_only_arrives_later_or_sooner_is_left_as_it_is(late_us: int) -> None:
    pictures, sound = Timeline(RATE), Timeline(RATE)
    for stamp, at_us in live(100):
        pictures.place(stamp, at_us)
        placed = sound.place(stamp, at_us + late_us)
        assert isinstance(placed, int)
        assert sound.bring_to(pictures, placed) == stamp


def test_sound_before_the_first_picture_stays() -> None:
    sound = Timeline(48_000)
    assert sound.place(2**32, T0_US) == 2**32
    assert sound.bring_to(Timeline(RATE), 2**32) == 2**32


stamps = st.one_of(
    st.none(),
    st.integers(-(2**33), 2**33),
    st.integers(0, 20 * RATE),
    st.integers(0, 500).map(lambda number: number * STEP),
)
waits_us = st.one_of(st.integers(0, 100_000), st.integers(0, 10_000_000))


@given(st.lists(st.tuples(stamps, waits_us), max_size=120), st.sampled_from([8000, 48_000, RATE]))
def test_no_packet_is_dropped_and_time_always_runs_forward(
    packets: list[tuple[int | None, int]], timescale: int
) -> None:
    line = Timeline(timescale)
    at_us = T0_US
    last: int | None = None
    unstamped = 0
    for stamp, wait_us in packets:
        at_us += wait_us
        unstamped = unstamped + 1 if stamp is None else 0
        if unstamped > MAX_UNSTAMPED:
            with pytest.raises(StreamDamagedError):
                line.place(stamp, at_us)
            return
        placed = line.place(stamp, at_us)
        time = placed.dts if isinstance(placed, Lost) else placed
        assert last is None or time > last
        assert line.monotonic_us(time) <= at_us, "no packet arrives before it was made"
        assert line.late_us >= 0
        assert line.usual_step > 0
        last = time


@given(st.lists(st.integers(0, 3_000_000), min_size=1, max_size=200))
def test_no_network_makes_a_camera_in_good_order_leap(delays_us: list[int]) -> None:
    """Packets keep their order; each comes as late as it likes."""
    line = Timeline(RATE)
    at_us = 0
    for (stamp, taken_us), delay_us in zip(live(len(delays_us)), delays_us, strict=True):
        at_us = max(at_us, taken_us + delay_us)
        assert line.place(stamp, at_us) == stamp
    assert line.jumps == 0
