"""Servers that break their promise, each in one way: the probe has to name it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from minio import Minio
from minio.commonconfig import GOVERNANCE
from minio.retention import Retention

from evidence_store.errors import StoreError
from evidence_store.stores import ObjectStore
from evidence_store.stores.s3 import S3Address, S3Store
from evidence_store.stores.s3_probe import PROBES, prove_lock
from tests.evidence_store.stores.conftest import KEY, credentials_of
from tests.parts.minio import Bucket
from tests.parts.process import LOOPBACK


class WithoutLock(Minio):
    """A server that takes lock headers and ignores them."""

    def put_object(self, *arguments: Any, **more: Any) -> Any:
        return super().put_object(*arguments, **{**more, "retention": None})


class WithGovernance(Minio):
    """A server whose locks give way to whoever has the right to bypass them."""

    def put_object(self, *arguments: Any, **more: Any) -> Any:
        lock = more["retention"]
        weaker = Retention(GOVERNANCE, lock.retain_until_date) if lock else None
        return super().put_object(*arguments, **{**more, "retention": weaker})


class WithShorterLock(Minio):
    def set_object_retention(self, *_: Any) -> None:
        """Says that it is done."""


class WithoutChecksums(Minio):
    """A server that believes whatever hash it is given."""

    def put_object(self, *arguments: Any, **more: Any) -> Any:
        return super().put_object(*arguments, **{**more, "metadata": None})


class WithoutVersions(Minio):
    def put_object(self, *arguments: Any, **more: Any) -> Any:
        put = super().put_object(*arguments, **more)
        object.__setattr__(put, "version_id", None)
        return put


class WithOtherBytes(Minio):
    def get_object(self, *arguments: Any, **more: Any) -> Any:
        return super().get_object(*arguments, **{**more, "offset": 1, "length": 5})


class WithPlainDelete(Minio):
    """A server on which a plain delete takes the locked version away, though deleting it by its id is refused."""

    deleted = False

    def remove_object(self, bucket_name: str, object_name: str, version_id: str | None = None) -> None:
        super().remove_object(bucket_name, object_name, version_id)
        self.deleted = self.deleted or version_id is None

    def stat_object(self, *arguments: Any, **more: Any) -> Any:
        bucket_name, object_name = arguments
        return super().stat_object(bucket_name, "gone" if self.deleted else object_name, **more)


class WithSilentLock(Minio):
    def stat_object(self, *arguments: Any, **more: Any) -> Any:
        found = super().stat_object(*arguments, **more)
        object.__setattr__(found, "metadata", {})
        return found


class TestProbe:
    @pytest.mark.parametrize(
        ("server", "told"),
        [
            (WithoutLock, "a locked version could be deleted. Do not record to it"),
            (WithGovernance, "a locked version could be deleted by bypassing the lock"),
            (WithShorterLock, "a locked version could be locked for less time"),
            (WithoutChecksums, "stores an object under a checksum that is not its own"),
            (WithoutVersions, "keeps no versions of an object"),
            (WithOtherBytes, "a locked version does not hold what was written"),
            (WithPlainDelete, "a locked version is gone after a plain delete"),
            (WithSilentLock, "does not say of a locked version that it is locked"),
        ],
    )
    def test_a_broken_promise_is_named(self, minio_bucket: Bucket, server: type[Minio], told: str) -> None:
        there = minio_bucket.server
        client = server(there.address, there.access_key, there.secret_key, secure=False)
        with pytest.raises(StoreError, match=told) as raised:
            prove_lock(client, minio_bucket.name, datetime.now(UTC), timedelta(seconds=60), where="store town")
        assert str(raised.value).startswith("store town: ")

    def test_probes_do_not_pile_up(self, minio_bucket: Bucket) -> None:
        address = S3Address(LOOPBACK, minio_bucket.server.port, minio_bucket.name, secure=False)
        credentials = credentials_of(minio_bucket.server)
        store = S3Store(address, "town", credentials, 1, probe_retention_s=1)
        store.prove()
        (first,) = probes(minio_bucket)
        store.prove()
        assert len(probes(minio_bucket)) == 2, "the lock of the first still holds"
        deadline_s = time.monotonic() + 20
        while first in probes(minio_bucket) and time.monotonic() < deadline_s:
            time.sleep(0.2)  # the lock ends by the server's clock
            store.prove()
        assert first not in probes(minio_bucket)

    def test_evidence_is_not_touched(self, bucket_store: ObjectStore) -> None:
        bucket_store.put_bytes(KEY, b"evidence")
        before = bucket_store.versions(KEY)
        bucket_store.prove()
        assert bucket_store.versions(KEY) == before


def probes(bucket: Bucket) -> set[str]:
    listed = bucket.client.list_objects(bucket.name, prefix=PROBES, recursive=True, include_version=True)
    return {found.object_name or "" for found in listed}
