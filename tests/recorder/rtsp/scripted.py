"""A server on loopback that does to its clients what a test says."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from tests.recorder.rtsp.wire import VIDEO_SDP, answer

DEADLINE_S = 20


class Scripted:
    """Each connection is given to `serve` in a thread of its own and closed when that returns."""

    def __init__(self, serve: Callable[["Client"], None], tls: ssl.SSLContext | None = None) -> None:
        self.said: list[str] = []
        """First lines of all requests."""
        self.connections = 0
        self._serve, self._tls = serve, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def url(self, scheme: str = "rtsp", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}/cam"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(DEADLINE_S)

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._run, args=(connected,))
            self._threads.append(thread)
            thread.start()

    def _run(self, connected: socket.socket) -> None:
        connected.settimeout(DEADLINE_S)
        with contextlib.suppress(OSError):
            if self._tls:
                connected = self._tls.wrap_socket(connected, server_side=True)
            self._serve(Client(connected, self.said))
        connected.close()


class Client:
    def __init__(self, connected: socket.socket, said: list[str]) -> None:
        self.socket = connected
        self._said = said

    def requests(self) -> Iterator[tuple[str, int, str]]:
        """Method, number and text of each request, until the client hangs up."""
        waiting = ""
        while True:
            while "\r\n\r\n" not in waiting:
                more = self.socket.recv(65_536)
                if not more:
                    return
                waiting += more.decode()
            text, _, waiting = waiting.partition("\r\n\r\n")
            self._said.append(text.partition("\r\n")[0])
            number = next(int(line[5:]) for line in text.split("\r\n") if line.startswith("CSeq:"))
            yield text.partition(" ")[0], number, text

    def serve_pictures(self, after_play: bytes = b"") -> None:
        """Be a camera; send `after_play` when the stream plays."""
        for method, number, _ in self.requests():
            match method:
                case "DESCRIBE":
                    reply = answer(number, body=f"v=0\r\n{VIDEO_SDP}")
                case "PLAY":
                    reply = answer(number, Session="1") + after_play
                case _:
                    reply = answer(number, Session="1")
            self.socket.sendall(reply)
