"""The `shilu` program: its commands and how it tells errors."""

import json
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from shilu.cli import demo, evidence, recording, site

PROGRAM_FAILED = 1


class _Commands(TyperGroup):
    """Turns every error that is meant for a person into one line on standard error."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        from evidence_store.errors import EvidenceError
        from recorder.logs import configure_logging

        configure_logging()
        try:
            return super().main(*args, **kwargs)
        except EvidenceError as error:
            if "--json" in sys.argv:
                typer.echo(json.dumps({"error": str(error)}, ensure_ascii=False))
            typer.echo(f"shilu: {error}", err=True)
            sys.exit(PROGRAM_FAILED)


app = typer.Typer(
    name="shilu",
    cls=_Commands,
    help="Shilu 实录: records interviews, seals them so that anyone can check, keeps them with the case.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
site.add_to(app)
recording.add_to(app)
evidence.add_to(app)
demo.add_to(app)
