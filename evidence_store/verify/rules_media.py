"""Rules of a segment's bytes, held against its signed record. One call judges one object and shares nothing.

1. The object is there. Its length and its SHA-256 are those of the record; so are the SHA-256 of the init and of every
   fragment. Damage is placed at exactly the fragments whose bytes differ; an object cut short at those from the first
   that is not whole; a changed init touches the whole segment, which cannot be played without it.
2. Fragments that, as stated, do not fill the object are not hashed one by one: the record contradicts itself.
3. The bytes of an intact object are what the record says: an fMP4 of the evidence format, with this MIME type, and for
   every fragment the same place, UTC (`prft`), decode time, length, key frame and number of samples.
4. A track that had sound when the session was opened has a sound track in every segment; silence is an alarm, not an
   absence.

Hashing goes over views of the bytes that were read; nothing is copied, and hashlib lets other threads run meanwhile.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, zip_longest

from evidence_store.media import FragmentBoxes, Init, MediaError, fragments, parse_init, span_us
from evidence_store.records import Fragment, SegmentRecord, to_us
from evidence_store.verify import codes
from evidence_store.verify.film import fragments_span, tiles
from evidence_store.verify.findings import Code, Finding, Span, finding
from evidence_store.verify.inventory import MAX_MEDIA_BYTES
from evidence_store.verify.source import Absence, EvidenceSource, fetch


@dataclass(frozen=True, slots=True)
class SegmentJob:
    """A segment to be judged. `sound` is the codec that the open record states for its track."""

    seq: int
    record: SegmentRecord
    sound: str | None
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What was found in one object, and how much was read."""

    findings: tuple[Finding, ...]
    bytes_checked: int


def check_segment(source: EvidenceSource, job: SegmentJob) -> SegmentResult:
    """Read one object and judge it. Called from several threads at once; never raises for what it finds."""
    whole = fragments_span(job.record.fragments)
    if job.too_large:
        return SegmentResult((_found(codes.OBJECT_TOO_LARGE, job, whole, limit=MAX_MEDIA_BYTES),), 0)
    fetched = fetch(source, job.record.media.key)
    if fetched.absence is not None:
        missing = fetched.absence is Absence.MISSING
        code = codes.OBJECT_MISSING if missing else codes.OBJECT_UNREADABLE
        return SegmentResult((_found(code, job, whole, detail=fetched.detail),), 0)
    data = memoryview(fetched.data)
    media = job.record.media
    intact = len(data) == media.bytes and _sha256(data) == media.sha256
    found = list(_bytes(data, job, intact=intact))
    if intact:
        found.extend(_boxes(data, job))
    return SegmentResult(tuple(found), len(data))


def _found(code: Code, job: SegmentJob, span: Span, **values: object) -> Finding:
    record = job.record
    return finding(code, object_key=record.media.key, seq=job.seq, track=record.track, span=span, **values)


def _sha256(data: memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _bytes(data: memoryview, job: SegmentJob, *, intact: bool) -> Iterator[Finding]:
    """Rules 1 and 2: where the bytes are not those of the record."""
    record, media = job.record, job.record.media
    whole = fragments_span(record.fragments)
    placed = False
    if tiles(record):
        if _sha256(data[: media.init_bytes]) != media.init_sha256:
            placed = True
            yield _found(codes.INIT_CHANGED, job, whole)
        for found in _fragments(data, job):
            placed = True
            yield found
    if len(data) > media.bytes:
        placed = True
        span = Span(whole.end, whole.end)
        yield _found(codes.OBJECT_LENGTHENED, job, span, found=len(data), stated=media.bytes)
    if not intact and not placed:
        yield _found(codes.OBJECT_CHANGED, job, whole)


def _fragments(data: memoryview, job: SegmentJob) -> Iterator[Finding]:
    """One finding for each stretch of neighbouring fragments that are changed, and one for those that are not there."""
    stated = job.record.fragments
    there = sum(fragment.offset + fragment.bytes <= len(data) for fragment in stated)

    def changed(index: int) -> bool:
        fragment = stated[index]
        return _sha256(data[fragment.offset : fragment.offset + fragment.bytes]) != fragment.sha256

    for is_changed, group in groupby(range(there), key=changed):
        if is_changed:
            indices = list(group)
            first, last = indices[0], indices[-1]
            span = fragments_span(stated[first : last + 1])
            yield _found(codes.FRAGMENT_CHANGED, job, span, first=first, last=last)
    if len(data) < job.record.media.bytes:
        # Cut inside the init, nothing is left; cut anywhere else, the film ends with the last fragment that is whole.
        span = fragments_span(stated[there:])
        yield _found(codes.OBJECT_TRUNCATED, job, span, first=there, found=len(data), stated=job.record.media.bytes)


def _boxes(data: memoryview, job: SegmentJob) -> Iterator[Finding]:
    """Rules 3 and 4, for an object whose hash is right."""
    record = job.record
    whole = fragments_span(record.fragments)
    position = whole
    differing: list[int] = []
    fields: set[str] = set()
    try:
        init = parse_init(data)
        if init.bytes != record.media.init_bytes:
            fields.add("init_bytes")
        if init.mime != record.media.mime:
            fields.add("mime")
        if fields:
            yield _found(codes.MEDIA_DISAGREES, job, whole, fields=", ".join(sorted(fields)))
            fields.clear()
        if job.sound is not None and all(track.kind != "audio" for track in init.tracks):
            yield _found(codes.SOUND_MISSING, job, whole, codec=job.sound)
        for index, (boxes, stated) in enumerate(zip_longest(fragments(data, init), record.fragments)):
            if boxes is None or stated is None:
                fields.add("fragments")
                differing.append(min(index, len(record.fragments) - 1))
                break
            position = fragments_span(record.fragments[min(index + 1, len(record.fragments) - 1) :])
            if differs := list(_differences(boxes, stated, init)):
                fields.update(differs)
                differing.append(index)
    except MediaError as error:
        yield _found(codes.MEDIA_MALFORMED, job, position, detail=error.what)
    if differing:
        span = fragments_span(record.fragments[differing[0] : differing[-1] + 1])
        yield _found(codes.MEDIA_DISAGREES, job, span, fields=", ".join(sorted(fields)))


def _differences(boxes: FragmentBoxes, stated: Fragment, init: Init) -> Iterator[str]:
    """Names of the fields of `stated` that the media contradicts."""
    video = boxes.of(init.video)
    if video is None:
        yield "samples"
        return
    if (boxes.offset, boxes.bytes) != (stated.offset, stated.bytes):
        yield "offset"
    if boxes.utc_us != to_us(stated.time):
        yield "time"
    start_us, duration_us = span_us(video, init.video.timescale)
    if start_us != stated.media_start_us:
        yield "media_start_us"
    if duration_us != stated.duration_us:
        yield "duration_us"
    if video.starts_with_sync != stated.keyframe:
        yield "keyframe"
    audio_samples = sum(run.samples for run in boxes.runs if run is not video)
    if (video.samples, audio_samples) != (stated.samples.video, stated.samples.audio):
        yield "samples"
