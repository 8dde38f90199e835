"""Records: what is written reads as the same, and nothing else is read."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evidence_store.errors import FormatError
from evidence_store.records import (
    Gap,
    UnknownFormatError,
    format_time,
    from_us,
    parse_record,
    parse_time,
    record_bytes,
    to_us,
)
from evidence_store.strict_json import canonical_bytes, parse_object
from tests.evidence_store.builder import build

SEALED = build().seal()
KINDS = {
    "open": SEALED.objects[SEALED.record_key("open")],
    "segment": SEALED.objects[SEALED.record_key("segment", "subject", 1)],
    "mark": SEALED.objects[SEALED.record_key("mark")],
    "gap": SEALED.objects[SEALED.record_key("gap")],
    "close": SEALED.objects[SEALED.record_key("close")],
}
EVENTS: list[dict[str, Any]] = [
    {"kind": "alarm", "alarm": "picture_black", "track": "room", "detail": ""},
    {"kind": "alarm_cleared", "alarm": "clock_step", "track": None, "detail": "3 s"},
    {"kind": "person", "action": "left", "role": "律师", "name": "陈某"},
    {"kind": "document", "name": "询问笔录.pdf", "bytes": 1, "sha256": "00" * 32},
    {"kind": "note", "text": ""},
    {"kind": "resumed", "cause": "power_lost", "down_us": 0, "detail": ""},
]


def values_of(kind: str) -> dict[str, Any]:
    return parse_object(KINDS[kind], where=kind)


def parse(values: dict[str, Any]) -> object:
    return parse_record(canonical_bytes(values), where="x")


@pytest.mark.parametrize("kind", KINDS)
def test_record_reads_and_writes_as_the_same_bytes(kind: str) -> None:
    assert record_bytes(parse_record(KINDS[kind], where="x")) == KINDS[kind]


@pytest.mark.parametrize("event", EVENTS, ids=[event["kind"] for event in EVENTS])
def test_events_read_and_write_as_the_same_bytes(event: dict[str, Any]) -> None:
    data = canonical_bytes(values_of("mark") | {"event": event})
    assert record_bytes(parse_record(data, where="x")) == data


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in some values at which a key stands."""
    found: list[tuple[str | int, ...]] = []
    if isinstance(value, dict):
        for key, item in value.items():
            found += [(*path, key), *places(item, (*path, key))]
    elif isinstance(value, list) and value:
        found += places(value[0], (*path, 0))
    return found


ALL_PLACES = [(kind, path) for kind in KINDS for path in places(values_of(kind))]


def parent_of(values: Any, path: tuple[str | int, ...]) -> Any:
    for step in path[:-1]:
        values = values[step]
    return values


@pytest.mark.parametrize(("kind", "path"), ALL_PLACES)
def test_no_field_may_be_missing(kind: str, path: tuple[str | int, ...]) -> None:
    values = values_of(kind)
    del parent_of(values, path)[path[-1]]
    with pytest.raises(FormatError):
        parse(values)


@pytest.mark.parametrize(("kind", "path"), ALL_PLACES)
def test_no_field_may_stand_beside_those_known(kind: str, path: tuple[str | int, ...]) -> None:
    values = values_of(kind)
    parent_of(values, path)["paused"] = 1
    with pytest.raises(FormatError):
        parse(values)


@pytest.mark.parametrize(("kind", "path"), ALL_PLACES)
@pytest.mark.parametrize("other", [{}, [], True, -1, "", 1 << 62, "x" * 2001], ids=repr)
def test_no_field_is_converted_from_another_type(kind: str, path: tuple[str | int, ...], other: object) -> None:
    values = values_of(kind)
    parent = parent_of(values, path)
    if type(parent[path[-1]]) is type(other) or parent[path[-1]] is None:
        return  # another value of the same type is a matter of what it says
    parent[path[-1]] = deepcopy(other)
    with pytest.raises(FormatError):
        parse(values)


@given(
    st.sampled_from(ALL_PLACES), st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)
def test_any_value_anywhere_is_read_or_refused(place: tuple[str, tuple[str | int, ...]], value: object) -> None:
    kind, path = place
    values = values_of(kind)
    parent_of(values, path)[path[-1]] = value
    try:
        parse(values)
    except FormatError:
        return


@given(st.sampled_from(sorted(KINDS)), st.integers(0, 1 << 16), st.binary(min_size=1, max_size=4))
def test_changed_bytes_are_read_or_refused(kind: str, position: int, patch: bytes) -> None:
    data = bytearray(KINDS[kind])
    at = position % len(data)
    data[at : at + len(patch)] = patch
    try:
        parse_record(bytes(data), where="x")
    except FormatError:
        return


@pytest.mark.parametrize("named", ["shilu-record/2", "shilu-record/10", "shilu-record/"])
def test_another_version_is_told_from_nonsense(named: str) -> None:
    with pytest.raises(UnknownFormatError, match="is not known"):
        parse(values_of("mark") | {"format": named})


@pytest.mark.parametrize("named", ["", "shilu", "other/1", None, 1, ["shilu-record/1"]])
def test_what_is_no_version_of_this_format_is_nonsense(named: object) -> None:
    with pytest.raises(FormatError) as caught:
        parse(values_of("mark") | {"format": named})
    assert not isinstance(caught.value, UnknownFormatError)


def test_error_names_the_field() -> None:
    values = values_of("segment")
    values["fragments"][1]["keyframe"] = 1
    with pytest.raises(FormatError, match=r"^x: segment\.fragments\.1\.keyframe: "):
        parse(values)


def test_gap_has_no_cause_called_paused() -> None:
    values = values_of("gap")
    values["event"]["cause"] = "paused"
    with pytest.raises(FormatError):
        parse(values)


def test_times_without_a_zone_are_refused() -> None:
    event = values_of("gap")["event"] | {"from": datetime(2026, 1, 1)}  # noqa: DTZ001
    with pytest.raises(ValidationError, match="without a zone"):
        Gap.model_validate(event)


class TestTimes:
    @given(st.datetimes(timezones=st.just(UTC)))
    def test_time_reads_as_it_was_written(self, time: datetime) -> None:
        text = format_time(time)
        assert len(text) == len("2026-11-23T01:30:00.000000Z")
        assert parse_time(text) == time
        assert from_us(to_us(time)) == time

    @given(st.text("0123456789-:TZ.+ ", max_size=30))
    def test_any_text_is_a_time_in_one_spelling_or_refused(self, text: str) -> None:
        try:
            time = parse_time(text)
        except ValueError:
            return
        assert format_time(time) == text

    @pytest.mark.parametrize(
        "text",
        [
            "2026-11-23T01:30:00Z", "2026-11-23T01:30:00.000Z", "2026-11-23 01:30:00.000000Z",
            "2026-11-23t01:30:00.000000z", "2026-11-23T01:30:00.000000", "2026-11-23T01:30:00.000000+00:00",
            "2026-11-23T09:30:00.000000+08:00",
            "2026-13-23T01:30:00.000000Z", "2026-02-29T01:30:00.000000Z", "2026-11-23T24:00:00.000000Z",
            "2026-11-23T01:30:60.000000Z", "0000-01-01T00:00:00.000000Z", "2026-11-23T01:30:00.000000Z\n",
            "２０２６-11-23T01:30:00.000000Z", "2026-W48-1T01:30:00.000000Z", "20261123T013000.000000Z", "",
        ],
    )  # fmt: skip
    def test_other_spellings_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            parse_time(text)

    def test_other_zones_are_written_in_utc(self) -> None:
        beijing = timezone(timedelta(hours=8))
        assert format_time(datetime(2026, 11, 23, 9, 30, tzinfo=beijing)) == "2026-11-23T01:30:00.000000Z"
