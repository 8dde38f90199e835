"""Servers that are no S3 store, or one behind TLS: what a wrong address or a bad line looks like."""

import ipaddress
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence_store.stores import S3Credentials
from evidence_store.stores.s3 import S3Address, S3Store
from tests.parts.process import LOOPBACK, ServerProcess, free_port
from tests.parts.require import require

XML = {"Content-Type": "application/xml"}
LOCATION = b"<LocationConstraint></LocationConstraint>"
_ANY_KEYS = S3Credentials("AKEY", "the-secret-value")


def impatient(port: int, *, bucket: str = "shilu", timeout_s: float = 0.3) -> S3Store:
    """A store on this port that waits for nothing any longer than it must."""
    address = S3Address(LOOPBACK, port, bucket, secure=False)
    return S3Store(address, "town", _ANY_KEYS, 1, connect_timeout_s=timeout_s, read_timeout_s=timeout_s)


@contextmanager
def http_server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[int]:
    """The port of a server that gives this answer to every request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)

        do_PUT = do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815 - these names are http.server's

        def log_message(self, *_: object) -> None:
            """Not on the test's output."""

    class QuietServer(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what many of these tests are about."""

    with QuietServer((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


@contextmanager
def minio_with_tls(folder: Path) -> Iterator[tuple[int, Path]]:
    """The port of a MinIO server and the file of the authority that issued its certificate."""
    certificates = folder / "certs"
    certificates.mkdir()
    authority = _certificate(certificates)
    port = free_port()
    process = ServerProcess(
        [require("minio"), "server", "--certs-dir", certificates, "--address", f"{LOOPBACK}:{port}", folder / "data"],
        log=folder / "minio.log",
        environment={
            "HOME": str(folder),
            "MINIO_BROWSER": "off",
            "MINIO_ROOT_USER": "shilu-test",
            "MINIO_ROOT_PASSWORD": "shilu-test-secret",
            "MINIO_UPDATE": "off",
        },
    )
    try:
        process.wait_until(lambda: "API: https://" in process.log.read_text(), within_s=30)
        yield port, authority
    finally:
        process.stop()


def _certificate(folder: Path) -> Path:
    """A self-signed certificate for loopback, under the names that MinIO expects; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "private.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public = folder / "public.crt"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return public
