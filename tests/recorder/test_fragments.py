"""What is rendered is what the evidence format reads back, and what a decoder plays."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evidence_store.media import Init, TrackHeader, fragments, parse_init, read_fragment
from recorder.fragments import AUDIO_TRACK_ID, VIDEO_TRACK_ID, Sample, TrackPart, render
from recorder.inits import make_init
from recorder.nal import parse_picture
from tests.evidence_store.builder import RATE_HZ, clip

UTC_US = 1_795_397_400_123_457
VIDEO = Init(0, (TrackHeader(VIDEO_TRACK_ID, "video", 90_000, "avc1.64001f"),))
BOTH = Init(0, (*VIDEO.tracks, TrackHeader(AUDIO_TRACK_ID, "audio", RATE_HZ, "flac")))
PICTURE = 3600


def pictures(count: int, first: int = 0, size: int = 100) -> tuple[Sample, ...]:
    return tuple(
        Sample(bytes([number % 256]) * size, (first + number) * PICTURE, 0, number == 0) for number in range(count)
    )


def part(samples: tuple[Sample, ...], base: int = 0) -> TrackPart:
    return TrackPart(VIDEO_TRACK_ID, samples, samples[-1].dts + PICTURE, base)


samples_of_any_kind = st.lists(
    st.tuples(
        st.binary(min_size=1, max_size=40),
        st.integers(1, 180_000),
        st.one_of(st.just(0), st.integers(-(2**31), 2**31 - 1)),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


def samples_from(drawn: list[tuple[bytes, int, int, bool]], base: int) -> tuple[tuple[Sample, ...], int]:
    """Samples one after another from `base` on, and where the last one ends."""
    made, dts = [], base
    for data, length, offset, sync in drawn:
        made.append(Sample(data, dts, offset, sync))
        dts += length
    return tuple(made), dts


@given(samples_of_any_kind, samples_of_any_kind, st.integers(-(2**40), 2**40), st.integers(0, 2**32 + 5))
def test_what_is_written_is_read_back(
    video: list[tuple[bytes, int, int, bool]], audio: list[tuple[bytes, int, int, bool]], base: int, sequence: int
) -> None:
    """A run's decode times count from its own first picture, wherever on the camera's clock that is."""
    pictures_, video_end = samples_from(video, base)
    sounds, audio_end = samples_from(audio, base // 5)
    parts = [
        TrackPart(VIDEO_TRACK_ID, pictures_, video_end, base),
        TrackPart(AUDIO_TRACK_ID, sounds, audio_end, base // 5),
    ]
    data = render(sequence, UTC_US, parts)
    boxes = read_fragment(data, BOTH, 4711)
    assert (boxes.offset, boxes.bytes, boxes.utc_us) == (4711, len(data), UTC_US)
    assert [run.track_id for run in boxes.runs] == [VIDEO_TRACK_ID, AUDIO_TRACK_ID]
    for run, samples, start, end in zip(
        boxes.runs, (pictures_, sounds), (base, base // 5), (video_end, audio_end), strict=True
    ):
        assert run.samples == len(samples)
        assert run.start == 0
        assert run.duration == end - start
        assert run.starts_with_sync is samples[0].sync
    assert data.endswith(b"".join(sample.data for sample in (*pictures_, *sounds)))


@given(st.integers(0, (1 << 32) * 1_000_000 - 1))
@example(2_085_978_495_999_999)
@example(2_085_978_496_000_000)
def test_the_utc_of_a_fragment_is_exact_to_the_microsecond(utc_us: int) -> None:
    """Also after February 2036, when the seconds of NTP roll over."""
    assert read_fragment(render(1, utc_us, [part(pictures(1))]), VIDEO, 0).utc_us == utc_us


def test_fragments_of_a_run_follow_each_other() -> None:
    first, second = pictures(10, first=1000), pictures(15, first=1010)
    base = first[0].dts
    data = render(1, UTC_US, [part(first, base)]) + render(2, UTC_US + 400_000, [part(second, base)])
    found = list(fragments(data, VIDEO))
    assert [run.start for boxes in found for run in boxes.runs] == [0, 10 * PICTURE]
    assert [run.duration for boxes in found for run in boxes.runs] == [10 * PICTURE, 15 * PICTURE]
    assert [boxes.offset for boxes in found] == [0, found[0].bytes]


def test_sound_counts_from_the_runs_first_picture() -> None:
    first, base = pictures(5, first=500), 500 * PICTURE
    audio_base = base * RATE_HZ // 90_000
    sounds = tuple(Sample(b"sound", audio_base + 123 + number * 1024, 0, sync=True) for number in range(3))
    sound = TrackPart(AUDIO_TRACK_ID, sounds, sounds[-1].dts + 1024, audio_base)
    video, audio = read_fragment(render(1, UTC_US, [part(first, base), sound]), BOTH, 0).runs
    assert (video.start, audio.start) == (0, 123)
    assert audio.duration == 3 * 1024


def test_a_fragment_without_sound_has_no_track_of_sound() -> None:
    silent = TrackPart(AUDIO_TRACK_ID, (), 0)
    (run,) = read_fragment(render(1, UTC_US, [part(pictures(5)), silent]), BOTH, 0).runs
    assert run.track_id == VIDEO_TRACK_ID


def test_pictures_that_are_shown_in_another_order_keep_it() -> None:
    """Decode order I P B B: what is shown is I B B P."""
    shown = [1, 4, 2, 3]
    samples = tuple(
        Sample(b"%d" % number, number * PICTURE, (place - number) * PICTURE, number == 0)
        for number, place in enumerate(shown)
    )
    data = render(1, UTC_US, [part(samples)])
    trun = data.index(b"trun")
    offsets = [int.from_bytes(data[trun + 16 + 16 * n + 12 : trun + 32 + 16 * n], "big") for n in range(4)]
    assert offsets == [PICTURE, 3 * PICTURE, 0, 0]


def segment(with_sound: bool) -> tuple[bytes, Init]:
    """Two seconds of a real camera's film, cut at every tenth picture."""
    film = clip()
    init_bytes, init = make_init("h264", film.key_frame, film.sound if with_sound else None)
    data = init_bytes
    for number, first in enumerate(range(0, 50, 10)):
        video = film.video[first : first + 10]
        parts = [TrackPart(VIDEO_TRACK_ID, video, (first + 10) * PICTURE)]
        if with_sound:
            start, end = first * RATE_HZ // 25, (first + 10) * RATE_HZ // 25
            audio = [sample for sample in film.audio if start <= sample.dts < end]
            parts.append(TrackPart(AUDIO_TRACK_ID, audio, audio[-1].dts + 1024))
        data += render(number + 1, UTC_US + first * 40_000, parts)
    return data, init


@pytest.mark.parametrize("with_sound", [False, True])
def test_a_decoder_plays_every_picture_and_every_sound(with_sound: bool) -> None:
    data, init = segment(with_sound)
    assert parse_init(data) == init
    with av.open(io.BytesIO(data), "r") as file:
        shown = list(file.decode(video=0))
    assert [frame.time for frame in shown] == pytest.approx([number * 0.04 for number in range(50)])
    if with_sound:
        with av.open(io.BytesIO(data), "r") as file:
            heard = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
        assert len(heard) == pytest.approx(2 * RATE_HZ, abs=1024)
        assert float(np.abs(heard).max()) > 0.2


def test_a_film_with_b_frames_plays_in_the_order_in_which_it_was_taken() -> None:
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = 64, 64, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, 25), Fraction(25)
    codec.options = {"preset": "medium", "x264-params": "bframes=2:b-adapt=0:keyint=50:scenecut=0:rc-lookahead=4"}
    packets = []
    for number in range(20):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64), number * 10, dtype=np.uint8), format="gray")
        frame = frame.reformat(format="yuv420p")
        frame.pts = number
        packets += codec.encode(frame)
    packets += codec.encode(None)
    samples = []
    for packet in packets:
        assert packet.pts is not None
        assert packet.dts is not None
        picture = parse_picture("h264", bytes(packet))
        samples.append(
            Sample(picture.data, packet.dts * PICTURE, (packet.pts - packet.dts) * PICTURE, packet.is_keyframe)
        )
    assert any(sample.offset > 2 * PICTURE for sample in samples), "there are B frames"
    base = samples[0].dts
    init_bytes, _ = make_init("h264", bytes(packets[0]), None)
    data = init_bytes + b"".join(
        render(number, UTC_US, [part(tuple(samples[first : first + 7]), base)])
        for number, first in enumerate(range(0, 20, 7))
    )
    with av.open(io.BytesIO(data), "r") as file:
        shown = list(file.decode(video=0))
    grey = [float(frame.to_ndarray(format="gray").mean()) for frame in shown]
    assert len(grey) == 20
    assert grey == sorted(grey)
    assert np.diff([frame.time or 0.0 for frame in shown]) == pytest.approx(0.04)
