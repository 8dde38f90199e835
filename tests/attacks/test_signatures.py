"""Attacks on signatures and certificates, by somebody who has keys and certificates of another making."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from evidence_store import layout
from evidence_store.records import sha256_hex
from evidence_store.signing import RECORDER_USAGE, SERVICE_USAGE, Signer, certificate_pem, issue, make_root, new_key
from evidence_store.strict_json import canonical_bytes
from evidence_store.trust import TrustAnchors
from evidence_store.verify import Verdict, verify_session
from tests.attacks.expect import codes_of, expect, find
from tests.evidence_store.builder import CLOSED, OPENED, START, Evidence, build

OtherKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# Pre-roll of the first segments to the close record: what a certificate answers for that signed everything.
WHOLE = (START, CLOSED)


@pytest.fixture
def evidence() -> Evidence:
    return build().seal()


def resealed(signer: Signer, issuer: Signer | None = None) -> Evidence:
    """The whole session signed by another, whose certificate lies in the store with its issuer."""
    recording = build()
    sealed = recording.seal(signer)
    if issuer is not None:
        pem = certificate_pem([signer.certificate, issuer.certificate])
        sealed.objects[layout.certificate_key(signer.id)] = pem
    return sealed


@pytest.mark.parametrize("position", [0, 3, 20, -1])
def test_flipped_bit_in_signature(evidence: Evidence, position: int) -> None:
    key = evidence.signature_key("segment", "room", 1)
    evidence.flip(key, position % len(evidence.objects[key]), bit=2)
    report = evidence.verify()
    expect(report, "signature_wrong", key, evidence.recording.span("room", 1))
    assert codes_of(report) == {"signature_wrong"}


def test_second_valid_signature_made_without_the_key(evidence: Evidence) -> None:
    """For ECDSA (r, s) and (r, n - s) both satisfy the equation; only one of them is accepted."""
    key = evidence.signature_key("mark")
    r, s = decode_dss_signature(evidence.objects[key])
    evidence.objects[key] = encode_dss_signature(r, P256_ORDER - s)
    public_key = evidence.recording.site.recorder.certificate.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    public_key.verify(evidence.objects[key], evidence.objects[evidence.record_key("mark")], ec.ECDSA(hashes.SHA256()))
    expect(evidence.verify(), "signature_wrong", key)


@pytest.mark.parametrize(
    "garbage", [b"", b"\x30", b"\x30\x06\x02\x01\x00\x02\x01\x00", b"\xff" * 72, b"\x00" * 100_000]
)
def test_signature_replaced_with_garbage(evidence: Evidence, garbage: bytes) -> None:
    key = evidence.signature_key("close")
    evidence.objects[key] = garbage
    expect(evidence.verify(), "signature_wrong", key)


def test_bytes_added_to_a_signature(evidence: Evidence) -> None:
    key = evidence.signature_key("close")
    evidence.objects[key] += b"\x00"
    expect(evidence.verify(), "signature_wrong", key)


@pytest.mark.parametrize("kind", ["open", "mark", "close"])
def test_unsigned_record_makes_the_session_incomplete(evidence: Evidence, kind: str) -> None:
    key = evidence.signature_key(kind)
    del evidence.objects[key]
    report = evidence.verify()
    moment = evidence.recording.time(kind)
    expect(report, "signature_missing", key, (moment, moment))
    assert codes_of(report) == {"signature_missing"}


def test_signatures_of_two_records_swapped(evidence: Evidence) -> None:
    keys = evidence.signature_key("mark"), evidence.signature_key("close")
    evidence.swap(*keys)
    report = evidence.verify()
    assert {found.object for found in report.findings if found.code == "signature_wrong"} == set(keys)
    assert report.verdict is Verdict.NOT_OK


def test_signature_without_record_after_the_close(evidence: Evidence) -> None:
    seq = len(evidence.recording.drafts)
    key = layout.signature_key(evidence.recording.session, seq)
    evidence.objects[key] = evidence.objects[evidence.signature_key("close")]
    expect(evidence.verify(), "object_unnamed", key)


def test_signature_whose_record_is_missing_before_any_close(evidence: Evidence) -> None:
    del evidence.objects[evidence.record_key("close")]
    report = evidence.verify()
    key = evidence.record_key("close")
    expect(report, "record_missing", key, (evidence.recording.time("segment", "room", 4), None))
    assert codes_of(report) == {"record_missing", "close_missing"}


def test_foreign_key_under_the_recorders_name() -> None:
    """Signed with another key, while the records still name the recorder's certificate."""
    recording = build()
    stranger = Signer(new_key(), recording.site.recorder.certificate)
    sealed = recording.seal(stranger)
    report = sealed.verify()
    assert codes_of(report) == {"signature_wrong"}
    assert len(report.findings) == 1 + len(recording.drafts)
    assert report.verdict is Verdict.NOT_OK


def test_rogue_root() -> None:
    root = make_root("xindai", START, 3650)
    sealed = resealed(issue(root, "xindai room-1", RECORDER_USAGE, START, 365), root)
    report = sealed.verify()
    key = next(key for key in sealed.objects if key.startswith("certs/"))
    expect(report, "certificate_untrusted", key, WHOLE)
    assert codes_of(report) == {"certificate_untrusted"}


def test_certificate_signed_by_itself() -> None:
    rogue = make_root("xindai room-1", START, 365)
    sealed = resealed(rogue, rogue)
    assert {"certificate_untrusted", "certificate_wrong_use"} == codes_of(sealed.verify())


def test_certificate_issued_by_the_recorder_itself(evidence: Evidence) -> None:
    """A recorder's certificate is no authority."""
    recorder = evidence.recording.site.recorder
    sealed = resealed(issue(recorder, "xindai room-1", RECORDER_USAGE, START, 365), recorder)
    assert codes_of(sealed.verify()) == {"certificate_untrusted"}


def test_certificate_for_another_use() -> None:
    site = build().site
    sealed = resealed(issue(site.root, "xindai service", SERVICE_USAGE, START, 365))
    report = sealed.verify()
    key = next(key for key in sealed.objects if key.startswith("certs/"))
    expect(report, "certificate_wrong_use", key, WHOLE)
    assert codes_of(report) == {"certificate_wrong_use"}


@pytest.mark.parametrize(
    ("made", "days"),
    [(START - timedelta(days=30), 29), (START + timedelta(days=1), 30)],
    ids=["expired", "not yet valid"],
)
def test_certificate_outside_its_validity(made: datetime, days: int) -> None:
    site = build().site
    sealed = resealed(issue(site.root, "xindai room-1", RECORDER_USAGE, made, days))
    report = sealed.verify()
    key = next(key for key in sealed.objects if key.startswith("certs/"))
    expect(report, "certificate_not_valid", key, WHOLE)
    assert codes_of(report) == {"certificate_not_valid"}


def test_certificate_that_expires_during_the_session_is_placed_where_it_does() -> None:
    site = build().site
    ends = START + timedelta(seconds=8)
    sealed = resealed(issue(site.root, "xindai room-1", RECORDER_USAGE, ends - timedelta(days=1), 1))
    recording = sealed.recording
    late = [seq for seq, draft in enumerate(recording.drafts) if draft["time"] > "2026-11-23T01:30:08.000000Z"]
    found = find(sealed.verify(), "certificate_not_valid")
    assert found.seq == late[0]
    assert found.from_time == recording.span("subject", 2)[0]
    assert found.to_time == CLOSED
    assert f"{len(late)} records" in found.en


@pytest.mark.parametrize("position", [40, 300, 700])
def test_flipped_bit_in_certificate(evidence: Evidence, position: int) -> None:
    key = evidence.certificate_key
    evidence.flip(key, position, bit=0)
    report = evidence.verify()
    assert report.verdict is Verdict.NOT_OK
    assert codes_of(report) <= {"certificate_altered", "certificate_file_altered"}
    assert {found.object for found in report.findings if found.code in codes_of(report)} == {key}


def test_certificate_deleted(evidence: Evidence) -> None:
    del evidence.objects[evidence.certificate_key]
    report = evidence.verify()
    expect(report, "certificate_missing", evidence.certificate_key, WHOLE)
    assert codes_of(report) == {"certificate_missing"}


def test_certificate_replaced_with_anothers(evidence: Evidence) -> None:
    other = evidence.recording.site.recorder_of("xindai room-2")
    root = evidence.recording.site.root
    evidence.objects[evidence.certificate_key] = certificate_pem([other.certificate, root.certificate])
    report = evidence.verify()
    expect(report, "certificate_altered", evidence.certificate_key, WHOLE)
    assert codes_of(report) == {"certificate_altered"}


def test_issuer_removed_from_the_certificate_file(evidence: Evidence) -> None:
    recorder = evidence.recording.site.recorder
    evidence.objects[evidence.certificate_key] = certificate_pem([recorder.certificate])
    report = evidence.verify()
    expect(report, "certificate_issuer_missing", evidence.certificate_key)
    assert codes_of(report) == {"certificate_issuer_missing"}


def test_other_text_in_the_certificate_file(evidence: Evidence) -> None:
    evidence.objects[evidence.certificate_key] += b"# trusted by the ministry\n"
    expect(evidence.verify(), "certificate_file_altered", evidence.certificate_key)


def test_other_root_in_the_certificate_file(evidence: Evidence) -> None:
    recorder, other = evidence.recording.site.recorder, make_root("xindai", START, 3650)
    evidence.objects[evidence.certificate_key] = certificate_pem([recorder.certificate, other.certificate])
    expect(evidence.verify(), "certificate_file_altered", evidence.certificate_key)


OTHER_KEYS: dict[str, Callable[[], OtherKey]] = {
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("name_of_key", OTHER_KEYS)
def test_certificate_of_another_algorithm_cannot_be_judged(name_of_key: str) -> None:
    key = OTHER_KEYS[name_of_key]()
    recording = build()
    root = recording.site.root
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "xindai room-1")]))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START - timedelta(days=1))
        .not_valid_after(START + timedelta(days=100))
        .sign(root.key, hashes.SHA256())
    )
    name = sha256_hex(certificate.public_bytes(Encoding.DER))
    for draft in recording.drafts:
        draft["signer"] = name
    sealed = recording.seal()
    sealed.objects[layout.certificate_key(name)] = certificate_pem([certificate, root.certificate])
    report = sealed.verify()
    expect(report, "algorithm_unknown", layout.certificate_key(name), WHOLE)
    assert codes_of(report) == {"algorithm_unknown"}


def test_certificate_signed_with_a_weaker_hash_is_not_trusted() -> None:
    """P-256 with SHA-384 stands for any hash but the one of this format."""
    recording = build()
    root, key = recording.site.root, new_key()
    genuine = recording.site.recorder.certificate
    builder = x509.CertificateBuilder(
        issuer_name=genuine.issuer,
        subject_name=genuine.subject,
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=genuine.not_valid_before_utc,
        not_valid_after=genuine.not_valid_after_utc,
        extensions=list(genuine.extensions),
    )
    signer = Signer(key, builder.sign(root.key, hashes.SHA384()))
    assert codes_of(resealed(signer).verify()) == {"certificate_untrusted"}


def test_tail_signed_again_by_a_stranger(evidence: Evidence) -> None:
    """From the mark on, the chain is written anew with a certificate of the stranger's own."""
    root = make_root("xindai", START, 3650)
    stranger = issue(root, "xindai room-1", RECORDER_USAGE, START, 365)
    recording = evidence.recording
    seq = recording.seq("mark")
    recording.drafts[seq]["event"]["text"] = "当事人承认"
    forged = recording.seal(stranger, onto=evidence, from_seq=seq)
    forged.objects[layout.certificate_key(stranger.id)] = certificate_pem([stranger.certificate, root.certificate])
    report = forged.verify()
    found = expect(report, "certificate_untrusted", layout.certificate_key(stranger.id))
    assert found.seq == seq
    assert (found.from_time, found.to_time) == (recording.span("room", 1)[0], CLOSED)
    assert codes_of(report) == {"certificate_untrusted"}


def test_record_appended_by_a_stranger_who_names_the_recorder(evidence: Evidence) -> None:
    recording = evidence.recording
    close = recording.drafts.pop()
    for key in (layout.record_key(recording.session, len(recording.drafts)),):
        del evidence.objects[key], evidence.objects[key.replace(".json", ".sig")]
    recording.drafts.append(close | {"type": "event", "event": {"kind": "note", "text": "自愿"}})
    del recording.drafts[-1]["reason"], recording.drafts[-1]["records"], recording.drafts[-1]["tracks"]
    del recording.drafts[-1]["detail"]
    stranger = Signer(new_key(), recording.site.recorder.certificate)
    forged = recording.seal(stranger, onto=evidence, from_seq=len(recording.drafts) - 1)
    report = forged.verify()
    assert codes_of(report) == {"signature_wrong", "close_missing"}


def test_no_trust_anchors() -> None:
    sealed = build().seal()
    for anchors in (None, TrustAnchors("xindai", ())):
        report = verify_session(sealed.recording.session, sealed.source(), anchors)
        assert report.verdict is Verdict.CANNOT_JUDGE
        assert codes_of(report) == {"anchors_missing"}


def test_no_trust_anchors_and_a_contradiction_is_a_contradiction(evidence: Evidence) -> None:
    evidence.flip(evidence.media_key("room", 0), 5000)
    report = verify_session(evidence.recording.session, evidence.source(), None)
    assert report.verdict is Verdict.NOT_OK


def test_anchors_of_another_site(evidence: Evidence) -> None:
    """Somebody checks with the anchors of another site, whose root is the same."""
    anchors = TrustAnchors("dushan", (evidence.recording.site.root.certificate,))
    report = evidence.verify(anchors)
    expect(report, "site_differs", evidence.record_key("open"), (OPENED, OPENED))


def test_record_signed_for_but_stored_in_another_spelling(evidence: Evidence) -> None:
    """The same values written with spaces: other bytes, so another hash and no signature."""
    key = evidence.record_key("mark")
    evidence.objects[key] = evidence.objects[key].replace(b'":', b'": ')
    report = evidence.verify()
    assert codes_of(report) == {"signature_wrong", "record_prev_differs"}
    assert canonical_bytes({"a": 1}) == b'{"a":1}'
