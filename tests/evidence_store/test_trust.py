"""Trust anchors: what is written reads as the same; what is not a trust file is refused with what to do."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.errors import EvidenceError, FormatError, SignatureError
from evidence_store.strict_json import canonical_bytes
from evidence_store.trust import TrustAnchors, parse_trust, trust_bytes
from tests.evidence_store.chains import make_site

ANCHORS = make_site().anchors


def test_anchors_read_as_they_were_written() -> None:
    both = TrustAnchors("xindai", (*ANCHORS.roots, *make_site("dushan").anchors.roots))
    assert parse_trust(trust_bytes(both), where="trust.json") == both


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"format": "shilu-trust/2", "site": "xindai", "roots": []},
        {"format": "shilu-trust/1", "site": "xindai"},
        {"format": "shilu-trust/1", "site": "xindai", "roots": "x"},
        {"format": "shilu-trust/1", "site": "xindai", "roots": [1]},
        {"format": "shilu-trust/1", "site": 1, "roots": []},
        {"format": "shilu-trust/1", "site": "xindai", "roots": [], "witness": ""},
    ],
)
def test_what_is_no_trust_file_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(FormatError, match="shilu init"):
        parse_trust(canonical_bytes(values), where="trust.json")


@pytest.mark.parametrize("pem", ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_roots_that_are_no_certificates_are_refused(pem: str) -> None:
    data = canonical_bytes({"format": "shilu-trust/1", "site": "xindai", "roots": [pem]})
    with pytest.raises(SignatureError, match="not a PEM certificate"):
        parse_trust(data, where="trust.json")


@given(st.integers(0, 1 << 16), st.integers(1, 255))
def test_changed_files_are_read_or_refused(position: int, mask: int) -> None:
    data = bytearray(trust_bytes(ANCHORS))
    data[position % len(data)] ^= mask
    with suppress(EvidenceError):
        assert isinstance(parse_trust(bytes(data), where="trust.json"), TrustAnchors)
