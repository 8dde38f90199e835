"""Trust anchors: what a verifier must be given by another road than the evidence (`trust.json`). Pure."""

from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from pydantic import BaseModel, ConfigDict, ValidationError

from evidence_store.errors import FormatError
from evidence_store.signing import certificate_pem, parse_certificates
from evidence_store.strict_json import canonical_bytes, parse_object

FORMAT = "shilu-trust/1"


class _TrustFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal["shilu-trust/1"]
    site: str
    roots: list[str]


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    site: str
    roots: tuple[x509.Certificate, ...]


def parse_trust(data: bytes, *, where: str) -> TrustAnchors:
    """The anchors in the text of a `trust.json`; raises FormatError or SignatureError."""
    try:
        file = _TrustFile.model_validate(parse_object(data, where=where))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise FormatError(
            f"{field}: {first['msg']}", where=where, do="Give the trust.json that `shilu init` wrote."
        ) from None
    roots = tuple(root for pem in file.roots for root in parse_certificates(pem.encode(), where=where))
    return TrustAnchors(file.site, roots)


def trust_bytes(anchors: TrustAnchors) -> bytes:
    return canonical_bytes(
        {
            "format": FORMAT,
            "site": anchors.site,
            "roots": [certificate_pem([root]).decode("ascii") for root in anchors.roots],
        }
    )
