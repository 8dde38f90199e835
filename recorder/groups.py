"""Groups: the samples of one fragment, cut from a camera's stream but not yet bytes. Pure."""

from dataclasses import dataclass

from evidence_store.media import Init
from evidence_store.records import GapCause
from recorder.fragments import Sample
from recorder.timeline import Timeline

VIDEO_TIMESCALE = 90_000


@dataclass(frozen=True, slots=True)
class Stream:
    """One connection to a camera with one set of codec parameters: what becomes a run when it is recorded."""

    number: int
    init_bytes: bytes
    init: Init
    video_codec: str
    audio_codec: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """The samples of one fragment. Decode times as in the stream; `taken_us` is when the first picture was taken
    (monotonic clock). `lost` names why the stream before this one ended, in the first group of a stream."""

    stream: Stream
    video: tuple[Sample, ...]
    audio: tuple[Sample, ...]
    video_end: int
    audio_end: int
    taken_us: int
    lost: "Loss | None"

    @property
    def keyframe(self) -> bool:
        return self.video[0].sync

    @property
    def bytes(self) -> int:
        return sum(len(sample.data) for sample in (*self.video, *self.audio))


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a stream ended."""

    cause: GapCause
    detail: str


class Cutter:
    """Collects samples and cuts groups: before a key frame, or when a fragment is long enough."""

    def __init__(self, stream: Stream, timeline: Timeline, fragment_ms: int, loss: Loss | None) -> None:
        self._stream = stream
        self._timeline = timeline
        self._target = fragment_ms * VIDEO_TIMESCALE // 1000
        self._loss = loss
        self._audio_timescale = next((one.timescale for one in stream.init.tracks if one.kind == "audio"), 1)
        self._video: list[Sample] = []
        self._audio: list[Sample] = []
        self._audio_step = 0
        self._cut_audio_dts: int | None = None
        self._last_arrival_us = 0

    def video(self, sample: Sample, arrival_us: int) -> Group | None:
        """Add a picture; the answer is the group that it ends, if it ends one."""
        group = None
        if self._video:
            length = sample.dts - self._video[0].dts
            if sample.sync or length >= self._target:
                group = self._cut(tuple(self._video), sample.dts, self._sound_until(sample.dts))
                self._video = []
        self._video.append(sample)
        self._last_arrival_us = arrival_us
        return group

    def audio(self, sample: Sample, step: int) -> None:
        """Add a block of sound. One that goes back takes the place of those it contradicts, unless they are cut."""
        while self._audio and self._audio[-1].dts >= sample.dts:
            self._audio.pop()
        if self._cut_audio_dts is None or sample.dts > self._cut_audio_dts:
            self._audio.append(sample)
            self._audio_step = step

    def stale(self, now_us: int, after_us: int) -> Group | None:
        """When no picture came for `after_us`: all but the last picture, whose length is not known yet."""
        if len(self._video) < 2 or now_us - self._last_arrival_us < after_us:
            return None
        end = self._video[-1].dts
        group = self._cut(tuple(self._video[:-1]), end, self._sound_until(end))
        self._video = self._video[-1:]
        return group

    def rest(self) -> Group | None:
        """What is left when the stream ends; the last picture is given the usual length."""
        if not self._video:
            return None
        sound, self._audio = tuple(self._audio), []
        group = self._cut(tuple(self._video), self._video[-1].dts + self._timeline.usual_step, sound)
        self._video = []
        return group

    def _sound_until(self, video_end: int) -> tuple[Sample, ...]:
        """Take out the sound that belongs to pictures up to `video_end`; what came too late goes with the next."""
        end = video_end * self._audio_timescale // VIDEO_TIMESCALE
        count = next((place for place, sample in enumerate(self._audio) if sample.dts >= end), len(self._audio))
        taken, self._audio = tuple(self._audio[:count]), self._audio[count:]
        return taken

    def _cut(self, video: tuple[Sample, ...], end: int, audio: tuple[Sample, ...]) -> Group:
        loss, self._loss = self._loss, None
        if audio:
            self._cut_audio_dts = audio[-1].dts
        return Group(
            stream=self._stream,
            video=video,
            audio=audio,
            video_end=end,
            audio_end=audio[-1].dts + self._audio_step if audio else 0,
            taken_us=self._timeline.monotonic_us(video[0].dts),
            lost=loss,
        )
