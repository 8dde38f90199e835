"""Session descriptions (RFC 8866) as cameras write them: what is needed is found, the rest may be anything. Pure."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field

from recorder.rtsp.errors import NOT_RTSP, RtspError

_MEDIA = re.compile(r"m=(\w+) +\d+(?:/\d+)? +(\S+)((?: +\d+)+)")
_RTPMAP = re.compile(r"(\d{1,3}) +([\w.+-]{1,40})/(\d{1,9})(?:/(\d{1,3}))?", re.ASCII)
_FMTP = re.compile(r"(\d{1,3}) +(.*)", re.ASCII)
_MAX_MEDIA = 32

_STATIC = {
    0: ("PCMU", 8000, 1), 3: ("GSM", 8000, 1), 4: ("G723", 8000, 1), 8: ("PCMA", 8000, 1), 9: ("G722", 8000, 1),
    10: ("L16", 44100, 2), 11: ("L16", 44100, 1), 14: ("MPA", 90000, 1), 18: ("G729", 8000, 1),
    26: ("JPEG", 90000, 1), 32: ("MPV", 90000, 1), 33: ("MP2T", 90000, 1),
}  # fmt: skip
"""RFC 3551 section 6, tables 4 and 5: encoding, clock and channels of the payload types that need no rtpmap."""


@dataclass(frozen=True, slots=True)
class Format:
    """One payload type of a medium. `encoding` is in upper case; `clock_hz` 0 and `channels` 0: not said."""

    payload_type: int
    encoding: str
    clock_hz: int
    channels: int
    parameters: Mapping[str, str]

    def number(self, name: str, default: int) -> int:
        value = self.parameters.get(name, "")
        return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else default


@dataclass(slots=True)
class Medium:
    """One `m=` section; `control` is empty if it has none."""

    kind: str
    payload_types: tuple[int, ...]
    control: str = ""
    rtpmap: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    fmtp: dict[int, dict[str, str]] = field(default_factory=dict)

    @property
    def formats(self) -> list[Format]:
        formats = []
        for kind in self.payload_types:
            named = self.rtpmap.get(kind) or _STATIC.get(kind) or (f"PAYLOAD TYPE {kind}", 0, 0)
            formats.append(Format(kind, *named, self.fmtp.get(kind, {})))
        return formats


@dataclass(frozen=True, slots=True)
class SessionDescription:
    control: str
    media: tuple[Medium, ...]


def parse_sdp(body: bytes) -> SessionDescription:
    """Raises:
    RtspError: this is no session description.
    """
    control, media = "", list[Medium]()
    medium: Medium | None = None
    for line in body.decode("utf-8", "replace").splitlines():
        if line.startswith("m="):
            medium = _medium(line)
            if medium is not None and len(media) < _MAX_MEDIA:
                media.append(medium)
        elif line.startswith("a=control:"):
            if medium is not None:
                medium.control = line[10:].strip()
            elif not media:
                control = line[10:].strip()
        elif medium is not None and line.startswith("a="):
            _attribute(medium, line)
    if not media and not re.search(rb"^v=0", body, re.MULTILINE):
        raise RtspError(NOT_RTSP)
    return SessionDescription(control, tuple(media))


def _medium(line: str) -> Medium | None:
    """None for one that does not travel in RTP."""
    match = _MEDIA.match(line)
    if match is None or not match[2].upper().startswith("RTP/"):
        return None
    return Medium(match[1].lower(), tuple(int(kind) for kind in match[3].split() if len(kind) <= 3))


def _attribute(medium: Medium, line: str) -> None:
    if match := _RTPMAP.match(line.removeprefix("a=rtpmap:").strip()) if line.startswith("a=rtpmap:") else None:
        medium.rtpmap[int(match[1])] = (match[2].upper(), int(match[3]), int(match[4] or 0))
    elif match := _FMTP.match(line.removeprefix("a=fmtp:").strip()) if line.startswith("a=fmtp:") else None:
        parameters = medium.fmtp.setdefault(int(match[1]), {})
        for part in match[2].split(";"):
            name, _, value = part.partition("=")
            parameters[name.strip().lower()] = value.strip()


def base64_values(text: str) -> list[bytes]:
    """Values separated by commas, those left out that are not base64; padding may be missing."""
    values = []
    for part in text.split(","):
        word = part.strip().rstrip("=")
        try:
            values.append(b64decode(word + "=" * (-len(word) % 4), validate=True))
        except (Base64Error, ValueError):
            continue
    return values
