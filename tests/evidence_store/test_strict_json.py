"""JSON with one meaning."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.errors import FormatError
from evidence_store.strict_json import MAX_BYTES, MAX_DEPTH, canonical_bytes, parse_object

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SCALARS = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)


@given(OBJECTS)
def test_what_is_written_reads_as_the_same(value: dict[str, Any]) -> None:
    assert parse_object(canonical_bytes(value), where="x") == value


@given(OBJECTS)
def test_other_spellings_of_the_same_values_are_read(value: dict[str, Any]) -> None:
    assert parse_object(json.dumps(value, indent=2).encode(), where="x") == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(FormatError):
        assert isinstance(parse_object(data, where="x"), dict)


@given(st.text('{}[]",:\\u0d8tfn1-.e ', max_size=60))
def test_text_made_of_what_json_is_made_of_is_read_or_refused(text: str) -> None:
    try:
        value = parse_object(text.encode(), where="x")
    except FormatError:
        return
    assert json.loads(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "", " {}", "{} ", "{}{}", "[]", "null", "1", '"a"', "{", "}", '{"a"}', '{"a":}', '{"a":1,}', "{'a':1}", '{a:1}',
        '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"b":{"a":1,"a":1}}', '{"a":1.0}', '{"a":1e2}', '{"a":NaN}',
        '{"a":Infinity}', '{"a":-Infinity}', '{"a":9223372036854775808}', '{"a":-9223372036854775809}', '{"a":01}',
        '{"a":+1}', '{"a":0x1}', '{"a":"\\ud800"}', '{"\\udfff":1}', '{"a":["\\ud83d"]}', '{"a":"\n"}', '{"a":"\t"}',
        '{"a":"\\x41"}', "{/**/}", '\ufeff{"a":1}',
    ],
)  # fmt: skip
def test_texts_that_have_no_one_meaning_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_object(text.encode("utf-8", "surrogatepass"), where="x")


@pytest.mark.parametrize(
    "data", [b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', '{"a":1}'.encode("utf-16")]
)
def test_other_encodings_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"not UTF-8|does not start"):
        parse_object(data, where="x")


@pytest.mark.parametrize("number", [0, -1, (1 << 63) - 1, -(1 << 63)])
def test_integers_of_64_bits_are_read(number: int) -> None:
    assert parse_object(b'{"a":%d}' % number, where="x") == {"a": number}


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse_object(b'{"a":"\\ud83d\\ude00"}', where="x") == {"a": "😀"}


@pytest.mark.parametrize(("depth", "read"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_nesting_has_a_limit(depth: int, read: bool) -> None:
    text = b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)
    if read:
        assert parse_object(text, where="x")
    else:
        with pytest.raises(FormatError, match="nested deeper"):
            parse_object(text, where="x")


def test_brackets_in_strings_are_no_nesting() -> None:
    text = "[{" * 50 + '\\"' + "[" * 50
    assert parse_object(('{"a":"' + text + '","b":[]}').encode(), where="x")["b"] == []


def test_size_has_a_limit() -> None:
    assert parse_object(b'{"a":"' + b"a" * (MAX_BYTES - 8) + b'"}', where="x")
    with pytest.raises(FormatError, match="at most"):
        parse_object(b'{"a":"' + b"a" * (MAX_BYTES - 7) + b'"}', where="x")


@pytest.mark.parametrize(
    "text",
    [
        b'{"' + b'\\"' * (MAX_BYTES // 2 - 1),
        b'{"' + b"\\" * (MAX_BYTES - 2),
        b'{"a":"' + b'"' * (MAX_BYTES - 6),
        b"{" + b"[" * (MAX_BYTES - 1),
        b'{"a":' + b"9" * (MAX_BYTES - 5),
        b'{"a":[' + b"1," * (MAX_BYTES // 2 - 3),
        b'{"' + b'a":1,"' * (MAX_BYTES // 6 - 1),
    ],
    ids=["escaped quotes", "backslashes", "quotes", "brackets", "digits", "items", "keys"],
)
def test_texts_made_to_take_long_do_not(text: bytes) -> None:
    assert len(text) <= MAX_BYTES
    begin = time.process_time()
    with pytest.raises(FormatError):
        parse_object(text, where="x")
    assert time.process_time() - begin < 2
