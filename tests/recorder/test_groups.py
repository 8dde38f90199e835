"""Samples into groups: where they are cut, which sound goes with which pictures, what is left."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.fragments import Sample
from recorder.groups import Cutter, Group, Loss
from recorder.timeline import Timeline
from tests.evidence_store.builder import RATE_HZ
from tests.recorder.takes import PICTURE_90K, PICTURE_US, Take, header

T0_US = 5_000_000_000
LOSS = Loss("camera_lost", "the camera does not answer")


def new_cutter(fragment_ms: int = 500, loss: Loss | None = None) -> tuple[Cutter, Timeline]:
    line = Timeline(90_000)
    return Cutter(header(with_sound=True), line, fragment_ms, loss), line


def add(cutter: Cutter, line: Timeline, number: int, sync: bool = False) -> Group | None:
    dts = number * PICTURE_90K
    line.place(dts, T0_US + number * PICTURE_US)
    return cutter.video(Sample(b"picture", dts, 0, sync), T0_US + number * PICTURE_US)


def sound(dts: int) -> Sample:
    return Sample(b"sound", dts, 0, sync=True)


def test_a_group_ends_when_it_is_long_enough_or_a_key_frame_comes() -> None:
    groups = list(Take(1, T0_US).pictures(101))
    assert [len(group.video) for group in groups] == [13, 13, 13, 11] * 2
    assert [group.keyframe for group in groups] == [True, False, False, False] * 2
    assert all(
        sample.sync is (place == 0 and group.keyframe) for group in groups for place, sample in enumerate(group.video)
    )


def test_groups_follow_each_other_without_a_hole() -> None:
    groups = list(Take(1, T0_US).pictures(200))
    for earlier, later in pairwise(groups):
        assert earlier.video_end == later.video[0].dts
        assert earlier.audio[-1].dts + 1024 == later.audio[0].dts


def test_every_group_knows_when_its_first_picture_was_taken() -> None:
    groups = list(Take(1, T0_US).pictures(101))
    first_pictures = [0, 13, 26, 39, 50, 63, 76, 89]
    assert [group.taken_us for group in groups] == pytest.approx(
        [T0_US + number * PICTURE_US for number in first_pictures], abs=100
    )


def test_sound_goes_with_the_pictures_of_its_time() -> None:
    for group in Take(1, T0_US).pictures(200):
        start, end = (time * RATE_HZ // 90_000 for time in (group.video[0].dts, group.video_end))
        assert all(start - 1024 <= block.dts < end for block in group.audio)
        assert len(group.audio) in {6, 7, 8, 9}


def test_sound_that_comes_late_goes_with_the_next_group() -> None:
    cutter, line = new_cutter()
    add(cutter, line, 0, sync=True)
    group = add(cutter, line, 13)
    assert group is not None
    assert group.audio == ()
    cutter.audio(sound(0), 1024)
    cutter.audio(sound(1024), 1024)
    group = add(cutter, line, 26)
    assert group is not None
    assert [block.dts for block in group.audio] == [0, 1024]
    assert group.audio_end == 2048


def test_sound_that_comes_early_waits_for_its_pictures() -> None:
    cutter, line = new_cutter()
    add(cutter, line, 0, sync=True)
    for number in range(20):
        cutter.audio(sound(number * 1024), 1024)
    first, second = add(cutter, line, 13), add(cutter, line, 26)
    assert first is not None
    assert second is not None
    assert [block.dts for block in first.audio] == [number * 1024 for number in range(9)]
    assert [block.dts for block in second.audio] == [number * 1024 for number in range(9, 17)]


def test_sound_that_was_far_ahead_gives_way_to_sound_that_fits() -> None:
    """A camera with wild first times: what it was given is put right as soon as that shows."""
    cutter, line = new_cutter()
    add(cutter, line, 0, sync=True)
    for dts in (10**9, 10**9 + 1024, 0, 1024):
        cutter.audio(sound(dts), 1024)
    group = add(cutter, line, 13)
    assert group is not None
    assert [block.dts for block in group.audio] == [0, 1024]


def test_sound_never_goes_back_behind_what_is_cut() -> None:
    cutter, line = new_cutter()
    add(cutter, line, 0, sync=True)
    for dts in (1000, 2024, 3048):
        cutter.audio(sound(dts), 1024)
    assert add(cutter, line, 13) is not None
    for dts in (1500, 3048, 4000):
        cutter.audio(sound(dts), 1024)
    group = add(cutter, line, 26)
    assert group is not None
    assert [block.dts for block in group.audio] == [4000]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20_000)), max_size=60))
def test_whatever_comes_decode_times_of_sound_only_grow(steps: list[tuple[bool, int]]) -> None:
    cutter, line = new_cutter()
    add(cutter, line, 0, sync=True)
    heard: list[int] = []
    number = 0
    for is_picture, value in steps:
        if is_picture:
            number += 5
            group = add(cutter, line, number)
            heard += [block.dts for block in group.audio] if group else []
        else:
            cutter.audio(sound(value), 1024)
    rest = cutter.rest()
    assert rest is not None
    heard += [block.dts for block in rest.audio]
    assert heard == sorted(set(heard))


def test_when_the_stream_ends_the_rest_is_handed_out() -> None:
    take = Take(1, T0_US)
    assert len(list(take.pictures(20))) == 1
    rest = take.end()
    assert rest is not None
    assert len(rest.video) == 7
    assert rest.video_end == rest.video[-1].dts + PICTURE_90K, "the last picture is given the usual length"
    assert take.end() is None


def test_a_silent_camera_gives_all_but_its_last_picture() -> None:
    cutter, line = new_cutter()
    assert cutter.stale(T0_US, 0) is None
    for number in range(5):
        add(cutter, line, number, sync=number == 0)
    last_us = T0_US + 4 * PICTURE_US
    assert cutter.stale(last_us + 500_000, 600_000) is None
    group = cutter.stale(last_us + 600_000, 600_000)
    assert group is not None
    assert len(group.video) == 4
    assert group.video_end == 4 * PICTURE_90K
    assert cutter.stale(last_us + 9_000_000, 600_000) is None
    rest = cutter.rest()
    assert rest is not None
    assert rest.video[0].dts == 4 * PICTURE_90K


def test_the_loss_before_a_stream_is_told_by_its_first_group_alone() -> None:
    groups = list(Take(1, T0_US, loss=LOSS).pictures(100))
    assert [group.lost for group in groups] == [LOSS] + [None] * (len(groups) - 1)


def test_the_size_of_a_group_is_that_of_its_samples() -> None:
    cutter, line = new_cutter()
    add(cutter, line, 0, sync=True)
    cutter.audio(sound(0), 1024)
    group = add(cutter, line, 13)
    assert group is not None
    assert group.bytes == len(b"picture") + len(b"sound")
