"""Faults by lines of JSON, for cameras that run as a process of their own.

Each line on standard input is one command, each is answered with one line on standard output: `{"ok": true}`, or
`{"ok": false, "error": "..."}`.

    {"do": "set", "camera": "room-1/subject", "faults": {"stalled": true, "loss_percent": 2}}
    {"do": "switch_clip", "camera": "room-1/subject", "clip": {"width": 1280, "height": 720}}
    {"do": "refuse_connections", "refused": true}
"""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shilu.cameras.clip import make_clip
from shilu.cameras.errors import CameraError
from shilu.cameras.faults import Faults
from shilu.cameras.host import CameraHost
from shilu.cameras.spec import MediaSpec


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SetFaults(_Command):
    """Change some of the camera's `Faults`; the others stay."""

    do: Literal["set"]
    camera: str
    faults: dict[str, bool | int | float]

    def apply(self, host: CameraHost) -> None:
        camera = host.camera(self.camera)
        camera.faults = Faults.model_validate(camera.faults.model_dump() | self.faults)


class Freeze(_Command):
    do: Literal["freeze"]
    camera: str
    frozen: bool

    def apply(self, host: CameraHost) -> None:
        host.freeze(self.camera, self.frozen)


class SwitchClip(_Command):
    do: Literal["switch_clip"]
    camera: str
    clip: MediaSpec

    def apply(self, host: CameraHost) -> None:
        host.switch_clip(self.camera, make_clip(self.clip))


class DropKeyFrames(_Command):
    do: Literal["drop_key_frames"]
    camera: str
    seconds: float = Field(gt=0)

    def apply(self, host: CameraHost) -> None:
        host.drop_key_frames(self.camera, self.seconds)


class DropClients(_Command):
    do: Literal["drop_clients"]
    camera: str

    def apply(self, host: CameraHost) -> None:
        host.drop_clients(self.camera)


class SendGarbage(_Command):
    do: Literal["send_garbage"]
    camera: str
    size_bytes: int = Field(gt=0, le=1_000_000)

    def apply(self, host: CameraHost) -> None:
        host.send_garbage(self.camera, self.size_bytes)


class RefuseConnections(_Command):
    do: Literal["refuse_connections"]
    refused: bool

    def apply(self, host: CameraHost) -> None:
        host.refuse_connections(self.refused)


_Any = Annotated[
    SetFaults | Freeze | SwitchClip | DropKeyFrames | DropClients | SendGarbage | RefuseConnections,
    Field(discriminator="do"),
]
_COMMANDS: TypeAdapter[_Any] = TypeAdapter(_Any)


def obey(line: bytes, host: CameraHost) -> str:
    """Do what one line asks for; the answer is the line to write back, without its end."""
    try:
        _COMMANDS.validate_json(line).apply(host)
    except (ValidationError, CameraError) as error:
        return json.dumps({"ok": False, "error": str(error)})
    return json.dumps({"ok": True})
