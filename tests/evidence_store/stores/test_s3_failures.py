"""Servers that are gone, slow, somebody else, or not to be trusted; and keys that are wrong."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from evidence_store.errors import StoreError, StoreUnavailableError
from evidence_store.stores import Confirmation, ObjectStore, S3Credentials, open_store
from evidence_store.stores.s3 import S3Address, S3Store
from evidence_store.stores.s3_errors import store_errors
from evidence_store.stores.s3_http import S3Http
from tests.evidence_store.stores.conftest import KEY, open_bucket, sha256_of
from tests.evidence_store.stores.servers import LOCATION, XML, http_server, impatient, minio_with_tls, send
from tests.parts.minio import Bucket, MinioServer
from tests.parts.process import LOOPBACK


def all_uses(store: ObjectStore, local: Path) -> list[Callable[[], object]]:
    local.write_bytes(b"x")
    return [
        lambda: store.put_bytes(KEY, b"x"),
        lambda: store.put_file(KEY, local, sha256_of(b"x")),
        lambda: store.confirm(KEY),
        lambda: store.versions(KEY),
        lambda: store.read(KEY),
        lambda: next(store.stream(KEY)),
        lambda: store.read_range(KEY, 0, 1),
        lambda: list(store.list()),
        store.altered,
        store.prove,
        store.prepare,
    ]


class TestServerFails:
    def test_a_server_that_is_not_there(self, minio_bucket: Bucket, tmp_path: Path) -> None:
        with MinioServer(tmp_path / "own") as server:
            store = open_bucket(server.make_bucket(object_lock=True))
            store.put_bytes(KEY, b"evidence")
            server.kill()
            for use in all_uses(store, tmp_path / "local"):
                started_s = time.monotonic()
                with pytest.raises(StoreUnavailableError) as raised:
                    use()
                assert time.monotonic() - started_s < 5
                assert "Check the network, and that the server runs." in str(raised.value)
            server.start()
            assert store.put_bytes(KEY, b"evidence").bytes == 8

    def test_a_server_that_takes_connections_and_says_nothing(self, tmp_path: Path) -> None:
        with socket.create_server((LOOPBACK, 0)) as listening:
            store = impatient(listening.getsockname()[1])
            for use in all_uses(store, tmp_path / "local"):
                started_s = time.monotonic()
                with pytest.raises(StoreUnavailableError, match="the server fell silent"):
                    use()
                assert time.monotonic() - started_s < 3

    def test_a_name_that_nobody_knows(self) -> None:
        store = S3Store(S3Address("store.invalid", 9000, "shilu", secure=False), "town", S3Credentials("a", "b"), 1)
        with pytest.raises(StoreUnavailableError, match="the server's name is not known"):
            store.confirm(KEY)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, b"<!doctype html><p>It works"),
            (200, b""),
            (404, b"<html>Not found</html>"),
            (502, b"<html>Bad gateway</html>"),
            (503, b""),
        ],
    )
    def test_a_server_that_is_no_store(self, tmp_path: Path, status: int, body: bytes) -> None:
        with http_server(lambda handler: send(handler, status, body, {"Content-Type": "text/html"})) as port:
            for use in all_uses(impatient(port), tmp_path / "local"):
                with pytest.raises(StoreUnavailableError, match="the answer is not one of S3") as raised:
                    use()
                assert "\n" not in str(raised.value)

    def test_the_page_of_a_gateway_is_not_taken_for_evidence(self) -> None:
        page = b"<html>Please log in</html>"
        with http_server(lambda handler: send(handler, 200, page, {"Content-Type": "text/html"})) as port:
            store = impatient(port)
            uses: list[Callable[[], object]] = [
                lambda: store.read(KEY),
                lambda: store.confirm(KEY),
                lambda: list(store.list()),
            ]
            for use in uses:
                with pytest.raises(StoreUnavailableError, match="the answer is not one of S3"):
                    use()

    @pytest.mark.parametrize(
        ("status", "code", "kind", "told"),
        [
            (503, "SlowDown", StoreUnavailableError, "the server answers SlowDown: please wait"),
            (500, "InternalError", StoreUnavailableError, "InternalError"),
            (507, "XMinioStorageFull", StoreUnavailableError, "the server is full"),
            (403, "RequestTimeTooSkewed", StoreUnavailableError, "another time than this machine"),
            (403, "AccessDenied", StoreError, "does not allow this to the account"),
            (501, "NotImplemented", StoreError, "NotImplemented"),
        ],
    )
    def test_later_or_never(self, status: int, code: str, kind: type[StoreError], told: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>please \n wait.</Message></Error>".encode()
        with (
            http_server(lambda handler: send(handler, status, body, XML)) as port,
            pytest.raises(StoreError, match=told) as raised,
        ):
            impatient(port).confirm(KEY)
        assert type(raised.value) is kind
        assert "\n" not in str(raised.value)

    def test_no_request_follows_a_redirect(self) -> None:
        asked: list[str] = []

        def elsewhere(handler: BaseHTTPRequestHandler) -> None:
            asked.append(handler.path)
            send(handler, 307, b"", {"Location": f"http://{LOOPBACK}:1/elsewhere"})

        with http_server(elsewhere) as port, pytest.raises(StoreError):
            impatient(port).confirm(KEY)
        assert len(asked) == 1

    def test_no_request_is_sent_twice(self) -> None:
        asked: list[str] = []

        def fail(handler: BaseHTTPRequestHandler) -> None:
            asked.append(handler.path)
            send(handler, 503, b"<Error><Code>SlowDown</Code></Error>", XML)

        with http_server(fail) as port, pytest.raises(StoreUnavailableError):
            impatient(port).confirm(KEY)
        assert len(asked) == 1

    def test_an_object_that_ends_too_early(self) -> None:
        def cut(handler: BaseHTTPRequestHandler) -> None:
            if "location" in handler.path:
                send(handler, 200, LOCATION, XML)
                return
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.send_header("ETag", '"0"')
            handler.end_headers()
            handler.wfile.write(b"x" * 10)
            handler.close_connection = True

        with http_server(cut) as port:
            store = impatient(port)
            with pytest.raises(StoreUnavailableError, match="the connection to the server broke"):
                store.read(KEY)

    def test_a_slow_line_is_not_a_dead_one(self) -> None:
        """Sending takes several times as long as a connection may take to be made."""
        body = bytes(12 << 20)
        with slow_reader() as (port, received):
            http = S3Http(connect_timeout_s=0.3, read_timeout_s=0.3, tls=None)
            with pytest.raises(StoreUnavailableError, match="the server fell silent"), store_errors("town"):
                http.urlopen("PUT", f"http://{LOOPBACK}:{port}/", body=body, headers={})
        assert received() > len(body)


@contextmanager
def slow_reader() -> Iterator[tuple[int, Callable[[], int]]]:
    """A server that takes 12 MiB in about a second and never answers: its port, and how many bytes it took."""
    count = 0
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        listening.bind((LOOPBACK, 0))
        listening.listen()

        def take() -> None:
            nonlocal count
            connection, _ = listening.accept()
            with connection:
                while data := connection.recv(1 << 16):
                    count += len(data)
                    time.sleep(0.005)

        thread = threading.Thread(target=take)
        thread.start()
        yield listening.getsockname()[1], lambda: count
        thread.join()


class TestSecrets:
    @pytest.mark.parametrize(
        ("access", "secret", "told"),
        [
            ("nobody", "the-secret-value", r"does not know the access key \(InvalidAccessKeyId\)"),
            (None, "the-secret-value", r"does not accept the secret key \(SignatureDoesNotMatch\)"),
        ],
    )
    def test_wrong_keys_are_named_and_not_shown(
        self, minio_bucket: Bucket, tmp_path: Path, access: str | None, secret: str, told: str
    ) -> None:
        keys = S3Credentials(access or minio_bucket.server.access_key, secret)
        store = open_store(minio_bucket.url, name="town", credentials=keys, retention_days=1)
        for use in all_uses(store, tmp_path / "local"):
            with pytest.raises(StoreError, match=told) as raised:
                use()
            assert not isinstance(raised.value, StoreUnavailableError)
            chain: BaseException | None = raised.value
            while chain is not None:
                assert "the-secret-value" not in f"{chain!s} {chain!r}"
                assert "Signature=" not in f"{chain!s} {chain!r}"
                chain = chain.__cause__ or chain.__context__
        assert "the-secret-value" not in f"{store!r} {store.url}"


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    with minio_with_tls(tmp_path_factory.mktemp("minio-tls")) as server:
        yield server


class TestTls:
    def store(self, port: int, ca_file: Path | None) -> ObjectStore:
        return open_store(
            f"s3+https://{LOOPBACK}:{port}/shilu",
            name="town",
            credentials=S3Credentials("shilu-test", "shilu-test-secret"),
            retention_days=1,
            ca_file=ca_file,
        )

    def test_a_store_whose_authority_is_given(self, tls_server: tuple[int, Path]) -> None:
        store = self.store(*tls_server)
        store.prepare()
        store.prove()
        assert store.put_bytes(KEY, b"evidence") == Confirmation(KEY, 8, sha256_of(b"evidence"))
        assert store.read(KEY) == b"evidence"

    def test_a_store_whose_authority_nobody_knows(self, tls_server: tuple[int, Path]) -> None:
        with pytest.raises(
            StoreError, match="the server's certificate is not trusted: self-signed certificate"
        ) as raised:
            self.store(tls_server[0], None).confirm(KEY)
        assert not isinstance(raised.value, StoreUnavailableError)

    def test_a_server_without_tls(self, minio: MinioServer, tls_server: tuple[int, Path]) -> None:
        with pytest.raises(StoreUnavailableError, match="no TLS connection comes about"):
            self.store(minio.port, tls_server[1]).confirm(KEY)
