"""One client's RTSP 1.0 connection (RFC 2326): its requests and its session.

The session is a small machine: INIT --SETUP--> READY --PLAY--> PLAYING, with TEARDOWN as the way back from each. Media
go interleaved on the same connection (section 10.12) and nowhere else: SETUP for UDP is answered with 461.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import cast
from urllib.parse import urlsplit

import structlog

from shilu.cameras.auth import Accounts
from shilu.cameras.camera import Camera
from shilu.cameras.errors import ProtocolError
from shilu.cameras.media import Track
from shilu.cameras.rtp_feed import RtpFeed
from shilu.cameras.rtsp_message import Answer, Request, RequestReader
from shilu.cameras.sdp import control_name, describe

SESSION_TIMEOUT_S = 60
"""Announced, so that clients keep alive; not enforced."""

_log = structlog.get_logger(__name__)


class State(Enum):
    INIT = auto()
    READY = auto()
    PLAYING = auto()


TRANSITIONS = {
    (State.INIT, "SETUP"): State.READY,
    (State.READY, "SETUP"): State.READY,
    (State.READY, "PLAY"): State.PLAYING,
    (State.PLAYING, "PLAY"): State.PLAYING,
    (State.READY, "TEARDOWN"): State.INIT,
    (State.PLAYING, "TEARDOWN"): State.INIT,
}
"""Where a request leads (RFC 2326 appendix A.2); what is not here is answered with 455."""

_SESSION_METHODS = {method for _, method in TRANSITIONS}
_PUBLIC = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"


@dataclass(frozen=True)
class Service:
    """What all connections of one server share."""

    cameras: Mapping[str, Camera]
    accounts: Accounts
    backlog_limit_bytes: int
    connections: "set[RtspConnection]"


class RtspConnection(asyncio.Protocol):
    def __init__(self, service: Service, rng: Random) -> None:
        self._service, self._rng = service, rng
        self._reader = RequestReader()
        self._state = State.INIT
        self._session = f"{rng.getrandbits(64):016x}"
        self._nonce = f"{rng.getrandbits(128):032x}"
        self._feed: RtpFeed | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._service.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._service.connections.discard(self)
        self._end_feed()

    def data_received(self, data: bytes) -> None:
        try:
            for request in self._reader.feed(data):
                self._transport.write(self._answer(request).to_bytes(request))
        except ProtocolError as error:
            _log.warning("client does not speak RTSP", error=str(error))
            self.close()

    def close(self) -> None:
        """End the connection without a word."""
        self._end_feed()
        self._transport.abort()

    def _answer(self, request: Request) -> Answer:
        if request.method == "OPTIONS":
            return Answer(200, (("Public", _PUBLIC),))
        if not self._service.accounts.admit(request.headers.get("authorization"), request.method, self._nonce):
            challenges = self._service.accounts.challenges(self._nonce)
            return Answer(401, tuple(("WWW-Authenticate", challenge) for challenge in challenges))
        handlers: dict[str, Callable[[Request], Answer]] = {
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "PLAY": self._play,
            "TEARDOWN": self._teardown,
            "GET_PARAMETER": self._keep_alive,
            "SET_PARAMETER": self._keep_alive,
        }
        if request.method not in handlers:
            return Answer(405, (("Allow", _PUBLIC),))
        if request.headers.get("session", self._session).partition(";")[0] != self._session:
            return Answer(454)
        if request.method not in _SESSION_METHODS:
            return handlers[request.method](request)
        following = TRANSITIONS.get((self._state, request.method))
        if following is None:
            return Answer(455, (("Allow", _PUBLIC),))
        answer = handlers[request.method](request)
        if answer.status == 200:
            self._state = following
        return answer

    def _describe(self, request: Request) -> Answer:
        camera, _ = self._find(request.url)
        if camera is None:
            return Answer(404)
        host = self._transport.get_extra_info("sockname")[0]
        body = describe(camera.path, host, camera.source.video, camera.source.audio).encode()
        if camera.faults.garbage_describe:
            body = self._rng.randbytes(len(body))
        base = request.url.rstrip("/") + "/"
        return Answer(200, (("Content-Base", base), ("Content-Type", "application/sdp")), body)

    def _setup(self, request: Request) -> Answer:
        camera, track = self._find(request.url)
        if camera is None or track is None or (track is Track.AUDIO and camera.source.audio is None):
            return Answer(404)
        if self._feed is not None and self._feed.camera is not camera:
            return Answer(455)
        channel = _interleaved_channel(request.headers.get("transport", ""), default=2 * track.value)
        if channel is None:
            return Answer(461)
        if self._feed is None:
            self._feed = RtpFeed(camera, self._transport, self._service.backlog_limit_bytes, self._rng)
        sender = self._feed.set_up(track, channel)
        chosen = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1};ssrc={sender.ssrc:08X}"
        return Answer(200, (("Transport", chosen), ("Session", f"{self._session};timeout={SESSION_TIMEOUT_S}")))

    def _play(self, request: Request) -> Answer:
        """RTP-Info tells where each track's numbers and timestamps begin (RFC 2326 section 12.33)."""
        if self._feed is None:
            return Answer(455)
        base = request.url.rstrip("/")
        about = ",".join(
            f"url={base}/{control_name(track)};seq={number};rtptime={timestamp}"
            for track, (number, timestamp) in self._feed.play().items()
        )
        return Answer(200, (("Session", self._session), ("Range", "npt=now-"), ("RTP-Info", about)))

    def _teardown(self, _: Request) -> Answer:
        """The session ends; the connection stays, for another one or for the client to close."""
        self._end_feed()
        return Answer(200, (("Session", self._session),))

    def _keep_alive(self, _: Request) -> Answer:
        return Answer(200, (("Session", self._session),))

    def _end_feed(self) -> None:
        if self._feed is not None:
            self._feed.stop()
            self._feed = None

    def _find(self, url: str) -> tuple[Camera | None, Track | None]:
        """The camera of a URL, and the track if the URL is a track's control URL."""
        path = urlsplit(url).path.strip("/")
        for track in Track:
            if path.endswith("/" + control_name(track)):
                return self._service.cameras.get(path.removesuffix("/" + control_name(track))), track
        return self._service.cameras.get(path), None


def _interleaved_channel(transport: str, default: int) -> int | None:
    """The RTP channel of the first TCP transport that the client offers (RFC 2326 section 12.39), None without one."""
    for offer in transport.split(","):
        kind, *parameters = offer.strip().split(";")
        if kind.upper() != "RTP/AVP/TCP":
            continue
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            first = value.partition("-")[0]
            if name.strip() == "interleaved" and first.isdecimal() and int(first) < 255:
                return int(first)
        return default
    return None
