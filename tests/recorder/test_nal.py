"""Annex B byte streams into pictures with lengths, and the parameter sets beside them."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.nal import VideoCodec, parse_picture, split

START = b"\x00\x00\x00\x01"
SHORT = b"\x00\x00\x01"
SPS, PPS, IDR, SLICE, SEI, AUD = b"\x67sps", b"\x68pps", b"\x65idr", b"\x41slice", b"\x06sei", b"\x09\xf0"
VPS5, SPS5, PPS5, IDR5, CRA5, TRAIL5, SEI5 = (bytes([kind << 1, 1]) + b"unit" for kind in (32, 33, 34, 19, 21, 1, 39))


def lengths(*units: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in units)


def annexb(*units: bytes, code: bytes = START) -> bytes:
    return b"".join(code + unit for unit in units)


@pytest.mark.parametrize(
    ("data", "units"),
    [
        (b"", []),
        (b"\x00\x00", []),
        (START, []),
        (START + SHORT, []),
        (b"no start code", []),
        (annexb(SPS, PPS), [SPS, PPS]),
        (annexb(SPS, PPS, code=SHORT), [SPS, PPS]),
        (SHORT + SPS + START + PPS, [SPS, PPS]),
        (b"junk" + annexb(IDR), [IDR]),
        (annexb(SPS + b"\x00\x00", IDR), [SPS, IDR]),
        (annexb(IDR) + b"\x00\x00\x00", [IDR]),
        (annexb(b"", b"", IDR), [IDR]),
    ],
)
def test_units_are_found_between_start_codes(data: bytes, units: list[bytes]) -> None:
    assert split(data) == units


# A unit never ends in zeros, and emulation prevention keeps start codes out of it (H.264, 7.4.1).
any_unit = st.binary(min_size=1, max_size=60).map(lambda data: data.replace(b"\x00", b"\x03") + b"\x80")


@given(st.lists(st.tuples(st.sampled_from([START, SHORT, b"\x00\x00" + START]), any_unit), max_size=12))
def test_no_byte_of_a_unit_is_lost(coded: list[tuple[bytes, bytes]]) -> None:
    assert split(b"".join(code + unit for code, unit in coded)) == [unit for _, unit in coded]


@given(st.binary(max_size=400), st.sampled_from(["h264", "hevc"]))
def test_any_bytes_become_whole_units_or_nothing(data: bytes, codec: VideoCodec) -> None:
    picture = parse_picture(codec, data)
    position = 0
    while position < len(picture.data):
        (length,) = struct.unpack_from(">I", picture.data, position)
        assert length > 0
        position += 4 + length
    assert position == len(picture.data)


def test_an_h264_picture_keeps_its_parameter_sets_where_the_camera_put_them() -> None:
    picture = parse_picture("h264", annexb(AUD, SPS, PPS, SEI, IDR))
    assert picture.data == lengths(AUD, SPS, PPS, SEI, IDR)
    assert picture.parameters == (SPS, PPS)
    assert picture.key


def test_an_h264_picture_that_refers_to_others_is_no_key_frame() -> None:
    picture = parse_picture("h264", annexb(SEI, SLICE, SLICE))
    assert picture.data == lengths(SEI, SLICE, SLICE)
    assert not picture.parameters
    assert not picture.key


@pytest.mark.parametrize("intra", [IDR5, CRA5])
def test_an_h265_picture_leaves_its_parameter_sets_to_the_init(intra: bytes) -> None:
    """Tag `hvc1`: parameter sets stand in the sample entry alone (ISO/IEC 14496-15, 8.4.1)."""
    picture = parse_picture("hevc", annexb(VPS5, SPS5, PPS5, SEI5, intra))
    assert picture.data == lengths(SEI5, intra)
    assert picture.parameters == (VPS5, SPS5, PPS5)
    assert picture.key


def test_an_h265_picture_that_refers_to_others_is_no_key_frame() -> None:
    picture = parse_picture("hevc", annexb(TRAIL5))
    assert picture.data == lengths(TRAIL5)
    assert not picture.key


def test_parameter_sets_alone_are_no_picture_in_h265() -> None:
    assert parse_picture("hevc", annexb(VPS5, SPS5, PPS5)).data == b""
