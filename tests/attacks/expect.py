"""What an attack test says of a report."""

from datetime import datetime

from evidence_store.verify import Finding, Report, Verdict
from evidence_store.verify.codes import CODES

UNTOUCHED = {"gap_declared"}  # what the builder's session always has: its own gap


def codes_of(report: Report) -> set[str]:
    """Codes of the findings that the untouched session does not have."""
    return {found.code for found in report.findings} - UNTOUCHED


def find(report: Report, code: str) -> Finding:
    """The one finding with this code."""
    found = [one for one in report.findings if one.code == code]
    assert len(found) == 1, [one.en for one in found] or codes_of(report)
    return found[0]


def expect(
    report: Report,
    code: str,
    object_key: str,
    span: tuple[datetime | None, datetime | None] | None = None,
    *,
    verdict: Verdict | None = None,
) -> Finding:
    """One finding with this code on this object and span; the report's verdict is the code's, or `verdict`."""
    found = find(report, code)
    assert found.object == object_key
    if span is not None:
        assert (found.from_time, found.to_time) == span
    assert report.verdict is (verdict or CODES[code].verdict)
    return found
