"""What to encode: the one description that clips, live cameras, the command line and the JSON configuration share."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shilu.cameras.media import VIDEO_CLOCK_HZ, AudioCodec, VideoCodec


class View(StrEnum):
    """What the picture shows: one person close up, or the whole room."""

    SUBJECT = "subject"
    ROOM = "room"


class MediaSpec(BaseModel):
    """Picture and sound of one camera. Equal descriptions give equal bytes, so one can stand as a cache key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "camera"
    """Burnt into the picture."""
    view: View = View.SUBJECT
    video: VideoCodec = VideoCodec.H264
    width: int = Field(default=640, ge=128, le=3840, multiple_of=4)
    height: int = Field(default=360, ge=96, le=2160, multiple_of=4)
    fps: int = Field(default=25, ge=1, le=60)
    kbps: int = Field(default=800, ge=50, le=40_000)
    """Target and ceiling of the video bit rate, over a buffer of one second."""
    key_interval: int = Field(default=25, ge=1, le=1000)
    """Frames from one key frame to the next."""
    noise: int = Field(default=0, ge=0, le=64)
    """Grey levels of sensor noise; with enough of it the encoder really spends `kbps` (1080p at 4 Mb/s: 12)."""
    audio: AudioCodec | None = AudioCodec.AAC
    beep: bool = False
    """A beep at each whole second over quieter speech, to compare with the picture's flash."""
    seed: int = 0
    """Chooses the voice, what it says and the noise."""

    @model_validator(mode="after")
    def _frames_fall_on_clock_ticks(self) -> Self:
        if VIDEO_CLOCK_HZ % self.fps:
            raise ValueError(f"fps {self.fps} does not divide the 90 kHz clock; take 10, 12, 15, 20, 25, 30, 50 or 60")
        return self

    @property
    def frame_90k(self) -> int:
        """Length of one picture in ticks of the 90 kHz clock."""
        return VIDEO_CLOCK_HZ // self.fps
