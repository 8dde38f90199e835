"""A store in a bucket of an S3 server with object lock (MinIO and others).

Every object is written as a version locked in COMPLIANCE mode, which nobody can delete or shorten before its day, with
its SHA-256 as a checksum that the server computes itself while it stores: that checksum, asked for afterwards, is the
confirmation. An ETag is none. An object is one PUT, never parts, because the checksum of parts is not the object's.

The lock keeps versions, not names: with the right to write to the bucket, somebody may put another version on top or
a delete marker. Both leave the locked one where it is; `altered` and `versions` show them.

MinIO lists nothing below a key that is an object itself, not even after that object was hidden: somebody who may write
to the bucket can so take a whole session out of every listing. Its objects can still be read. So a listing alone never
proves that something is not there: records are asked for by their numbers.
"""

import base64
import binascii
import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error
from minio.retention import Retention
from urllib3.response import BaseHTTPResponse

from evidence_store.errors import ObjectConflictError, ObjectMissingError, StoreError, StoreUnavailableError
from evidence_store.stores.interface import (
    Confirmation,
    ObjectInfo,
    ObjectVersion,
    S3Credentials,
)
from evidence_store.stores.keys import check_key, check_prefix, check_range, check_sha256
from evidence_store.stores.s3_errors import MISSING, not_s3, store_errors
from evidence_store.stores.s3_http import CHECKSUM_HEADER, S3Http, tls_context
from evidence_store.stores.s3_probe import PROBE_RETENTION_S, PROBES, prove_lock, require_lock

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
MAX_OBJECT_BYTES = 5 << 30

_MIN_PART_BYTES = 5 << 20
_SHA256_BYTES = 32
_PARTIAL_CONTENT = 206
_WITH_CHECKSUM = {"x-amz-checksum-mode": "ENABLED"}
_RETAIN_UNTIL = "x-amz-object-lock-retain-until-date"
_WRONG_CHECKSUM = frozenset({"BadDigest", "XAmzContentChecksumMismatch"})


@dataclass(frozen=True, slots=True)
class S3Address:
    """Where a store is; `secure` is TLS."""

    host: str
    port: int
    bucket: str
    secure: bool

    @property
    def endpoint(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"s3+{'https' if self.secure else 'http'}://{self.endpoint}/{self.bucket}"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class S3Store:
    """An ObjectStore in a bucket, which `prepare` makes."""

    def __init__(
        self,
        address: S3Address,
        name: str,
        credentials: S3Credentials,
        retention_days: int,
        *,
        ca_file: Path | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        probe_retention_s: int = PROBE_RETENTION_S,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._address = address
        self._bucket = address.bucket
        self._name = name
        self._retention = timedelta(days=retention_days)
        self._probe_retention = timedelta(seconds=probe_retention_s)
        self._now = now
        tls = tls_context(ca_file, where=f"store {name}") if address.secure else None
        self._client = Minio(
            address.endpoint,
            credentials.access_key,
            credentials.secret_key,
            secure=address.secure,
            http_client=S3Http(connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s, tls=tls),
        )

    def __repr__(self) -> str:
        return f"S3Store({self._name!r}, {self.url!r})"

    @property
    def name(self) -> str:
        return self._name

    @property
    def url(self) -> str:
        return self._address.url

    # --- Reading ---------------------------------------------------------------------------------------------------

    def read(self, key: str) -> bytes:
        return b"".join(self.stream(key))

    def stream(self, key: str, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        with store_errors(self._at(key)), closing(self._get(key)) as answer:
            yield from _pieces(answer, chunk_bytes)
            answer.release_conn()

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        check_range(offset, length, where=self._at(key))
        with store_errors(self._at(key)), closing(self._get(key, offset, length)) as answer:
            data = b"".join(_pieces(answer, length)) if answer.status == _PARTIAL_CONTENT else b""
            answer.release_conn()
        if len(data) != length:
            raise self._leaves_object(key, offset, length)
        return data

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        with store_errors(f"store {self._name}"):
            for found in self._client.list_objects(self._bucket, prefix=prefix, recursive=True):
                yield ObjectInfo(found.object_name or "", found.size or 0)

    def confirm(self, key: str) -> Confirmation | None:
        with store_errors(self._at(key)):
            return self._look(key)[0]

    def versions(self, key: str) -> tuple[ObjectVersion, ...]:
        check_key(key)
        with store_errors(self._at(key)):
            listed = self._client.list_objects(self._bucket, prefix=key, include_version=True)
            found = [version for version in listed if version.object_name == key]
            oldest = datetime.min.replace(tzinfo=UTC)
            found.sort(key=lambda one: (one.is_latest == "true", one.last_modified or oldest), reverse=True)
            return tuple(
                ObjectVersion(
                    version.version_id or "",
                    version.size or 0,
                    version.is_delete_marker,
                    None if version.is_delete_marker else self._retain_until(key, version.version_id),
                    version.last_modified,
                )
                for version in found
            )

    def altered(self, prefix: str = "") -> tuple[str, ...]:
        check_prefix(prefix)
        seen, altered = set(), set()
        with store_errors(f"store {self._name}"):
            for found in self._client.list_objects(self._bucket, prefix=prefix, recursive=True, include_version=True):
                key = found.object_name or ""
                if found.is_delete_marker or key in seen:
                    altered.add(key)
                seen.add(key)
        return tuple(sorted(key for key in altered if not key.startswith(PROBES)))

    # --- Writing ---------------------------------------------------------------------------------------------------

    def put_file(self, key: str, path: Path, sha256: str) -> Confirmation:
        check_sha256(sha256, where=self._at(key))
        return self._put(key, sha256, lambda: _read_file(path))

    def put_bytes(self, key: str, data: bytes) -> Confirmation:
        return self._put(key, hashlib.sha256(data).hexdigest(), lambda: data)

    def prepare(self) -> None:
        with store_errors(f"store {self._name}"):
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket, object_lock=True)
            require_lock(self._client, self._bucket, where=f"store {self._name}")

    def prove(self) -> None:
        where = f"store {self._name}"
        with store_errors(where):
            require_lock(self._client, self._bucket, where=where)
            prove_lock(self._client, self._bucket, self._now(), self._probe_retention, where=where)

    def _put(self, key: str, sha256: str, read: Callable[[], bytes]) -> Confirmation:
        with store_errors(self._at(key)):
            held, hidden = self._look(key)
            if held is None:
                if hidden:
                    self._check_hidden(key, sha256)
                self._write(key, read(), sha256)
                held, _ = self._look(key)
        if held is None:
            raise StoreUnavailableError("was stored and is not shown: something deletes it", where=self._at(key))
        if held.sha256 != sha256:
            raise self._conflict(key, held.sha256, sha256)
        return held

    def _write(self, key: str, data: bytes, sha256: str) -> None:
        if len(data) > MAX_OBJECT_BYTES:
            raise StoreError(f"{len(data)} bytes are too many for one object", where=self._at(key))
        try:
            self._client.put_object(
                self._bucket,
                key,
                io.BytesIO(data),
                len(data),
                part_size=max(len(data), _MIN_PART_BYTES),
                metadata={CHECKSUM_HEADER: base64.b64encode(bytes.fromhex(sha256)).decode("ascii")},
                retention=Retention(COMPLIANCE, self._now() + self._retention),
            )
        except S3Error as error:
            if error.code in _WRONG_CHECKSUM:
                raise StoreError(
                    f"the bytes sent do not have the stated hash ({sha256[:16]}...)",
                    where=self._at(key),
                    do="Nothing was stored; check the local file and its disk.",
                ) from error
            if error.code != "PreconditionFailed":
                raise
            # Somebody else wrote it since we looked. What they wrote is seen next.

    def _check_hidden(self, key: str, sha256: str) -> None:
        """A delete marker makes a key look free. The same bytes may be shown again; others may not take their place."""
        for version in self.versions(key):
            if not version.is_delete_marker:
                held, _ = self._look(key, version.version_id)
                if held is not None and held.sha256 != sha256:
                    raise self._conflict(key, held.sha256, sha256)

    def _conflict(self, key: str, held: str, given: str) -> ObjectConflictError:
        return ObjectConflictError(
            f"already holds other bytes (SHA-256 {held[:16]}..., not {given[:16]}...)",
            where=self._at(key),
            do="Keep both for whoever looks into it.",
        )

    # --- Requests --------------------------------------------------------------------------------------------------

    def _at(self, key: str) -> str:
        return f"{self._name}/{key}"

    def _get(self, key: str, offset: int = 0, length: int = 0) -> BaseHTTPResponse:
        check_key(key)
        try:
            answer = self._client.get_object(self._bucket, key, offset=offset, length=length)
        except S3Error as error:
            if error.code in MISSING:
                raise ObjectMissingError("is not there", where=self._at(key)) from error
            if error.code == "InvalidRange":
                raise self._leaves_object(key, offset, length) from error
            raise
        if "etag" not in answer.headers:
            answer.close()
            raise not_s3(self._at(key))
        return answer

    def _leaves_object(self, key: str, offset: int, length: int) -> StoreError:
        return StoreError(f"bytes {offset} to {offset + length} leave the object", where=self._at(key))

    def _look(self, key: str, version_id: str | None = None) -> tuple[Confirmation | None, bool]:
        """What the server says it holds, and whether a delete marker hides something."""
        check_key(key)
        try:
            found = self._client.stat_object(
                self._bucket, key, version_id=version_id, extra_headers=dict(_WITH_CHECKSUM)
            )
        except S3Error as error:
            if error.code in MISSING:
                return None, error.response.headers.get("x-amz-delete-marker") == "true"
            raise
        if not found.etag:
            raise not_s3(self._at(key))
        checksum = (found.metadata or {}).get(CHECKSUM_HEADER, "")
        return Confirmation(key, found.size or 0, self._sha256(key, checksum)), False

    def _sha256(self, key: str, checksum: str) -> str:
        try:
            digest = base64.b64decode(checksum, validate=True)
        except binascii.Error:
            digest = b""  # that of parts ends in a hyphen and their number
        if len(digest) != _SHA256_BYTES:
            raise StoreError(
                "stands there without a SHA-256 of its own, so it was not written by this system",
                where=self._at(key),
                do="Find out who put it there.",
            )
        return digest.hex()

    def _retain_until(self, key: str, version_id: str | None) -> datetime | None:
        found = self._client.stat_object(self._bucket, key, version_id=version_id)
        until = (found.metadata or {}).get(_RETAIN_UNTIL)
        return datetime.fromisoformat(until) if until else None


def _pieces(answer: BaseHTTPResponse, chunk_bytes: int) -> Iterator[bytes]:
    # The bytes as stored: an object that claims to be compressed is not unpacked on the way.
    while data := answer.read(chunk_bytes, decode_content=False):
        yield data


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot be read: {error.strerror}", where=str(path), do="Nothing was stored.") from error
