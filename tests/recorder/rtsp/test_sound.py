"""Frames of AAC, Opus and G.711: whole ones come out as they went in, holes are told."""

import struct

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.sound import G711, Aac, AacLayout, Frames, Opus, opus_samples
from recorder.rtsp.units import AudioUnit

HBR = AacLayout(13, 3, 3)
FRAME = 1024


def aac_packet(*frames: bytes, size: int | None = None) -> bytes:
    """AAC-hbr (RFC 3640 section 3.3.6); `size` is what the header says, for a fragment."""
    headers = b"".join(struct.pack(">H", (len(frame) if size is None else size) << 3) for frame in frames)
    return struct.pack(">H", 8 * len(headers)) + headers + b"".join(frames)


def taken(make: "type[Frames] | None", *packets: tuple[bytes, int] | None) -> list[AudioUnit]:
    """What comes out of (payload, timestamp) pairs; None is a hole. AAC without a class."""
    units: list[AudioUnit] = []
    frames = make(units.append) if make else Aac(units.append, HBR, FRAME)
    for packet in packets:
        if packet is None:
            frames.lose()
        else:
            frames.packet(packet[0], 0, len(packet[0]), packet[1], 1)
    return units


def test_one_aac_frame_in_a_packet() -> None:
    units = taken(None, (aac_packet(b"one"), 0), (aac_packet(b"two"), FRAME))
    assert units == [AudioUnit(b"one", 0, FRAME, False), AudioUnit(b"two", FRAME, FRAME, False)]


def test_several_aac_frames_in_a_packet_follow_each_other() -> None:
    units = taken(None, (aac_packet(b"one", b"three", b"x"), 500))
    assert [(unit.data, unit.timestamp) for unit in units] == [(b"one", 500), (b"three", 1524), (b"x", 2548)]


def test_an_aac_frame_over_several_packets() -> None:
    pieces = [(aac_packet(piece, size=11), 7) for piece in (b"hello ", b"wor", b"ld")]
    assert taken(None, *pieces, (aac_packet(b"next"), 1031)) == [
        AudioUnit(b"hello world", 7, FRAME, False),
        AudioUnit(b"next", 1031, FRAME, False),
    ]


def test_an_aac_frame_with_a_piece_missing_is_dropped() -> None:
    first, last, following = (
        (aac_packet(b"hel", size=5), 7),
        (aac_packet(b"lo", size=5), 7),
        (aac_packet(b"next"), 1031),
    )
    assert taken(None, first, None, last, following)[-1] == AudioUnit(b"next", 1031, FRAME, True)
    assert taken(None, first, following) == [AudioUnit(b"next", 1031, FRAME, True)]


def test_other_sizes_of_aac_headers() -> None:
    """AAC-lbr (RFC 3640 section 3.3.5): 6 bits of size, 2 of index."""
    units: list[AudioUnit] = []
    aac = Aac(units.append, AacLayout(6, 2, 2), FRAME)
    packet = b"\0\x10" + bytes([3 << 2, 2 << 2]) + b"abcde"
    aac.packet(packet, 0, len(packet), 0, 1)
    assert [unit.data for unit in units] == [b"abc", b"de"]


@pytest.mark.parametrize("layout", [AacLayout(0, 3, 3), AacLayout(40, 3, 3), AacLayout(13, 30, 3)])
def test_layouts_that_make_no_sense_are_known_as_such(layout: AacLayout) -> None:
    assert not layout.is_usable


def test_g711_of_any_length() -> None:
    units = taken(lambda emit: G711(emit, 1), (b"a" * 160, 0), (b"b" * 200, 160), None, (b"c", 400))  # type: ignore[arg-type]
    assert [(unit.samples, unit.lost_before) for unit in units] == [(160, False), (200, False), (1, True)]


def test_stereo_g711_has_two_bytes_a_sample() -> None:
    assert taken(lambda emit: G711(emit, 2), (b"a" * 320, 0))[0].samples == 160  # type: ignore[arg-type]


@pytest.mark.parametrize("milliseconds", [2.5, 5, 10, 20, 40, 60])
@pytest.mark.parametrize("application", ["voip", "audio", "lowdelay"])
def test_the_length_of_opus_packets(milliseconds: float, application: str) -> None:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.options = {"frame_duration": str(milliseconds), "application": application}
    encoder.open()
    samples = round(48 * milliseconds)
    frame = av.AudioFrame("s16", "mono", samples)
    frame.sample_rate = 48_000
    for packet in encoder.encode(frame) + encoder.encode(None):
        assert opus_samples(bytes(packet)) == samples


def test_opus_packets_with_a_count_of_frames() -> None:
    assert opus_samples(bytes([31 << 3 | 3, 6])) == 6 * 960
    assert opus_samples(bytes([31 << 3 | 3, 63])) == 5760, "120 ms is the longest packet"
    assert opus_samples(b"\xfb") == 960


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=10), st.integers(0, (1 << 32) - 1))
def test_whatever_aac_goes_in_comes_out(frames: list[bytes], first: int) -> None:
    units = taken(None, (aac_packet(*frames), first))
    assert [unit.data for unit in units] == frames
    assert [unit.timestamp for unit in units] == [first + FRAME * number for number in range(len(frames))]


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.integers(0, 1))),
    st.sampled_from([HBR, AacLayout(16, 0, 0), AacLayout(1, 0, 5), AacLayout(6, 2, 2)]),
)
def test_no_payload_does_harm(packets: list[tuple[bytes, int]], layout: AacLayout) -> None:
    units: list[AudioUnit] = []
    for frames in (Aac(units.append, layout, FRAME), Opus(units.append), G711(units.append, 1)):
        for payload, timestamp in packets:
            frames.packet(payload, 0, len(payload), timestamp, 0)
    assert all(unit.data and unit.samples > 0 for unit in units)
