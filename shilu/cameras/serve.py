"""`python -m shilu.cameras`: cameras as a process.

Prints one line of JSON with the URLs when all ports are open, obeys commands on standard input (see `control`), and
ends with SIGTERM, SIGINT, or, if asked to, with its standard input.
"""

import json
import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from shilu.cameras.config import CameraSet, CameraSpec, demo_cameras
from shilu.cameras.control import obey
from shilu.cameras.errors import CameraError
from shilu.cameras.host import CameraHost


def serve(
    camera: Annotated[
        list[str] | None,
        typer.Option(help="PATH[,FIELD=VALUE]...: a camera, such as room-1/subject,video=h265,audio=opus,mode=loop."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="JSON file with all of this, instead of options.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Six live cameras in three rooms.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="RTSP port; 0 takes a free one.")] = 0,
    mpegts: Annotated[bool, typer.Option("--mpegts", help="Serve MPEG-TS over HTTP and TCP too.")] = False,
    accounts: Annotated[Path | None, typer.Option(help="File with user:password lines.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps encoded clips.")] = None,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", help="End with standard input.")] = False,
) -> None:
    """Synthetic network cameras over RTSP, for the demo, tests and measurements."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        if config is not None:
            wanted = CameraSet.model_validate_json(config.read_bytes())
        else:
            cameras = [CameraSpec.from_words(words) for words in camera or []] + (demo_cameras() if demo else [])
            options = {"host": host, "port": port, "mpegts": mpegts, "accounts_file": accounts, "cache": cache}
            wanted = CameraSet.model_validate({"cameras": cameras, **options})
        with wanted.build() as running:
            typer.echo(json.dumps(_ready(running, wanted.mpegts)))
            threading.Thread(target=_obey_stdin, args=(running, ended, until_stdin_closes), daemon=True).start()
            ended.wait()
    except (CameraError, ValidationError, OSError) as error:
        raise typer.BadParameter(str(error)) from error


def _ready(host: CameraHost, mpegts: bool) -> dict[str, Any]:
    urls = {"rtsp": {path: host.rtsp_url(path) for path in host.paths}}
    if mpegts:
        urls["http"] = {path: host.http_url(path) for path in host.paths}
        urls["tcp"] = {path: host.tcp_url(path) for path in host.paths}
    return {"ready": True, **urls}


def _obey_stdin(host: CameraHost, ended: threading.Event, until_stdin_closes: bool) -> None:
    """Unbuffered, because a thread that waits in a buffered read cannot be left behind when the interpreter ends."""
    with open(0, "rb", buffering=0, closefd=False) as commands:
        for line in commands:
            typer.echo(obey(line, host))
    if until_stdin_closes:
        ended.set()


def main() -> None:
    typer.run(serve)
