"""One camera's way to the disk: what is kept before start, what is queued, what is given up."""

import queue
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest

from recorder.feed import QUEUE_BYTES, Ended, Fed, Feed
from recorder.groups import Group, Loss
from tests.recorder.takes import GOP, PICTURE_US, Take

T0_US = 5_000_000_000
GONE = Loss("camera_lost", "the camera does not answer")


class Kept:
    """A feed with its queue, and what came out of it."""

    def __init__(self, pre_roll_ms: int, queue_bytes: int = QUEUE_BYTES) -> None:
        self.queue: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.feed = Feed("subject", pre_roll_ms, self.queue, queue_bytes)

    def take(self, groups: Iterable[Group]) -> None:
        for group in groups:
            self.feed.take(group)

    def out(self) -> list[Fed | Ended]:
        found: list[Fed | Ended] = []
        while not self.queue.empty():
            message = self.queue.get_nowait()
            assert isinstance(message, Fed | Ended)
            found.append(message)
        return found

    def fed(self) -> list[Fed]:
        found = self.out()
        assert all(isinstance(message, Fed) for message in found)
        return [message for message in found if isinstance(message, Fed)]


def length_s(fed: list[Fed]) -> float:
    return sum(one.group.video_end - one.group.video[0].dts for one in fed) / 90_000


def follow_each_other(fed: list[Fed]) -> bool:
    return all(earlier.group.video_end == later.group.video[0].dts for earlier, later in pairwise(fed))


def test_nothing_is_queued_before_start() -> None:
    kept = Kept(10_000)
    kept.take(Take(1, T0_US).pictures(500))
    assert kept.out() == []


@pytest.mark.parametrize("pre_roll_s", [1, 3, 10])
def test_the_pre_roll_is_as_long_as_asked_and_begins_with_a_key_frame(pre_roll_s: int) -> None:
    kept = Kept(pre_roll_s * 1000)
    kept.take(Take(1, T0_US).pictures(1013))
    kept.feed.start()
    fed = kept.fed()
    assert fed[0].group.keyframe
    assert follow_each_other(fed)
    assert pre_roll_s <= length_s(fed) < pre_roll_s + GOP * PICTURE_US / 1e6 + 0.5
    assert {one.serial for one in fed} == {1}


def test_the_length_of_what_is_held_is_told() -> None:
    kept = Kept(10_000)
    assert kept.feed.held_us() == 0
    kept.take(Take(1, T0_US).pictures(14))
    assert kept.feed.held_us() == 13 * PICTURE_US
    kept.feed.ended(GONE)
    assert kept.feed.held_us() == 0


def test_without_a_pre_roll_the_current_group_of_pictures_is_kept() -> None:
    """Nobody waits for the next key frame: it can be seconds away."""
    kept = Kept(0)
    take = Take(1, T0_US)
    kept.take(take.pictures(2 * GOP + 40))
    kept.feed.start()
    fed = kept.fed()
    assert fed[0].group.keyframe
    assert fed[0].group.taken_us == T0_US + 2 * GOP * PICTURE_US
    assert [len(one.group.video) for one in fed] == [13, 13, 13]


def test_what_comes_after_start_follows_the_pre_roll() -> None:
    kept = Kept(2000)
    take = Take(1, T0_US)
    kept.take(take.pictures(220))
    kept.feed.start()
    kept.take(take.pictures(220))
    fed = kept.fed()
    assert follow_each_other(fed)
    assert {one.serial for one in fed} == {1}
    assert {one.track for one in fed} == {"subject"}


@pytest.mark.parametrize("pre_roll_s", [0, 1])
def test_a_session_right_after_another_begins_with_a_picture_too(pre_roll_s: int) -> None:
    kept = Kept(pre_roll_s * 1000)
    take = Take(1, T0_US)
    kept.take(take.pictures(60))
    kept.feed.start()
    kept.take(take.pictures(70))
    kept.feed.stop()
    first = kept.fed()
    kept.feed.start()
    kept.take(take.pictures(100))
    second = kept.fed()
    assert second[0].group.keyframe
    assert second[0].group.taken_us <= first[-1].group.taken_us
    assert follow_each_other(second)
    assert {one.serial for one in second} == {first[-1].serial + 1}


def test_a_long_session_keeps_no_more_than_one_group_of_pictures_in_memory() -> None:
    kept = Kept(10_000)
    take = Take(1, T0_US)
    kept.feed.start()
    kept.take(take.pictures(1000))
    kept.out()
    kept.feed.stop()
    kept.feed.start()
    assert length_s(kept.fed()) <= 2 * GOP * PICTURE_US / 1e6


def test_after_stop_nothing_is_queued_and_the_pre_roll_grows_again() -> None:
    kept = Kept(3000)
    take = Take(1, T0_US)
    kept.feed.start()
    kept.take(take.pictures(100))
    kept.feed.stop()
    kept.out()
    kept.take(take.pictures(500))
    assert kept.out() == []
    kept.feed.start()
    assert length_s(kept.fed()) >= 3


def test_a_stream_that_ended_takes_its_pre_roll_with_it() -> None:
    """A film that jumps over the time of a lost camera would be a lie."""
    kept = Kept(10_000)
    kept.take(Take(1, T0_US).pictures(300))
    kept.feed.ended(GONE)
    kept.feed.start()
    assert kept.out() == []


def test_another_stream_takes_the_place_of_the_pre_roll() -> None:
    kept = Kept(10_000)
    kept.take(Take(1, T0_US).pictures(300))
    kept.take(Take(2, T0_US + 300 * PICTURE_US).pictures(60))
    kept.feed.start()
    assert {one.group.stream.number for one in kept.fed()} == {2}


def test_a_camera_that_is_lost_and_back_is_a_new_run_that_says_why() -> None:
    kept = Kept(0)
    kept.take(Take(1, T0_US).pictures(60))
    kept.feed.start()
    kept.feed.ended(GONE)
    kept.take(Take(2, T0_US + 5_000_000, loss=GONE).pictures(60))
    found = kept.out()
    (place,) = [number for number, message in enumerate(found) if isinstance(message, Ended)]
    assert found[place] == Ended("subject", GONE)
    fed = [message for message in found if isinstance(message, Fed)]
    assert [one.serial for one in fed[:place]] == [1] * place
    assert {one.serial for one in fed[place:]} == {2}
    assert [one.lost for one in fed[place:]] == [GONE] + [None] * (len(fed) - place - 1)


def test_a_loss_before_start_is_not_this_sessions() -> None:
    kept = Kept(10_000)
    kept.feed.ended(GONE)
    kept.feed.start()
    kept.take(Take(2, T0_US).pictures(60))
    assert [one.lost for one in kept.fed()] == [None] * 4


def test_a_disk_that_stands_still_costs_the_newest_pictures_and_says_so() -> None:
    kept = Kept(0, queue_bytes=20_000)
    take = Take(1, T0_US)
    kept.feed.start()
    kept.take(take.pictures(250))
    before = kept.fed()
    assert sum(one.group.bytes for one in before) <= 20_000 + max(one.group.bytes for one in before)
    assert follow_each_other(before)
    for one in before:
        kept.feed.written(one)
    kept.take(take.pictures(100))
    after = kept.fed()
    assert after[0].group.keyframe
    assert after[0].serial == before[-1].serial + 1
    assert [one.lost for one in after] == [Loss("overload", "the disk was too slow for the camera")] + [None] * (
        len(after) - 1
    )
    assert follow_each_other(after)


def test_room_in_the_queue_is_counted_by_what_is_written() -> None:
    kept = Kept(0, queue_bytes=20_000)
    kept.feed.start()
    fed: list[Fed] = []
    for group in Take(1, T0_US).pictures(500):
        kept.feed.take(group)
        for one in kept.fed():
            kept.feed.written(one)
            fed.append(one)
    assert {one.serial for one in fed} == {1}
    assert follow_each_other(fed)


def test_a_run_begins_with_a_key_frame() -> None:
    kept = Kept(0)
    kept.feed.start()
    groups: list[Group] = [
        replace(group, stream=replace(group.stream, number=9)) for group in Take(1, T0_US).pictures(150)
    ]
    kept.take(groups[2:])
    assert kept.fed()[0].group is groups[4]
