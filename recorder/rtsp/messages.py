"""RTSP messages (RFC 2326 sections 4, 6 and 7) as bytes and as values."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recorder.rtsp.errors import NOT_RTSP, RtspError

MAX_HEAD_BYTES = 32_768
MAX_BODY_BYTES = 262_144

_STATUS = re.compile(r"RTSP/\d\.\d +(\d{3})(?: |$)")
_TEXT = {"encoding": "utf-8", "errors": "surrogateescape"}  # what is not UTF-8 goes back as it came


@dataclass(frozen=True, slots=True)
class Message:
    """An answer, or a request of the camera. Names of headers are in lower case."""

    start: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes

    @property
    def status(self) -> int | None:
        """None for a request."""
        match = _STATUS.match(self.start)
        return int(match[1]) if match else None

    @property
    def method(self) -> str:
        return self.start.partition(" ")[0]

    def first(self, name: str) -> str:
        """The header's value, empty without one."""
        values = self.headers.get(name)
        return values[0] if values else ""


def parse_head(head: bytes) -> tuple[str, dict[str, tuple[str, ...]]]:
    """First line and headers. What is no header is passed over; a line that begins with a blank goes on with the one
    before (RFC 2326 section 4.2)."""
    start, *lines = re.split(r"\r?\n", head.decode(**_TEXT))
    headers: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in lines:
        if line[:1] in (" ", "\t") and name:
            values = headers[name]
            headers[name] = (*values[:-1], f"{values[-1]} {line.strip()}")
            continue
        before, colon, value = line.partition(":")
        if colon:
            name = before.strip().lower()
            headers[name] = (*headers.get(name, ()), value.strip())
    return start.strip(), headers


def body_bytes(headers: Mapping[str, tuple[str, ...]]) -> int:
    """How long the body is (RFC 2326 section 12.14).

    Raises:
        RtspError: Content-Length is no number, or beyond what a camera has to say.
    """
    length = headers.get("content-length", ("0",))[0]
    if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > MAX_BODY_BYTES:
        raise RtspError(NOT_RTSP)
    return int(length)


def render(start: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """A message without a body."""
    return "\r\n".join([start, *(f"{name}: {value}" for name, value in headers), "", ""]).encode(**_TEXT)
