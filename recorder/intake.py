"""What a camera sends, made into samples of a stream: the same for every way of reading it.

Here times are placed on one line, parameter sets are watched, and a stream begins with its first key frame. Pictures
come as NAL units, sound as coded blocks.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from av.packet import Packet

from evidence_store.media import Init
from recorder.clock import Clock
from recorder.fragments import Sample
from recorder.groups import VIDEO_TIMESCALE, Loss, Stream
from recorder.inits import make_init
from recorder.nal import VideoCodec, annex_b, picture_of
from recorder.sound import Sound
from recorder.timeline import Lost, Timeline

_MAX_OFFSET = 2 * VIDEO_TIMESCALE  # no camera shows a picture later than this after it was decoded


@dataclass(frozen=True, slots=True)
class Source:
    """How to reach a camera. `url` may carry credentials and is therefore never logged; `label` is."""

    url: str = field(repr=False)
    label: str
    sound: bool
    fragment_ms: int


class StreamTaker(Protocol):
    """The camera, as those who read it see it: what it is to be read as, and where what was read goes."""

    source: Source
    clock: Clock
    stopping: threading.Event
    last_packet_us: int
    sound_awaited: bool

    @property
    def stream(self) -> Stream | None:
        """The stream that samples belong to now; None until the first key frame."""

    def begin_stream(
        self, init_bytes: bytes, init: Init, codecs: tuple[str, str | None], line: Timeline, loss: Loss | None
    ) -> None: ...
    def end_stream(self, loss: Loss) -> None: ...
    def settle(self) -> None: ...
    def add_video(self, sample: Sample, arrival_us: int) -> None: ...
    def add_audio(self, sample: Sample, step: int) -> None: ...


class Intake:
    """Takes in what one connection delivers. `loss` says why the connection before it ended."""

    def __init__(
        self, camera: StreamTaker, codec: VideoCodec, announced: Iterable[bytes], sound: Sound | None, loss: Loss | None
    ) -> None:
        self.codec = codec
        self.video_line = Timeline(VIDEO_TIMESCALE)
        self._camera = camera
        self._sound = sound
        self._audio_line = Timeline(sound.timescale, sound.packet_samples) if sound else Timeline(VIDEO_TIMESCALE)
        self._loss = loss
        # Sets that the camera announced; those that come with its pictures replace them.
        self._parameters = tuple(announced)

    def picture(
        self, nals: Iterable[bytes], stamp: int | None, shown_after: int | None, arrival_us: int, *, key: bool = False
    ) -> None:
        """A picture with its time `stamp` in ticks of 90 kHz (None: the camera gave none).

        `shown_after` is presentation minus decode time where both are known. None where `stamp` is when the picture is
        shown and pictures come in the order of decoding, as in RTP: then the decode time is found here.
        """
        nals = tuple(nals)
        picture = picture_of(self.codec, nals)
        if not picture.data:
            return
        dts = self.video_line.place(stamp, arrival_us)
        if isinstance(dts, Lost):
            self._loss = Loss("camera_lost", f"no picture for {dts.missing_us / 1e6:.1f} s")
            self._camera.end_stream(self._loss)
            dts = dts.dts
        key = key or picture.key
        if key and picture.parameters and picture.parameters != self._parameters:
            if self._camera.stream is not None:
                self._loss = Loss("camera_restarted", "the camera changed its coding parameters")
                self._camera.end_stream(self._loss)
            self._parameters = picture.parameters
        if key and self._camera.stream is None:
            self._begin(nals if picture.parameters else (*self._parameters, *nals))
        if shown_after is None:
            shown_after = stamp + self.video_line.shift - dts if stamp is not None else 0
        offset = shown_after if abs(shown_after) <= _MAX_OFFSET else 0
        self._camera.add_video(Sample(picture.data, dts, offset, key), arrival_us)

    def sound(self, packet: "Packet[Any]", stamp: int | None, arrival_us: int) -> None:
        """A block of sound with its time in samples; of the packet only the bytes count."""
        sound = self._sound
        if sound is None:
            return
        placed = self._audio_line.place(stamp, arrival_us)
        dts = self._audio_line.bring_to(self.video_line, placed.dts if isinstance(placed, Lost) else placed)
        for block in sound.blocks(packet, dts):
            self._camera.add_audio(Sample(block.data, block.dts, 0, True), sound.block_samples)

    def _begin(self, key_frame: Iterable[bytes]) -> None:
        sound = self._sound
        init_bytes, init = make_init(self.codec, annex_b(key_frame), sound.template if sound else None)
        codecs = (self.codec, sound.codec if sound else None)
        self._camera.begin_stream(init_bytes, init, codecs, self.video_line, self._loss)
