"""Commands that record: in the foreground, by the daemon, and speaking to it."""

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from shilu.cli.options import (
    Case,
    Json,
    NoCaseReason,
    Officers,
    OfficersReason,
    Operator,
    OverrideReason,
    RightsRead,
    Room,
    SiteDir,
)
from shilu.cli.output import answer


def add_to(app: typer.Typer) -> None:
    for command in (record, recorder, start, stop, mark, status):
        app.command()(command)


def record(
    directory: SiteDir,
    room: Room,
    case: Case = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Stop after so many seconds; else at Ctrl-C.")] = None,
    no_case_reason: NoCaseReason = None,
    officer: Officers = None,
    officers_reason: OfficersReason = "recorded in the foreground from the command line",
    operator: Operator = "",
    rights_read: RightsRead = False,
    although: OverrideReason = None,
    as_json: Json = False,
) -> None:
    """Record one interview in the foreground. The session id (with --json, an object) is the last line of output."""
    from shilu.foreground import record_session

    request = _start_request(case, no_case_reason, officer, officers_reason, operator, rights_read, although)
    session = record_session(directory, room, request, seconds)
    answer(as_json, {"session": session}, session)


def recorder(directory: SiteDir) -> None:
    """Run the recorder for all rooms, until SIGTERM or Ctrl-C. Sessions then go on at the next start."""
    from evidence_store.site import open_site
    from recorder.devices import camera_url, load_devices
    from shilu.preflight import prove_stores

    site = open_site(directory)
    loaded = load_devices(site.devices)
    for settings in loaded.devices.rooms:
        for camera in settings.cameras:
            camera_url(camera, loaded.folder)
    prove_stores(loaded)
    # The supervisor is a small process of its own; what the command line needed is let go.
    os.execv(sys.executable, [sys.executable, "-m", "recorder.daemon", "--site", str(site.root)])  # noqa: S606


def start(
    directory: SiteDir,
    room: Room,
    case: Case = None,
    no_case_reason: NoCaseReason = None,
    officer: Officers = None,
    officers_reason: OfficersReason = None,
    operator: Operator = "",
    rights_read: RightsRead = False,
    although: OverrideReason = None,
    follows: Annotated[str | None, typer.Option(help="Session that this one goes on from.")] = None,
    as_json: Json = False,
) -> None:
    """Begin a session in a room of the running recorder. Prints the session id."""
    request = _start_request(case, no_case_reason, officer, officers_reason, operator, rights_read, although, follows)
    reply = _ask(directory, room, request)
    answer(as_json, reply, reply["session"])


def stop(
    directory: SiteDir,
    room: Room,
    note: Annotated[str, typer.Option(help="What to put into the close record.")] = "",
    as_json: Json = False,
) -> None:
    """End the session of a room. When this returns, the close record is signed. Prints the session id."""
    from recorder.control import StopRequest

    reply = _ask(directory, room, StopRequest(detail=note))
    answer(as_json, reply, reply["session"])


def mark(
    directory: SiteDir,
    room: Room,
    text: Annotated[str, typer.Option(help="What the mark is about.")] = "",
    as_json: Json = False,
) -> None:
    """Put a mark into the session of a room, at this moment."""
    from recorder.control import MarkRequest

    reply = _ask(directory, room, MarkRequest(text=text))
    answer(as_json, reply, f"marked in {reply['session']}")


def status(
    directory: SiteDir,
    room: Annotated[str | None, typer.Option("--room", help="Only this room.")] = None,
    health: Annotated[bool, typer.Option(help="Exit with 1 unless every room answers; for health checks.")] = False,
    as_json: Json = False,
) -> None:
    """What each room is doing now, and what is not stored yet."""
    from shilu.status import site_status, status_text

    report = site_status(directory, room)
    answer(as_json, report, status_text(report))
    if health and any("error" in one for one in report["rooms"]):
        raise typer.Exit(1)


def _ask(directory: Path, room: str, request: Any) -> dict[str, Any]:
    from evidence_store.site import open_site
    from recorder.control import ask, socket_path
    from recorder.devices import load_devices

    site = open_site(directory)
    load_devices(site.devices).devices.room(room)
    return ask(socket_path(site.run, room), request)


def _start_request(
    case: str | None,
    no_case_reason: str | None,
    officer: list[str] | None,
    officers_reason: str | None,
    operator: str,
    rights_read: bool,
    although: str | None,
    follows: str | None = None,
) -> Any:
    from pydantic import ValidationError

    from evidence_store.layout import check_case_number, check_session_id
    from evidence_store.records import Officer
    from recorder.control import ControlError, StartRequest

    officers = []
    for text in officer or []:
        name, _, certificate = text.partition(":")
        if not name or not certificate:
            raise ControlError(
                f"--officer {text[:60]!r} is not NAME:CERTIFICATE-NUMBER", do="For example 张三:330482001."
            )
        officers.append(Officer(id=certificate, name=name, certificate_no=certificate))
    try:
        return StartRequest(
            case=check_case_number(case) if case is not None else None,
            no_case_reason=no_case_reason,
            officers=tuple(officers),
            officers_reason=officers_reason,
            operator=operator or getpass.getuser(),
            rights_read=rights_read,
            override_reason=although,
            follows=check_session_id(follows) if follows is not None else None,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = "--" + ".".join(str(part) for part in first["loc"]).replace("_", "-")
        raise ControlError(f"{field}: {first['msg'].removeprefix('Value error, ')}") from None
