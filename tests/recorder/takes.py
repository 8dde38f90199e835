"""What cameras hand on, without cameras: a clip that was encoded once, cut into groups as if it came in just now."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

from recorder.fragments import Sample
from recorder.groups import Cutter, Group, Loss, Stream
from recorder.inits import make_init
from recorder.timeline import Timeline
from tests.evidence_store.builder import RATE_HZ, clip

PICTURE_90K = 3600
PICTURE_US = 40_000
GOP = 50
"""Pictures from one key frame of the clip to the next: two seconds."""


@cache
def header(with_sound: bool) -> Stream:
    init_bytes, init = make_init("h264", clip().key_frame, clip().sound if with_sound else None)
    return Stream(0, init_bytes, init, "h264", "aac" if with_sound else None)


@dataclass
class Take:
    """One connection to a camera whose first picture is taken at `start_us` of the monotonic clock.

    `first` is the picture of the clip that it begins with, and `origin` the decode time that this camera gives to it.
    """

    number: int
    start_us: int
    with_sound: bool = True
    first: int = 0
    origin: int = 123_456
    loss: Loss | None = None
    fragment_ms: int = 500
    keyless: bool = False
    """No key frame comes but the first."""
    _next: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.stream = replace(header(self.with_sound), number=self.number)
        self.line = Timeline(90_000)
        self.cutter = Cutter(self.stream, self.line, self.fragment_ms, self.loss)

    def pictures(self, count: int) -> Iterator[Group]:
        """The groups that are complete when `count` more pictures have come."""
        film = clip()
        for number in range(self._next, self._next + count):
            sample = film.video[(self.first + number) % len(film.video)]
            dts = self.origin + number * PICTURE_90K
            arrival_us = self.start_us + number * PICTURE_US
            self.line.place(dts, arrival_us)
            sync = sample.sync and not (self.keyless and number)
            group = self.cutter.video(replace(sample, dts=dts, sync=sync), arrival_us)
            if self.with_sound:
                self._sound(number)
            if group is not None:
                yield group
        self._next += count

    def end(self) -> Group | None:
        """The camera is lost: what is left."""
        return self.cutter.rest()

    def _sound(self, number: int) -> None:
        film = clip()
        begin = self.origin * RATE_HZ // 90_000
        for place in range(number * RATE_HZ // 25 // 1024, (number + 1) * RATE_HZ // 25 // 1024):
            block = film.audio[place % len(film.audio)]
            self.cutter.audio(Sample(block.data, begin + place * 1024, 0, sync=True), 1024)
