"""A reader that falls behind, and a camera that paused."""

from recorder.lag import Lag

SECOND_US = 1_000_000
TURN_US = 200_000


def test_in_time() -> None:
    lag = Lag()
    assert not any(lag.is_behind(40_000, turn * TURN_US) for turn in range(100))


def test_a_reader_that_cannot_keep_up_is_behind_until_it_has_caught_up() -> None:
    lag = Lag()
    growing = [lag.is_behind(turn * 150_000, turn * TURN_US) for turn in range(20)]
    assert growing[-1]
    assert lag.is_behind(1_200_000, 21 * TURN_US)
    assert not lag.is_behind(10_000, 22 * TURN_US)


def test_a_camera_that_paused_once_is_soon_taken_as_it_is() -> None:
    lag = Lag()
    lag.is_behind(0, 0)
    turns = [lag.is_behind(1_500_000, TURN_US * turn) for turn in range(1, 100)]
    assert turns[0]
    assert not any(turns[15 * SECOND_US // TURN_US :])
