"""JSON as the evidence format allows it: stricter than RFC 8259, so that one text has one meaning everywhere.

Two parsers that disagree about one text are how signed statements get two readings. Refused are therefore: other
encodings than UTF-8, a byte order mark, duplicate keys, floating point numbers, integers beyond 64 bits, lone
surrogates, nesting deeper than 16, anything before or after the one object, and more than 1 MiB.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from evidence_store.errors import FormatError

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
_INT_LIMIT = 1 << 63
_MAX_INT_DIGITS = 19
_SURROGATE = re.compile("[\ud800-\udfff]")
# Possessive, and a string need not end: one pass over any text, however it is made.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def parse_object(data: bytes, *, where: str) -> dict[str, Any]:
    """The one JSON object in `data`; raises FormatError naming `where`."""
    text = _text(data, where)
    _check_depth(text, where)
    try:
        value, end = _decoder(where).raw_decode(text)
    except json.JSONDecodeError as error:
        raise FormatError(f"not JSON at character {error.pos}: {error.msg}", where=where) from None
    if end != len(text):
        raise FormatError(f"something follows the JSON object at character {end}", where=where)
    if "\\u" in text and _has_surrogate(value):
        raise FormatError("a lone surrogate in a string", where=where)
    if not isinstance(value, dict):  # raw_decode of a text that starts with "{" gives an object
        raise FormatError("not a JSON object", where=where)
    return value


def canonical_bytes(value: Mapping[str, Any]) -> bytes:
    """The bytes the project writes: UTF-8, sorted keys, no white space. Readers never rely on this form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _text(data: bytes, where: str) -> str:
    if len(data) > MAX_BYTES:
        raise FormatError(f"{len(data)} bytes, at most {MAX_BYTES} are allowed", where=where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 at byte {error.start}", where=where) from None
    if not text.startswith("{"):
        raise FormatError("does not start with a JSON object", where=where)
    return text


def _decoder(where: str) -> json.JSONDecoder:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            keys = [key for key, _ in items]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise FormatError(f"key {twice[:64]!r} appears twice", where=where)
        return found

    def refuse_number(text: str) -> NoReturn:
        raise FormatError(f"number {text[:32]!r} is not an integer", where=where)

    def integer(text: str) -> int:
        if len(text) > _MAX_INT_DIGITS + 1:
            raise FormatError("an integer of more than 64 bits", where=where)
        value = int(text)
        if not -_INT_LIMIT <= value < _INT_LIMIT:
            raise FormatError("an integer of more than 64 bits", where=where)
        return value

    return json.JSONDecoder(
        object_pairs_hook=pairs,
        parse_float=refuse_number,
        parse_constant=refuse_number,
        parse_int=integer,
    )


def _check_depth(text: str, where: str) -> None:
    """Refuse deep nesting before the recursive decoder meets it; brackets inside strings do not count."""
    depth = 0
    for token in _TOKEN.findall(text):
        if token in {"[", "{"}:
            depth += 1
            if depth > MAX_DEPTH:
                raise FormatError(f"nested deeper than {MAX_DEPTH}", where=where)
        elif token in {"]", "}"}:
            depth -= 1


def _has_surrogate(value: object) -> bool:
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_surrogate(key) or _has_surrogate(item) for key, item in value.items())
    if isinstance(value, list):
        return any(_has_surrogate(item) for item in value)
    return False
