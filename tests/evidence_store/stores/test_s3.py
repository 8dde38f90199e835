"""What is a bucket's own: the lock, and what somebody else may do to the keys."""

import base64
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from minio.error import S3Error
from minio.versioningconfig import VersioningConfig

from evidence_store.errors import ObjectConflictError, ObjectMissingError, StoreError
from evidence_store.stores import Confirmation, ObjectStore
from evidence_store.stores.s3 import S3Address, S3Store
from tests.evidence_store.stores.conftest import KEY, credentials_of, open_bucket, sha256_of
from tests.evidence_store.stores.servers import LOCATION, XML, http_server, impatient, send
from tests.parts.minio import Bucket, MinioServer
from tests.parts.process import LOOPBACK


def overwrite(bucket: Bucket, key: str, data: bytes, **metadata: str) -> None:
    bucket.client.put_object(bucket.name, key, io.BytesIO(data), len(data), metadata=dict(metadata))


def checksum_of(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


class TestLock:
    def test_an_object_is_locked_until_its_day(self, bucket_store: ObjectStore, minio_bucket: Bucket) -> None:
        bucket_store.put_bytes(KEY, b"evidence")
        (version,) = bucket_store.versions(KEY)
        assert version.retain_until is not None
        assert abs(version.retain_until - datetime.now(UTC) - timedelta(days=1)) < timedelta(minutes=1)
        with pytest.raises(S3Error, match="WORM protected"):
            minio_bucket.client.remove_object(minio_bucket.name, KEY, version.version_id)

    def test_a_bucket_is_made_with_lock(self, minio: MinioServer) -> None:
        store = S3Store(
            S3Address(LOOPBACK, minio.port, "made-by-prepare", secure=False), "town", credentials_of(minio), 1
        )
        with pytest.raises(StoreError, match=r"no such bucket \(NoSuchBucket\). Check the url; or, .* prepare it"):
            store.prove()
        with pytest.raises(StoreError, match="NoSuchBucket"):
            store.put_bytes(KEY, b"x")
        store.prepare()
        store.prove()
        assert minio.client.get_object_lock_config("made-by-prepare") is not None
        assert minio.client.get_bucket_versioning("made-by-prepare").status == "Enabled"

    @pytest.mark.parametrize("versioned", [False, True])
    def test_a_bucket_without_lock_is_refused(self, minio: MinioServer, versioned: bool) -> None:
        bucket = minio.make_bucket(object_lock=False)
        if versioned:
            minio.client.set_bucket_versioning(bucket.name, VersioningConfig("Enabled"))
        store = open_bucket(bucket)
        for use in [store.prove, store.prepare]:
            with pytest.raises(StoreError, match=f"store town: bucket {bucket.name} has no object lock") as raised:
                use()
            assert "Name a new bucket in the url and prepare it" in str(raised.value)
        with pytest.raises(StoreError, match="missing ObjectLockConfiguration"):
            store.put_bytes(KEY, b"evidence")
        assert list(store.list()) == []

    def test_a_clock_that_is_years_behind_cannot_lock(self, minio_bucket: Bucket) -> None:
        address = S3Address(LOOPBACK, minio_bucket.server.port, minio_bucket.name, secure=False)
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        store = S3Store(address, "town", credentials_of(minio_bucket.server), 1, now=lambda: long_ago)
        with pytest.raises(StoreError, match="retain until date must be in the future"):
            store.put_bytes(KEY, b"evidence")
        assert store.versions(KEY) == ()


class TestTampering:
    def test_overwritten_behind_our_back(self, bucket_store: ObjectStore, minio_bucket: Bucket) -> None:
        first = bucket_store.put_bytes(KEY, b"evidence")
        data = b"something else"
        overwrite(minio_bucket, KEY, data, **{"x-amz-checksum-sha256": checksum_of(data)})
        newest, locked = bucket_store.versions(KEY)
        assert (newest.bytes, newest.retain_until) == (len(data), None)
        assert (locked.bytes, locked.retain_until is None) == (first.bytes, False)
        assert newest.written is not None
        assert locked.written is not None
        assert newest.written >= locked.written
        assert bucket_store.confirm(KEY) == Confirmation(KEY, len(data), sha256_of(data))
        with pytest.raises(ObjectConflictError):
            bucket_store.put_bytes(KEY, b"evidence")
        assert len(bucket_store.versions(KEY)) == 2

    def test_hidden_behind_a_delete_marker(self, bucket_store: ObjectStore, minio_bucket: Bucket) -> None:
        bucket_store.put_bytes(KEY, b"evidence")
        minio_bucket.client.remove_object(minio_bucket.name, KEY)
        assert bucket_store.confirm(KEY) is None
        assert list(bucket_store.list()) == []
        with pytest.raises(ObjectMissingError):
            bucket_store.read(KEY)
        marker, locked = bucket_store.versions(KEY)
        assert (marker.is_delete_marker, marker.retain_until) == (True, None)
        assert (locked.is_delete_marker, locked.bytes) == (False, 8)

    def test_other_bytes_do_not_take_a_hidden_objects_place(
        self, bucket_store: ObjectStore, minio_bucket: Bucket
    ) -> None:
        bucket_store.put_bytes(KEY, b"evidence")
        minio_bucket.client.remove_object(minio_bucket.name, KEY)
        with pytest.raises(ObjectConflictError):
            bucket_store.put_bytes(KEY, b"something else")
        assert len(bucket_store.versions(KEY)) == 2

    def test_a_hidden_object_is_shown_again_by_its_writer(
        self, bucket_store: ObjectStore, minio_bucket: Bucket
    ) -> None:
        first = bucket_store.put_bytes(KEY, b"evidence")
        minio_bucket.client.remove_object(minio_bucket.name, KEY)
        assert bucket_store.put_bytes(KEY, b"evidence") == first
        assert bucket_store.read(KEY) == b"evidence"
        assert [version.is_delete_marker for version in bucket_store.versions(KEY)] == [False, True, False]

    def test_altered_keys_are_found_in_one_listing(self, bucket_store: ObjectStore, minio_bucket: Bucket) -> None:
        keys = [f"sessions/a/records/{number:08d}.json" for number in range(4)]
        for key in [*keys, "sessions/b/records/00000000.json"]:
            bucket_store.put_bytes(key, b"evidence")
        overwrite(minio_bucket, keys[1], b"something else")
        minio_bucket.client.remove_object(minio_bucket.name, keys[3])
        minio_bucket.client.remove_object(minio_bucket.name, "sessions/b/records/00000000.json")
        assert bucket_store.altered("sessions/a/") == (keys[1], keys[3])
        assert len(bucket_store.altered()) == 3

    @pytest.mark.parametrize("deleted", [False, True])
    def test_a_session_taken_out_of_the_listing(
        self, bucket_store: ObjectStore, minio_bucket: Bucket, deleted: bool
    ) -> None:
        """An object with the name of the session's folder; MinIO then lists nothing of the session."""
        bucket_store.put_bytes(KEY, b"evidence")
        overwrite(minio_bucket, "sessions/a", b"")
        if deleted:
            minio_bucket.client.remove_object(minio_bucket.name, "sessions/a")
        assert bucket_store.read(KEY) == b"evidence"
        seen = bucket_store.altered("sessions/") if deleted else [info.key for info in bucket_store.list("sessions/")]
        assert "sessions/a" in seen

    def test_a_writer_between_looking_and_writing(self, minio_bucket: Bucket) -> None:
        """The server refuses the second of two writers that both saw nothing there."""
        other = open_bucket(minio_bucket)

        class Interrupted(S3Store):
            def _write(self, key: str, data: bytes, sha256: str) -> None:
                other.put_bytes(key, b"from the other")
                super()._write(key, data, sha256)

        address = S3Address(LOOPBACK, minio_bucket.server.port, minio_bucket.name, secure=False)
        store = Interrupted(address, "town", credentials_of(minio_bucket.server), 1)
        with pytest.raises(ObjectConflictError):
            store.put_bytes(KEY, b"evidence")
        assert len(store.versions(KEY)) == 1
        assert store.put_bytes("another", b"from the other").bytes == 14

    def test_an_object_without_a_hash_is_confirmed_by_nothing(
        self, bucket_store: ObjectStore, minio_bucket: Bucket
    ) -> None:
        """Its ETag would be the MD5 of the right bytes."""
        overwrite(minio_bucket, KEY, b"evidence")
        uses: list[Callable[[], object]] = [
            lambda: bucket_store.confirm(KEY),
            lambda: bucket_store.put_bytes(KEY, b"evidence"),
        ]
        for use in uses:
            with pytest.raises(StoreError, match="without a SHA-256 of its own"):
                use()

    @pytest.mark.parametrize("checksum", [f"{checksum_of(b'x')}-3", "AAAA", "", "?"])
    def test_the_hash_of_parts_is_none_of_the_object(self, checksum: str) -> None:
        headers = {"ETag": '"0"', "X-Amz-Checksum-Sha256": checksum, **XML}
        with (
            http_server(lambda handler: send(handler, 200, LOCATION, headers)) as port,
            pytest.raises(StoreError, match="without a SHA-256 of its own"),
        ):
            impatient(port).confirm(KEY)

    def test_an_object_that_claims_to_be_compressed_is_read_as_it_is(
        self, bucket_store: ObjectStore, minio_bucket: Bucket
    ) -> None:
        overwrite(minio_bucket, KEY, b"not compressed", **{"content-encoding": "gzip"})
        assert bucket_store.read(KEY) == b"not compressed"
        assert bucket_store.read_range(KEY, 4, 5) == b"compr"

    def test_a_foreign_object_is_listed_under_its_name(self, bucket_store: ObjectStore, minio_bucket: Bucket) -> None:
        overwrite(minio_bucket, "sessions/实录 +%2F&.mp4", b"x")
        assert [info.key for info in bucket_store.list("sessions/")] == ["sessions/实录 +%2F&.mp4"]

    def test_a_listing_of_more_than_one_page(self, bucket_store: ObjectStore, minio_bucket: Bucket) -> None:
        keys = [f"sessions/a/media/subject/{number:06d}.mp4" for number in range(1003)]
        for key in reversed(keys):
            overwrite(minio_bucket, key, b"")
        assert [info.key for info in bucket_store.list()] == keys
