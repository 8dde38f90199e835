"""What a record must show by itself, before anything else is known of its session. Pure: bytes in, values out.

1. It is a record of the format and has a place in the layout; a segment names the key of its own track and index.
2. Its `signer` is a certificate that a trusted root issued, for recorders, valid at the record's time.
3. Its signature is that certificate's, over exactly these bytes.
4. `open` has number 0 and names no record before it; every other record has another number.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509

from evidence_store import layout
from evidence_store.chain import ChainState
from evidence_store.errors import FormatError, SignatureError
from evidence_store.records import (
    ZERO_HASH,
    CloseRecord,
    EventRecord,
    OpenRecord,
    SegmentRecord,
    parse_record,
    sha256_hex,
)
from evidence_store.signing import (
    RECORDER_USAGE,
    certificate_id,
    issued_by,
    may_be_used_for,
    valid_at,
    verify_signature,
)
from evidence_store.trust import TrustAnchors

AnyRecord = OpenRecord | SegmentRecord | EventRecord | CloseRecord
FindCertificate = Callable[[str], x509.Certificate | None]

_MAX_SEGMENT_US = 24 * 3600 * 1_000_000  # the format speaks of 10 s; sums over a session stay within 64 bits


@dataclass(frozen=True, slots=True)
class Admitted:
    """A record that is its signer's; whether it belongs to the chain is another question."""

    record: AnyRecord
    data: bytes
    sha256: str
    certificate: x509.Certificate
    subject: str

    @property
    def where(self) -> str:
        return f"record {self.record.seq} of {self.record.session}"


def admit(
    data: bytes, signature: bytes, certificate_of: FindCertificate, anchors: TrustAnchors, *, where: str
) -> Admitted:
    """The record in `data`; raises FormatError, SignatureError or ChainError. `where` names unreadable bytes."""
    record = parse_record(data, where=where)
    where = f"record {record.seq} of {record.session}"
    _check_place(record, where)
    certificate = certificate_of(record.signer)
    if certificate is None:
        raise SignatureError(
            f"its certificate {record.signer} is not known",
            where=where,
            do=f"Store it as {layout.certificate_key(record.signer)} first.",
        )
    subject = _check_certificate(certificate, record, anchors, where)
    if not verify_signature(certificate, signature, data):
        raise SignatureError("the signature is not its signer's over these bytes", where=where)
    first = ZERO_HASH if record.seq == 0 else record.prev
    ChainState(record.session, record.seq, first).extend(record, record.type, data)
    return Admitted(record, data, sha256_hex(data), certificate, subject)


def segment_duration_us(record: SegmentRecord) -> int:
    """From the decode time of the first picture to where the last fragment ends."""
    first, last = record.fragments[0], record.fragments[-1]
    return last.media_start_us + last.duration_us - first.media_start_us


def _check_place(record: AnyRecord, where: str) -> None:
    if layout.parse_key(layout.record_key(record.session, record.seq)) is None:
        raise FormatError(f"number {record.seq} is too large for a key of the store", where=where)
    if isinstance(record, SegmentRecord):
        if layout.parse_key(record.media.key) != layout.MediaKey(record.session, record.track, record.index):
            raise FormatError(f"{record.media.key[:160]!r} is not the key of its track and index", where=where)
        if not 0 <= segment_duration_us(record) <= _MAX_SEGMENT_US:
            raise FormatError("its fragments do not follow each other within a day", where=where)
    names = [track.track for track in record.tracks] if isinstance(record, OpenRecord | CloseRecord) else []
    if len(set(names)) != len(names):
        raise FormatError("it names a track twice", where=where)


def _check_certificate(certificate: x509.Certificate, record: AnyRecord, anchors: TrustAnchors, where: str) -> str:
    """The name that the certificate is issued to; raises SignatureError."""
    if certificate_id(certificate) != record.signer:
        raise SignatureError(f"what is kept as certificate {record.signer} is another one", where=where)
    if not any(issued_by(certificate, root) for root in anchors.roots):
        raise SignatureError("no trusted root issued its certificate", where=where)
    if not may_be_used_for(certificate, RECORDER_USAGE):
        raise SignatureError("its certificate is not one for recorders", where=where)
    try:
        valid, subject = valid_at(certificate, record.time), certificate.subject.rfc4514_string()
    except ValueError:
        raise SignatureError("name or dates in its certificate cannot be read", where=where) from None
    if not valid:
        raise SignatureError("its certificate was not valid at the record's time", where=where)
    return subject
