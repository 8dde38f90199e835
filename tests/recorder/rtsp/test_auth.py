"""The proof of a password, with the examples of the RFCs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.address import Credentials
from recorder.rtsp.auth import Authenticator, parse_challenges
from recorder.rtsp.errors import RtspError

MUFASA = Credentials("Mufasa", "Circle of Life")


def proof(
    challenge: str, credentials: Credentials = MUFASA, own: str = "0a4f113b", url: str = "/dir/index.html"
) -> str:
    auth = Authenticator(credentials, lambda: own)
    auth.challenged([challenge])
    return auth.header("GET", url) or ""


def test_digest_without_qop() -> None:
    """The example of RFC 2069 section 2.4 in its corrected form, and what RTSP cameras do."""
    header = proof(
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9"',
        Credentials("Mufasa", "CircleOfLife"),
    )
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in header
    assert 'opaque="5ccc069c403ebaf9"' in header
    assert "nc=" not in header


def test_digest_with_qop() -> None:
    """The example of RFC 2617 section 3.5."""
    header = proof(
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
        Credentials("Mufasa", "Circle Of Life"),
    )
    assert 'response="6629fae49393a05397450978507c4ef1"' in header
    assert "qop=auth, nc=00000001" in header
    assert 'cnonce="0a4f113b"' in header


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    header = proof(
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
        own="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert f'response="{response}"' in header
    assert f"algorithm={algorithm}" in header


def test_session_variants_hash_the_nonces_into_the_secret() -> None:
    plain = proof('Digest realm="r", nonce="n", algorithm=MD5')
    session = proof('Digest realm="r", nonce="n", algorithm=MD5-sess')
    assert plain.partition("response=")[2][:34] != session.partition("response=")[2][:34]
    assert "cnonce=" in session


def test_basic() -> None:
    assert proof('Basic realm="camera"', Credentials("Aladdin", "open sesame")) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_names_and_passwords_with_quotes_and_chinese() -> None:
    header = proof('Digest realm="say \\"hi\\"", nonce="n"', Credentials('a"b\\c', "密码"))
    assert 'username="a\\"b\\\\c"' in header
    assert 'realm="say \\"hi\\""' in header


def test_the_strongest_way_is_taken() -> None:
    auth = Authenticator(MUFASA, lambda: "c")
    auth.challenged(
        [
            'Basic realm="a", Digest realm="a", nonce="n1", algorithm=MD5',
            'Digest realm="a", nonce="n2", algorithm=SHA-256',
            'Digest realm="a", nonce="n3", algorithm=SHA-512-256',
        ]
    )
    assert 'nonce="n2"' in (auth.header("GET", "u") or "")


def test_nothing_is_proved_unasked() -> None:
    assert Authenticator(MUFASA, lambda: "c").header("GET", "u") is None


def test_a_camera_that_asks_without_a_password_set_is_told_apart() -> None:
    with pytest.raises(RtspError, match="asks for a user name") as caught:
        Authenticator(None, lambda: "c").challenged(['Basic realm="a"'])
    assert "password_file" in str(caught.value)


@pytest.mark.parametrize("challenge", ["Negotiate", 'Digest realm="r", nonce="n", qop="auth-int"', "Digest", ""])
def test_unknown_ways_are_told_apart(challenge: str) -> None:
    with pytest.raises(RtspError, match="unknown way"):
        Authenticator(MUFASA, lambda: "c").challenged([challenge])


def test_a_refused_password_is_not_tried_again() -> None:
    """Not even with a new nonce, or in another way: the account would be locked."""
    for again in ('Digest realm="r", nonce="n"', 'Digest realm="r", nonce="m"', 'Basic realm="r"'):
        auth = Authenticator(MUFASA, lambda: "c")
        auth.challenged(['Digest realm="r", nonce="n"'])
        with pytest.raises(RtspError, match="refused user name or password"):
            auth.challenged([again])


def test_a_stale_nonce_is_replaced() -> None:
    auth = Authenticator(MUFASA, lambda: "c")
    auth.challenged(['Digest realm="r", nonce="n", qop="auth"'])
    auth.challenged(['Digest realm="r", nonce="m", qop="auth", stale=TRUE'])
    assert 'nonce="m"' in (auth.header("GET", "u") or "")


def test_a_nonce_that_was_good_and_is_replaced_without_a_word() -> None:
    auth = Authenticator(MUFASA, lambda: "c")
    auth.challenged(['Digest realm="r", nonce="n"'])
    auth.accepted()
    auth.challenged(['Digest realm="r", nonce="m"'])
    assert 'nonce="m"' in (auth.header("GET", "u") or "")


def test_requests_are_counted() -> None:
    auth = Authenticator(MUFASA, lambda: "c")
    auth.challenged(['Digest realm="r", nonce="n", qop="auth"'])
    assert [(auth.header("GET", "u") or "").partition("nc=")[2][:8] for _ in range(2)] == ["00000001", "00000002"]


def test_several_challenges_in_one_header() -> None:
    first, second = parse_challenges(['Digest realm="a, Basic b", nonce = "x" , stale=true, Basic realm=c'])
    assert (first.scheme, first.parameters["realm"], first.nonce, first.stale) == ("digest", "a, Basic b", "x", True)
    assert (second.scheme, second.parameters) == ("basic", {"realm": "c"})


@given(st.lists(st.text(max_size=60), max_size=3), st.text(max_size=20), st.text(max_size=20))
def test_no_challenge_does_more_harm_than_an_error(challenges: list[str], user: str, password: str) -> None:
    auth = Authenticator(Credentials(user, password), lambda: "c")
    try:
        auth.challenged(challenges)
    except RtspError:
        return
    assert auth.header("OPTIONS", "rtsp://192.0.2.1/")


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_realm_and_nonce_can_be_answered(realm: str, nonce: str) -> None:
    auth = Authenticator(MUFASA, lambda: "c")
    quoted = [value.replace("\\", "").replace('"', "") for value in (realm, nonce)]
    try:
        auth.challenged([f'Digest realm="{quoted[0]}", nonce="{quoted[1]}"'])
    except RtspError:
        assert not quoted[1]
        return
    assert f'nonce="{quoted[1]}"' in (auth.header("OPTIONS", "u") or "")
