"""Fragments: samples of a camera's tracks, cut into at most one second and written as `prft` `moof` `mdat`.

The coded pictures go in as they came; only the frame around them is ours (ISO/IEC 14496-12, 8.8 and 8.16.5). The cut
waits for the first picture of the next fragment, so that the length of every picture is known and not guessed.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evidence_store.media import ntp_from_us

VIDEO_TRACK_ID = 1
AUDIO_TRACK_ID = 2

_NOT_SYNC = 0x01010000  # depends on others, is not a sync sample
_SYNC = 0x02000000  # depends on no other


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded picture or block of sound. `dts` and `offset` (pts - dts) are in the track's timescale."""

    data: bytes
    dts: int
    offset: int
    sync: bool


@dataclass(frozen=True, slots=True)
class TrackPart:
    """Samples of one track in a fragment; `end` is the decode time at which the last one ends.

    `base` is the decode time of the run's first picture on the same clock: the fragment counts from there.
    """

    track_id: int
    samples: Sequence[Sample]
    end: int
    base: int = 0


def render(sequence: int, utc_us: int, parts: Iterable[TrackPart]) -> bytes:
    """The bytes of one fragment. `utc_us` is the recorder's UTC of the first picture, `sequence` counts in the run."""
    parts = [part for part in parts if part.samples]
    head_bytes = 8 + 16 + sum(_traf_bytes(part) for part in parts)
    data_offset = head_bytes + 8
    trafs = []
    for part in parts:
        trafs.append(_traf(part, data_offset))
        data_offset += sum(len(sample.data) for sample in part.samples)
    prft = _box(
        b"prft",
        struct.pack(
            ">IIQQ", 0x01000000, parts[0].track_id, ntp_from_us(utc_us), parts[0].samples[0].dts - parts[0].base
        ),
    )
    mfhd = _box(b"mfhd", struct.pack(">II", 0, sequence & 0xFFFFFFFF))
    moof = _box(b"moof", mfhd, *trafs)
    mdat_bytes = 8 + data_offset - head_bytes - 8
    return b"".join(
        (
            prft,
            moof,
            struct.pack(">I4s", mdat_bytes, b"mdat"),
            *(sample.data for part in parts for sample in part.samples),
        )
    )


def _box(kind: bytes, *body: bytes) -> bytes:
    return b"".join((struct.pack(">I4s", 8 + sum(map(len, body)), kind), *body))


def _fields(part: TrackPart) -> int:
    return 4 if any(sample.offset for sample in part.samples) else 3


def _traf_bytes(part: TrackPart) -> int:
    return 8 + 16 + 20 + 20 + 4 * _fields(part) * len(part.samples)


def _traf(part: TrackPart, data_offset: int) -> bytes:
    tfhd = _box(b"tfhd", struct.pack(">II", 0x020000, part.track_id))
    tfdt = _box(b"tfdt", struct.pack(">IQ", 0x01000000, part.samples[0].dts - part.base))
    fields = _fields(part)
    values: list[int] = []
    ends = [sample.dts for sample in part.samples[1:]]
    ends.append(part.end)
    for sample, end in zip(part.samples, ends, strict=True):
        values += (end - sample.dts, len(sample.data), _SYNC if sample.sync else _NOT_SYNC)
        if fields == 4:
            values.append(sample.offset & 0xFFFFFFFF)
    flags = 0x01000F01 if fields == 4 else 0x01000701
    trun = _box(b"trun", struct.pack(f">IIi{len(values)}I", flags, len(part.samples), data_offset, *values))
    return _box(b"traf", tfhd, tfdt, trun)
