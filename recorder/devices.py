"""`devices.yaml`: site, rooms, cameras, limits and stores, as a technician writes them.

Parsed once, here, into immutable values. Every mistake is one line that names file, line and field and says what to
write instead. Passwords come from a file or an environment variable and never leave this module but inside the address
given to FFmpeg.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from evidence_store import layout
from evidence_store.errors import EvidenceError
from evidence_store.records import sha256_hex

Id = Annotated[str, AfterValidator(lambda value: layout.check_id(value, name="id"))]
_QUOTED = re.compile(r"'(?!<)[^']{3,}'")
_SCHEMES = ("rtsp", "rtsps", "tcp", "http", "https")


class DevicesError(EvidenceError):
    """devices.yaml is not usable."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraSettings(_Model):
    """A camera in a room."""

    id: Id = Field(description="Name of this camera, unique in the site: lower-case letters, digits, hyphens.")
    role: Id = Field(description="What it shows: `subject` (face of the questioned person) or `room` (whole room).")
    url: str = Field(
        description="rtsp://address:port/path, without user name and password; tcp:// and http:// for MPEG-TS."
    )
    username: str | None = Field(None, description="User name at the camera.")
    password_file: Path | None = Field(
        None, description="File with the password (mode 0600), relative to devices.yaml."
    )
    password_env: str | None = Field(None, description="Environment variable with the password, instead of a file.")
    sound: bool = Field(True, description="Whether this camera has a microphone that is to be recorded.")

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("not an address; write rtsp://192.0.2.10:554/stream1") from None
        if parts.username or parts.password or "@" in parts.netloc:
            raise ValueError("user name or password in the address; write them as username and password_file")
        if parts.scheme not in _SCHEMES or not parts.hostname or (parts.scheme == "tcp" and port is None):
            raise ValueError("not an address of a camera; write rtsp://192.0.2.10:554/stream1")
        return url

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password_file and self.password_env:
            raise ValueError("give password_file or password_env, not both")
        if (self.password_file or self.password_env) and not self.username:
            raise ValueError("a password without a username; add username")
        return self


class RoomSettings(_Model):
    """An interview room. The camera roles in a room become its tracks."""

    id: Id = Field(description="Name of the room, as in session ids: lower-case letters, digits, hyphens.")
    name: str = Field("", max_length=100, description="Name on pages, for example 第一询问室.")
    cameras: tuple[CameraSettings, ...] = Field(min_length=1, description="The cameras of this room.")

    @model_validator(mode="after")
    def _roles_differ(self) -> Self:
        roles = [camera.role for camera in self.cameras]
        if twice := next((role for role in roles if roles.count(role) > 1), None):
            raise ValueError(f"two cameras with the role {twice}; give each camera of a room its own role")
        return self


class StoreSettings(_Model):
    """A place where evidence is kept. Evidence counts as safe when every store in the list has confirmed it."""

    name: Id = Field(description="Name of the store.")
    url: str = Field(description="file:///folder, or s3+https://host:port/bucket (s3+http:// without TLS).")
    access_key_file: Path | None = Field(None, description="File with the access key.")
    secret_key_file: Path | None = Field(None, description="File with the secret key (mode 0600).")
    access_key_env: str | None = Field(None, description="Environment variable with the access key.")
    secret_key_env: str | None = Field(None, description="Environment variable with the secret key.")
    ca_file: Path | None = Field(None, description="Certificate authority of the store's TLS certificate (PEM).")
    retention_days: int = Field(3650, ge=1, le=36500, description="Days for which the store locks each object.")

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        if "@" in url:
            raise ValueError("user name or password in the address; write access_key_file and secret_key_file")
        return url


class Limits(_Model):
    """Limits with their reasons. All have defaults that suit an ordinary room."""

    pre_roll_s: float = Field(10, ge=0, le=60, description="Seconds before start that are kept, held in memory only.")
    fragment_ms: int = Field(500, ge=100, le=1000, description="Length of a fragment: what a power cut can cost.")
    segment_s: int = Field(10, ge=2, le=60, description="Length of a segment: one object in the store.")
    max_session_hours: float = Field(
        12, gt=0, le=48, description="A session is closed after this time (reason `limit`)."
    )
    resume_within_minutes: float = Field(
        30, ge=0, description="After a crash or power cut a session goes on if it was down for less; else it is closed."
    )
    keep_local_days: float = Field(
        7, ge=0, description="Days for which the recorder keeps its own copy when stores have it."
    )
    min_free_gb: float = Field(2, ge=0, description="Below this space on the spool's disk no session is started.")


class Devices(_Model):
    """The whole file."""

    site: Id = Field(description="Name of the centre, as in session ids: lower-case letters, digits, hyphens.")
    name: str = Field("", max_length=100, description="Name of the centre on pages.")
    rooms: tuple[RoomSettings, ...] = Field(min_length=1, description="The interview rooms.")
    stores: tuple[StoreSettings, ...] = Field(min_length=1, description="Where evidence is kept, in order of reading.")
    limits: Limits = Field(default_factory=Limits, description="Limits.")

    @model_validator(mode="after")
    def _unique(self) -> Self:
        for what, ids in (
            ("room", [room.id for room in self.rooms]),
            ("camera", [camera.id for room in self.rooms for camera in room.cameras]),
            ("store", [store.name for store in self.stores]),
        ):
            if twice := next((one for one in ids if ids.count(one) > 1), None):
                raise ValueError(f"{what} {twice} is there twice; give each {what} its own id")
        return self

    def room(self, room: str) -> RoomSettings:
        """The room with this id; raises DevicesError that names the rooms there are."""
        for settings in self.rooms:
            if settings.id == room:
                return settings
        known = ", ".join(settings.id for settings in self.rooms)
        raise DevicesError(f"there is no room {room[:60]!r}", do=f"Rooms of this site: {known}.")


class LoadedDevices(BaseModel):
    """The file, where it was read from, and the hash that goes into every open record."""

    model_config = ConfigDict(frozen=True)
    devices: Devices
    folder: Path
    sha256: str


def load_devices(path: Path) -> LoadedDevices:
    """Read and check a devices.yaml; raises DevicesError with every mistake on a line of its own."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DevicesError(
            f"cannot be read: {(error.strerror or '').lower()}", where=str(path), do="`shilu init` writes one."
        ) from None
    try:
        node = yaml.compose(data, Loader=yaml.SafeLoader)
        values = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        # The parser quotes names that it does not know, and such a name can be a password with a * or ! before it.
        problem = _QUOTED.sub("a name", getattr(error, "problem", None) or "is not UTF-8 text")
        raise DevicesError(
            f"not YAML: {problem}", where=f"{path}{line}", do="Check indentation and quotes there."
        ) from None
    if not isinstance(values, dict) or node is None:
        raise DevicesError("has no settings", where=str(path), do="It starts with `site:`, `rooms:` and `stores:`.")
    _refuse_duplicates(path, node)
    try:
        devices = Devices.model_validate(values)
    except ValidationError as error:
        raise DevicesError("\n".join(_line(path, node, problem) for problem in error.errors())) from None
    return LoadedDevices(devices=devices, folder=path.parent.resolve(), sha256=sha256_hex(data))


def camera_url(camera: CameraSettings, folder: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The address for FFmpeg, with user name and password in it: never to be logged, shown or recorded."""
    if camera.username is None:
        return camera.url
    password = read_secret(camera.password_file, camera.password_env, folder, environment, f"camera {camera.id}")
    parts = urlsplit(camera.url)
    user = quote(camera.username, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))


def read_secret(
    file: Path | None, variable: str | None, folder: Path, environment: Mapping[str, str], what: str
) -> str | None:
    """A secret from a file (relative to `folder`) or an environment variable; None when neither is configured."""
    if file is not None:
        path = folder / file
        try:
            return path.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise DevicesError(
                f"the secret of {what} cannot be read", where=str(path), do="Put it there, mode 0600."
            ) from None
    if variable is not None:
        if variable not in environment:
            raise DevicesError(
                f"the environment variable {variable} for {what} is not set", do="Set it for the recorder."
            )
        return environment[variable]
    return None


def json_schema() -> str:
    """JSON Schema of devices.yaml, from which editors complete it."""
    return json.dumps(Devices.model_json_schema(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _refuse_duplicates(path: Path, node: yaml.Node, above: tuple[yaml.Node, ...] = ()) -> None:
    if node in above:
        raise DevicesError("not YAML: an alias stands inside of what it names", where=f"{path}:{_line_of(node)}")
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                raise DevicesError(
                    f"{key.value} is there twice", where=f"{path}:{_line_of(key)}", do="Remove one of them."
                )
            seen.add(key.value)
            _refuse_duplicates(path, value, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(path, item, (*above, node))


def _line_of(node: yaml.Node) -> int:
    line: int = node.start_mark.line + 1
    return line


def _line(path: Path, node: yaml.Node, problem: Any) -> str:
    """One mistake as `file:line: field: what is wrong`, without the value, which may be a secret."""
    location = list(problem["loc"])
    mark = node.start_mark
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            if pair is None:
                break
            mark, node = pair[0].start_mark, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
    field = ".".join(str(part) for part in location) or "file"
    message = {
        "extra_forbidden": "unknown key; remove it or correct its spelling",
        "missing": "is missing; add it",
    }.get(problem["type"], str(problem["msg"]).removeprefix("Value error, "))
    return f"{path}:{mark.line + 1}: {field}: {message}"
