"""How commands answer: text for people, one JSON object for programs."""

import json
from typing import Any

import typer


def answer(as_json: bool, values: dict[str, Any], text: str) -> None:
    """Print `values` as JSON if that was asked for, else `text`."""
    typer.echo(json.dumps(values, ensure_ascii=False) if as_json else text)
