"""A source that draws, speaks and encodes in real time; its picture shows the true UTC clock."""

import asyncio
from collections.abc import AsyncGenerator
from math import ceil

import numpy as np

from shilu.cameras import nal
from shilu.cameras.clock import Clock
from shilu.cameras.encoding import AudioEncoder, VideoEncoder, audio_format
from shilu.cameras.media import AudioFormat, MediaUnit, Track, VideoFormat
from shilu.cameras.picture import Plane, Scene
from shilu.cameras.source import last_whole_second_us, sleep_until
from shilu.cameras.spec import MediaSpec
from shilu.cameras.speech import soundtrack

_SPEECH_SECONDS = 30
"""After that the voice begins again with the same words."""

_LATE_US = 200_000
"""A machine that cannot keep up leaves pictures out rather than falling ever further behind."""


class LiveSource:
    """Encodes only while somebody reads; drawing and encoding run in a worker thread."""

    def __init__(self, spec: MediaSpec, clock: Clock) -> None:
        self._spec, self._clock = spec, clock
        self._epoch_us = last_whole_second_us(clock)
        self._scene = Scene(spec.name, spec.view, spec.width, spec.height, spec.noise, spec.seed)
        self._drawn = self._scene.draw(0, clock.utc_us())
        first = VideoEncoder(spec).encode(self._drawn, 0, force_key=False)
        sets = nal.parameter_sets(spec.video, first.data)
        self._video = VideoFormat(spec.video, spec.width, spec.height, spec.fps, sets)
        self._audio = audio_format(spec.audio) if spec.audio else None
        if self._audio is not None:
            self._sound = soundtrack(_SPEECH_SECONDS, self._audio.rate_hz, spec.seed, spec.beep)
        self._frozen = False
        self._key_wanted = False

    @property
    def video(self) -> VideoFormat:
        return self._video

    @property
    def audio(self) -> AudioFormat | None:
        return self._audio

    @property
    def epoch_us(self) -> int:
        return self._epoch_us

    def freeze(self, frozen: bool) -> None:
        self._frozen = frozen

    def request_key_frame(self) -> None:
        self._key_wanted = True

    async def units(self) -> AsyncGenerator[MediaUnit, None]:
        encoder = VideoEncoder(self._spec)
        elapsed_us = self._clock.monotonic_us() - self._epoch_us
        picture_number = ceil(elapsed_us * self._spec.fps / 1e6)
        voice = _Voice(self._audio, self._sound, elapsed_us) if self._audio else None
        while True:
            picture_us = picture_number * 1_000_000 // self._spec.fps
            while voice is not None and voice.next_us <= picture_us:
                await sleep_until(self._clock, self._epoch_us + voice.next_us)
                for unit in voice.speak(self._epoch_us):
                    yield unit
            due_us = self._epoch_us + picture_us
            await sleep_until(self._clock, due_us)
            late_us = self._clock.monotonic_us() - due_us
            if late_us < _LATE_US:
                yield await asyncio.to_thread(self._encode, encoder, picture_number, due_us)
            picture_number += 1

    def _encode(self, encoder: VideoEncoder, number: int, due_us: int) -> MediaUnit:
        if not self._frozen:
            self._drawn = self._draw(due_us)
        key_wanted, self._key_wanted = self._key_wanted, False
        unit = encoder.encode(self._drawn, number * self._spec.frame_90k, key_wanted)
        return MediaUnit(Track.VIDEO, unit.data, unit.keyframe, unit.pts_90k, due_us)

    def _draw(self, due_us: int) -> Plane:
        """The picture of the moment at which it was due, not of the moment at which a busy machine gets to draw it."""
        utc_us = self._clock.utc_us() - (self._clock.monotonic_us() - due_us)
        return self._scene.draw(due_us - self._epoch_us, utc_us)


class _Voice:
    """The endless row of encoded speech from a moment on."""

    def __init__(self, form: AudioFormat, sound: np.typing.NDArray[np.float32], elapsed_us: int) -> None:
        self._form, self._sound = form, sound
        self._encoder = AudioEncoder(form.codec)
        self._number = ceil(elapsed_us * form.rate_hz / 1e6 / form.frame_samples)

    @property
    def next_us(self) -> int:
        """When the next block begins, microseconds after the source's epoch."""
        return self._number * self._form.frame_samples * 1_000_000 // self._form.rate_hz

    def speak(self, epoch_us: int) -> list[MediaUnit]:
        first = self._number * self._form.frame_samples
        block = self._sound[np.arange(first, first + self._form.frame_samples) % self._sound.size]
        self._number += 1
        frames = self._encoder.encode(block, first)
        rate_hz = self._form.rate_hz
        return [
            MediaUnit(Track.AUDIO, frame.data, True, frame.pts, epoch_us + frame.pts * 1_000_000 // rate_hz)
            for frame in frames
        ]
