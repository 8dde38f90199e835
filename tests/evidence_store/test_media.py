"""The boxes of a segment: what the recorder writes reads as it was written, and anything else is refused."""

import struct
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_store.media import (
    Init,
    MediaError,
    TrackHeader,
    TrackRun,
    fragments,
    ntp_from_us,
    parse_init,
    read_fragment,
    span_us,
    to_us,
    us_from_ntp,
    whole_fragments,
)
from evidence_store.records import to_us as utc_us
from recorder.fragments import AUDIO_TRACK_ID, VIDEO_TRACK_ID, Sample, TrackPart, render
from tests.evidence_store.builder import RATE_HZ, build

RECORDING = build()
SEGMENT = RECORDING.media[RECORDING.draft("segment", "subject", 0)["media"]["key"]]
SILENT = RECORDING.media[RECORDING.draft("segment", "room", 0)["media"]["key"]]
INIT = parse_init(SEGMENT)
FIRST = next(fragments(SEGMENT, INIT))
UTC_US = utc_us(datetime(2026, 11, 23, 1, 30, tzinfo=UTC))


def find(data: bytes, kind: bytes) -> int:
    """Where the body of the first box of this kind begins."""
    return data.index(kind) + 4


def patched(data: bytes, position: int, patch: bytes) -> bytes:
    return data[:position] + patch + data[position + len(patch) :]


class TestInit:
    def test_tracks_of_a_segment_with_sound(self) -> None:
        assert [(track.id, track.kind, track.timescale) for track in INIT.tracks] == [
            (VIDEO_TRACK_ID, "video", 90_000),
            (AUDIO_TRACK_ID, "audio", RATE_HZ),
        ]
        assert INIT.video is INIT.tracks[0]
        assert INIT.mime.startswith('video/mp4; codecs="avc1.')
        assert INIT.mime.endswith(', mp4a.40.2"')

    def test_tracks_of_a_segment_without_sound(self) -> None:
        assert [track.kind for track in parse_init(SILENT).tracks] == ["video"]
        assert "mp4a" not in parse_init(SILENT).mime

    def test_length_of_the_init_is_where_the_fragments_begin(self) -> None:
        assert SEGMENT[INIT.bytes + 4 : INIT.bytes + 8] == b"prft"
        assert parse_init(SEGMENT[: INIT.bytes]) == INIT

    @pytest.mark.parametrize("cut", [0, 7, 8, 27, 100, INIT.bytes - 1])
    def test_init_cut_short(self, cut: int) -> None:
        with pytest.raises(MediaError):
            parse_init(SEGMENT[:cut])

    @pytest.mark.parametrize("timescale", [0, 1_000_001, 0xFFFFFFFF])
    def test_timescale_in_which_microseconds_would_not_tell_times_apart(self, timescale: int) -> None:
        with pytest.raises(MediaError, match="timescale"):
            parse_init(patched(SEGMENT, find(SEGMENT, b"mdhd") + 12, struct.pack(">I", timescale)))

    def test_two_tracks_with_one_id(self) -> None:
        second = SEGMENT.index(b"tkhd", find(SEGMENT, b"tkhd")) + 4
        with pytest.raises(MediaError, match="same id"):
            parse_init(patched(SEGMENT, second + 12, struct.pack(">I", VIDEO_TRACK_ID)))

    @pytest.mark.parametrize("entry", [b"av01", b"hev1", b"mp4v", b"encv", b"\0\0\0\0"])
    def test_codec_that_the_format_does_not_carry(self, entry: bytes) -> None:
        with pytest.raises(MediaError, match="not of the evidence format"):
            parse_init(patched(SEGMENT, SEGMENT.index(b"avc1", find(SEGMENT, b"stsd")), entry))

    @pytest.mark.parametrize("box", [b"tkhd", b"mdia", b"mdhd", b"minf", b"stbl", b"stsd", b"avcC", b"esds"])
    def test_box_that_is_not_there(self, box: bytes) -> None:
        with pytest.raises(MediaError):
            parse_init(patched(SEGMENT, SEGMENT.index(box), b"free"))

    def test_segment_without_pictures(self) -> None:
        with pytest.raises(MediaError, match="one video track"):
            parse_init(patched(SEGMENT, SEGMENT.index(b"trak"), b"free"))


class TestFragments:
    def test_fragments_are_those_of_the_record(self) -> None:
        stated = RECORDING.draft("segment", "subject", 0)["fragments"]
        found = list(fragments(SEGMENT, INIT))
        assert [(boxes.offset, boxes.bytes) for boxes in found] == [(one["offset"], one["bytes"]) for one in stated]
        assert [boxes.utc_us - found[0].utc_us for boxes in found] == [0, 520_000, 1_000_000, 1_520_000]
        video = [boxes.of(INIT.video) for boxes in found]
        assert [run and run.samples for run in video] == [13, 12, 13, 12]
        assert [run and run.starts_with_sync for run in video] == [True, False, False, False]
        runs = [run for run in video if run]
        assert all(one.start + one.duration == later.start for one, later in pairwise(runs))

    @given(
        utc=st.integers(0, (1 << 32) * 1_000_000 - 2_208_988_801_000_000),
        start=st.integers(0, 1 << 40),
        video=st.lists(
            st.tuples(st.binary(max_size=40), st.integers(1, 90_000), st.booleans()), min_size=1, max_size=30
        ),
        offsets=st.booleans(),
        audio=st.lists(st.binary(max_size=20), max_size=20),
    )
    def test_what_the_recorder_writes_reads_as_it_was_written(
        self,
        utc: int,
        start: int,
        video: list[tuple[bytes, int, bool]],
        offsets: bool,
        audio: list[bytes],
    ) -> None:
        dts, pictures = start, []
        for data, length, sync in video:
            pictures.append(Sample(data, dts, 3600 if offsets else 0, sync))
            dts += length
        sounds = [Sample(data, start + 1024 * number, 0, sync=True) for number, data in enumerate(audio)]
        parts = [TrackPart(VIDEO_TRACK_ID, pictures, dts, start // 2)]
        parts.append(TrackPart(AUDIO_TRACK_ID, sounds, start + 1024 * len(sounds), start // 2))
        data = render(1, utc, parts)
        boxes = read_fragment(data, INIT, 1000)
        assert (boxes.offset, boxes.bytes, boxes.utc_us) == (1000, len(data), utc)
        expected = TrackRun(VIDEO_TRACK_ID, start - start // 2, dts - start, len(video), video[0][2])
        assert boxes.of(INIT.video) == expected
        assert (boxes.of(INIT.tracks[1]) is not None) == bool(audio)

    @given(st.integers(0, len(SEGMENT)))
    def test_torn_segment_keeps_every_whole_fragment(self, cut: int) -> None:
        whole = [boxes for boxes in fragments(SEGMENT, INIT) if boxes.offset + boxes.bytes <= cut]
        if cut < INIT.bytes:
            return
        found, end = whole_fragments(SEGMENT[:cut], INIT)
        assert found == whole
        assert end == (whole[-1].offset + whole[-1].bytes if whole else INIT.bytes)

    @pytest.mark.parametrize(
        ("box", "offset", "patch"),
        [
            (b"prft", 0, b"\x00"),
            (b"tfhd", 0, b"\x00\x00\x00\x00"),
            (b"tfhd", 4, b"\x00\x00\x00\x09"),
            (b"tfdt", 0, b"\x00"),
            (b"trun", 0, b"\x00\x00\x00\x00"),
            (b"trun", 4, b"\x00\x00\x00\x00"),
            (b"trun", 4, b"\xff\xff\xff\xff"),
            (b"trun", 8, b"\x00\x00\x00\x00"),
            (b"trun", 8, b"\xff\xff\xff\xff"),
            (b"trun", 16, b"\x00\x00\x00\x01"),
            (b"moof", -4, b"free"),
            (b"mdat", -4, b"free"),
            (b"prft", -4, b"free"),
            (b"traf", -4, b"free"),
            (b"tfdt", -4, b"free"),
            (b"prft", -8, b"\x00\x00\x00\x00"),
            (b"moof", -8, b"\x00\x00\x00\x07"),
            (b"mdat", -8, b"\x7f\xff\xff\xff"),
        ],
    )
    def test_fragment_that_says_something_else(self, box: bytes, offset: int, patch: bytes) -> None:
        position = SEGMENT.index(box, INIT.bytes) + 4 + offset
        with pytest.raises(MediaError):
            list(fragments(patched(SEGMENT, position, patch), INIT))

    def test_bytes_between_fragments(self) -> None:
        end = FIRST.offset + FIRST.bytes
        with pytest.raises(MediaError):
            list(fragments(SEGMENT[:end] + b"\x00\x00\x00\x08free" + SEGMENT[end:], INIT))

    def test_something_after_the_one_fragment(self) -> None:
        data = SEGMENT[FIRST.offset : FIRST.offset + FIRST.bytes]
        with pytest.raises(MediaError, match="something follows"):
            read_fragment(data + data, INIT, 0)

    def test_fragment_without_a_picture(self) -> None:
        sound = TrackPart(AUDIO_TRACK_ID, [Sample(b"x", 0, 0, sync=True)], 1024)
        with pytest.raises(MediaError, match="no picture"):
            read_fragment(render(1, UTC_US, [sound]), INIT, 0)

    def test_fragment_with_a_track_that_the_init_does_not_have(self) -> None:
        data = SEGMENT[FIRST.offset : FIRST.offset + FIRST.bytes]
        with pytest.raises(MediaError, match="init does not have"):
            read_fragment(data, parse_init(SILENT), 0)


class TestHostileBytes:
    @settings(max_examples=300)
    @given(st.integers(0, len(SEGMENT) - 9), st.binary(min_size=1, max_size=8))
    def test_changed_bytes_are_read_or_refused(self, position: int, patch: bytes) -> None:
        data = patched(SEGMENT, position, patch)
        try:
            list(fragments(data, parse_init(data)))
        except MediaError:
            return

    @given(st.integers(0, INIT.bytes - 9), st.binary(min_size=1, max_size=8))
    def test_changed_init_is_read_or_refused(self, position: int, patch: bytes) -> None:
        try:
            init = parse_init(patched(SEGMENT, position, patch))
        except MediaError:
            return
        assert init.mime.isprintable()

    @given(st.binary(max_size=400))
    def test_any_bytes_are_read_or_refused(self, data: bytes) -> None:
        with pytest.raises(MediaError):
            parse_init(data)
        found, end = whole_fragments(SEGMENT[: INIT.bytes] + data, INIT)
        assert found == []
        assert end == INIT.bytes

    @pytest.mark.parametrize(
        "tail",
        [
            b"\x00\x00\x00\x08free" * 200_000,
            b"\x00\x00\x00\x00moof" * 200_000,
            struct.pack(">I4s", 8 + 1_600_000, b"moof") + b"\x00\x00\x00\x08traf" * 200_000,
            struct.pack(">I4sIIi", 8 + 1_600_000, b"trun", 0x01000701, 0xFFFFFFFF, 0) * 80_000,
        ],
        ids=["empty boxes", "boxes without a length", "empty tracks", "many samples"],
    )
    def test_bytes_made_to_take_long_do_not(self, tail: bytes) -> None:
        prft = SEGMENT[FIRST.offset : FIRST.offset + 32]
        begin = time.process_time()
        for data in (tail, prft + tail):
            assert whole_fragments(SEGMENT[: INIT.bytes] + data, INIT) == ([], INIT.bytes)
        with pytest.raises(MediaError):
            parse_init(tail)
        assert time.process_time() - begin < 3

    def test_samples_without_number_are_not_listed(self) -> None:
        """Three million samples of no bytes in one fragment: within its boxes, and refused before they are read."""
        samples = 3_000_000
        body = struct.pack(">IIi", 0x01000701, samples, 0) + bytes(12 * samples)
        trun = struct.pack(">I4s", 8 + len(body), b"trun") + body
        head = SEGMENT[SEGMENT.index(b"tfhd", INIT.bytes) - 4 : SEGMENT.index(b"trun", INIT.bytes) - 4]
        traf = struct.pack(">I4s", 8 + len(head) + len(trun), b"traf") + head + trun
        moof = struct.pack(">I4s", 8 + len(traf), b"moof") + traf
        data = SEGMENT[FIRST.offset : FIRST.offset + 32] + moof + b"\x00\x00\x00\x08mdat"
        with pytest.raises(MediaError, match="trun"):
            read_fragment(data, INIT, 0)


class TestTimes:
    @given(st.integers(0, (1 << 32) * 1_000_000 - 2_208_988_800_000_001))
    def test_utc_survives_ntp(self, value_us: int) -> None:
        assert us_from_ntp(ntp_from_us(value_us)) == value_us

    @given(st.integers(1, 1_000_000), st.lists(st.integers(1, 1 << 20), min_size=1, max_size=20))
    def test_lengths_in_microseconds_add_up(self, timescale: int, durations: list[int]) -> None:
        start, total_us = 0, 0
        for duration in durations:
            start_us, length_us = span_us(TrackRun(1, start, duration, 1, starts_with_sync=True), timescale)
            assert start_us == total_us
            start, total_us = start + duration, total_us + length_us
        assert total_us == to_us(start, timescale)

    @given(st.integers(0, 1 << 40), st.integers(1, 1_000_000))
    def test_different_times_are_different_microseconds(self, value: int, timescale: int) -> None:
        assert to_us(value, timescale) < to_us(value + 1, timescale)


def test_sound_is_named_as_browsers_name_it() -> None:
    tracks = (TrackHeader(1, "video", 90_000, "hvc1.1.6.L93.B0"), TrackHeader(2, "audio", 8000, "flac"))
    assert Init(900, tracks).mime == 'video/mp4; codecs="hvc1.1.6.L93.B0, flac"'
