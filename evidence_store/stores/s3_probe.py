"""Does this S3 server keep its promise? Found out by trying to break it, on an object made for that.

A server may accept lock headers and ignore them, or be set up by somebody who can still delete. Reading its settings
does not tell; so a probe is locked for a short time and then everything is tried that must not work. The right answer
to each is a refusal, and afterwards the probe must still be there, byte for byte.
"""

import base64
import hashlib
import io
import secrets
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from itertools import islice

from minio import Minio
from minio.commonconfig import COMPLIANCE, GOVERNANCE
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.retention import Retention

from evidence_store.errors import StoreError
from evidence_store.stores.s3_errors import failed
from evidence_store.stores.s3_http import CHECKSUM_HEADER

PROBES = "probe/"
# S3 servers take requests from clocks that are up to 15 minutes off. A shorter time could be over when it begins.
PROBE_RETENTION_S = 20 * 60

_CLEARED_AT_ONCE = 1000
_ROUNDING = timedelta(seconds=2)
_LOCK_MODE = "x-amz-object-lock-mode"
_RETAIN_UNTIL = "x-amz-object-lock-retain-until-date"
_NO_LOCK = frozenset({"ObjectLockConfigurationNotFoundError", "MethodNotAllowed", "NotImplemented"})
_OTHER_STORE = "Do not record to it; use a server whose object lock holds."


def require_lock(client: Minio, bucket: str, *, where: str) -> None:
    """Raises StoreError for a bucket that was made without object lock."""
    try:
        client.get_object_lock_config(bucket)
    except S3Error as error:
        if error.code not in _NO_LOCK:
            raise
        raise StoreError(
            f"bucket {bucket} has no object lock, and none can be added to it",
            where=where,
            do="Name a new bucket in the url and prepare it: it is then made with lock and versions.",
        ) from error


def prove_lock(client: Minio, bucket: str, now: datetime, retention: timedelta, *, where: str) -> None:
    """Raises StoreError naming what was possible and must not be. Leaves one probe, hidden, until its lock is over."""
    _clear_expired(client, bucket, now - retention)
    key = f"{PROBES}{secrets.token_hex(8)}"
    _prove_checksum(client, bucket, f"{key}-checksum", where)

    data, until = secrets.token_bytes(32), now + retention
    version = _put(client, bucket, key, data, hashlib.sha256(data).digest(), Retention(COMPLIANCE, until))
    if not version:
        raise StoreError("keeps no versions of an object", where=where, do=_OTHER_STORE)
    attempts: dict[str, Callable[[], bool]] = {
        "deleted": lambda: _allowed(lambda: client.remove_object(bucket, key, version)),
        "deleted by bypassing the lock": lambda: _bypassed(client, bucket, key, version),
        "locked for less time": lambda: _allowed(
            lambda: client.set_object_retention(bucket, key, Retention(COMPLIANCE, until - retention / 2), version)
        ),
        "given a weaker lock": lambda: _allowed(
            lambda: client.set_object_retention(bucket, key, Retention(GOVERNANCE, until + retention), version)
        ),
    }
    for what, attempt in attempts.items():
        if attempt():
            raise StoreError(f"a locked version could be {what}", where=where, do=_OTHER_STORE)
    client.remove_object(bucket, key)  # without a version: only hides, and is allowed
    _prove_still_there(client, bucket, key, version, data, until, where)


def _prove_checksum(client: Minio, bucket: str, key: str, where: str) -> None:
    wrong = hashlib.sha256(b"something else").digest()
    if _allowed(lambda: _put(client, bucket, key, b"probe", wrong, None)):
        client.remove_object(bucket, key)
        raise StoreError(
            "stores an object under a checksum that is not its own, so it cannot confirm any",
            where=where,
            do="Use a server that checks x-amz-checksum-sha256.",
        )


def _prove_still_there(
    client: Minio, bucket: str, key: str, version: str, data: bytes, until: datetime, where: str
) -> None:
    try:
        headers = client.stat_object(bucket, key, version_id=version).metadata or {}
        with closing(client.get_object(bucket, key, version_id=version)) as answer:
            held = answer.read(decode_content=False)
            answer.release_conn()
    except S3Error as error:
        if failed(error):
            raise
        raise StoreError("a locked version is gone after a plain delete", where=where, do=_OTHER_STORE) from error
    if held != data:
        raise StoreError("a locked version does not hold what was written", where=where, do=_OTHER_STORE)
    retained = headers.get(_RETAIN_UNTIL)
    if headers.get(_LOCK_MODE) != COMPLIANCE or not retained or datetime.fromisoformat(retained) < until - _ROUNDING:
        raise StoreError("does not say of a locked version that it is locked", where=where, do=_OTHER_STORE)


def _put(client: Minio, bucket: str, key: str, data: bytes, sha256: bytes, retention: Retention | None) -> str | None:
    checksum = base64.b64encode(sha256).decode("ascii")
    put = client.put_object(
        bucket, key, io.BytesIO(data), len(data), metadata={CHECKSUM_HEADER: checksum}, retention=retention
    )
    return put.version_id


def _allowed(call: Callable[[], object]) -> bool:
    try:
        call()
    except S3Error as error:
        if failed(error):
            raise
        return False
    return True


def _bypassed(client: Minio, bucket: str, key: str, version: str) -> bool:
    errors = client.remove_objects(bucket, [DeleteObject(key, version)], bypass_governance_mode=True)
    return not list(errors)


def _clear_expired(client: Minio, bucket: str, before: datetime) -> None:
    """Probes whose lock is over go away, so that they do not pile up. What cannot go now goes another time."""
    listed = client.list_objects(bucket, prefix=PROBES, recursive=True, include_version=True)
    expired = [
        DeleteObject(found.object_name or "", found.version_id)
        for found in islice(listed, _CLEARED_AT_ONCE)
        if found.last_modified and found.last_modified < before
    ]
    if expired:
        for _still_locked in client.remove_objects(bucket, expired):
            pass
