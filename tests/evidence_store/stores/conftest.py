"""A store of each kind, ready to be written to, and ways to look at one behind its back."""

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_store.stores import ObjectStore, S3Credentials, open_store
from tests.parts.minio import Bucket, MinioServer

KEY = "sessions/a/records/00000000.json"
RETENTION_DAYS = 1


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def credentials_of(server: MinioServer) -> S3Credentials:
    return S3Credentials(server.access_key, server.secret_key)


def open_bucket(bucket: Bucket) -> ObjectStore:
    return open_store(bucket.url, name="town", credentials=credentials_of(bucket.server), retention_days=RETENTION_DAYS)


def open_folder(root: Path) -> ObjectStore:
    return open_store(root.as_uri(), name="town", retention_days=RETENTION_DAYS)


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """The test runs once on each kind of store."""
    if request.param == "file":
        opened = open_folder(tmp_path / "store")
        opened.prepare()
        return opened
    bucket: Bucket = request.getfixturevalue("minio_bucket")
    return open_bucket(bucket)


@pytest.fixture
def folder_store(tmp_path: Path) -> ObjectStore:
    opened = open_folder(tmp_path / "store")
    opened.prepare()
    return opened


@pytest.fixture
def bucket_store(minio_bucket: Bucket) -> ObjectStore:
    return open_bucket(minio_bucket)


class Files:
    """Local files to store, with the hash that a record would state."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: Iterator[int] = itertools.count()

    def make(self, data: bytes) -> tuple[Path, str]:
        path = self._folder / f"local-{next(self._names)}"
        path.write_bytes(data)
        return path, sha256_of(data)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)
