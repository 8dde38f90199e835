"""Signatures and certificates: ECDSA P-256 with SHA-256, DER, and X.509 (FIPS 186-5, RFC 5280). Pure: no I/O.

One algorithm, so nobody can ask for a weaker one. A signature is over the exact bytes of a record; what keeps it from
being mistaken for a signature of another protocol is that the signed bytes start with the record's own `format`.

Of the two values of `s` that satisfy ECDSA only the lower is written and accepted: otherwise anybody could turn a
signature into a second valid one without the key, and a changed object would not be noticed.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509.oid import NameOID

from evidence_store import layout
from evidence_store.errors import SignatureError

# Extended key usages of this project, under the UUID arc of ITU-T X.667 (2.25.<uuid as integer>): no registry needed.
_ARC = "2.25.220116404117938266041653064311907425201"
RECORDER_USAGE = x509.ObjectIdentifier(f"{_ARC}.1")
SERVICE_USAGE = x509.ObjectIdentifier(f"{_ARC}.2")
_ALGORITHM = ec.ECDSA(hashes.SHA256())
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (FIPS 186-5, SP 800-186)
# What the library raises for a certificate whose DER is well formed and whose content is not.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and the certificate that speaks for it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def id(self) -> str:
        """SHA-256 of the certificate's DER: what a record names as its `signer`."""
        return certificate_id(self.certificate)

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(data, _ALGORITHM))
        return encode_dss_signature(r, min(s, _ORDER - s))


def certificate_id(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def verify_signature(certificate: x509.Certificate, signature: bytes, data: bytes) -> bool:
    """Whether `signature` is the certificate's over `data`; False as well for any other kind of key."""
    key = public_key(certificate)
    if key is None:
        return False
    try:
        key.verify(signature, data, _ALGORITHM)
        return decode_dss_signature(signature)[1] <= _ORDER // 2
    except (InvalidSignature, ValueError):
        return False


def public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    """The certificate's key if it is ECDSA P-256; None for any other kind, which this format does not know."""
    try:
        key = certificate.public_key()
    except _UNREADABLE:
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) else None


def load_signer(key_pem: bytes, certificate_pem: bytes, *, where: str) -> Signer:
    """The signer in two PEM texts; raises SignatureError when they are unreadable or do not belong together."""
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
        certificate = x509.load_pem_x509_certificate(certificate_pem)
    except _UNREADABLE:
        raise SignatureError("not a readable PEM key with its certificate", where=where) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SignatureError("the key is not ECDSA P-256", where=where)
    if key.public_key() != certificate.public_key():
        raise SignatureError(
            "key and certificate do not belong together", where=where, do="Put back the pair that was made together."
        )
    return Signer(key, certificate)


def parse_certificates(pem: bytes, *, where: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except _UNREADABLE:
        raise SignatureError("not a PEM certificate", where=where) from None


def certificate_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def certificate_objects(chain: Sequence[x509.Certificate]) -> dict[str, bytes]:
    """What a store holds of a chain, by key: each certificate followed by those that issued it."""
    return {
        layout.certificate_key(certificate_id(certificate)): certificate_pem(chain[place:])
        for place, certificate in enumerate(chain)
    }


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def make_root(name: str, now: datetime, days: int) -> Signer:
    """A self-signed root for one site."""
    key = new_key()
    certificate = (
        _builder(name, name, key.public_key(), now, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Signer(key, certificate)


def issue(root: Signer, name: str, usage: x509.ObjectIdentifier, now: datetime, days: int) -> Signer:
    """A key with a certificate from `root`, good for `usage` alone."""
    key = new_key()
    issuer = root.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    certificate = (
        _builder(name, str(issuer), key.public_key(), now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.certificate.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
        .sign(root.key, hashes.SHA256())
    )
    return Signer(key, certificate)


@lru_cache(maxsize=256)
def issued_by(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    """Whether `root` is an authority and signed `certificate` directly (RFC 5280, 6.1, path of length one)."""
    try:
        constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
        certificate.verify_directly_issued_by(root)
        hashed = certificate.signature_hash_algorithm
    except (*_UNREADABLE, InvalidSignature):
        return False
    strong = public_key(root) is not None and isinstance(hashed, hashes.SHA256)
    return strong and constraints.ca and usage.key_cert_sign


@lru_cache(maxsize=256)
def may_be_used_for(certificate: x509.Certificate, usage: x509.ObjectIdentifier) -> bool:
    """Whether the certificate signs data and is meant for exactly this kind of signature."""
    try:
        key_usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except _UNREADABLE:
        return False
    return key_usage.digital_signature and list(extended) == [usage]


def valid_at(certificate: x509.Certificate, time: datetime) -> bool:
    return certificate.not_valid_before_utc <= time.astimezone(UTC) <= certificate.not_valid_after_utc


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    # Back-dated by an hour, so that a recorder whose clock is a little behind can sign at once.
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
