"""NAL units of H.264 (ITU-T H.264, 7.3.1 and Annex B) and H.265 (ITU-T H.265, 7.3.1.2 and Annex B). Pure.

A camera's picture arrives with start codes and leaves with lengths, as MP4 wants it. Parameter sets are watched, since
a picture can only be decoded with the sets it was coded with. In H.265 they are left out of the samples (tag `hvc1`
keeps them in the init alone); in H.264 they stay where the camera put them.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

VideoCodec = Literal["h264", "hevc"]

_START = b"\x00\x00\x01"
_H264_SPS, _H264_PPS, _H264_IDR = 7, 8, 5
_HEVC_VPS, _HEVC_SPS, _HEVC_PPS = 32, 33, 34
_HEVC_IRAP = range(16, 24)


@dataclass(frozen=True, slots=True)
class Picture:
    """`data` with 4-byte lengths; `parameters` are the sets that came with it, in Annex B, empty if none did."""

    data: bytes
    key: bool
    parameters: tuple[bytes, ...]


def split(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream, without start codes and trailing zeros."""
    units = []
    begin = data.find(_START)
    while begin >= 0:
        begin += 3
        end = data.find(_START, begin)
        unit = data[begin : end if end >= 0 else len(data)]
        # Before a start code trailing zeros belong to the start code; a NAL unit itself never ends in one (7.4.1).
        unit = unit.rstrip(b"\x00")
        if unit:
            units.append(unit)
        begin = end
    return units


def annex_b(units: Iterable[bytes]) -> bytes:
    """NAL units as a byte stream."""
    return b"".join(part for unit in units for part in (_START, unit))


def parse_picture(codec: VideoCodec, data: bytes) -> Picture:
    """One access unit as a byte stream."""
    return picture_of(codec, split(data))


def picture_of(codec: VideoCodec, units: Iterable[bytes]) -> Picture:
    """The picture that the NAL units of one access unit make."""
    kept = []
    parameters = []
    key = False
    for unit in units:
        if codec == "h264":
            kind = unit[0] & 0x1F
            is_parameter = kind in (_H264_SPS, _H264_PPS)
            key = key or kind == _H264_IDR
            keep = True
        else:
            kind = unit[0] >> 1 & 0x3F
            is_parameter = kind in (_HEVC_VPS, _HEVC_SPS, _HEVC_PPS)
            key = key or kind in _HEVC_IRAP
            keep = not is_parameter
        if is_parameter:
            parameters.append(unit)
        if keep:
            kept.append(struct.pack(">I", len(unit)))
            kept.append(unit)
    return Picture(b"".join(kept), key, tuple(parameters))
