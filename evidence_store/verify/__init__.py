"""Verification: a pure function from bytes and trust anchors to a report that says what holds and what does not.

`session` walks a session's chain and calls the rules, one file per group of rules, each with its decisions at the top.
`findings` has verdicts and the place of a finding in the film, `codes` the table of everything that can be found,
`report` the outcome. Objects come through `source`; nothing here opens a file, a socket or a clock.
"""

from evidence_store.verify.findings import Finding, Verdict, worst
from evidence_store.verify.report import Report
from evidence_store.verify.session import verify_session
from evidence_store.verify.source import EvidenceSource, ReaderSource

__all__ = ["EvidenceSource", "Finding", "ReaderSource", "Report", "Verdict", "verify_session", "worst"]
