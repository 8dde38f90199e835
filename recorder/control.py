"""Speaking to a room: one JSON object a line over a Unix socket in the site's run folder, one answer a line.

The folder's rights decide who may speak. The same requests will arrive over the link to the service, and both end in
`Room.request`. Answers are `{"ok": true, ...}` or `{"ok": false, "error": "one line"}`.
"""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evidence_store.errors import EvidenceError
from evidence_store.records import CaseNumber, Officer, SessionId

MAX_LINE_BYTES = 1 << 20
MAX_OFFICERS = 20  # as many as a record takes
ANSWER_TIMEOUT_S = 15.0

log = structlog.get_logger()


class ControlError(EvidenceError):
    """A room cannot be reached or refuses what is asked of it."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StartRequest(_Request):
    """Begin a session. Without a case, fewer than two officers, or with a failed check, a reason is asked for."""

    op: Literal["start"] = "start"
    case: CaseNumber | None = None
    no_case_reason: str | None = Field(None, min_length=1, max_length=2000)
    officers: tuple[Officer, ...] = Field((), max_length=MAX_OFFICERS)
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
    """Answers requests on a socket until it is closed; a thread for each connection, which is one request long."""

    def __init__(self, path: Path, handler: Handler, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """`timeout_s` is how long a caller may take to send its line."""
        self._path = path
        self._handler = handler
        self._timeout_s = timeout_s
        self._closing = threading.Event()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        path.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX)
        with _short(path) as address:
            self._listening.bind(address)
        path.chmod(0o660)
        self._listening.listen()
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._listening.shutdown(socket.SHUT_RDWR)  # ends the wait in accept, which closing alone does not
        self._thread.join()
        self._listening.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:  # closing; or no descriptor is left for now
                self._closing.wait(0.1)
                continue
            threading.Thread(target=self._serve, args=(connection,), name="request", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(self._timeout_s)
            with connection.makefile("rb") as lines:
                line = lines.readline(MAX_LINE_BYTES)
            if line:
                answer = _answer(self._handler, line)
                connection.sendall(json.dumps(answer, ensure_ascii=False).encode() + b"\n")


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
    except Exception:
        log.exception("request not handled")
        return {"ok": False, "error": "a fault in the recorder. Its log says more."}


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
