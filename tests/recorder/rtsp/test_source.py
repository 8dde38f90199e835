"""The socket's edge: cameras that do not answer, hang up, send elsewhere, speak TLS."""

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from recorder.rtsp.errors import RtspError
from recorder.rtsp.source import RtspSource
from tests.recorder.rtsp.reading import now_us, read_pictures, source, wait_gathered
from tests.recorder.rtsp.scripted import Client, Scripted
from tests.recorder.rtsp.wire import answer, rtp

PICTURE = b"\x65\x88picture"


def film(count: int) -> bytes:
    return b"".join(rtp(0, number, number * 3600, PICTURE + bytes(20_000) + b"x") for number in range(count))


def serve_film(client: Client) -> None:
    client.serve_pictures(film(300))


# Opening


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/",
        "rtsp://",
        "rtsp:///cam",
        "192.0.2.1",
        "rtsp://a b/",
        "rtsp://host:port/",
        "rtsp://[::1/",
        "rtsp://camera..example/",
        f"rtsp://{'x' * 64}.example/",
        "rtsp://192.0.2.1/\ncam",
    ],
)
def test_what_is_no_address_is_said_before_anything_is_tried(url: str) -> None:
    with pytest.raises(RtspError, match="not the address of an RTSP stream"):
        source(url)


def test_a_camera_that_never_answers() -> None:
    with Scripted(wait_for_end) as server:
        began_s = time.monotonic()
        with pytest.raises(RtspError, match="does not answer"):
            source(server.url(), open_timeout_s=0.3).open()
        assert time.monotonic() - began_s < 2


def wait_for_end(client: Client) -> None:
    while client.socket.recv(1 << 16):
        pass


def test_a_camera_that_answers_byte_by_byte_is_given_no_more_time() -> None:
    def dribble(client: Client) -> None:
        for byte in answer(1, X="y" * 1000):
            client.socket.sendall(bytes([byte]))
            time.sleep(0.02)

    with Scripted(dribble) as server, pytest.raises(RtspError, match="does not answer"):
        source(server.url(), open_timeout_s=0.3).open()


def test_a_machine_that_is_not_there() -> None:
    """A listener whose queue is full takes no more connections and refuses none."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(RtspError, match="does not answer"):
            source(f"rtsp://127.0.0.1:{full.getsockname()[1]}/", open_timeout_s=0.3).open()
        for one in waiting:
            one.close()


def test_a_port_where_nothing_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"rtsp://127.0.0.1:{probe.getsockname()[1]}/"
    with pytest.raises(RtspError, match="refuses the connection"):
        source(url).open()


def test_a_camera_that_hangs_up() -> None:
    with Scripted(lambda _: None) as server, pytest.raises(RtspError, match="ended the stream"):
        source(server.url()).open()


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b"220 ftp ready, please log in\r\n"])
def test_something_that_is_no_camera(data: bytes) -> None:
    def serve(client: Client) -> None:
        client.socket.sendall(data)
        wait_for_end(client)

    with Scripted(serve) as server, pytest.raises(RtspError, match="not a stream"):
        source(server.url()).open()


def test_nothing_can_be_read_from_a_source_that_is_not_open() -> None:
    reader = source("rtsp://192.0.2.1/")
    with pytest.raises(RuntimeError, match="not open"):
        reader.read()
    reader.close()


# Redirections


def test_a_camera_elsewhere() -> None:
    with Scripted(serve_film) as there:

        def send_there(client: Client) -> None:
            for method, number, text in client.requests():
                assert "Authorization" not in text
                status = 302 if method == "DESCRIBE" else 200
                client.socket.sendall(answer(number, status, Location=there.url()))

        with Scripted(send_there) as here, source(here.url(), user="user", password="secret") as reader:
            assert read_pictures(reader, 3)
        assert there.connections == 1


def test_a_password_is_not_taken_along_to_another_machine() -> None:
    def ask(client: Client) -> None:
        for _, number, text in client.requests():
            assert "Authorization" not in text
            client.socket.sendall(answer(number, 401, WWW_Authenticate='Basic realm="x"'))

    with Scripted(ask) as there:

        def send_there(client: Client) -> None:
            for method, number, _ in client.requests():
                status = 302 if method == "DESCRIBE" else 200
                client.socket.sendall(answer(number, status, Location=there.url()))

        with Scripted(send_there) as here, pytest.raises(RtspError, match="asks for a user name"):
            source(here.url(), user="user", password="secret").open()
        assert len(there.said) == 1


def test_cameras_that_send_in_circles() -> None:
    def send_back(client: Client) -> None:
        for method, number, _ in client.requests():
            port = client.socket.getsockname()[1]
            status = 302 if method == "DESCRIBE" else 200
            client.socket.sendall(answer(number, status, Location=f"rtsp://127.0.0.1:{port}/cam"))

    with Scripted(send_back) as server:
        with pytest.raises(RtspError, match="from one address to the next"):
            source(server.url()).open()
        assert server.connections == 5


# Reading and closing


def test_all_that_was_sent_is_read_before_the_end_is_told() -> None:
    def serve(client: Client) -> None:
        for method, number, _ in client.requests():
            reply = answer(number, Session="1", body="v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n")
            client.socket.sendall(reply + (film(60) if method == "PLAY" else b""))
            if method == "PLAY":
                return

    with Scripted(serve) as server, source(server.url()) as reader:
        wait_gathered(reader, 1000)
        assert len(read_pictures(reader, 60)) == 60
        with pytest.raises(RtspError, match="ended the stream"):
            reader.read()


def test_units_that_came_while_the_stream_opened_are_not_lost() -> None:
    def serve(client: Client) -> None:
        for method, number, _ in client.requests():
            reply = answer(number, Session="1", body="v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n")
            client.socket.sendall(film(10) + reply if method == "PLAY" else reply)

    with Scripted(serve) as server, source(server.url()) as reader:
        assert len(reader.read().units) == 10


def test_a_reader_waits_no_longer_than_it_is_told() -> None:
    with Scripted(lambda client: client.serve_pictures()) as server, source(server.url()) as reader:
        began_s = time.monotonic()
        burst = reader.read(0.05)
        assert (burst.units, burst.drained) == ([], True)
        assert time.monotonic() - began_s < 1


def test_closing_tells_the_camera() -> None:
    with Scripted(serve_film) as server:
        with source(server.url()) as reader:
            read_pictures(reader, 3)
        assert server.said[-1].startswith("TEARDOWN ")
        reader.close()


def test_closing_waits_for_no_camera() -> None:
    def serve(client: Client) -> None:
        for method, number, _ in client.requests():
            if method == "TEARDOWN":
                wait_for_end(client)
                return
            reply = answer(number, Session="1", body="v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n")
            client.socket.sendall(reply)

    with Scripted(serve) as server:
        reader = source(server.url())
        reader.open()
        began_s = time.monotonic()
        reader.close()
        assert time.monotonic() - began_s < 1


def test_the_session_is_kept_alive() -> None:
    def serve(client: Client) -> None:
        for _, number, _ in client.requests():
            body = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
            client.socket.sendall(answer(number, Session="1;timeout=1", body=body))

    with Scripted(serve) as server, source(server.url(), read_timeout_s=10) as reader:
        until_s = time.monotonic() + 10
        while not any(line.startswith("OPTIONS") for line in server.said[4:]):
            reader.read(0.1)
            assert time.monotonic() < until_s


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 and for nobody else, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "camera.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_server(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_camera_over_tls(tls_server: ssl.SSLContext, certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    with Scripted(serve_film, tls_server) as server:
        reader = RtspSource(server.url("rtsps"), want_audio=True, now_us=now_us, tls=trusting)
        with reader:
            assert len(read_pictures(reader, 300)) == 300
        assert server.said[-1].startswith("TEARDOWN rtsps://")


def test_a_certificate_that_nobody_vouches_for(tls_server: ssl.SSLContext) -> None:
    with Scripted(serve_film, tls_server) as server, pytest.raises(RtspError, match="certificate is not to be trusted"):
        source(server.url("rtsps")).open()


def test_a_certificate_of_another_camera(tls_server: ssl.SSLContext, certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    with Scripted(serve_film, tls_server) as server, pytest.raises(RtspError, match="certificate is not to be trusted"):
        source(server.url("rtsps", "localhost"), tls=trusting).open()


def test_a_camera_that_speaks_no_tls() -> None:
    def serve(client: Client) -> None:
        client.socket.sendall(b"RTSP/1.0 400 Bad Request\r\n\r\n")

    with Scripted(serve) as server, pytest.raises(RtspError, match="does not speak TLS"):
        source(server.url("rtsps")).open()
