"""What every store owes, whatever it is made of. See evidence_store/stores/interface.py."""

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evidence_store.errors import ObjectConflictError, ObjectMissingError, StoreError, StoreUnavailableError
from evidence_store.layout import certificate_key, media_key, record_key, signature_key
from evidence_store.stores import Confirmation, ObjectInfo, ObjectStore
from tests.evidence_store.stores.conftest import Files, sha256_of

SESSION = "xindai-room-1-20261123T013000Z-7f3a"
KEY = record_key(SESSION, 0)

LAYOUT_KEYS = [
    record_key(SESSION, 0),
    signature_key(SESSION, 99_999_999),
    media_key(SESSION, "subject", 0),
    certificate_key("0f" * 32),
    "cases/2026-0012/custody/00000000.json",
    "log/checkpoint",
    "log/tile/0/x001/x234/067",
    "log/tile/0/000.p/255",
    "log/cosigned/123",
    "log/timestamps/123.tsr",
]

NOT_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../outside",
    "sessions/../../outside",
    "sessions/..",
    "sessions/./x",
    "sessions//x",
    "sessions/",
    ".tmp/x",
    "sessions/.hidden",
    "~/x",
    "a\\b",
    "a b",
    "a\nb",
    "a\0b",
    "a\n",
    "a%2e%2e/b",
    "a?versionId=1",
    "a#b",
    "a:b",
    "会话/x",
    "\u0065\u0301",
    "a\u202eb",
    "\ud800",
    "x" * 256,
    "/".join(["x" * 200] * 6),
]


class TestWriteOnce:
    def test_an_object_is_confirmed_by_what_the_store_holds(self, store: ObjectStore) -> None:
        data = os.urandom(1000)
        confirmed = store.put_bytes(KEY, data)
        assert confirmed == Confirmation(KEY, 1000, sha256_of(data))
        assert store.confirm(KEY) == confirmed
        assert store.read(KEY) == data

    def test_a_file_is_stored_as_it_is(self, store: ObjectStore, files: Files) -> None:
        data = os.urandom((5 << 20) + 1)
        path, sha256 = files.make(data)
        assert store.put_file("sessions/a/media/subject/000000.mp4", path, sha256).bytes == len(data)
        assert store.read("sessions/a/media/subject/000000.mp4") == data
        assert path.read_bytes() == data

    def test_the_same_bytes_again_change_nothing(self, store: ObjectStore, files: Files) -> None:
        first = store.put_bytes(KEY, b"as it was")
        path, sha256 = files.make(b"as it was")
        assert store.put_bytes(KEY, b"as it was") == first
        assert store.put_file(KEY, path, sha256) == first
        assert len(store.versions(KEY)) == 1

    def test_other_bytes_are_a_conflict_and_change_nothing(self, store: ObjectStore, files: Files) -> None:
        first = store.put_bytes(KEY, b"as it was")
        path, sha256 = files.make(b"as it should not be")
        with pytest.raises(ObjectConflictError, match=f"^town/{KEY}: already holds other bytes"):
            store.put_bytes(KEY, b"as it should not be")
        with pytest.raises(ObjectConflictError):
            store.put_file(KEY, path, sha256)
        assert store.confirm(KEY) == first
        assert store.read(KEY) == b"as it was"
        assert len(store.versions(KEY)) == 1

    def test_an_empty_object_is_an_object(self, store: ObjectStore, files: Files) -> None:
        path, sha256 = files.make(b"")
        assert store.put_file(KEY, path, sha256) == Confirmation(KEY, 0, sha256_of(b""))
        assert store.read(KEY) == b""
        with pytest.raises(ObjectConflictError):
            store.put_bytes(KEY, b"no longer empty")

    def test_a_file_that_changed_since_it_was_sealed_is_refused(self, store: ObjectStore, files: Files) -> None:
        path, sha256 = files.make(b"sealed")
        path.write_bytes(b"altered")
        with pytest.raises(StoreError, match="stated hash") as raised:
            store.put_file(KEY, path, sha256)
        assert not isinstance(raised.value, StoreUnavailableError | ObjectConflictError)
        assert store.confirm(KEY) is None
        assert list(store.list()) == []
        assert store.versions(KEY) == ()

    @pytest.mark.parametrize("sha256", ["", "0f", "0F" * 32, "0f" * 32 + "\n", "zz" * 32])
    def test_what_is_no_hash_is_refused(self, store: ObjectStore, files: Files, sha256: str) -> None:
        path, _ = files.make(b"sealed")
        with pytest.raises(StoreError, match="not a SHA-256"):
            store.put_file(KEY, path, sha256)

    @pytest.mark.parametrize("missing", ["nowhere", "."])
    def test_a_local_file_that_is_not_there(self, store: ObjectStore, tmp_path: Path, missing: str) -> None:
        with pytest.raises(StoreError) as raised:
            store.put_file(KEY, tmp_path / missing, sha256_of(b""))
        assert not isinstance(raised.value, StoreUnavailableError)
        assert store.confirm(KEY) is None

    def test_writers_at_once_make_one_object(self, store: ObjectStore, files: Files) -> None:
        path, sha256 = files.make(os.urandom(200_000))
        with ThreadPoolExecutor(8) as pool:
            confirmed = set(pool.map(lambda _: store.put_file(KEY, path, sha256), range(16)))
        assert confirmed == {Confirmation(KEY, 200_000, sha256)}
        assert len(store.versions(KEY)) == 1

    def test_of_writers_that_disagree_one_wins_and_all_others_know(self, store: ObjectStore) -> None:
        def put(number: int) -> str | None:
            try:
                return store.put_bytes(KEY, f"from writer {number}".encode()).sha256
            except ObjectConflictError:
                return None

        with ThreadPoolExecutor(8) as pool:
            won = [sha256 for sha256 in pool.map(put, range(8)) if sha256]
        assert won == [sha256_of(store.read(KEY))]
        assert len(store.versions(KEY)) == 1


class TestKeys:
    @pytest.mark.parametrize("key", [*LAYOUT_KEYS, "x", "-", "_", "a" * 255, "a..b/c-.-d", "CON", "A/a"])
    def test_a_key_is_kept_as_it_is(self, store: ObjectStore, key: str) -> None:
        data = key.encode()
        store.put_bytes(key, data)
        assert list(store.list()) == [ObjectInfo(key, len(data))]
        assert store.read(key) == data

    def test_keys_that_differ_in_case_are_two(self, store: ObjectStore) -> None:
        store.put_bytes("certs/a", b"1")
        store.put_bytes("certs/A", b"2")
        assert (store.read("certs/a"), store.read("certs/A")) == (b"1", b"2")

    @pytest.mark.parametrize("key", NOT_KEYS)
    def test_what_is_no_key_is_refused_everywhere(self, store: ObjectStore, files: Files, key: str) -> None:
        path, sha256 = files.make(b"x")
        uses: list[Callable[[], object]] = [
            lambda: store.put_bytes(key, b"x"),
            lambda: store.put_file(key, path, sha256),
            lambda: store.confirm(key),
            lambda: store.versions(key),
            lambda: store.read(key),
            lambda: next(store.stream(key)),
            lambda: store.read_range(key, 0, 1),
        ]
        for use in uses:
            with pytest.raises(StoreError, match="object key") as raised:
                use()
            assert "\n" not in str(raised.value)
        assert list(store.list()) == []


class TestReading:
    def test_nothing_there(self, store: ObjectStore) -> None:
        uses: list[Callable[[], object]] = [
            lambda: store.read(KEY),
            lambda: next(store.stream(KEY)),
            lambda: store.read_range(KEY, 0, 1),
        ]
        for use in uses:
            with pytest.raises(ObjectMissingError, match=f"^town/{KEY}: is not there"):
                use()
        assert store.confirm(KEY) is None
        assert store.versions(KEY) == ()

    def test_a_folder_of_objects_is_no_object(self, store: ObjectStore) -> None:
        store.put_bytes("sessions/a/records/00000000.json", b"{}")
        with pytest.raises(ObjectMissingError):
            store.read("sessions/a")
        assert store.confirm("sessions/a") is None

    def test_nothing_is_under_an_object(self, store: ObjectStore) -> None:
        store.put_bytes("log/checkpoint", b"x")
        with pytest.raises(ObjectMissingError):
            store.read("log/checkpoint/x")
        assert store.confirm("log/checkpoint/x") is None

    @pytest.mark.parametrize("chunk_bytes", [1, 7, 1000, 1001])
    def test_a_stream_is_the_object_in_pieces(self, store: ObjectStore, chunk_bytes: int) -> None:
        data = os.urandom(1000)
        store.put_bytes(KEY, data)
        pieces = list(store.stream(KEY, chunk_bytes))
        assert b"".join(pieces) == data
        assert all(0 < len(piece) <= chunk_bytes for piece in pieces)

    def test_a_stream_of_nothing(self, store: ObjectStore) -> None:
        store.put_bytes(KEY, b"")
        assert list(store.stream(KEY)) == []

    def test_a_stream_may_be_left_in_the_middle(self, store: ObjectStore) -> None:
        store.put_bytes(KEY, os.urandom(3 << 20))
        for _ in range(40):  # more than there are connections
            stream = store.stream(KEY)
            assert len(next(stream)) == 1 << 20
        assert store.confirm(KEY) is not None

    @pytest.mark.parametrize(("offset", "length"), [(0, 1), (0, 1000), (999, 1), (123, 456)])
    def test_a_range_is_exactly_these_bytes(self, store: ObjectStore, offset: int, length: int) -> None:
        data = os.urandom(1000)
        store.put_bytes(KEY, data)
        assert store.read_range(KEY, offset, length) == data[offset : offset + length]

    @pytest.mark.parametrize(
        ("offset", "length"), [(0, 0), (5, 0), (0, -1), (-1, 1), (0, 1001), (999, 2), (1000, 1), (5000, 10)]
    )
    def test_a_range_that_leaves_the_object_is_refused(self, store: ObjectStore, offset: int, length: int) -> None:
        store.put_bytes(KEY, os.urandom(1000))
        with pytest.raises(StoreError) as raised:
            store.read_range(KEY, offset, length)
        assert not isinstance(raised.value, StoreUnavailableError | ObjectMissingError)


class TestListing:
    KEYS = ("a", "a-b", "a.b", "a/b", "a/b-c", "a/bc/d", "a0", "b/a/c", "B", "sessions/x-1/r", "sessions/x-10/r")

    def fill(self, store: ObjectStore) -> list[str]:
        # "a" is left out: a name that is also a folder of others is none of the layout, and not every store takes it.
        keys = [key for key in self.KEYS if key != "a"]
        for key in random.Random(1).sample(keys, len(keys)):
            store.put_bytes(key, key.encode())
        return keys

    def test_an_empty_store(self, store: ObjectStore) -> None:
        assert list(store.list()) == []
        assert list(store.list("sessions/")) == []

    def test_all_objects_sorted_by_key_with_their_sizes(self, store: ObjectStore) -> None:
        keys = self.fill(store)
        assert list(store.list()) == [ObjectInfo(key, len(key)) for key in sorted(keys)]

    @pytest.mark.parametrize(
        "prefix", ["a", "a/", "a/b", "a/b/", "b/a", "sessions/x-1", "sessions/x-1/", "sessions/x-1/r", "z", "a/b/c/d/"]
    )
    def test_a_prefix_is_the_beginning_of_a_key_and_no_folder(self, store: ObjectStore, prefix: str) -> None:
        keys = self.fill(store)
        found = [info.key for info in store.list(prefix)]
        assert found == sorted(key for key in keys if key.startswith(prefix))

    @pytest.mark.parametrize("prefix", ["/", "../", "a/../", "./", "a//", ".t", ".tmp/", "a\n", "*", "会"])
    def test_what_begins_no_key_is_refused(self, store: ObjectStore, prefix: str) -> None:
        with pytest.raises(StoreError, match="beginning of an object key"):
            list(store.list(prefix))

    def test_a_listing_can_be_left_in_the_middle(self, store: ObjectStore) -> None:
        self.fill(store)
        assert next(iter(store.list())).key == "B"


class TestPromise:
    def test_a_prepared_store_proves_its_promise(self, store: ObjectStore) -> None:
        store.prove()
        assert list(store.list()) == []

    def test_preparing_again_changes_nothing(self, store: ObjectStore) -> None:
        store.put_bytes(KEY, b"kept")
        store.prepare()
        assert store.read(KEY) == b"kept"

    def test_one_version_stands_at_a_key(self, store: ObjectStore) -> None:
        store.put_bytes(KEY, b"12345")
        (version,) = store.versions(KEY)
        assert (version.bytes, version.is_delete_marker) == (5, False)

    def test_nothing_is_altered_by_writing_and_proving(self, store: ObjectStore) -> None:
        for key in LAYOUT_KEYS:
            store.put_bytes(key, b"x")
            store.put_bytes(key, b"x")
        store.prove()
        assert store.altered() == ()
        assert store.altered("sessions/") == ()
        with pytest.raises(StoreError, match="beginning of an object key"):
            store.altered("../")

    def test_versions_of_a_longer_key_are_not_those_of_its_beginning(self, store: ObjectStore) -> None:
        store.put_bytes("log/cosigned/12", b"x")
        assert store.versions("log/cosigned/1") == ()
        assert store.versions("log/cosigned") == ()
