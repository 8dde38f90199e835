"""A real session in memory: pictures and sound encoded once, cut by the recorder's own writer, sealed in a chain.

    subject (H.264 and AAC)   run 0: segments 0, 1      a gap of 2 s      run 1: segments 2, 3
    room (H.264, no sound)    run 0: segments 0 to 4

Segments are 2 s, fragments half a second, pictures 25 a second with a key frame every 2 s. The session is opened one
second into the film. Tests change the drafts of records before they are sealed, as somebody with the key could, or the
objects afterwards, as anybody with the store could.
"""

import io
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream

from evidence_store import layout
from evidence_store.media import Init, fragments, span_us
from evidence_store.records import ZERO_HASH, format_time, from_us, parse_time, sha256_hex, to_us
from evidence_store.signing import Signer, certificate_pem
from evidence_store.strict_json import canonical_bytes
from evidence_store.trust import TrustAnchors
from evidence_store.verify import ReaderSource, Report, verify_session
from recorder.fragments import AUDIO_TRACK_ID, VIDEO_TRACK_ID, Sample, TrackPart, render
from recorder.inits import make_init
from recorder.nal import parse_picture
from tests.evidence_store.chains import CASE, Site, make_site, track
from tests.evidence_store.memory_store import MemoryStore

START = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
OPENED = START + timedelta(seconds=1)
CLOSED = START + timedelta(seconds=10, milliseconds=300)
SESSION = "xindai-room-1-20261123T013001Z-7f3a"
BOOT = "5f1c3a70-0b7e-4c0e-9a43-3f2d3a3d9d11"
RATE_HZ = 16_000
CLOCK = {"source": "chrony", "offset_us": -120, "uncertainty_us": 900, "synchronized": True}

_PICTURES = 250
_PICTURES_PER_SEGMENT = 50
_CUTS = (0, 13, 25, 38, 50)  # half a second is twelve and a half pictures
_PICTURE_90K = 3600


@dataclass(frozen=True, slots=True)
class Clip:
    """Ten seconds as a camera sends them; `sound` is the template for an init with sound."""

    video: tuple[Sample, ...]
    audio: tuple[Sample, ...]
    key_frame: bytes
    sound: AudioStream


@cache
def clip() -> Clip:
    output = av.open(io.BytesIO(), "w", format="mp4", options={"movflags": "empty_moov"})
    sound = output.add_stream("aac", rate=RATE_HZ)
    sound.layout = "mono"
    output.start_encoding()
    wave = (np.sin(np.arange(RATE_HZ * 10) * 0.2) * 8000).astype(np.int16)
    audio: list[Sample] = []
    for start in range(0, len(wave), 1024):
        block = wave[start : start + 1024].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
        audio += [Sample(bytes(packet), len(audio) * 1024, 0, sync=True) for packet in sound.encode(frame)]
    pictures, key_frame = _pictures()
    return Clip(tuple(pictures), tuple(audio), key_frame, sound)


def _pictures() -> tuple[list[Sample], bytes]:
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = 320, 180, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, 25), Fraction(25)
    codec.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "50", "keyint_min": "50", "sc_threshold": "0"}
    found: list[Sample] = []
    key_frame = b""
    image = np.zeros((180, 320, 3), dtype=np.uint8)
    for number in range(_PICTURES):
        image[:, :, :] = number % 100
        image[40:140, number % 300 : number % 300 + 20] = 255
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts = number
        for packet in codec.encode(frame):
            picture = parse_picture("h264", bytes(packet))
            key_frame = key_frame or bytes(packet)
            found.append(Sample(picture.data, len(found) * _PICTURE_90K, 0, picture.key))
    return found, key_frame


@dataclass
class Recording:
    """A session whose records are not sealed yet: JSON values without number, `prev` and signer."""

    session: str = SESSION
    drafts: list[dict[str, Any]] = field(default_factory=list)
    media: dict[str, bytes] = field(default_factory=dict)
    site: Site = field(default_factory=make_site)

    def seq(self, kind: str, track: str = "", index: int = 0) -> int:
        """Number of the record of this type; of a segment by track and index, of an event by its kind."""
        for seq, draft in enumerate(self.drafts):
            if draft["type"] == kind and (kind != "segment" or (draft["track"], draft["index"]) == (track, index)):
                return seq
            if draft["type"] == "event" and draft["event"]["kind"] == kind:
                return seq
        raise KeyError(kind, track, index)

    def draft(self, kind: str, track: str = "", index: int = 0) -> dict[str, Any]:
        return self.drafts[self.seq(kind, track, index)]

    def span(self, track: str, index: int, first: int = 0, last: int = -1) -> tuple[datetime, datetime]:
        """The film from the first to the last of some fragments of a segment."""
        stated = self.draft("segment", track, index)["fragments"]
        end = parse_time(stated[last]["time"]) + timedelta(microseconds=stated[last]["duration_us"])
        return parse_time(stated[first]["time"]), end

    def time(self, kind: str, track: str = "", index: int = 0) -> datetime:
        return parse_time(self.draft(kind, track, index)["time"])

    def replace_media(self, track: str, index: int, data: bytes) -> None:
        """Other bytes for a segment, with a record that fits them, as far as bytes and hashes go."""
        media = self.draft("segment", track, index)["media"]
        self.media[media["key"]] = data
        media.update(bytes=len(data), sha256=sha256_hex(data))

    def seal(self, signer: Signer | None = None, *, onto: "Evidence | None" = None, from_seq: int = 0) -> "Evidence":
        """Number, chain, sign and store. With `onto` the records before `from_seq` are those already there."""
        signer = signer or self.site.recorder
        objects = dict(self.media)
        objects[layout.certificate_key(signer.id)] = certificate_pem([signer.certificate, self.site.root.certificate])
        if onto is not None:
            objects |= onto.objects
        prev = ZERO_HASH
        for seq, draft in enumerate(self.drafts):
            key, signature_key = layout.record_key(self.session, seq), layout.signature_key(self.session, seq)
            if seq >= from_seq:
                values = {"seq": seq, "prev": prev, "signer": signer.id, "session": self.session} | draft
                objects[key] = canonical_bytes(values)
                objects[signature_key] = signer.sign(objects[key])
            prev = sha256_hex(objects[key])
        return Evidence(self, objects)

    def count(self) -> None:
        """Make the close record fit the drafts again."""
        close = self.draft("close")
        close["records"] = len(self.drafts)
        close["tracks"] = _totals(self.drafts)


@dataclass
class Evidence:
    """A sealed session in a store, and how to get at its objects."""

    recording: Recording
    objects: dict[str, bytes]

    def record_key(self, kind: str, track: str = "", index: int = 0) -> str:
        return layout.record_key(self.recording.session, self.recording.seq(kind, track, index))

    def signature_key(self, kind: str, track: str = "", index: int = 0) -> str:
        return layout.signature_key(self.recording.session, self.recording.seq(kind, track, index))

    def media_key(self, track: str, index: int) -> str:
        return layout.media_key(self.recording.session, track, index)

    @property
    def certificate_key(self) -> str:
        return layout.certificate_key(self.recording.site.recorder.id)

    def flip(self, key: str, position: int, bit: int = 0) -> None:
        """Turn over one bit of an object."""
        data = bytearray(self.objects[key])
        data[position] ^= 1 << bit
        self.objects[key] = bytes(data)

    def swap(self, first: str, second: str) -> None:
        self.objects[first], self.objects[second] = self.objects[second], self.objects[first]

    def source(self) -> ReaderSource:
        store = MemoryStore("hall")
        store.objects = self.objects
        return ReaderSource(store)

    def verify(self, anchors: TrustAnchors | None = None) -> Report:
        return verify_session(self.recording.session, self.source(), anchors or self.recording.site.anchors)


def build() -> Recording:
    """A recording of its own for every test."""
    built = _built()
    return Recording(SESSION, deepcopy(built.drafts), dict(built.media), built.site)


@cache
def _built() -> Recording:
    recording = Recording()
    drafts = [(OPENED, _open())]
    for name, run, first_index, first, last in (
        ("subject", 0, 0, 0, 100),
        ("subject", 1, 2, 150, 250),
        ("room", 0, 0, 0, 250),
    ):
        cut = _Run(recording, name, run, first)
        for number, picture in enumerate(range(first, last, _PICTURES_PER_SEGMENT)):
            drafts.append(cut.segment(first_index + number, picture))
    back = START + timedelta(seconds=6)
    drafts.append((back + timedelta(milliseconds=40), _event(_gap("subject", 1, START + timedelta(seconds=4), back))))
    drafts.append((START + timedelta(seconds=3), _event({"kind": "mark", "text": "当事人陈述"})))
    drafts.sort(key=lambda draft: draft[0])
    drafts.append((CLOSED, {"type": "close", "reason": "operator", "detail": "", "records": 0, "tracks": []}))
    for time, draft in drafts:
        monotonic_us = to_us(time) - to_us(START) + 3_600_000_000
        envelope = {"format": "shilu-record/1", "time": format_time(time), "monotonic_us": monotonic_us, "boot": BOOT}
        recording.drafts.append(envelope | draft)
    recording.count()
    return recording


class _Run:
    """One connection to a camera, from picture `first` of the clip on."""

    def __init__(self, recording: Recording, name: str, run: int, first: int) -> None:
        self._recording = recording
        self._name = name
        self._run = run
        self._base = first * _PICTURE_90K
        self._sound_base = first * RATE_HZ // 25
        self._sequence = 0
        sound = clip().sound if name == "subject" else None
        self._init_bytes, self._init = make_init("h264", clip().key_frame, sound)

    def segment(self, index: int, picture: int) -> tuple[datetime, dict[str, Any]]:
        """The segment that starts with this picture: when its record is written, and the record's values."""
        data = self._init_bytes + b"".join(
            self._fragment(picture + first, picture + last) for first, last in pairwise(_CUTS)
        )
        key = layout.media_key(self._recording.session, self._name, index)
        self._recording.media[key] = data
        sealed = _time_of(picture + _PICTURES_PER_SEGMENT) + timedelta(milliseconds=100 + 50 * (self._name == "room"))
        return sealed, {
            "type": "segment",
            "track": self._name,
            "run": self._run,
            "index": index,
            "media": {
                "key": key,
                "bytes": len(data),
                "sha256": sha256_hex(data),
                "init_bytes": self._init.bytes,
                "init_sha256": sha256_hex(self._init_bytes),
                "mime": self._init.mime,
            },
            "fragments": stated_fragments(data, self._init),
            "clock": CLOCK,
            "levels": {"sound": None, "picture": {"brightness": 120, "sharpness": 300}},
        }

    def _fragment(self, first: int, last: int) -> bytes:
        self._sequence += 1
        video = clip().video[first:last]
        parts = [TrackPart(VIDEO_TRACK_ID, video, last * _PICTURE_90K, self._base)]
        if self._name == "subject":
            start, end = (max(picture * RATE_HZ // 25, self._sound_base) for picture in (first, last))
            audio = [sample for sample in clip().audio if start <= sample.dts < end]
            parts.append(TrackPart(AUDIO_TRACK_ID, audio, audio[-1].dts + 1024, self._sound_base))
        return render(self._sequence, to_us(_time_of(first)), parts)


def stated_fragments(data: bytes, init: Init) -> list[dict[str, Any]]:
    """What a record says of the fragments in a segment."""
    found = []
    for boxes in fragments(data, init):
        video = boxes.of(init.video)
        assert video is not None
        start_us, duration_us = span_us(video, init.video.timescale)
        found.append(
            {
                "offset": boxes.offset,
                "bytes": boxes.bytes,
                "sha256": sha256_hex(data[boxes.offset : boxes.offset + boxes.bytes]),
                "time": format_time(from_us(boxes.utc_us)),
                "media_start_us": start_us,
                "duration_us": duration_us,
                "keyframe": video.starts_with_sync,
                "samples": {
                    "video": video.samples,
                    "audio": sum(run.samples for run in boxes.runs if run is not video),
                },
            }
        )
    return found


def _time_of(picture: int) -> datetime:
    return START + timedelta(milliseconds=40 * picture)


def _open() -> dict[str, Any]:
    return {
        "type": "open",
        "site": "xindai",
        "room": "room-1",
        "case": CASE,
        "no_case_reason": None,
        "officers": [
            {"id": "o-1", "name": "王明", "certificate_no": "33048200001"},
            {"id": "o-2", "name": "李华", "certificate_no": "33048200002"},
        ],
        "officers_reason": None,
        "operator": "赵操作",
        "interview": "inquiry",
        "rights_read": True,
        "follows": None,
        "tracks": [track("subject"), track("room", audio=None)],
        "pre_roll_us": 1_000_000,
        "checks": [{"name": "clock", "result": "ok", "detail": ""}],
        "override_reason": None,
        "clock": CLOCK,
        "software": {"name": "shilu", "version": "0.1.0", "sha256": "ab" * 32},
        "devices_sha256": "cd" * 32,
    }


def _event(event: dict[str, Any]) -> dict[str, Any]:
    return {"type": "event", "event": event}


def _gap(name: str, after_index: int | None, start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "kind": "gap",
        "track": name,
        "after_index": after_index,
        "from": format_time(start),
        "to": format_time(end),
        "missing_us": to_us(end) - to_us(start),
        "cause": "camera_lost",
        "detail": "the camera ended the stream",
    }


def _totals(drafts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for name in ("room", "subject"):
        segments = [draft for draft in drafts if draft["type"] == "segment" and draft["track"] == name]
        gaps = [
            draft["event"]
            for draft in drafts
            if draft["type"] == "event" and draft["event"]["kind"] == "gap" and draft["event"]["track"] == name
        ]
        last = segments[-1]["fragments"][-1] if segments else None
        found.append(
            {
                "track": name,
                "segments": len(segments),
                "first_time": segments[0]["fragments"][0]["time"] if segments else None,
                "last_time": last
                and format_time(parse_time(last["time"]) + timedelta(microseconds=last["duration_us"])),
                "recorded_us": sum(part["duration_us"] for one in segments for part in one["fragments"]),
                "gaps": len(gaps),
                "missing_us": sum(gap["missing_us"] for gap in gaps),
                "last_segment_sha256": segments[-1]["media"]["sha256"] if segments else None,
            }
        )
    return found
