"""The boxes of a segment: fragmented MP4 as ISO/IEC 14496-12 defines it. Pure: bytes in, values out.

A segment is an init (`ftyp` `moov`) followed by fragments, each `prft` `moof` `mdat`. Only what the format of the
project writes is understood; anything else is a MediaError, never a guess. Decode times stay in the track's own
timescale, because microseconds would round.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, NamedTuple

from evidence_store.errors import FormatError

_NTP_EPOCH_S = 2_208_988_800  # seconds from 1900 to 1970 (RFC 5905)
_MAX_TIMESCALE = 1_000_000  # so that two different decode times are never the same microsecond
_MAX_SAMPLES = 100_000  # in a fragment of at most one second; bounds what reading hostile bytes can cost
_AUDIO_ENTRIES = {b"mp4a", b"fLaC", b"Opus"}
_VIDEO_ENTRIES = {b"avc1", b"hvc1"}


class MediaError(FormatError):
    """Bytes that are not a segment of the evidence format."""


class Box(NamedTuple):
    """One box: `start` of its header, `body` after it, `end` after its last byte.

    A tuple, since an hour of film has a hundred thousand of them and each is looked at when it is verified.
    """

    type: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class TrackHeader:
    """A track of the init; `codecs` is its part of the MIME type (RFC 6381)."""

    id: int
    kind: Literal["video", "audio"]
    timescale: int
    codecs: str


@dataclass(frozen=True, slots=True)
class Init:
    """`bytes` is the length of ftyp and moov together."""

    bytes: int
    tracks: tuple[TrackHeader, ...]

    @property
    def video(self) -> TrackHeader:
        return next(track for track in self.tracks if track.kind == "video")

    @property
    def mime(self) -> str:
        return f'video/mp4; codecs="{", ".join(track.codecs for track in self.tracks)}"'


@dataclass(frozen=True, slots=True)
class TrackRun:
    """What a fragment holds of one track: decode time of the first sample and length, in the track's timescale."""

    track_id: int
    start: int
    duration: int
    samples: int
    starts_with_sync: bool


@dataclass(frozen=True, slots=True)
class FragmentBoxes:
    """A fragment as it stands in the segment; `utc_us` is the recorder's UTC of its first picture, from `prft`."""

    offset: int
    bytes: int
    utc_us: int
    runs: tuple[TrackRun, ...]

    def of(self, track: TrackHeader) -> TrackRun | None:
        return next((run for run in self.runs if run.track_id == track.id), None)


def to_us(value: int, timescale: int) -> int:
    """Decode time in microseconds, rounded down: the rule by which records state it."""
    return value * 1_000_000 // timescale


def span_us(run: TrackRun, timescale: int) -> tuple[int, int]:
    """Start and length in microseconds. The length reaches to where the next fragment starts, so lengths add up."""
    start_us = to_us(run.start, timescale)
    return start_us, to_us(run.start + run.duration, timescale) - start_us


def ntp_from_us(utc_us: int) -> int:
    """A 64-bit NTP timestamp (RFC 5905, 6), rounded up so that `us_from_ntp` gives the same microsecond back.

    Its seconds roll over in 2036; what would be before 1970 is after that, which lasts until 2106.
    """
    seconds, rest_us = divmod(utc_us, 1_000_000)
    return ((seconds + _NTP_EPOCH_S & 0xFFFFFFFF) << 32) + -(-(rest_us << 32) // 1_000_000)


def us_from_ntp(ntp: int) -> int:
    return ((ntp >> 32) - _NTP_EPOCH_S & 0xFFFFFFFF) * 1_000_000 + ((ntp & 0xFFFFFFFF) * 1_000_000 >> 32)


def parse_init(data: bytes | memoryview) -> Init:
    """The init at the start of a segment; raises MediaError."""
    view = memoryview(data)
    top = _boxes(view, 0, len(view), partial=True)
    ftyp, moov = next(top, None), next(top, None)
    if ftyp is None or moov is None or ftyp.type != b"ftyp" or moov.type != b"moov":
        raise MediaError("a segment has to start with ftyp and moov")
    tracks = tuple(_track(view, box) for box in _boxes(view, moov.body, moov.end) if box.type == b"trak")
    if sum(track.kind == "video" for track in tracks) != 1 or len(tracks) > 2:
        raise MediaError("a segment has one video track and at most one audio track")
    if len({track.id for track in tracks}) != len(tracks):
        raise MediaError("two tracks with the same id")
    return Init(moov.end, tracks)


def fragments(data: bytes | memoryview, init: Init) -> Iterator[FragmentBoxes]:
    """The fragments of a segment in order; raises MediaError where the bytes stop being whole fragments."""
    view = memoryview(data)
    position = init.bytes
    while position < len(view):
        fragment = _fragment(view, position, init)
        yield fragment
        position += fragment.bytes


def read_fragment(data: bytes | memoryview, init: Init, offset: int) -> FragmentBoxes:
    """The one fragment that `data` holds, which stands at `offset` of its segment; raises MediaError."""
    fragment = _fragment(memoryview(data), 0, init)
    if fragment.bytes != len(data):
        raise MediaError("something follows the fragment")
    return replace(fragment, offset=offset)


def whole_fragments(data: bytes | memoryview, init: Init) -> tuple[list[FragmentBoxes], int]:
    """After a crash: the fragments that are whole, and where the torn tail begins (the length, if nothing is torn)."""
    found: list[FragmentBoxes] = []
    position = init.bytes
    try:
        for fragment in fragments(data, init):
            found.append(fragment)
            position = fragment.offset + fragment.bytes
    except MediaError:
        return found, position
    return found, len(data)


def _boxes(view: memoryview, start: int, end: int, *, partial: bool = False) -> Iterator[Box]:
    """Boxes between two positions. With `partial`, stops at a box that does not fit instead of raising."""
    position = start
    while position < end:
        if end - position < 8:
            if partial:
                return
            raise MediaError(f"{end - position} stray bytes at {position}")
        size, kind = struct.unpack_from(">I4s", view, position)
        body = position + 8
        if size == 1 and end - position >= 16:
            (size,) = struct.unpack_from(">Q", view, body)
            body += 8
        if size < body - position or size > end - position:
            if partial:
                return
            raise MediaError(f"a box of {size} bytes does not fit at {position}")
        yield Box(kind, position, body, position + size)
        position += size


def _child(view: memoryview, parent: Box, *path: bytes) -> Box:
    box = parent
    for kind in path:
        found = next((child for child in _boxes(view, box.body, box.end) if child.type == kind), None)
        if found is None:
            raise MediaError(f"no {kind.decode('latin-1')} in {box.type.decode('latin-1')}")
        box = found
    return box


def _unpack(layout: str, view: memoryview, box: Box, offset: int = 0) -> tuple[int, ...]:
    if box.body + offset + struct.calcsize(layout) > box.end:
        raise MediaError(f"{box.type.decode('latin-1')} is too short")
    return struct.unpack_from(layout, view, box.body + offset)


def _track(view: memoryview, trak: Box) -> TrackHeader:
    tkhd = _child(view, trak, b"tkhd")
    (version,) = _unpack(">B", view, tkhd)
    (track_id,) = _unpack(">I", view, tkhd, 20 if version == 1 else 12)
    mdia = _child(view, trak, b"mdia")
    mdhd = _child(view, mdia, b"mdhd")
    (version,) = _unpack(">B", view, mdhd)
    (timescale,) = _unpack(">I", view, mdhd, 20 if version == 1 else 12)
    if not 0 < timescale <= _MAX_TIMESCALE:
        raise MediaError(f"a track with timescale {timescale}")
    stsd = _child(view, mdia, b"minf", b"stbl", b"stsd")
    entry = next(_boxes(view, stsd.body + 8, stsd.end), None)
    if entry is None:
        raise MediaError("stsd has no entry")
    if entry.type in _VIDEO_ENTRIES:
        return TrackHeader(track_id, "video", timescale, _video_codecs(view, entry))
    if entry.type in _AUDIO_ENTRIES:
        return TrackHeader(track_id, "audio", timescale, _audio_codecs(view, entry))
    raise MediaError(f"sample entry {entry.type!r} is not of the evidence format")


def _video_codecs(view: memoryview, entry: Box) -> str:
    inner = Box(entry.type, entry.start, entry.body + 78, entry.end)  # VisualSampleEntry has 78 bytes of fields
    if entry.type == b"avc1":
        profile, compatibility, level = _unpack(">xBBB", view, _child(view, inner, b"avcC"))
        return f"avc1.{profile:02x}{compatibility:02x}{level:02x}"
    # ISO/IEC 14496-15, E.3: profile space and idc, compatibility flags in reverse bit order, tier, level, constraints.
    profile, flags = _unpack(">xBI", view, _child(view, inner, b"hvcC"))
    *constraints, level = _unpack(">6BB", view, _child(view, inner, b"hvcC"), 6)
    space = ("", "A", "B", "C")[profile >> 6]
    tier = "H" if profile & 0x20 else "L"
    while constraints and constraints[-1] == 0:
        constraints.pop()
    tail = "".join(f".{byte:x}" for byte in constraints)
    return f"hvc1.{space}{profile & 0x1F}.{int(f'{flags:032b}'[::-1], 2):x}.{tier}{level}{tail}"


def _audio_codecs(view: memoryview, entry: Box) -> str:
    if entry.type == b"fLaC":
        return "flac"
    if entry.type == b"Opus":
        return "opus"
    inner = Box(entry.type, entry.start, entry.body + 28, entry.end)  # AudioSampleEntry has 28 bytes of fields
    esds = _child(view, inner, b"esds")
    return f"mp4a.40.{_audio_object_type(bytes(view[esds.body + 4 : esds.end]))}"


def _audio_object_type(descriptors: bytes) -> int:
    """The audio object type inside an ES descriptor (ISO/IEC 14496-1, 7.2.6; 14496-3, 1.6.2.1)."""
    position = 0
    while position < len(descriptors):
        tag = descriptors[position]
        position += 1
        while position < len(descriptors) and descriptors[position] & 0x80:
            position += 1
        position += 1  # last byte of the length
        if tag == 0x03:
            position += 3
        elif tag == 0x04:
            position += 13
        elif tag == 0x05 and position < len(descriptors):
            return descriptors[position] >> 3
        else:
            break
    raise MediaError("esds does not say which AAC it is")


def _fragment(view: memoryview, position: int, init: Init) -> FragmentBoxes:
    top = list(islice(_boxes(view, position, len(view)), 3))
    if [box.type for box in top] != [b"prft", b"moof", b"mdat"]:
        raise MediaError(f"no whole fragment at {position}")
    prft, moof, mdat = top
    version, ntp = _unpack(">B3x4xQ", view, prft)
    if version != 1:
        raise MediaError("prft of an unknown version")
    runs = []
    expected = mdat.body - moof.start
    for traf in _boxes(view, moof.body, moof.end):
        if traf.type == b"traf":
            run, data_offset, data_bytes = _run(view, traf)
            if data_offset != expected:
                raise MediaError(f"samples at {moof.start} do not fill mdat in order")
            expected += data_bytes
            runs.append(run)
    if expected != mdat.end - moof.start:
        raise MediaError(f"mdat at {mdat.start} holds other bytes than its samples")
    ids = {run.track_id for run in runs}
    if len(ids) != len(runs) or not ids <= {track.id for track in init.tracks}:
        raise MediaError(f"fragment at {position} has a track that the init does not have")
    if init.video.id not in ids:
        raise MediaError(f"fragment at {position} has no picture")
    return FragmentBoxes(position, mdat.end - position, us_from_ntp(ntp), tuple(runs))


def _run(view: memoryview, traf: Box) -> tuple[TrackRun, int, int]:
    """One traf as the recorder writes it: tfhd, tfdt version 1, one trun that states every sample."""
    children: dict[bytes, Box] = {}
    for box in _boxes(view, traf.body, traf.end):
        children.setdefault(box.type, box)
    if not {b"tfhd", b"tfdt", b"trun"} <= children.keys():
        raise MediaError("traf lacks tfhd, tfdt or trun")
    tfhd, tfdt, trun = children[b"tfhd"], children[b"tfdt"], children[b"trun"]
    flags, track_id = _unpack(">II", view, tfhd)
    if flags != 0x020000:  # default-base-is-moof, nothing else
        raise MediaError("tfhd has other flags than default-base-is-moof")
    version, start = _unpack(">B3xQ", view, tfdt)
    if version != 1:
        raise MediaError("tfdt is not of version 1")
    head, samples, data_offset = _unpack(">IIi", view, trun)
    if head not in (0x01000701, 0x01000F01):  # offset, then duration, size, flags and perhaps composition offset
        raise MediaError("trun does not state duration, size and flags of each sample")
    fields = 4 if head & 0x800 else 3
    if not 0 < samples <= _MAX_SAMPLES or trun.end - trun.body != 12 + samples * fields * 4:
        raise MediaError("trun has another length than its samples")
    values = struct.unpack_from(f">{samples * fields}I", view, trun.body + 12)
    sync = not values[2] & 0x00010000
    return TrackRun(track_id, start, sum(values[::fields]), samples, sync), data_offset, sum(values[1::fields])
