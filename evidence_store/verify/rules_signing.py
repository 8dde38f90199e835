"""Rules of signatures and certificates.

1. Every record has a signature that the certificate it names made over its bytes. A missing signature makes the session
   incomplete, in the middle of the chain as at its end: nothing there contradicts, but nobody answers for the bytes.
2. The certificate lies at `certs/<signer>.pem` and hashes to `signer`; its issuer follows it, and nothing else is in
   the file, not even another way of writing the same certificates.
3. One of the roots in the trust anchors issued it, for recorders, and it was valid at the record's own time.
4. A certificate whose key is not ECDSA P-256 cannot be judged: this version of the format knows one algorithm.
5. Without trust anchors nothing can be judged, but what contradicts still does.

Certificates are reported once each, over the span of all the records that name them.
"""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from evidence_store import layout
from evidence_store.errors import SignatureError
from evidence_store.records import format_time
from evidence_store.signing import (
    RECORDER_USAGE,
    certificate_id,
    certificate_pem,
    issued_by,
    may_be_used_for,
    parse_certificates,
    public_key,
    valid_at,
    verify_signature,
)
from evidence_store.trust import TrustAnchors
from evidence_store.verify import codes
from evidence_store.verify.entry import Entry, Progress
from evidence_store.verify.film import joined, record_span
from evidence_store.verify.findings import NOWHERE, Code, Span, finding
from evidence_store.verify.source import Absence, EvidenceSource, fetch


@dataclass(slots=True)
class _Uses:
    """In which records something was met."""

    records: int = 0
    seq: int | None = None
    span: Span = NOWHERE

    def add(self, entry: Entry) -> None:
        self.records += 1
        self.seq = entry.seq if self.seq is None else self.seq
        if entry.record is not None:
            self.span = joined(self.span, record_span(entry.record))


@dataclass(slots=True)
class _Signer:
    """A certificate as the store has it, and what is wrong with it. `certificate` is None if nothing can be checked."""

    key: str
    certificate: x509.Certificate | None = None
    faults: list[tuple[Code, str]] = field(default_factory=list)
    uses: _Uses = field(default_factory=_Uses)
    not_valid: _Uses = field(default_factory=_Uses)


class SigningRules:
    """Checks the signature of every record; certificates are read once."""

    def __init__(self, progress: Progress, source: EvidenceSource, anchors: TrustAnchors | None) -> None:
        self._findings = progress.findings
        self._source = source
        self._roots = anchors.roots if anchors is not None else ()
        self._signers: dict[str, _Signer] = {}
        if not self._roots:
            self._findings.add(finding(codes.ANCHORS_MISSING, object_key=""))

    def check(self, entry: Entry) -> None:
        """Check one entry, also one that the other rules ignore."""
        named = entry.signer
        if named is None:
            return
        span = record_span(entry.record) if entry.record is not None else NOWHERE
        key = entry.key.removesuffix(".json") + ".sig"
        signer = self._signers.get(named)
        if signer is None:
            signer = self._signers[named] = self._read(named)
        signer.uses.add(entry)
        if entry.signature.absence is Absence.MISSING:
            self._findings.add(finding(codes.SIGNATURE_MISSING, object_key=key, seq=entry.seq, span=span))
        elif entry.signature.absence is Absence.UNREADABLE:
            detail = entry.signature.detail
            found = finding(codes.OBJECT_UNREADABLE, object_key=key, seq=entry.seq, span=span, detail=detail)
            self._findings.add(found)
        elif signer.certificate is not None:
            holds = entry.signature.absence is None and verify_signature(
                signer.certificate, entry.signature.data, entry.stored.data
            )
            if not holds:
                self._findings.add(finding(codes.SIGNATURE_WRONG, object_key=key, seq=entry.seq, span=span))
        time = entry.record.time if entry.record is not None else None
        if signer.certificate is not None and time is not None and not _valid_at(signer.certificate, time):
            signer.not_valid.add(entry)

    def end(self) -> None:
        for signer in self._signers.values():
            uses = signer.uses
            for code, detail in signer.faults:
                found = finding(
                    code, object_key=signer.key, seq=uses.seq, span=uses.span, detail=detail, records=uses.records
                )
                self._findings.add(found)
            late = signer.not_valid
            if late.records and signer.certificate is not None:
                found = finding(
                    codes.CERTIFICATE_NOT_VALID,
                    object_key=signer.key,
                    seq=late.seq,
                    span=late.span,
                    records=late.records,
                    from_time=format_time(signer.certificate.not_valid_before_utc),
                    to_time=format_time(signer.certificate.not_valid_after_utc),
                )
                self._findings.add(found)

    def _read(self, named: str) -> _Signer:
        signer = _Signer(layout.certificate_key(named))
        if layout.certificate_sha256(signer.key) is None:
            signer.faults.append((codes.CERTIFICATE_ALTERED, ""))
            return signer
        stored = fetch(self._source, signer.key)
        if stored.absence is not None:
            missing = stored.absence is Absence.MISSING
            code = codes.CERTIFICATE_MISSING if missing else codes.OBJECT_UNREADABLE
            signer.faults.append((code, stored.detail))
            return signer
        try:
            certificates = parse_certificates(stored.data, where=signer.key)
        except SignatureError:
            signer.faults.append((codes.CERTIFICATE_ALTERED, ""))
            return signer
        if not certificates or certificate_id(certificates[0]) != named:
            signer.faults.append((codes.CERTIFICATE_ALTERED, ""))
            return signer
        signer.certificate = certificates[0]
        self._judge(signer, stored.data, certificates)
        return signer

    def _judge(self, signer: _Signer, data: bytes, certificates: list[x509.Certificate]) -> None:
        certificate = certificates[0]
        issuers = [root for root in self._roots or certificates[1:2] if issued_by(certificate, root)]
        if self._roots and not issuers:
            signer.faults.append((codes.CERTIFICATE_UNTRUSTED, ""))
        elif data != certificate_pem(certificates) or not all(one in issuers for one in certificates[1:]):
            signer.faults.append((codes.CERTIFICATE_FILE_ALTERED, ""))
        elif len(certificates) == 1:
            signer.faults.append((codes.CERTIFICATE_ISSUER_MISSING, ""))
        if public_key(certificate) is None:
            signer.faults.append((codes.ALGORITHM_UNKNOWN, ""))
            signer.certificate = None
        elif not may_be_used_for(certificate, RECORDER_USAGE):
            signer.faults.append((codes.CERTIFICATE_WRONG_USE, ""))


def _valid_at(certificate: x509.Certificate, time: datetime) -> bool:
    try:
        return valid_at(certificate, time)
    except ValueError:  # a date that no calendar has
        return False
