"""RTSP requests out of a byte stream, answers into it (RFC 2326)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shilu.cameras.errors import ProtocolError

_MAX_HEADER_BYTES = 16_384
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
}


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` have names in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]


class RequestReader:
    """Cuts a connection's bytes into requests. What else a client may send is passed over: interleaved frames (receiver
    reports), and answers, which FFmpeg gives to anything it takes for a request of the server."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[Request]:
        """The requests that are complete with `data`.

        Raises:
            ProtocolError: what came is no RTSP.
        """
        self._waiting += data
        while self._waiting:
            if self._waiting[0] == 0x24:
                if not self._skip_interleaved():
                    return
                continue
            end = self._waiting.find(b"\r\n\r\n")
            if end < 0:
                if len(self._waiting) > _MAX_HEADER_BYTES:
                    raise ProtocolError(f"a request's header is longer than {_MAX_HEADER_BYTES} bytes")
                return
            head = bytes(self._waiting[:end])
            if head.startswith(b"RTSP/1."):
                del self._waiting[: end + 4]
                continue
            request = _parse(head)
            whole = end + 4 + _body_bytes(request)
            if len(self._waiting) < whole:
                return
            del self._waiting[:whole]
            yield request

    def _skip_interleaved(self) -> bool:
        """RFC 2326 section 10.12: "$", channel, two bytes of length."""
        if len(self._waiting) < 4:
            return False
        whole = 4 + int.from_bytes(self._waiting[2:4], "big")
        if len(self._waiting) < whole:
            return False
        del self._waiting[:whole]
        return True


def _parse(head: bytes) -> Request:
    try:
        first, *rest = head.decode("utf-8").strip("\r\n").split("\r\n")
        method, url, version = first.split(" ")
    except ValueError as error:
        raise ProtocolError(f"not a request line: {head[:60]!r}") from error
    if not version.startswith("RTSP/1."):
        raise ProtocolError(f"not RTSP 1.x: {version!r}")
    headers = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(method, url, headers)


def _body_bytes(request: Request) -> int:
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _MAX_HEADER_BYTES:
        raise ProtocolError(f"Content-Length {length!r}")
    return int(length)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def to_bytes(self, request: Request) -> bytes:
        """On the wire, with the number of the request that it answers (RFC 2326 section 12.17)."""
        lines = [f"RTSP/1.0 {self.status} {_REASONS[self.status]}", f"CSeq: {request.headers.get('cseq', '0')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body
