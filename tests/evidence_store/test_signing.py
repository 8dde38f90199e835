"""Keys, signatures and certificates. What an attacker does with them is in `tests/attacks/test_signatures.py`."""

import base64
import random
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_store.errors import SignatureError
from evidence_store.signing import (
    RECORDER_USAGE,
    SERVICE_USAGE,
    Signer,
    certificate_id,
    certificate_pem,
    issue,
    issued_by,
    load_signer,
    make_root,
    may_be_used_for,
    new_key,
    parse_certificates,
    private_key_pem,
    public_key,
    valid_at,
    verify_signature,
)
from tests.evidence_store.chains import START, make_site

SITE = make_site()
RECORDER = SITE.recorder
DER = RECORDER.certificate.public_bytes(serialization.Encoding.DER)


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_what_is_signed_verifies_and_has_the_lower_s(data: bytes) -> None:
    signature = RECORDER.sign(data)
    assert verify_signature(RECORDER.certificate, signature, data)
    assert not verify_signature(RECORDER.certificate, signature, data + b"x")
    assert decode_dss_signature(signature)[1] <= 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2


def test_other_programs_verify_what_is_signed() -> None:
    key = RECORDER.key.public_key()
    key.verify(RECORDER.sign(b"data"), b"data", ec.ECDSA(hashes.SHA256()))


@given(st.binary(max_size=100))
def test_any_bytes_are_no_signature(signature: bytes) -> None:
    assert not verify_signature(RECORDER.certificate, signature, b"data")


@given(st.integers(0, 71), st.integers(1, 255))
def test_a_changed_signature_is_none(position: int, mask: int) -> None:
    signature = bytearray(RECORDER.sign(b"data"))
    signature[position % len(signature)] ^= mask
    assert not verify_signature(RECORDER.certificate, bytes(signature), b"data")


def test_signature_in_ber_is_refused() -> None:
    """The same numbers with a length in the long form: readable to some, and other bytes."""
    signature = RECORDER.sign(b"data")
    assert not verify_signature(RECORDER.certificate, b"\x30\x81" + signature[1:], b"data")


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@settings(max_examples=1000)
@given(seed=st.integers(0, 1 << 32), changes=st.integers(1, 6))
def test_changed_certificates_are_judged_or_refused(seed: int, changes: int) -> None:
    chosen = random.Random(seed)
    der = bytearray(DER)
    for _ in range(changes):
        der[chosen.randrange(len(der))] = chosen.randrange(256)
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(bytes(der)) + b"-----END CERTIFICATE-----\n"
    try:
        (certificate,) = parse_certificates(pem, where="x")
    except SignatureError:
        return
    same = certificate_id(certificate) == RECORDER.id
    assert issued_by(certificate, SITE.root.certificate) is same
    assert not issued_by(RECORDER.certificate, certificate)
    may_be_used_for(certificate, RECORDER_USAGE)
    verify_signature(certificate, b"", b"")


@given(st.binary(max_size=300))
def test_any_bytes_are_no_certificates(data: bytes) -> None:
    with pytest.raises(SignatureError):
        parse_certificates(data, where="x")


def test_certificates_read_as_they_were_written() -> None:
    both = [RECORDER.certificate, SITE.root.certificate]
    assert parse_certificates(certificate_pem(both), where="x") == both


def test_certificate_is_good_for_its_own_use_alone() -> None:
    assert may_be_used_for(RECORDER.certificate, RECORDER_USAGE)
    assert not may_be_used_for(RECORDER.certificate, SERVICE_USAGE)
    assert not may_be_used_for(SITE.root.certificate, RECORDER_USAGE)


def test_only_a_root_issues() -> None:
    assert issued_by(RECORDER.certificate, SITE.root.certificate)
    assert not issued_by(RECORDER.certificate, RECORDER.certificate)
    assert not issued_by(RECORDER.certificate, make_site("dushan").root.certificate)
    under_recorder = issue(RECORDER, "x", RECORDER_USAGE, START, 1)
    assert not issued_by(under_recorder.certificate, RECORDER.certificate)


def test_root_of_the_same_name_did_not_issue() -> None:
    name = make_root("xindai", START, 100)
    assert name.certificate.subject == SITE.root.certificate.subject
    assert not issued_by(RECORDER.certificate, name.certificate)


def test_validity_has_both_ends() -> None:
    certificate = issue(SITE.root, "x", RECORDER_USAGE, START, 1).certificate
    assert valid_at(certificate, START - timedelta(hours=1))
    assert not valid_at(certificate, START - timedelta(hours=1, seconds=1))
    assert valid_at(certificate, START + timedelta(days=1))
    assert not valid_at(certificate, START + timedelta(days=1, seconds=1))


def test_key_of_another_kind_is_none() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    name = SITE.root.certificate.subject
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, START, START + timedelta(days=1)).sign(
        key, None
    )
    assert public_key(certificate) is None
    assert public_key(RECORDER.certificate) is not None
    assert not verify_signature(certificate, key.sign(b"data"), b"data")


class TestLoadSigner:
    def test_a_pair_is_loaded(self) -> None:
        loaded = load_signer(private_key_pem(RECORDER.key), certificate_pem([RECORDER.certificate]), where="key.pem")
        assert loaded.id == RECORDER.id
        assert verify_signature(RECORDER.certificate, loaded.sign(b"data"), b"data")

    def test_a_key_of_another_certificate_is_refused(self) -> None:
        with pytest.raises(SignatureError, match="do not belong together"):
            load_signer(private_key_pem(new_key()), certificate_pem([RECORDER.certificate]), where="key.pem")

    def test_a_key_of_another_kind_is_refused(self) -> None:
        key = ec.generate_private_key(ec.SECP384R1())
        with pytest.raises(SignatureError, match="not ECDSA P-256"):
            load_signer(private_key_pem(key), certificate_pem([RECORDER.certificate]), where="key.pem")

    @pytest.mark.parametrize("pem", [b"", b"x", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
    def test_what_is_no_key_is_refused(self, pem: bytes) -> None:
        with pytest.raises(SignatureError, match="not a readable PEM key"):
            load_signer(pem, certificate_pem([RECORDER.certificate]), where="key.pem")

    def test_what_is_no_certificate_is_refused(self) -> None:
        with pytest.raises(SignatureError, match="not a readable PEM key"):
            load_signer(private_key_pem(RECORDER.key), b"", where="key.pem")

    def test_the_key_is_not_shown(self) -> None:
        assert "PRIVATE" not in repr(Signer(RECORDER.key, RECORDER.certificate))
