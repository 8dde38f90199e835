"""What a camera plays: the small interface that pre-encoded and live sources share, and the pacing both use."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

from shilu.cameras.clock import Clock
from shilu.cameras.media import AudioFormat, MediaUnit, VideoFormat


class Source(Protocol):
    """Picture and sound in real time.

    Time runs from `epoch_us` on, whether somebody listens or not: a unit's `due_us` is always
    `epoch_us + pts / clock rate`. The epoch is a whole second of UTC, and so are the flash and the beep.
    """

    @property
    def video(self) -> VideoFormat: ...

    @property
    def audio(self) -> AudioFormat | None: ...

    @property
    def epoch_us(self) -> int:
        """The monotonic moment of pts 0, microseconds."""
        ...

    def units(self) -> AsyncGenerator[MediaUnit, None]:
        """Units from now on, each given when it is due. One reader at a time."""
        ...

    def freeze(self, frozen: bool) -> None:
        """Hold the picture still, as a hung sensor does; sound, timestamps and frame rate go on. Any thread."""
        ...

    def request_key_frame(self) -> None:
        """Make the next picture a key frame if that is possible, because somebody has just joined."""
        ...


def last_whole_second_us(clock: Clock) -> int:
    """The monotonic moment at which the current second of UTC began."""
    return clock.monotonic_us() - clock.utc_us() % 1_000_000


async def sleep_until(clock: Clock, due_us: int) -> None:
    """Return when the monotonic clock has reached `due_us`; others get their turn even when it has passed."""
    await asyncio.sleep(max(0, due_us - clock.monotonic_us()) / 1e6)
