"""docs/evidence-format.md says of records, findings, rules and limits what the code has."""

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from evidence_store import records, signing, trust
from evidence_store.layout import ID_PATTERN, SESSION_PATTERN
from evidence_store.verify import Verdict, codes
from recorder.devices import Limits
from shilu.site_init import CERTIFICATE_DAYS, ROOT_DAYS
from tests.docs.markdown import ROOT, code, read, table
from tests.docs.tables import BEGIN, END, EVIDENCE_FORMAT, fields, finding_tables
from tests.evidence_store.builder import build

DOCUMENT = read(EVIDENCE_FORMAT)
FIELDS = re.findall(r"^<!-- fields: (\w+) -->\n((?:\|.*\n)+)", DOCUMENT.text, flags=re.MULTILINE)
RULES = re.findall(r"\(`(evidence_store/verify/\w+\.py)`\):\n\n((?:(?:- |  ).*\n)+)", DOCUMENT.text)


def models() -> dict[str, type[BaseModel]]:
    """Everything of which a record or trust.json is made."""
    found = {
        name: value
        for name, value in vars(records).items()
        if isinstance(value, type) and issubclass(value, records.Part) and value is not records.Part
    }
    return {**found, "_TrustFile": trust._TrustFile}


class TestRecords:
    def test_every_model_has_one_table(self) -> None:
        assert sorted(name for name, _ in FIELDS) == sorted(models())

    @pytest.mark.parametrize(("name", "text"), FIELDS, ids=[name for name, _ in FIELDS])
    def test_fields_are_those_of_the_code(self, name: str, text: str) -> None:
        model = models()[name]
        inherited = records.Envelope if issubclass(model, records.Envelope) and model is not records.Envelope else None
        rows = table(text)
        assert [(code(row[0]), row[1]) for row in rows] == list(fields(model, without=inherited))
        assert {len(row) for row in rows} == {3}

    def test_every_key_has_to_be_there(self) -> None:
        for model in models().values():
            assert all(info.is_required() for info in model.model_fields.values()), model

    def test_causes_and_alarms_are_the_closed_lists_of_the_code(self) -> None:
        rows = table(DOCUMENT.text[DOCUMENT.text.index("| cause |") :])
        assert {code(row[0]): row[1] for row in rows} == codes.GAP_CAUSES_ZH
        assert [code(row[0]) for row in rows] == list(get_args(records.GapCause))
        (listed,) = re.findall(r"^Kinds of alarm: (.*?)\.\n", DOCUMENT.text, flags=re.DOTALL | re.MULTILINE)
        assert re.findall(r"`(\w+)`", listed) == list(get_args(records.AlarmKind))

    def test_patterns_are_those_of_the_layout(self) -> None:
        section = DOCUMENT.section("Objects in the store").text
        assert f"`{ID_PATTERN}`" in section
        assert f"`{SESSION_PATTERN}`" in section


class TestWhatTheRecorderWrites:
    """The format defines more than is written so far; the document says which is which."""

    constants = frozenset(
        node.value
        for path in sorted((ROOT / "recorder").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )

    def test_causes(self) -> None:
        rows = table(DOCUMENT.text[DOCUMENT.text.index("| cause |") :])
        assert {code(row[0]) for row in rows if row[3] == "yes"} == self.constants & set(get_args(records.GapCause))

    def test_events(self) -> None:
        (words,) = re.findall(r"The recorder writes these kinds today: (.*?)\. The others", DOCUMENT.text)
        kinds = {
            get_args(model.model_fields["kind"].annotation)[0]
            for model in get_args(get_args(records.Event)[0])
            if any(
                re.search(rf"\b{model.__name__}(\.model_validate)?\(", path.read_text(encoding="utf-8"))
                for path in (ROOT / "recorder").glob("*.py")
            )
        }
        assert set(re.findall(r"`(\w+)`", words)) - {"clock_step"} == kinds

    def test_alarms(self) -> None:
        only = set(get_args(records.AlarmKind)) - set(get_args(records.GapCause))
        # "disk" and "certificate" are names of readiness checks as well.
        assert self.constants & only - {"disk", "certificate"} == {"clock_step"}


class TestVerifier:
    def test_findings_are_those_of_the_code(self) -> None:
        """If not: python -m tests.docs.tables"""
        written = DOCUMENT.text[DOCUMENT.text.index(BEGIN) + len(BEGIN) + 1 : DOCUMENT.text.index(END)]
        assert written == finding_tables()

    def test_verdicts_and_exit_codes(self) -> None:
        rows = DOCUMENT.section("Verdicts").rows()
        assert [(code(row[0]), row[1], int(row[3])) for row in rows] == [
            (verdict.value, verdict.zh, verdict.exit_code) for verdict in reversed(Verdict)
        ]

    def test_every_file_of_rules_is_there(self) -> None:
        folder = ROOT / "evidence_store" / "verify"
        files = [*folder.glob("rules_*.py"), folder / "inventory.py"]
        assert sorted(path for path, _ in RULES) == sorted(str(path.relative_to(ROOT)) for path in files)

    @pytest.mark.parametrize(("path", "text"), RULES, ids=[Path(path).stem for path, _ in RULES])
    def test_every_rule_of_a_file_is_there(self, path: str, text: str) -> None:
        said = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""
        in_code = [int(number) for number in re.findall(r"^(\d+)\. ", said, flags=re.MULTILINE)]
        in_document = [int(number) for number in re.findall(r"^- \*\*[A-Z](\d+)\.\*\* ", text, flags=re.MULTILINE)]
        assert in_document == in_code

    def test_the_report_has_the_keys_that_are_told(self) -> None:
        report = build().seal().verify().to_json()
        rows = {code(row[0]): row[1] for row in DOCUMENT.section("The report").rows()}
        assert list(rows) == list(report)
        for key, inside in (
            ("findings", report["findings"][0]),
            ("facts", report["facts"]),
            ("time_proof", report["time_proof"]),
        ):
            assert set(re.findall(r"`(\w+)`", rows[key])) == set(inside), key

    def test_limits_are_those_of_the_code(self) -> None:
        for what, value, place in DOCUMENT.section("Limits").rows():
            module, _, name = code(place).rpartition(".")
            assert int(value.split()[0]) == getattr(import_module(module), name), what


class TestSignatures:
    section = DOCUMENT.section("Signatures and certificates")

    def test_key_usages(self) -> None:
        assert [code(row[0]) for row in self.section.rows()] == [
            signing.RECORDER_USAGE.dotted_string,
            signing.SERVICE_USAGE.dotted_string,
        ]

    def test_lives_of_certificates(self) -> None:
        assert f"a root for {ROOT_DAYS} days and certificates for {CERTIFICATE_DAYS} days" in self.section.text


def test_times_lengths_and_names_that_are_told_hold() -> None:
    """Numbers in running text, where a table would be in the way."""
    for said, place in (
        ("more than 1 s after `open`", "evidence_store.verify.rules_gaps.GAP_TOLERANCE_US:1000000"),
        ("more than 5 s before `close`", "evidence_store.verify.rules_gaps.END_TOLERANCE_US:5000000"),
        ("`shilu-report/1`", "evidence_store.verify.report.FORMAT:shilu-report/1"),
        ("which holds 50 of each code", "evidence_store.verify.findings.MAX_FINDINGS_PER_CODE:50"),
        ("Timescales: 90000 for the picture", "recorder.groups.VIDEO_TIMESCALE:90000"),
        ("case number is 1 to 100 printable", "evidence_store.layout.MAX_CASE_CHARACTERS:100"),
    ):
        assert said in " ".join(DOCUMENT.text.split())
        path, _, value = place.partition(":")
        module, _, name = path.rpartition(".")
        assert str(getattr(import_module(module), name)) == value


def test_defaults_that_are_told_hold() -> None:
    limits = Limits()
    text = " ".join(DOCUMENT.text.split())
    assert f"configured length ({limits.segment_s} s by default)" in text
    assert f"as long as configured ({limits.fragment_ms / 1000} s by default, at most 1 s)" in text
    assert max(one.le for one in Limits.model_fields["fragment_ms"].metadata if hasattr(one, "le")) == 1000
