"""Cutting Annex B streams."""

from hypothesis import given
from hypothesis import strategies as st

from shilu.cameras.media import VideoCodec
from shilu.cameras.nal import START_CODE, nal_type, parameter_sets, split

# A NAL unit holds no start code and does not end with a zero (H.264 section 7.4.1).
UNITS = st.lists(st.binary(min_size=1, max_size=60).map(lambda raw: raw.replace(b"\0", b"\1")), max_size=6)


@given(UNITS, st.sampled_from([START_CODE, START_CODE[1:]]))
def test_units_come_back_whatever_start_code_is_used(units: list[bytes], start_code: bytes) -> None:
    assert split(b"".join(start_code + unit for unit in units)) == units


@given(st.binary(max_size=200))
def test_any_bytes_can_be_split(data: bytes) -> None:
    assert all(unit and b"\0\0\1" not in unit for unit in split(data))


def test_types_and_parameter_sets() -> None:
    sps, pps, slice_ = b"\x67\x42", b"\x68\xce", b"\x65\x88"
    stream = b"".join(START_CODE + unit for unit in (sps, pps, slice_))
    assert [nal_type(VideoCodec.H264, unit) for unit in split(stream)] == [7, 8, 5]
    assert parameter_sets(VideoCodec.H264, stream) == (sps, pps)
    assert nal_type(VideoCodec.H265, b"\x40\x01") == 32
