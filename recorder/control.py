"""Speaking to a room: one JSON object a line over a Unix socket in the site's run folder, one answer a line.

The folder's rights decide who may speak. The same requests will arrive over the link to the service, and both end in
`Room.request`. Answers are `{"ok": true, ...}` or `{"ok": false, "error": "one line"}`.
"""

import contextlib
import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evidence_store.errors import EvidenceError
from evidence_store.records import CaseNumber, Officer, SessionId

MAX_LINE_BYTES = 1 << 20
ANSWER_TIMEOUT_S = 15.0


class ControlError(EvidenceError):
    """A room cannot be reached or refuses what is asked of it."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StartRequest(_Request):
    """Begin a session. Without a case, fewer than two officers, or with a failed check, a reason is asked for."""

    op: Literal["start"] = "start"
    case: CaseNumber | None = None
    no_case_reason: str | None = Field(None, min_length=1, max_length=2000)
    officers: tuple[Officer, ...] = ()
    officers_reason: str | None = Field(None, min_length=1, max_length=2000)
    operator: str = Field("", max_length=200)
    interview: Literal["inquiry", "other"] = "inquiry"
    rights_read: bool = False
    follows: SessionId | None = None
    override_reason: str | None = Field(None, min_length=1, max_length=2000)


class StopRequest(_Request):
    op: Literal["stop"] = "stop"
    detail: str = Field("", max_length=2000)


class MarkRequest(_Request):
    op: Literal["mark"] = "mark"
    text: str = Field("", max_length=2000)


class StatusRequest(_Request):
    op: Literal["status"] = "status"


Request = StartRequest | StopRequest | MarkRequest | StatusRequest
_ADAPTER: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="op")])
Handler = Callable[[Request], dict[str, Any]]


def parse_request(line: bytes) -> Request:
    """The request in a line; raises ControlError."""
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise ControlError(f"{field}: {message}" if field else message) from None


class ControlServer:
    """Answers requests on a socket until it is closed."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)

        class Connection(socketserver.StreamRequestHandler):
            timeout = ANSWER_TIMEOUT_S

            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    line = self.rfile.readline(MAX_LINE_BYTES)
                    if line:
                        self.wfile.write(json.dumps(_answer(handler, line), ensure_ascii=False).encode() + b"\n")

        with _short(path) as address:
            self._server = socketserver.ThreadingUnixStreamServer(address, Connection)
        path.chmod(0o660)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


def ask(path: Path, request: Request, timeout_s: float = ANSWER_TIMEOUT_S) -> dict[str, Any]:
    """The room's answer; raises ControlError when it refuses or nobody is there."""
    try:
        with _short(path) as address, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(address)
            connection.sendall(request.model_dump_json().encode() + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline(MAX_LINE_BYTES)
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError("no recorder is running for this room", do="Start it with `shilu recorder`.") from None
    except TimeoutError:
        raise ControlError(f"the recorder did not answer within {timeout_s:.0f} s", where=path.name) from None
    except OSError as error:
        raise ControlError(f"cannot speak to the recorder: {(error.strerror or '').lower()}", where=str(path)) from None
    if not line:
        raise ControlError("the recorder ended before it answered", where=path.name)
    answer: dict[str, Any] = json.loads(line)
    if not answer.get("ok"):
        raise ControlError(str(answer.get("error", "refused")))
    return answer


def socket_path(run: Path, room: str) -> Path:
    return run / f"room-{room}.sock"


def _answer(handler: Handler, line: bytes) -> dict[str, Any]:
    try:
        return {"ok": True, **handler(parse_request(line))}
    except EvidenceError as error:
        return {"ok": False, "error": str(error)}


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """An address that fits into the 107 bytes of a Unix socket's name however deep the folder is."""
    if len(os.fsencode(path)) <= 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
