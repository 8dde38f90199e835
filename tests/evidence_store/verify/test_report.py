"""The report as JSON and as text."""

import json

import pytest

from evidence_store.verify import Report, Verdict
from evidence_store.verify.report import Facts
from tests.evidence_store.builder import build


@pytest.fixture(scope="module")
def report() -> Report:
    return build().seal().verify()


def test_report_survives_json(report: Report) -> None:
    values = json.loads(json.dumps(report.to_json(), ensure_ascii=False))
    assert values["format"] == "shilu-report/1"
    assert (values["verdict"], values["exit_code"]) == ("OK_WITH_DECLARED_GAPS", 3)
    (finding,) = values["findings"]
    assert finding["from"] == "2026-11-23T01:30:04.000000Z"
    assert finding["to"] == "2026-11-23T01:30:06.000000Z"
    assert values["facts"]["gaps"][0]["missing_us"] == 2_000_000
    assert values["facts"]["tracks"][1]["recorded_us"] == 8_000_000


def test_report_says_how_time_is_proved_and_what_no_check_can_show(report: Report) -> None:
    values = report.to_json()
    assert values["time_proof"]["until"] is None
    assert values["time_proof"]["by"] == []
    assert "recorder's clock alone" in values["time_proof"]["en"]
    text = report.text("en")
    for words in (
        "no witness or timestamp is configured",
        "staged scene",
        "before the hash was made",
        "never recorded",
    ):
        assert words in text


@pytest.mark.parametrize(
    "words", ["完整(含已声明缺口)", "摄像机信号中断", "平综执立字〔2026〕第0012号", "未配置见证方", "摆拍"]
)
def test_report_in_chinese(report: Report, words: str) -> None:
    assert words in report.text("zh")


def test_report_of_nothing_has_no_facts() -> None:
    report = Report("x", Verdict.INCOMPLETE, (), {}, Facts())
    assert report.to_json()["facts"]["opened"] is None
    assert "Opened (UTC): ?" in report.text("en")
