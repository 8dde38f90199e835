"""A clip: some seconds of picture and sound encoded once, to be played round and round without a seam.

Playing a clip costs no encoding, so that one process can be two dozen cameras; kept on disk, it costs the next process
none either.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from shilu.cameras import encoding, media, nal, picture, speech
from shilu.cameras.encoding import VideoEncoder, audio_format, encode_loop
from shilu.cameras.errors import SpecError
from shilu.cameras.media import (
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    AccessUnit,
    AudioFormat,
    AudioFrame,
    VideoCodec,
    VideoFormat,
)
from shilu.cameras.picture import Plane, Scene
from shilu.cameras.spec import MediaSpec
from shilu.cameras.speech import soundtrack

CLIP_UTC_US = 1_767_225_600_000_000
"""What the burnt-in clock of a clip shows at its start: 2026-01-01T00:00:00Z."""

DEFAULT_SECONDS = 8
"""The shortest time that is a whole number both of seconds and of AAC frames at 48 kHz."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Picture and sound of equal length, both beginning at 0; flash and beep stand at each whole second."""

    spec: MediaSpec
    seconds: int
    video_format: VideoFormat
    audio_format: AudioFormat | None
    video: tuple[AccessUnit, ...]
    audio: tuple[AudioFrame, ...]

    def still(self, number: int) -> tuple[AccessUnit, ...]:
        """The clip's picture `number`, standing still for one key interval, encoded like the clip itself: what a
        camera sends whose sensor has hung. The first unit is a key frame; times count from 0."""
        frozen = self._decode(number)
        encoder = VideoEncoder(self.spec)
        times = range(0, self.spec.key_interval * self.spec.frame_90k, self.spec.frame_90k)
        return tuple(encoder.encode(frozen, pts_90k, force_key=False) for pts_90k in times)

    def _decode(self, number: int) -> Plane:
        name = "h264" if self.spec.video is VideoCodec.H264 else "hevc"
        context = cast(VideoCodecContext, av.CodecContext.create(name, "r"))
        context.thread_count = 1
        first = max(at for at in range(number + 1) if self.video[at].keyframe)
        frames = [frame for unit in self.video[first : number + 1] for frame in context.decode(av.Packet(unit.data))]
        frames += context.decode(None)
        pixels: Plane = frames[-1].to_ndarray(format="yuv420p").astype(np.uint8)
        return pixels


def make_clip(spec: MediaSpec, seconds: int = DEFAULT_SECONDS, cache: Path | None = None) -> Clip:
    """Encode the clip, or take it from the folder `cache`, where it is kept from then on.

    Raises:
        SpecError: the sound cannot be cut into whole frames in `seconds`.
    """
    if spec.audio is not None and seconds * SAMPLE_RATE_HZ[spec.audio] % FRAME_SAMPLES[spec.audio]:
        raise SpecError(f"{spec.name}: {seconds} s is no whole number of {spec.audio} frames; take a multiple of 8 s")
    if cache is None:
        return _encode(spec, seconds)
    path = cache / f"{_cache_key(spec, seconds)}.clip"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        unfinished.write_bytes(_to_bytes(_encode(spec, seconds)))
        unfinished.replace(path)
    return _from_bytes(path.read_bytes(), spec, seconds)


def _encode(spec: MediaSpec, seconds: int) -> Clip:
    scene = Scene(spec.name, spec.view, spec.width, spec.height, spec.noise, spec.seed)
    encoder = VideoEncoder(spec)
    video = []
    for number in range(seconds * spec.fps):
        time_us = number * 1_000_000 // spec.fps
        drawn = scene.draw(time_us, CLIP_UTC_US + time_us)
        video.append(encoder.encode(drawn, number * spec.frame_90k, force_key=False))
    audio: tuple[AudioFrame, ...] = ()
    if spec.audio is not None:
        audio = encode_loop(spec.audio, soundtrack(seconds, SAMPLE_RATE_HZ[spec.audio], spec.seed, spec.beep))
    return _assemble(spec, seconds, tuple(video), audio)


def _assemble(spec: MediaSpec, seconds: int, video: tuple[AccessUnit, ...], audio: tuple[AudioFrame, ...]) -> Clip:
    sets = nal.parameter_sets(spec.video, video[0].data)
    video_format = VideoFormat(spec.video, spec.width, spec.height, spec.fps, sets)
    return Clip(spec, seconds, video_format, audio_format(spec.audio) if spec.audio else None, video, audio)


def _cache_key(spec: MediaSpec, seconds: int) -> str:
    """Names the description and the code that follows it, so that a clip of older code is not taken for a new one."""
    code = (encoding, media, nal, picture, speech)
    parts = [spec.model_dump_json(), str(seconds), *(Path(str(module.__file__)).read_text() for module in code)]
    return hashlib.sha256("\n".join([*parts, Path(__file__).read_text()]).encode()).hexdigest()[:32]


def _to_bytes(clip: Clip) -> bytes:
    """One line of JSON with sizes and times, then the packets one after another."""
    index = {
        "video": [(len(unit.data), unit.pts_90k, unit.keyframe) for unit in clip.video],
        "audio": [(len(frame.data), frame.pts) for frame in clip.audio],
    }
    packets = [unit.data for unit in clip.video] + [frame.data for frame in clip.audio]
    return b"\n".join([json.dumps(index).encode(), b"".join(packets)])


def _from_bytes(data: bytes, spec: MediaSpec, seconds: int) -> Clip:
    head, _, body = data.partition(b"\n")
    index = json.loads(head)
    sizes = [entry[0] for entry in index["video"] + index["audio"]]
    packets: Iterator[bytes] = (body[start:end] for start, end in pairwise(accumulate(sizes, initial=0)))
    video = tuple(AccessUnit(next(packets), pts, keyframe) for _, pts, keyframe in index["video"])
    audio = tuple(AudioFrame(next(packets), pts) for _, pts in index["audio"])
    return _assemble(spec, seconds, video, audio)
