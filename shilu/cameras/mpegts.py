"""The same cameras as MPEG transport streams (ISO/IEC 13818-1) over plain TCP and over HTTP.

Plain TCP has a port for each camera and begins to send when somebody connects; HTTP has one port and `/<path>.ts`.
Both carry H.264 or H.265, with AAC or without sound.
"""

import asyncio
from collections.abc import Callable, Mapping
from fractions import Fraction
from random import Random
from typing import cast

import av
import structlog
from av.container import OutputContainer
from av.stream import Stream

from shilu.cameras.camera import Camera
from shilu.cameras.errors import SpecError
from shilu.cameras.listener import Listener
from shilu.cameras.media import AudioCodec, AudioFormat, MediaUnit, Track, VideoCodec

_log = structlog.get_logger(__name__)
_MAX_REQUEST_BYTES = 16_384
_ADTS_RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)

_MUXER_OPTIONS = {
    "pes_payload_size": "0",  # each packet of sound at once, not some of them gathered
    "max_interleave_delta": "100000",  # microseconds that one track waits for the other
    "flush_packets": "1",
}


def check_transportable(camera: Camera) -> None:
    """Raises:
    SpecError: the camera's sound has no place in a transport stream here.
    """
    audio = camera.source.audio
    if audio is not None and audio.codec is not AudioCodec.AAC:
        raise SpecError(f"{camera.path}: MPEG-TS carries AAC or no sound here, not {audio.codec}")


def adts(form: AudioFormat, frame: bytes) -> bytes:
    """An AAC-LC frame, one channel, behind its ADTS header (ISO/IEC 14496-3 section 1.A.3.2, no CRC)."""
    size = len(frame) + 7
    header = 0xFFF1 << 40 | 1 << 38 | _ADTS_RATES_HZ.index(form.rate_hz) << 34 | 1 << 30 | size << 13 | 0x7FF << 2
    return header.to_bytes(7, "big") + frame


class _TransportFile:
    """What the muxer writes into: the connection."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> int:
        self._transport.write(bytes(data))
        return len(data)


class TransportStream:
    """One client's stream; it begins with a key frame, and anew where timestamps jump back, which no muxer takes."""

    def __init__(self, camera: Camera, transport: asyncio.Transport) -> None:
        self.camera, self._transport = camera, transport
        self._output: OutputContainer | None = None
        self._streams: dict[Track, Stream] = {}
        self._last_pts: dict[Track, int] = {}

    def add(self, unit: MediaUnit) -> None:
        jumped_back = unit.pts <= self._last_pts.get(unit.track, unit.pts - 1)
        if self._output is None or jumped_back:
            self.close()
            if not (unit.track is Track.VIDEO and unit.keyframe):
                return
            self._output = self._open()
        self._last_pts[unit.track] = unit.pts
        audio = self.camera.source.audio
        packet = av.Packet(adts(audio, unit.data) if unit.track is Track.AUDIO and audio else unit.data)
        packet.pts = packet.dts = unit.pts
        packet.time_base = Fraction(1, self.camera.clock_hz(unit.track))
        packet.is_keyframe = unit.keyframe
        packet.stream = self._streams[unit.track]
        self._output.mux_one(packet)

    def close(self) -> None:
        if self._output is not None:
            self._output.close()
            self._output = None
            self._last_pts.clear()

    def _open(self) -> OutputContainer:
        output = av.open(_TransportFile(self._transport), "w", format="mpegts", container_options=_MUXER_OPTIONS)
        source = self.camera.source
        video_name = "h264" if source.video.codec is VideoCodec.H264 else "hevc"
        self._streams = {Track.VIDEO: output.add_mux_stream(video_name, source.video.fps)}
        if source.audio is not None:
            self._streams[Track.AUDIO] = output.add_mux_stream("aac", source.audio.rate_hz)
        return output


class _Connection(asyncio.Protocol):
    """A `Watcher` that is given a transport stream; subclasses say when it begins."""

    def __init__(self, server: "MpegTsServer") -> None:
        self._server = server
        self._stream: TransportStream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._server.connections.discard(self)
        self._leave()

    def close(self) -> None:
        self._leave()
        self._transport.abort()

    def deliver(self, unit: MediaUnit) -> None:
        if self._stream is None:
            return
        self._stream.add(unit)
        if self._transport.get_write_buffer_size() > self._server.backlog_limit_bytes:
            _log.warning("client too slow, dropped", camera=self._stream.camera.path)
            self.close()

    def write_garbage(self, size_bytes: int) -> None:
        self._transport.write(self._server.rng.randbytes(size_bytes))

    def _begin(self, camera: Camera) -> None:
        self._stream = TransportStream(camera, self._transport)
        camera.join(self)

    def _leave(self) -> None:
        if self._stream is not None:
            self._stream.camera.leave(self)
            self._stream.close()
            self._stream = None


class _TcpConnection(_Connection):
    def __init__(self, server: "MpegTsServer", camera: Camera) -> None:
        super().__init__(server)
        self._only = camera

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._begin(self._only)


class _HttpConnection(_Connection):
    """One GET, answered with a body that ends with the connection (RFC 9112 section 6.3)."""

    _request = b""

    def data_received(self, data: bytes) -> None:
        if self._stream is not None:
            return
        self._request += data
        if b"\r\n\r\n" not in self._request:
            if len(self._request) > _MAX_REQUEST_BYTES:
                self.close()
            return
        method, _, rest = self._request.partition(b" ")
        path = rest.partition(b" ")[0].decode("latin-1").strip("/").removesuffix(".ts")
        camera = self._server.cameras.get(path)
        if method != b"GET" or camera is None:
            status = b"405 Method Not Allowed\r\nAllow: GET" if method != b"GET" else b"404 Not Found"
            self._transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()
            return
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n")
        self._begin(camera)


class MpegTsServer:
    """Belongs to the event loop's thread."""

    def __init__(self, cameras: Mapping[str, Camera], backlog_limit_bytes: int, rng: Random) -> None:
        """Raises:
        SpecError: a camera's sound is not AAC.
        """
        for camera in cameras.values():
            check_transportable(camera)
        self.cameras, self.backlog_limit_bytes, self.rng = cameras, backlog_limit_bytes, rng
        self.connections: set[_Connection] = set()
        self.http = Listener(lambda: _HttpConnection(self))
        self.tcp = {path: Listener(self._tcp_protocol(camera)) for path, camera in cameras.items()}

    def _tcp_protocol(self, camera: Camera) -> Callable[[], asyncio.Protocol]:
        return lambda: _TcpConnection(self, camera)

    @property
    def listeners(self) -> list[Listener]:
        return [self.http, *self.tcp.values()]

    def http_url(self, path: str) -> str:
        return f"http://{self.http.address}/{path}.ts"

    def tcp_url(self, path: str) -> str:
        return f"tcp://{self.tcp[path].address}"

    async def stop(self) -> None:
        """Close the ports and every connection."""
        for listener in self.listeners:
            listener.close()
        for connection in list(self.connections):
            connection.close()
        await asyncio.sleep(0)
