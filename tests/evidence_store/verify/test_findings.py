"""Verdicts, codes and sentences."""

import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.verify import Verdict, worst
from evidence_store.verify.codes import CODES, GAP_DECLARED, OBJECT_UNNAMED, RECORD_MISSING
from evidence_store.verify.findings import MAX_FINDINGS_PER_CODE, Code, Findings, Span, finding, plain, seconds

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_exit_codes_are_those_of_the_format() -> None:
    assert {verdict.value: verdict.exit_code for verdict in Verdict} == {
        "OK": 0,
        "OK_WITH_DECLARED_GAPS": 3,
        "INCOMPLETE": 4,
        "NOT_OK": 5,
        "CANNOT_JUDGE": 6,
    }


@pytest.mark.parametrize(
    ("verdicts", "wins"),
    [
        ([], Verdict.OK),
        ([Verdict.OK, Verdict.OK_WITH_DECLARED_GAPS], Verdict.OK_WITH_DECLARED_GAPS),
        ([Verdict.INCOMPLETE, Verdict.OK_WITH_DECLARED_GAPS], Verdict.INCOMPLETE),
        ([Verdict.CANNOT_JUDGE, Verdict.INCOMPLETE], Verdict.CANNOT_JUDGE),
        ([Verdict.NOT_OK, Verdict.CANNOT_JUDGE, Verdict.INCOMPLETE], Verdict.NOT_OK),
    ],
)
def test_the_worst_verdict_wins(verdicts: list[Verdict], wins: Verdict) -> None:
    assert worst(verdicts) is wins
    assert worst(reversed(verdicts)) is wins


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_every_code_has_a_sentence_in_both_languages(code: Code) -> None:
    values: dict[str, Any] = dict.fromkeys(fields(code.zh) | fields(code.en), "1")
    found = finding(code, object_key="x", **values)
    assert found.zh.endswith(("。", "1"))  # what a source said stands last and ends as it ends
    assert found.en.endswith((".", "1"))
    assert any("\u4e00" <= character <= "\u9fff" for character in found.zh)
    assert found.en.isascii()
    assert {name.removesuffix("_zh") for name in fields(code.zh)} == {
        name.removesuffix("_zh") for name in fields(code.en)
    }


def test_names_of_codes_are_their_keys() -> None:
    assert all(code.name == name for name, code in CODES.items())
    assert len({(code.zh, code.en) for code in CODES.values()}) == len(CODES)


@given(st.text(max_size=400))
def test_what_is_shown_can_be_printed(text: str) -> None:
    shown = plain(text)
    assert all(character.isprintable() or character in "\u3000\u00a0" or character.isspace() for character in shown)
    assert not set(shown) & set("\n\r\t\x0b\x0c\x1b\x85\u2028\u2029\u202e")
    assert len(shown) <= 10 * 201


def test_ordinary_text_is_shown_as_it_is() -> None:
    assert plain("平综执立字〔2026〕第0012号 A\u3000B") == "平综执立字〔2026〕第0012号 A\u3000B"


@pytest.mark.parametrize(
    ("length_us", "shown"),
    [(0, "0.000"), (2_000_000, "2.000"), (1_500, "0.001500"), (-2_040_000, "-2.040"), (1, "0.000001")],
)
def test_lengths_are_shown_in_seconds(length_us: int, shown: str) -> None:
    assert seconds(length_us) == shown


class TestFindings:
    def test_a_finding_can_end_where_the_next_record_stands(self) -> None:
        findings = Findings()
        lost = finding(RECORD_MISSING, object_key="a", span=Span(NOON), first=1, last=2)
        findings.add(lost, until_next_record=True)
        findings.add(finding(OBJECT_UNNAMED, object_key="b"))
        findings.reach(NOON + timedelta(seconds=5))
        findings.reach(NOON + timedelta(seconds=9))
        ends = {found.object: found.to_time for found in findings.sorted()}
        assert ends == {"a": NOON + timedelta(seconds=5), "b": None}

    def test_the_worst_comes_first_then_the_earliest(self) -> None:
        findings = Findings()
        gap: dict[str, Any] = {"missing": "1", "cause": "camera_lost", "cause_zh": ""}
        findings.add(finding(GAP_DECLARED, object_key="gap", span=Span(NOON), **gap))
        findings.add(finding(OBJECT_UNNAMED, object_key="late", span=Span(NOON + timedelta(seconds=1))))
        findings.add(finding(OBJECT_UNNAMED, object_key="early", span=Span(NOON)))
        findings.add(finding(OBJECT_UNNAMED, object_key="nowhere"))
        assert [found.object for found in findings.sorted()] == ["nowhere", "early", "late", "gap"]

    def test_the_verdict_counts_what_is_not_kept(self) -> None:
        findings = Findings()
        for number in range(MAX_FINDINGS_PER_CODE + 7):
            findings.add(finding(OBJECT_UNNAMED, object_key=str(number)))
        assert len(findings.sorted()) == MAX_FINDINGS_PER_CODE
        assert findings.left_out() == {"object_unnamed": 7}
        assert findings.verdict is Verdict.NOT_OK
