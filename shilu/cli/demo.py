"""`shilu demo`: a whole centre on one machine, with synthetic cameras."""

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Folder of the demo; made if it is not there.")] = Path(
        "demo-site"
    ),
    once: Annotated[
        bool, typer.Option("--once", help="Record, verify, end; exit 0 only if all verdicts are OK.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=2, max=3600, help="Length of the recorded interviews.")] = 15.0,
) -> None:
    """Three interview rooms with six synthetic cameras: record an interview in each, store it, verify it."""
    from shilu.demo import run_demo

    raise typer.Exit(run_demo(directory, once=once, seconds=seconds))
