"""Cameras whose stream a test edits on the way: what no switch of the synthetic cameras does."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from shilu.cameras.loop import LoopSource
from shilu.cameras.media import AudioFormat, MediaUnit, VideoFormat

Edit = Callable[[MediaUnit], MediaUnit | None]


class EditedSource:
    """A `Source` that plays what `edit` makes of another one's units; None leaves a unit out."""

    def __init__(self, source: LoopSource, edit: Edit) -> None:
        self._source, self._edit = source, edit

    @property
    def video(self) -> VideoFormat:
        return self._source.video

    @property
    def audio(self) -> AudioFormat | None:
        return self._source.audio

    @property
    def epoch_us(self) -> int:
        return self._source.epoch_us

    async def units(self) -> AsyncGenerator[MediaUnit, None]:
        async with aclosing(self._source.units()) as units:
            async for unit in units:
                edited = self._edit(unit)
                if edited is not None:
                    yield edited

    def freeze(self, frozen: bool) -> None:
        self._source.freeze(frozen)

    def request_key_frame(self) -> None:
        self._source.request_key_frame()
