"""From urls to stores: what is taken, what is refused, and that no refusal repeats a secret."""

import subprocess
import sys
from pathlib import Path

import pytest

from evidence_store.errors import EvidenceError, FormatError, StoreError
from evidence_store.stores import ObjectStore, S3Credentials, open_store

KEYS = S3Credentials("AKEY", "the-secret-value")


def opened(url: str, *, credentials: S3Credentials | None = KEYS, retention_days: int = 30) -> ObjectStore:
    return open_store(url, name="town", credentials=credentials, retention_days=retention_days)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("file:///srv/evidence", "file:///srv/evidence"),
        ("file:///srv/evidence/", "file:///srv/evidence"),
        ("file:///srv/a%20b", "file:///srv/a%20b"),
        ("file:///srv/%E5%AE%9E%E5%BD%95", "file:///srv/%E5%AE%9E%E5%BD%95"),
        ("s3+http://127.0.0.1:9000/shilu", "s3+http://127.0.0.1:9000/shilu"),
        ("s3+https://store.town.example/shilu-evidence", "s3+https://store.town.example:443/shilu-evidence"),
        ("s3+https://store:9443/shilu.2026", "s3+https://store:9443/shilu.2026"),
        ("s3+http://[::1]:9000/shilu", "s3+http://[::1]:9000/shilu"),
    ],
)
def test_a_store_shows_where_it_is(url: str, shown: str) -> None:
    store = opened(url)
    assert (store.name, store.url) == ("town", shown)
    assert "the-secret-value" not in repr(store)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "no kind that is known"),
        ("/srv/evidence", "no kind that is known"),
        ("http://127.0.0.1:9000/shilu", "no kind that is known"),
        ("s3://shilu", "no kind that is known"),
        ("file://srv/evidence", "three slashes"),
        ("file:srv/evidence", "absolute path"),
        ("file:////srv", "absolute path"),
        ("file:///srv/../etc", "absolute path"),
        ("file:///srv/%2e%2e/etc", "absolute path"),
        ("file:///srv/a%00b", "absolute path"),
        ("file:///", "root of the file system"),
        ("file:///srv/evidence?x=1", "after the path"),
        ("file:///srv/evidence#x", "after the path"),
        ("s3+http://127.0.0.1/shilu", "names no port"),
        ("s3+http://127.0.0.1:port/shilu", "not a url"),
        ("s3+http://127.0.0.1:99999/shilu", "not a url"),
        ("s3+http://[::1:9000/shilu", "not a url"),
        ("s3+http://:9000/shilu", "names no host"),
        ("s3+http://a b:9000/shilu", "names no host"),
        ("s3+http://127.0.0.1:9000", "name of a bucket"),
        ("s3+http://127.0.0.1:9000/", "name of a bucket"),
        ("s3+http://127.0.0.1:9000/ab", "name of a bucket"),
        ("s3+http://127.0.0.1:9000/Shilu", "name of a bucket"),
        ("s3+http://127.0.0.1:9000/shilu/evidence", "name of a bucket"),
        ("s3+http://127.0.0.1:9000/192.168.0.1", "name of a bucket"),
        ("s3+http://127.0.0.1:9000/shi..lu", "name of a bucket"),
        ("s3+http://127.0.0.1:9000/shilu\n", "unprintable character"),
        ("s3+http://127.0.0.1:9000/shilu?versionId=1", "after the path"),
    ],
)
def test_a_wrong_url_is_told_in_one_line(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told) as raised:
        opened(url)
    assert "town" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3+http://AKEY:the-secret-value@127.0.0.1:9000/shilu",
        "s3+http://the-secret-value@127.0.0.1:9000/shilu",
        "s3+http://AKEY:the-secret-value@127.0.0.1:port/shilu",
        "s3+http://127.0.0.1:9000/shilu?secret=the-secret-value",
        "s3+http://127.0.0.1:9000/shilu#the-secret-value",
        "s3+http://127.0.0.1:the-secret-value/shilu",
        "AKEY:the-secret-value@127.0.0.1:9000/shilu",
        "file://AKEY:the-secret-value@host/shilu",
        "s3+http://[the-secret-value]:9000/shilu",
    ],
)
def test_a_secret_in_a_url_is_refused_and_never_repeated(url: str) -> None:
    with pytest.raises(EvidenceError) as raised:
        opened(url)
    chain: BaseException | None = raised.value
    while chain is not None:
        assert "the-secret-value" not in f"{chain!s} {chain!r}"
        chain = chain.__cause__


def test_a_bucket_needs_keys() -> None:
    with pytest.raises(StoreError, match="store town: no access key is given"):
        opened("s3+http://127.0.0.1:9000/shilu", credentials=None)


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_objects_are_locked_for_at_least_a_day(days: int) -> None:
    with pytest.raises(StoreError, match=f"locked for {days} days"):
        opened("s3+http://127.0.0.1:9000/shilu", retention_days=days)


def test_a_store_has_an_id() -> None:
    with pytest.raises(FormatError, match="is not an id"):
        open_store("file:///srv/evidence", name="Town Store", retention_days=1)


@pytest.mark.parametrize("value", ["", " ", "with space", "line\n", "\tx", "密钥", "a\x7f"])
@pytest.mark.parametrize("which", ["access", "secret"])
def test_keys_that_no_header_can_carry_are_refused_unseen(which: str, value: str) -> None:
    keys = {"access_key": "AKEY", "secret_key": "s", f"{which}_key": value}
    with pytest.raises(StoreError, match=f"the {which} key is empty or holds") as raised:
        S3Credentials(**keys)
    assert "with space" not in str(raised.value)


def test_the_secret_key_is_not_shown() -> None:
    assert "the-secret-value" not in f"{KEYS} {KEYS!r}"


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_file_of_authorities_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=r"certificates in .*ca\.pem cannot be used"):
        open_store("s3+https://store/shilu", name="town", credentials=KEYS, retention_days=1, ca_file=path)


def test_a_folder_is_opened_without_the_s3_client(tmp_path: Path) -> None:
    """A recorder with a file:// store starts without half a second of imports."""
    code = (
        "import sys; from evidence_store.stores import open_store;"
        f"open_store({tmp_path.as_uri()!r}, name='town', retention_days=1);"
        "sys.exit('minio' in sys.modules or 'urllib3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
