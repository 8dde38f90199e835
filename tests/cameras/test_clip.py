"""Clips: encoded once, played for ever."""

from pathlib import Path

import av
import numpy as np
import pytest
from pydantic import ValidationError

from shilu.cameras.clip import Clip, make_clip
from shilu.cameras.clip_file import write_mov
from shilu.cameras.errors import SpecError
from shilu.cameras.media import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioCodec, VideoCodec
from shilu.cameras.nal import nal_type, split
from shilu.cameras.spec import MediaSpec

SMALL = MediaSpec(width=320, height=180, kbps=300, key_interval=10)


def decoded(clip: Clip, turns: int) -> list[np.ndarray]:
    context = av.CodecContext.create("h264" if clip.spec.video is VideoCodec.H264 else "hevc", "r")
    packets = [av.Packet(unit.data) for unit in clip.video * turns]
    frames = [frame for packet in packets for frame in context.decode(packet)] + context.decode(None)
    return [frame.to_ndarray(format="gray") for frame in frames]


@pytest.mark.parametrize("video", VideoCodec)
def test_key_frames_come_at_the_interval_with_parameter_sets(video: VideoCodec, clip_cache: Path) -> None:
    clip = make_clip(SMALL.model_copy(update={"video": video, "audio": None}), 2, clip_cache)
    assert [unit.pts_90k for unit in clip.video] == [number * 3600 for number in range(50)]
    assert [number for number, unit in enumerate(clip.video) if unit.keyframe] == [0, 10, 20, 30, 40]
    sets = clip.video_format.parameter_sets
    assert len(sets) == (2 if video is VideoCodec.H264 else 3)
    for unit in clip.video:
        assert all((parameter_set in unit.data) == unit.keyframe for parameter_set in sets)


@pytest.mark.parametrize("video", VideoCodec)
def test_every_picture_decodes_in_order_turn_after_turn(video: VideoCodec, clip_cache: Path) -> None:
    """As many pictures as units, and the second turn like the first: no B frames, no seam."""
    clip = make_clip(SMALL.model_copy(update={"video": video, "audio": None}), 2, clip_cache)
    pictures = decoded(clip, turns=2)
    assert len(pictures) == 100
    assert all(np.array_equal(pictures[number], pictures[50 + number]) for number in range(50))


@pytest.mark.parametrize("codec", AudioCodec)
def test_sound_fills_the_clip_without_gap_or_overlap(codec: AudioCodec, clip_cache: Path) -> None:
    clip = make_clip(SMALL.model_copy(update={"audio": codec}), 8, clip_cache)
    times = [frame.pts for frame in clip.audio]
    assert set(np.diff([*times, times[0] + 8 * SAMPLE_RATE_HZ[codec]])) == {FRAME_SAMPLES[codec]}


def test_a_noisy_full_hd_clip_really_has_its_bit_rate(clip_cache: Path) -> None:
    clip = make_clip(MediaSpec(width=1920, height=1080, kbps=4000, noise=12, audio=None), 2, clip_cache)
    assert sum(len(unit.data) for unit in clip.video) * 8 / 2 == pytest.approx(4_000_000, rel=0.15)


def test_a_still_is_one_picture_over_and_over(clip_cache: Path) -> None:
    clip = make_clip(SMALL.model_copy(update={"audio": None}), 2, clip_cache)
    still = clip.still(17)
    assert [unit.keyframe for unit in still] == [True] + [False] * 9
    assert nal_type(VideoCodec.H264, split(still[0].data)[0]) == 7
    shown = decoded(Clip(clip.spec, 1, clip.video_format, None, still, ()), turns=1)
    wanted = decoded(clip, turns=1)[17]
    assert all(np.abs(picture.astype(int) - wanted).mean() < 3 for picture in shown)


def test_a_cached_clip_is_the_same_clip(tmp_path: Path) -> None:
    fresh = make_clip(SMALL, 8, tmp_path)
    assert make_clip(SMALL, 8, tmp_path) == fresh == make_clip(SMALL, 8)
    assert len(list(tmp_path.iterdir())) == 1


def test_sound_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SpecError, match="multiple of 8 s"):
        make_clip(SMALL, seconds=3)


def test_frame_rate_off_the_clock_is_refused() -> None:
    with pytest.raises(ValidationError, match="90 kHz"):
        MediaSpec(fps=14)


@pytest.mark.parametrize("codec", [AudioCodec.AAC, AudioCodec.ALAW, AudioCodec.MULAW, None])
def test_a_file_repeats_the_clip_with_times_that_run_through(
    codec: AudioCodec | None, clip_cache: Path, tmp_path: Path
) -> None:
    clip = make_clip(SMALL.model_copy(update={"audio": codec}), 8, clip_cache)
    path = tmp_path / "clip.mov"
    write_mov(clip, path, seconds=20)
    with av.open(path) as container:
        assert container.duration == pytest.approx(24_000_000, abs=100_000)
        times = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert len(times) == 600
    assert len(set(np.diff(times))) == 1


def test_opus_in_quicktime_is_refused(clip_cache: Path, tmp_path: Path) -> None:
    clip = make_clip(SMALL.model_copy(update={"audio": AudioCodec.OPUS}), 8, clip_cache)
    with pytest.raises(SpecError, match="not Opus"):
        write_mov(clip, tmp_path / "clip.mov", seconds=8)
