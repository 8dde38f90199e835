"""NAL units in an Annex B byte stream (ITU-T H.264 and H.265, annex B)."""

from shilu.cameras.media import VideoCodec

START_CODE = b"\x00\x00\x00\x01"
_SHORT_START_CODE = b"\x00\x00\x01"

_PARAMETER_SETS = {VideoCodec.H264: (7, 8), VideoCodec.H265: (32, 33, 34)}
"""nal_unit_type of SPS, PPS (H.264 table 7-1) and of VPS, SPS, PPS (H.265 table 7-1)."""


def split(access_unit: bytes) -> list[bytes]:
    """The NAL units of one access unit, without start codes and without the zero bytes that may follow a unit."""
    units = []
    start = access_unit.find(_SHORT_START_CODE)
    while start >= 0:
        start += len(_SHORT_START_CODE)
        following = access_unit.find(_SHORT_START_CODE, start)
        end = following if following >= 0 else len(access_unit)
        while end > start and access_unit[end - 1] == 0:  # trailing_zero_8bits, or the long start code's first byte
            end -= 1
        if end > start:
            units.append(access_unit[start:end])
        start = following
    return units


def nal_type(codec: VideoCodec, unit: bytes) -> int:
    """nal_unit_type from the unit's header (H.264 section 7.3.1, H.265 section 7.3.1.2)."""
    return unit[0] & 0x1F if codec is VideoCodec.H264 else (unit[0] >> 1) & 0x3F


def parameter_sets(codec: VideoCodec, access_unit: bytes) -> tuple[bytes, ...]:
    """The parameter sets in a key frame, in the order in which they stand there."""
    wanted = _PARAMETER_SETS[codec]
    return tuple(unit for unit in split(access_unit) if nal_type(codec, unit) in wanted)
