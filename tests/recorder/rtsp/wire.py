"""What a camera puts on the wire, byte by byte, and a camera that says what a test tells it to."""

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from recorder.rtsp.address import Credentials, parse_address
from recorder.rtsp.connection import Connection
from recorder.rtsp.units import Unit

URL = "rtsp://192.0.2.7/cam"
SOURCE = 0x1234_5678
NTP_EPOCH_S = 2_208_988_800

VIDEO_SDP = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n"
ALAW_SDP = "m=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n"


def rtp(
    channel: int,
    number: int,
    timestamp: int,
    payload: bytes,
    *,
    marker: bool = True,
    payload_type: int = 96,
    source: int = SOURCE,
    head: int = 0x80,
) -> bytes:
    """One packet behind its interleaving header (RFC 2326 section 10.12, RFC 3550 section 5.1)."""
    kind = payload_type | (0x80 if marker else 0)
    header = struct.pack(">BBHII", head, kind, number & 0xFFFF, timestamp & 0xFFFFFFFF, source)
    return frame(channel, header + payload)


def frame(channel: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0x24, channel, len(data)) + data


def report(channel: int, utc_us: int, timestamp: int) -> bytes:
    """A sender report alone (RFC 3550 section 6.4.1)."""
    seconds, us = divmod(utc_us, 1_000_000)
    ntp = ((seconds + NTP_EPOCH_S) & 0xFFFFFFFF) << 32 | (us << 32) // 1_000_000
    return frame(channel, struct.pack(">BBHIQIII", 0x80, 200, 6, SOURCE, ntp, timestamp & 0xFFFFFFFF, 0, 0))


def bye(channel: int, source: int = SOURCE) -> bytes:
    return frame(channel, struct.pack(">BBHI BBHI", 0x80, 201, 1, 0, 0x81, 203, 1, source))


def answer(number: int, status: int = 200, /, body: str = "", **headers: str) -> bytes:
    """The answer to request `number`; underscores in names of headers are hyphens."""
    content = body.encode()
    lines = [f"RTSP/1.0 {status} Whatever", f"CSeq: {number}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if content:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def greeting(sdp: str = VIDEO_SDP, *, session: str = "1", rtp_info: str = "", after_play: bytes = b"") -> bytes:
    """All that a camera sends until its stream plays, and then `after_play`."""
    tracks = sdp.count("m=")
    parts = [answer(1, Public="OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER"), answer(2, body=f"v=0\r\n{sdp}")]
    parts += [
        answer(3 + track, Transport=f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}", Session=session)
        for track in range(tracks)
    ]
    about = {"RTP_Info": rtp_info} if rtp_info else {}
    return b"".join([*parts, answer(3 + tracks, Session=session, **about), after_play])


def connection(user: str = "", password: str = "", *, url: str = URL, want_audio: bool = True) -> Connection:
    address, _ = parse_address(url)
    credentials = Credentials(user, password) if user else None
    return Connection(address, credentials, want_audio, lambda: "0a1b2c3d")


def playing(sdp: str = VIDEO_SDP, *, session: str = "1", rtp_info: str = "") -> Connection:
    """A connection whose stream plays."""
    made = connection()
    assert made.receive(greeting(sdp, session=session, rtp_info=rtp_info), 0) == []
    assert made.playing is not None
    made.unsent.clear()
    return made


def requests(made: Connection) -> list[list[str]]:
    """What the connection has to send, as lines; it is sent thereby."""
    text = made.unsent.decode()
    made.unsent.clear()
    return [one.split("\r\n") for one in text.split("\r\n\r\n") if one]


def header(request: Sequence[str], name: str) -> str:
    return next((line.partition(": ")[2] for line in request if line.startswith(f"{name}: ")), "")


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` in pieces."""
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in pairwise(edges)]


def feed(receive: Callable[[bytes, int], list[Unit]], pieces: Iterable[bytes], arrival_us: int = 0) -> list[Unit]:
    return [unit for piece in pieces for unit in receive(piece, arrival_us)]


def talk(made: Connection, *answers: bytes) -> list[list[str]]:
    """Give the answers; all requests, those that waited included."""
    said = requests(made)
    for one in answers:
        made.receive(one, 0)
        said += requests(made)
    return said


def asked(made: Connection) -> list[str]:
    """First lines of what is to be sent; it is sent thereby."""
    return [lines[0] for lines in requests(made)]
