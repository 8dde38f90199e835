"""The synthetic picture."""

import time
from statistics import median

import numpy as np
import pytest

from shilu.cameras.picture import Plane, Scene, flash_box
from shilu.cameras.spec import View

UTC_US = 1_790_000_000_000_000


def scene(view: View = View.SUBJECT, noise: int = 0) -> Scene:
    return Scene("room-1/subject", view, 640, 360, noise, seed=1)


def corner(picture: Plane) -> float:
    left, top, right, bottom = flash_box(640, 360)
    return float(picture[top:bottom, left:right].mean())


@pytest.mark.parametrize(
    ("time_us", "lit"), [(0, True), (40_000, True), (80_000, False), (960_000, False), (1_000_000, True)]
)
def test_flash_is_lit_for_two_pictures_of_each_second(time_us: int, lit: bool) -> None:
    assert corner(scene().draw(time_us, UTC_US)) == (235 if lit else 16)


def test_clock_shows_milliseconds() -> None:
    still = scene()
    earlier, later = still.draw(500_000, UTC_US), still.draw(500_000, UTC_US + 1_000)
    rows, _ = np.nonzero(earlier != later)
    assert rows.size > 0
    assert rows.max() < 40, "only the clock, in the top rows, has changed"


@pytest.mark.parametrize("view", View)
def test_people_move(view: View) -> None:
    still = scene(view)
    assert (still.draw(500_000, UTC_US) != still.draw(900_000, UTC_US)).mean() > 0.002


def test_noise_differs_from_picture_to_picture_and_not_from_run_to_run() -> None:
    first, second = scene(noise=12), scene(noise=12)
    assert np.array_equal(first.draw(40_000, UTC_US), second.draw(40_000, UTC_US))
    assert (first.draw(40_000, UTC_US) != first.draw(80_000, UTC_US)).mean() > 0.4


def test_a_picture_costs_less_than_one_and_a_half_milliseconds() -> None:
    still, costs_s = scene(), []
    for number in range(50):
        before = time.thread_time()
        still.draw(number * 40_000, UTC_US + number * 40_000)
        costs_s.append(time.thread_time() - before)
    assert median(costs_s) < 0.0015
