"""The tables of docs/evidence-format.md as the code has them.

`python -m tests.docs.tables` writes the tables of findings anew. The tables of fields hold words that no code has, so
they are only compared; `python -m tests.docs.tables OpenRecord` prints one to begin with.
"""

import re
import sys
from collections.abc import Iterator
from inspect import get_annotations
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from evidence_store import records
from evidence_store.verify.codes import CODES
from evidence_store.verify.findings import Verdict
from tests.docs.markdown import ROOT

EVIDENCE_FORMAT = ROOT / "docs" / "evidence-format.md"
BEGIN, END = "<!-- findings: written by `python -m tests.docs.tables` -->", "<!-- end of findings -->"

# Names that a reader knows, for types that are used again and again. Compared one by one: not all can be hashed.
_NAMES: tuple[tuple[Any, str], ...] = (
    (records.UtcTime, "time"),
    (records.Sha256, "hash"),
    (records.Id, "id"),
    (records.SessionId, "session id"),
    (records.CaseNumber, "case number"),
    (records.Text, "text ≤ 2000"),
    (records.Line, "text ≤ 200"),
    (records.Count, "integer ≥ 0"),
    (records.GapCause, "cause of a gap"),
    (records.AlarmKind, "kind of alarm"),
    (records.Event, "event"),
    (bool, "true or false"),
    (int, "integer"),
    (str, "text"),
    (type(None), "null"),
)
_LIMITS = {"min_length": "≥", "max_length": "≤", "ge": "≥"}


def fields(model: type[BaseModel], *, without: type[BaseModel] | None = None) -> Iterator[tuple[str, str]]:
    """Name and type of each field as a record has them; `without` leaves out what another model says."""
    for name, info in model.model_fields.items():
        if without is None or name not in without.model_fields:
            owner = next(one for one in model.__mro__ if name in get_annotations(one))
            yield info.alias or name, type_words(get_annotations(owner)[name])


def type_words(annotation: Any) -> str:
    for known, name in _NAMES:
        if annotation is known or annotation == known:
            return name
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        limits = next((one for one in arguments[1:] if isinstance(one, FieldInfo)), None)
        return type_words(arguments[0]) + (_limit_words(limits) if limits is not None else "")
    if origin is Literal:
        return " or ".join(f'`"{one}"`' for one in arguments)
    if origin in (Union, UnionType):
        return " or ".join(type_words(one) for one in arguments)
    if origin in (list, tuple):
        return f"list of {type_words(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"`{annotation.__name__}`"
    raise TypeError(f"no words for {annotation}")


def finding_tables() -> str:
    """Every code with its sentences, a table for each verdict, the worst first."""
    lines = []
    for verdict in reversed(Verdict):
        codes = [code for code in CODES.values() if code.verdict is verdict]
        if codes:
            lines += ["", f"Lead to `{verdict.value}` ({verdict.zh}):", ""]
            lines += ["| code | sentence | 说明 |", "| --- | --- | --- |"]
            lines += [f"| `{code.name}` | {code.en} | {code.zh} |" for code in codes]
    return "\n".join([*lines[1:], ""])


def field_table(model: type[BaseModel]) -> str:
    without = records.Envelope if issubclass(model, records.Envelope) and model is not records.Envelope else None
    rows = [f"| `{name}` | {words} |  |" for name, words in fields(model, without=without)]
    return "\n".join([f"<!-- fields: {model.__name__} -->", "| field | type | meaning |", "| --- | --- | --- |", *rows])


def _limit_words(info: FieldInfo) -> str:
    limits = {name: getattr(one, name) for one in info.metadata for name in _LIMITS if hasattr(one, name)}
    if "min_length" in limits:
        return f", {limits['min_length']} to {limits['max_length']}"
    return "".join(f" {_LIMITS[name]} {value}" for name, value in limits.items())


def main(arguments: list[str]) -> None:
    if arguments:
        for name in arguments:
            print(field_table(getattr(records, name)), end="\n\n")
        return
    text = EVIDENCE_FORMAT.read_text(encoding="utf-8")
    block = f"{BEGIN}\n{finding_tables()}{END}"
    EVIDENCE_FORMAT.write_text(
        re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, text, flags=re.DOTALL), encoding="utf-8"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
