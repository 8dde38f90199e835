"""Every byte counts: whatever is changed in any object, the verifier says so and does not fall over."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_store.verify import Verdict
from evidence_store.verify.findings import MAX_FINDINGS_PER_CODE
from tests.evidence_store.builder import Evidence, build

# A changed certificate may be one that the library reads with a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")

SEALED = build().seal()
KEYS = sorted(SEALED.objects)


def copy() -> Evidence:
    return Evidence(SEALED.recording, dict(SEALED.objects))


@settings(max_examples=150)
@given(key=st.sampled_from(KEYS), position=st.integers(0, 1 << 20), mask=st.integers(1, 255))
def test_one_changed_byte_anywhere_is_found(key: str, position: int, mask: int) -> None:
    evidence = copy()
    data = bytearray(evidence.objects[key])
    data[position % len(data)] ^= mask
    evidence.objects[key] = bytes(data)
    report = evidence.verify()
    assert report.verdict in {Verdict.NOT_OK, Verdict.INCOMPLETE}
    assert "" not in {found.object for found in report.findings}


@settings(max_examples=100)
@given(key=st.sampled_from(KEYS), cut=st.integers(0, 1 << 20))
def test_one_cut_anywhere_is_found(key: str, cut: int) -> None:
    evidence = copy()
    data = evidence.objects[key]
    evidence.objects[key] = data[: cut % len(data)]
    assert evidence.verify().verdict not in {Verdict.OK, Verdict.OK_WITH_DECLARED_GAPS}


@pytest.mark.parametrize("key", KEYS)
def test_any_one_missing_object_is_found(key: str) -> None:
    evidence = copy()
    del evidence.objects[key]
    report = evidence.verify()
    assert report.verdict is Verdict.INCOMPLETE
    assert key in {found.object for found in report.findings}


@settings(max_examples=60)
@given(keys=st.permutations(KEYS), count=st.integers(2, 6))
def test_any_objects_exchanged_are_found(keys: list[str], count: int) -> None:
    evidence = copy()
    chosen = keys[:count]
    for key, source in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
        evidence.objects[key] = SEALED.objects[source]
    assert evidence.verify().verdict not in {Verdict.OK, Verdict.OK_WITH_DECLARED_GAPS}


@settings(max_examples=60)
@given(changes=st.dictionaries(st.sampled_from(KEYS), st.binary(max_size=300), min_size=1, max_size=8))
def test_objects_replaced_with_anything(changes: dict[str, bytes]) -> None:
    evidence = copy()
    evidence.objects |= changes
    report = evidence.verify()
    assert report.verdict not in {Verdict.OK, Verdict.OK_WITH_DECLARED_GAPS}
    assert report.text("zh")
    assert report.to_json()["verdict"] == report.verdict.value


@settings(max_examples=30)
@given(names=st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5))
def test_any_added_key_is_found(names: list[str]) -> None:
    evidence = copy()
    for name in names:
        evidence.objects[f"sessions/{evidence.recording.session}/{name}"] = b""
    assert evidence.verify().verdict is Verdict.NOT_OK


def test_many_findings_of_a_kind_are_counted_and_not_kept() -> None:
    evidence = copy()
    for number in range(500):
        evidence.objects[f"sessions/{evidence.recording.session}/added/{number:04d}"] = b""
    report = evidence.verify()
    assert len([found for found in report.findings if found.code == "object_unnamed"]) == MAX_FINDINGS_PER_CODE
    assert report.findings_left_out == {"object_unnamed": 500 - MAX_FINDINGS_PER_CODE}
    assert str(500 - MAX_FINDINGS_PER_CODE) in report.text("en")
