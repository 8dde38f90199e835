"""A source that plays a clip for ever, at the price of copying bytes."""

from collections.abc import AsyncGenerator, Sequence

from shilu.cameras.clip import Clip
from shilu.cameras.clock import Clock
from shilu.cameras.errors import SpecError
from shilu.cameras.media import VIDEO_CLOCK_HZ, AccessUnit, AudioFormat, MediaUnit, Track, VideoFormat
from shilu.cameras.source import last_whole_second_us, sleep_until


class _Turns:
    """The endless row of a clip's packets on one track: the n-th one and its pts, turn after turn."""

    def __init__(self, times: Sequence[int], seconds: int, clock_hz: int, origin_90k: int) -> None:
        """`times` are the packets' pts in one turn, in ticks of `clock_hz`; the first turn begins at `origin_90k`."""
        self._times, self._clock_hz = times, clock_hz
        self._period = seconds * clock_hz
        self._origin = origin_90k * clock_hz // VIDEO_CLOCK_HZ
        self._number = 0

    @property
    def index(self) -> int:
        """Which of the clip's packets is next."""
        return self._number % len(self._times)

    @property
    def pts(self) -> int:
        turn, index = divmod(self._number, len(self._times))
        return self._origin + turn * self._period + self._times[index]

    @property
    def due_us(self) -> int:
        """When the next packet is due, microseconds after the epoch."""
        return self.pts * 1_000_000 // self._clock_hz

    def advance(self) -> None:
        self._number += 1

    def skip_to_us(self, elapsed_us: int) -> None:
        """Go on to the first packet that is due at or after `elapsed_us`."""
        since_origin = elapsed_us * self._clock_hz // 1_000_000 - self._origin
        self._number = max(0, since_origin // self._period) * len(self._times)
        while self.due_us < elapsed_us:
            self._number += 1


class LoopSource:
    """Plays a clip in real time with timestamps that never stop growing; the clip can be exchanged on the way."""

    def __init__(self, clip: Clip, clock: Clock) -> None:
        self._clock = clock
        self._epoch_us = last_whole_second_us(clock)
        self._clip = clip
        self._next_clip: Clip | None = None
        self._video = self._video_turns(0)
        self._audio = self._audio_turns(0)
        self._frozen = False
        self._still: Sequence[AccessUnit] = ()
        self._still_number = 0

    @property
    def video(self) -> VideoFormat:
        return self._clip.video_format

    @property
    def audio(self) -> AudioFormat | None:
        return self._clip.audio_format

    @property
    def epoch_us(self) -> int:
        return self._epoch_us

    def freeze(self, frozen: bool) -> None:
        still = self._clip.still(self._video.index) if frozen else self._still
        self._frozen = frozen  # first: a key frame that comes just now must not take the still away again
        self._still_number, self._still = 0, still

    def request_key_frame(self) -> None:
        """A clip has its key frames where they are: whoever joins waits for the next."""

    def switch_clip(self, clip: Clip) -> None:
        """Go over to another clip at the next picture, which is its first; timestamps go on. Any thread.

        Raises:
            SpecError: codecs differ, which no session description announced earlier could tell.
        """
        before, after = self._clip, clip
        if before.video_format.codec is not after.video_format.codec or before.audio_format != after.audio_format:
            raise SpecError(f"{clip.spec.name}: a clip in the middle of a stream must keep the codecs of the first")
        self._next_clip = clip

    async def units(self) -> AsyncGenerator[MediaUnit, None]:
        elapsed_us = self._clock.monotonic_us() - self._epoch_us
        for turns in (self._video, self._audio):
            if turns is not None:
                turns.skip_to_us(elapsed_us)
        while True:
            audio = self._audio
            if audio is not None and audio.due_us < self._video.due_us:
                await sleep_until(self._clock, self._epoch_us + audio.due_us)
                yield self._next_sound(audio)
            else:
                await sleep_until(self._clock, self._epoch_us + self._video.due_us)
                yield self._next_picture()

    def _next_sound(self, turns: _Turns) -> MediaUnit:
        frame = self._clip.audio[turns.index]
        due_us = self._epoch_us + turns.due_us
        sound = MediaUnit(Track.AUDIO, frame.data, keyframe=True, pts=turns.pts, due_us=due_us)
        turns.advance()
        return sound

    def _next_picture(self) -> MediaUnit:
        if self._next_clip is not None:
            self._begin_clip(self._next_clip)
        unit = self._clip.video[self._video.index]
        if not self._frozen and unit.keyframe:
            self._still = ()  # only at a key frame can the moving picture be taken up again
        if self._still:
            unit = self._still[self._still_number % len(self._still)]
            self._still_number += 1
        due_us = self._epoch_us + self._video.due_us
        picture = MediaUnit(Track.VIDEO, unit.data, unit.keyframe, self._video.pts, due_us)
        self._video.advance()
        return picture

    def _begin_clip(self, clip: Clip) -> None:
        """Both tracks of the new clip begin at the picture that is due; sound already sent is not sent twice."""
        sent_until_us = self._audio.due_us if self._audio is not None else 0
        origin_90k = self._video.pts
        self._clip, self._next_clip = clip, None
        self._frozen, self._still = False, ()
        self._video = self._video_turns(origin_90k)
        self._audio = self._audio_turns(origin_90k)
        if self._audio is not None:
            self._audio.skip_to_us(sent_until_us)

    def _video_turns(self, origin_90k: int) -> _Turns:
        times = [unit.pts_90k for unit in self._clip.video]
        return _Turns(times, self._clip.seconds, VIDEO_CLOCK_HZ, origin_90k)

    def _audio_turns(self, origin_90k: int) -> _Turns | None:
        form = self._clip.audio_format
        if form is None:
            return None
        return _Turns([frame.pts for frame in self._clip.audio], self._clip.seconds, form.rate_hz, origin_90k)
