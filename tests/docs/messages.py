"""Texts in the code: what it can say, with `…` for what is particular."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.docs.markdown import ROOT

PACKAGES = ("evidence_store", "recorder", "shilu")
ANYTHING = "…"


@cache
def messages() -> frozenset[str]:
    return frozenset(
        text for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")) for text in _texts(path)
    )


def can_be_said(message: str) -> bool:
    """Whether one text of the code has all parts of `message`, in their order."""
    return any(_has(text, message.split(ANYTHING)) for text in messages())


def _has(text: str, parts: list[str]) -> bool:
    place = 0
    for part in parts:
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True


def _texts(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else ANYTHING for part in node.values)
