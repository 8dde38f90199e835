"""Sets of cameras as they are described on a command line, in a JSON file, or by the demo."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shilu.cameras.auth import Accounts
from shilu.cameras.camera import Camera
from shilu.cameras.clip import DEFAULT_SECONDS, make_clip
from shilu.cameras.clock import Clock, SystemClock
from shilu.cameras.errors import SpecError
from shilu.cameras.host import CameraHost
from shilu.cameras.live import LiveSource
from shilu.cameras.loop import LoopSource
from shilu.cameras.media import AudioCodec
from shilu.cameras.spec import MediaSpec, View


class Mode(StrEnum):
    """Encode while sending, with the true clock in the picture; or play a clip, encoded before, round and round."""

    LIVE = "live"
    LOOP = "loop"


class CameraSpec(MediaSpec):
    """One camera; without a `name` of its own its picture bears the path."""

    path: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")
    mode: Mode = Mode.LIVE
    seconds: int = Field(default=DEFAULT_SECONDS, ge=1)
    """Length of the clip, in mode loop."""

    @model_validator(mode="before")
    @classmethod
    def _named_by_path(cls, given: Any) -> Any:
        return {"name": given["path"], **given} if isinstance(given, dict) and "path" in given else given

    @classmethod
    def from_words(cls, words: str) -> "CameraSpec":
        """`PATH[,FIELD=VALUE]...`, such as `room-1/subject,video=h265,audio=opus,mode=loop`; `audio=none` for none.

        Raises:
            SpecError: a part is no FIELD=VALUE.
            pydantic.ValidationError: a field is unknown or its value wrong.
        """
        path, *parts = words.split(",")
        given: dict[str, str | None] = {"path": path}
        for part in parts:
            field, equals, value = part.partition("=")
            if not equals:
                raise SpecError(f"{words}: {part!r} is not FIELD=VALUE")
            given[field] = None if (field, value) == ("audio", "none") else value
        return cls.model_validate(given)

    def media(self) -> MediaSpec:
        """What is to be encoded, without where and how it is played: equal for cameras that can share a clip."""
        return MediaSpec.model_validate(self.model_dump(include=set(MediaSpec.model_fields)))

    def build(self, clock: Clock, cache: Path | None) -> Camera:
        """The camera, ready to be hosted; `cache` is the folder for clips."""
        if self.mode is Mode.LIVE:
            return Camera(self.path, LiveSource(self.media(), clock), clock)
        return Camera(self.path, LoopSource(make_clip(self.media(), self.seconds, cache), clock), clock)


class CameraSet(BaseModel):
    """Cameras on one RTSP port. Relative paths are meant from the working directory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cameras: list[CameraSpec] = Field(min_length=1)
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    mpegts: bool = False
    """Serve every camera as MPEG-TS over HTTP and TCP as well; without accounts, and with AAC only."""
    accounts_file: Path | None = None
    """`user:password` lines; without it everybody may watch."""
    cache: Path | None = None
    """Folder where clips are kept for the next start."""

    def build(self) -> CameraHost:
        """The cameras with the machine's clock, not yet started."""
        clock = SystemClock()
        return CameraHost(
            [camera.build(clock, self.cache) for camera in self.cameras],
            host=self.host,
            port=self.port,
            accounts=Accounts.from_file(self.accounts_file) if self.accounts_file else None,
            mpegts=self.mpegts,
        )


def demo_cameras() -> list[CameraSpec]:
    """The centre of the demo: three rooms, each with a close view that hears the person and a view of the room."""
    voices = {"room-1": AudioCodec.AAC, "room-2": AudioCodec.ALAW, "room-3": AudioCodec.AAC}
    cameras = []
    for seed, (room, voice) in enumerate(voices.items(), start=1):
        cameras.append(CameraSpec(path=f"{room}/subject", view=View.SUBJECT, audio=voice, seed=seed))
        cameras.append(CameraSpec(path=f"{room}/room", view=View.ROOM, audio=None, seed=seed))
    return cameras
