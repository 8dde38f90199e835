"""Attacks by somebody with an account at a store with object lock: what is locked stays, but can be covered up."""

import io

import pytest

from evidence_store import layout
from evidence_store.stores import ObjectStore, S3Credentials, open_store
from evidence_store.verify import ReaderSource, Report, verify_session
from tests.attacks.expect import codes_of, find
from tests.evidence_store.builder import Evidence, build
from tests.parts.minio import Bucket

OK_OF_THE_BUILDER = "OK_WITH_DECLARED_GAPS"


@pytest.fixture
def evidence() -> Evidence:
    return build().seal()


@pytest.fixture
def store(minio_bucket: Bucket, evidence: Evidence) -> ObjectStore:
    """The session in a bucket with object lock."""
    server = minio_bucket.server
    keys = S3Credentials(server.access_key, server.secret_key)
    opened = open_store(minio_bucket.url, name="town", credentials=keys, retention_days=1)
    for key, data in evidence.objects.items():
        opened.put_bytes(key, data)
    return opened


def verify(evidence: Evidence, store: ObjectStore) -> Report:
    return verify_session(evidence.recording.session, ReaderSource(store), evidence.recording.site.anchors)


def test_untouched(evidence: Evidence, store: ObjectStore) -> None:
    assert verify(evidence, store).verdict.value == OK_OF_THE_BUILDER


def test_segment_overwritten_by_a_new_version(evidence: Evidence, store: ObjectStore, minio_bucket: Bucket) -> None:
    key = evidence.media_key("subject", 1)
    other = evidence.objects[evidence.media_key("room", 1)]
    minio_bucket.client.put_object(minio_bucket.name, key, io.BytesIO(other), len(other))
    report = verify(evidence, store)
    found = find(report, "object_rewritten")
    assert found.object == key
    assert (found.from_time, found.to_time) == evidence.recording.span("subject", 1)
    assert report.verdict.value == "NOT_OK"


def test_segment_overwritten_by_the_same_bytes(evidence: Evidence, store: ObjectStore, minio_bucket: Bucket) -> None:
    """What it shows is right; that somebody wrote it again is told all the same."""
    key = evidence.media_key("room", 0)
    data = evidence.objects[key]
    minio_bucket.client.put_object(minio_bucket.name, key, io.BytesIO(data), len(data))
    report = verify(evidence, store)
    assert codes_of(report) == {"object_rewritten"}
    assert report.verdict.value == "NOT_OK"


@pytest.mark.parametrize("what", ["segment", "record", "signature"])
def test_hidden_by_a_delete_marker(evidence: Evidence, store: ObjectStore, minio_bucket: Bucket, what: str) -> None:
    session = evidence.recording.session
    key = {
        "segment": evidence.media_key("subject", 2),
        "record": layout.record_key(session, 3),
        "signature": layout.signature_key(session, 3),
    }[what]
    minio_bucket.client.remove_object(minio_bucket.name, key)
    report = verify(evidence, store)
    assert find(report, "object_rewritten").object == key
    assert report.verdict.value == "NOT_OK"
