"""A camera's stream from a socket: the edge of this package, the only place that connects and waits.

Reading goes in bursts: `read` takes with one call of the kernel what has gathered since the last one, and a caller that
pauses between reads lets it gather. Nothing is lost by pausing as long as the kernel's receive buffer lasts.
"""

import contextlib
import secrets
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from recorder.rtsp.address import Address, Credentials, parse_address
from recorder.rtsp.alignment import SenderReport
from recorder.rtsp.connection import Connection
from recorder.rtsp.errors import ENDED, NO_ANSWER, RtspError
from recorder.rtsp.handshake import RedirectedError
from recorder.rtsp.units import Description, Kind, Unit

_READ_BYTES = 131_072
_MAX_REDIRECTS = 4
_TEARDOWN_US = 300_000


@dataclass(frozen=True, slots=True)
class Burst:
    """What one read gave. `drained`: nothing was left in the socket; else the reader is behind and should not pause."""

    units: list[Unit]
    arrival_us: int
    drained: bool


class RtspSource:
    """One camera, over RTSP on TCP. One thread at a time may use it.

    with RtspSource(url, "user", "secret", want_audio=True, now_us=clock.monotonic_us) as source:
        while True:
            for unit in source.read().units:
                ticks = source.media_ticks(unit.kind, unit.timestamp)
            time.sleep(0.2)
    """

    def __init__(
        self,
        url: str,
        user: str | None = None,
        password: str | None = None,
        *,
        want_audio: bool,
        now_us: Callable[[], int],
        open_timeout_s: float = 5.0,
        read_timeout_s: float = 4.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`url` may hold user name and password; arguments take their place. `now_us` is a clock that is never set.
        `tls` says whom to trust on rtsps://, by default the system's authorities.

        Raises:
            RtspError: `url` is no RTSP address.
        """
        self._address, found = parse_address(url)
        self._credentials = Credentials(user, password or "") if user else found
        self._want_audio = want_audio
        self._now_us = now_us
        self._open_timeout_us = round(open_timeout_s * 1_000_000)
        self._read_timeout_us = round(read_timeout_s * 1_000_000)
        self._tls = tls
        self._socket: socket.socket | None = None
        self._connection: Connection | None = None
        self._early: list[Unit] = []
        self._heard_us = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Connect and make the stream play.

        Raises:
            RtspError: that was not possible within the time for opening.
        """
        until_us = self._now_us() + self._open_timeout_us
        address, credentials = self._address, self._credentials
        for _ in range(_MAX_REDIRECTS + 1):
            try:
                self._connect(address, until_us)
                self._play(address, credentials, until_us)
                return
            except RedirectedError as elsewhere:
                self._hang_up()
                if (elsewhere.address.host, elsewhere.address.port) != (address.host, address.port):
                    credentials = None  # a password goes to the camera that it was set for, to no other
                address = elsewhere.address
            except BaseException:
                self._hang_up()
                raise
        raise RtspError("the camera sends its clients from one address to the next")

    @property
    def description(self) -> Description:
        playing = self._open_connection().playing
        if playing is None:
            raise RuntimeError("the stream is not open")
        return playing.description

    def read(self, wait_s: float = 1.0) -> Burst:
        """What has come since the last read; waits up to `wait_s` if nothing has, and may return no units.

        Raises:
            RtspError: the stream is over, or nothing of it came for the read timeout.
        """
        connection = self._open_connection()
        early, self._early = self._early, []
        try:
            data = self._receive()
            if data is None and not early:
                self._wait(select.POLLIN, round(wait_s * 1_000_000))
                data = self._receive()
            now_us = self._now_us()
            units = early + connection.receive(data or b"", now_us)
            connection.keep_alive(now_us)
            self._flush()
        except OSError as error:
            raise RtspError(_words(error)) from error
        if units:
            self._heard_us = now_us
        elif data == b"":
            raise RtspError(ENDED)
        elif now_us - self._heard_us > self._read_timeout_us:
            raise RtspError(f"the camera has sent neither picture nor sound for {self._read_timeout_us / 1e6:g} s")
        return Burst(units, now_us, drained=data is None or len(data) < _READ_BYTES)

    def media_ticks(self, kind: Kind, timestamp: int) -> int:
        """Where a unit that was read lies on the time line that pictures and sound share, near 0 at the connection:
        pictures in ticks of 90 kHz, sound in samples. See `alignment` for the rule."""
        return self._open_connection().alignment.media_ticks(kind, timestamp)

    def sender_report(self, kind: Kind) -> SenderReport | None:
        """What the camera's wall clock last said of this track."""
        return self._open_connection().alignment.sender_report(kind)

    def close(self) -> None:
        """Tell the camera, if it listens, and hang up. May be called at any time."""
        connection = self._connection
        if connection is not None and connection.playing is not None:
            # A camera serves few sessions at once. It is given a moment to take the word before the line is cut.
            with contextlib.suppress(OSError, RtspError, RedirectedError):
                connection.tear_down()
                self._exchange(connection, self._now_us() + _TEARDOWN_US, lambda: connection.torn_down)
        self._hang_up()

    def _open_connection(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("the stream is not open")
        return self._connection

    def _connect(self, address: Address, until_us: int) -> None:
        try:
            timeout_s = max(until_us - self._now_us(), 1) / 1e6
            self._socket = socket.create_connection((address.host, address.port), timeout_s)
            if address.tls:
                tls = self._tls or ssl.create_default_context()
                self._socket = tls.wrap_socket(self._socket, server_hostname=address.host)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setblocking(False)
        except OSError as error:
            raise RtspError(_words(error)) from error

    def _play(self, address: Address, credentials: Credentials | None, until_us: int) -> None:
        connection = Connection(address, credentials, self._want_audio, lambda: secrets.token_hex(8))
        self._connection, self._early = connection, []
        try:
            self._early = self._exchange(connection, until_us, lambda: connection.playing is not None)
        except OSError as error:
            raise RtspError(_words(error)) from error
        self._heard_us = self._now_us()

    def _exchange(self, connection: Connection, until_us: int, done: Callable[[], bool]) -> list[Unit]:
        """Send and receive until `done`; the units that came meanwhile."""
        units: list[Unit] = []
        while not done():
            self._flush()
            data = self._receive()
            now_us = self._now_us()
            if data is not None:
                units += connection.receive(data, now_us)
            if data == b"":
                raise RtspError(ENDED)
            if now_us > until_us:
                raise RtspError(NO_ANSWER)
            if data is None:
                self._wait(select.POLLIN | (select.POLLOUT if connection.unsent else 0), until_us - now_us)
        return units

    def _receive(self) -> bytes | None:
        """What has gathered, up to _READ_BYTES; None if nothing has yet, no bytes at the end of the stream."""
        if self._socket is None:
            raise RuntimeError("the stream is not open")
        try:
            data = self._socket.recv(_READ_BYTES)
            if isinstance(self._socket, ssl.SSLSocket):
                data = self._more_records(self._socket, data)
            return data
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def _more_records(self, tls: ssl.SSLSocket, first: bytes) -> bytes:
        """TLS gives a record of at most 16 KB at a time."""
        records, size = [first], len(first)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while records[-1] and size < _READ_BYTES:
                records.append(tls.recv(_READ_BYTES - size))
                size += len(records[-1])
        return b"".join(records)

    def _flush(self) -> None:
        """Send what can be sent without waiting."""
        unsent = self._open_connection().unsent
        if unsent and self._socket is not None:
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                del unsent[: self._socket.send(unsent)]

    def _wait(self, events: int, timeout_us: int) -> None:
        if self._socket is not None:
            poll = select.poll()
            poll.register(self._socket, events)
            poll.poll(max(timeout_us, 0) / 1000)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = self._connection = None


def _words(error: OSError) -> str:
    """What went wrong on the way, for a technician; the system's own text may hold the address."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"the camera's certificate is not to be trusted ({error.verify_message})"
        case ssl.SSLError():
            return "the camera does not speak TLS as it should"
        case ConnectionRefusedError():
            return "the camera refuses the connection: nothing serves RTSP at this port"
        case TimeoutError():
            return NO_ANSWER
        case socket.gaierror():
            return "there is no camera of this name"
        case ConnectionError():
            return ENDED
        case _:
            return (error.strerror or type(error).__name__).lower()
