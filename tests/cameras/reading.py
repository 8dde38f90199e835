"""Reading cameras in tests: with PyAV, as the recorder does, and byte by byte, to see RTP itself."""

import re
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from shilu.cameras.picture import flash_box
from shilu.cameras.speech import BEEP_LEVEL

DEADLINE_S = 15.0
NTP_EPOCH_S = 2_208_988_800


def open_camera(url: str, timeout_s: float = 5.0) -> InputContainer:
    """As the recorder opens a camera, but without the second that FFmpeg spends on estimating the frame rate."""
    options = {"rtsp_transport": "tcp", "fpsprobesize": "1"} if url.startswith("rtsp") else {}
    return av.open(url, options=options, timeout=timeout_s)


@dataclass
class Watched:
    """What was seen and heard. Times are seconds on the container's time line."""

    codecs: list[str]
    """FFmpeg's names, in the order of the tracks."""
    picture_s: list[float] = field(default_factory=list)
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)
    """I420, shape (rows * 3 / 2, columns)."""
    sound_s: list[float] = field(default_factory=list)
    sounds: list[NDArray[np.float32]] = field(default_factory=list)
    rate_hz: int = 0

    def take(self, frame: object) -> None:
        """Keep a decoded frame that has a time."""
        if isinstance(frame, av.VideoFrame) and frame.time is not None:
            self.picture_s.append(frame.time)
            self.pictures.append(frame.to_ndarray(format="yuv420p").astype(np.uint8))
        elif isinstance(frame, av.AudioFrame) and frame.time is not None:
            self.sound_s.append(frame.time)
            self.sounds.append(_first_channel(frame))
            self.rate_hz = frame.sample_rate

    def flashes_s(self) -> list[float]:
        """When the square in the corner lights up."""
        lit = []
        for picture in self.pictures:
            left, top, right, bottom = flash_box(picture.shape[1], picture.shape[0] * 2 // 3)
            lit.append(bool(picture[top + 4 : bottom - 4, left + 4 : right - 4].mean() > 128))
        return [at for at, now, before in zip(self.picture_s[1:], lit[1:], lit, strict=False) if now and not before]

    def beeps_s(self) -> list[float]:
        """When a beep begins: the first loud sample after a tenth of a second without one."""
        found: list[float] = []
        last = -1.0
        for start_s, samples in zip(self.sound_s, self.sounds, strict=True):
            for index in np.flatnonzero(np.abs(samples) > BEEP_LEVEL / 2):
                at = start_s + float(index) / self.rate_hz
                if at - last > 0.1:
                    found.append(at)
                last = at
        return found


def watch(container: InputContainer, pictures: int) -> Watched:
    """Decode both tracks until `pictures` pictures with a time have been seen."""
    seen = Watched([stream.codec_context.name for stream in container.streams])
    deadline = time.monotonic() + DEADLINE_S
    for packet in container.demux():
        for frame in packet.decode():
            seen.take(frame)
        if len(seen.pictures) >= pictures:
            return seen
        assert time.monotonic() < deadline, f"only {len(seen.pictures)} pictures in {DEADLINE_S} s"
    raise AssertionError("the stream ended")


def _first_channel(frame: av.AudioFrame) -> NDArray[np.float32]:
    """1.0 is full scale. PyAV gives planes as rows, and interleaved channels in one row."""
    rows = frame.to_ndarray()
    samples = rows[0] if frame.format.is_planar else rows.reshape(-1, frame.layout.nb_channels)[:, 0]
    return (samples / (32768 if samples.dtype == np.int16 else 1)).astype(np.float32)


def watch_all(urls: Sequence[str], pictures: int) -> list[Watched]:
    """Read several cameras at the same time."""

    def read(url: str) -> Watched:
        with open_camera(url) as container:
            return watch(container, pictures)

    with ThreadPoolExecutor(len(urls)) as readers:
        return list(readers.map(read, urls))


def wall_clock_us(packet: "av.Packet[Any]") -> int:
    """The capture time that FFmpeg worked out from sender reports: AVProducerReferenceTime begins with it."""
    wall: int = struct.unpack_from("<q", bytes(packet.get_sidedata("prft")))[0]
    return wall


@dataclass(frozen=True)
class RtpPacket:
    channel: int
    marker: bool
    payload_type: int
    number: int
    timestamp: int
    payload: bytes


@dataclass(frozen=True)
class SenderReport:
    channel: int
    utc_us: int
    timestamp: int


class RawClient:
    """An RTSP client that shows every packet. Tracks are on channels 0 (video) and 2 (audio)."""

    def __init__(self, url: str, receive_buffer_bytes: int = 0) -> None:
        self.url = url
        parts = urlsplit(url)
        assert parts.hostname
        self.socket = socket.socket()
        if receive_buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(DEADLINE_S)
        try:
            self.socket.connect((parts.hostname, parts.port))
        except OSError:
            self.socket.close()
            raise
        self._waiting = b""
        self._number = 0
        self.session = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, method: str, url: str = "", **headers: str) -> None:
        self._number += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self._number}"]
        if self.session:
            lines.append(f"Session: {self.session}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def ask(self, method: str, url: str = "", **headers: str) -> tuple[int, str]:
        """Status and text of the answer; packets that come before it are passed over."""
        self.send(method, url, **headers)
        while True:
            first = self._take(1)
            if first == b"$":
                self._take(struct.unpack(">xH", self._take(3))[0])
                continue
            text = first
            while not text.endswith(b"\r\n\r\n"):
                text += self._take(1)
            for line in text.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    text += self._take(int(line.split(b":")[1]))
            answer = text.decode("latin-1")
            assert f"CSeq: {self._number}\r\n" in answer
            return int(answer.split(" ")[1]), answer

    def play(self, *tracks: int) -> str:
        """Set up the tracks (0 video, 1 audio) and play; the text of the answer to PLAY."""
        for track in tracks:
            transport = f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
            status, answer = self.ask("SETUP", f"{self.url}/trackID={track}", Transport=transport)
            assert status == 200, answer
            self.session = answer.split("Session: ")[1].split(";")[0]
        status, answer = self.ask("PLAY")
        assert status == 200, answer
        return answer

    def received(self) -> Iterator[RtpPacket | SenderReport]:
        """What comes on the interleaved channels, for ever."""
        while True:
            dollar, channel, size = struct.unpack(">cBH", self._take(4))
            assert dollar == b"$"
            data = self._take(size)
            if channel % 2:
                ntp, timestamp = struct.unpack_from(">QI", data, 8)
                utc_us = ((ntp >> 32) - NTP_EPOCH_S) * 1_000_000 + round((ntp & 0xFFFFFFFF) * 1e6 / 2**32)
                yield SenderReport(channel - 1, utc_us, timestamp)
            else:
                kind, number, timestamp = struct.unpack_from(">xBHI", data)
                yield RtpPacket(channel, bool(kind & 0x80), kind & 0x7F, number, timestamp, data[12:])

    def packets(self, channel: int, count: int) -> list[RtpPacket]:
        """The next `count` RTP packets of one channel."""
        found: list[RtpPacket] = []
        for packet in self.received():
            if isinstance(packet, RtpPacket) and packet.channel == channel:
                found.append(packet)
                if len(found) == count:
                    break
        return found

    def frame_times(self, count: int) -> list[int]:
        """RTP timestamps of the next `count` pictures: of the packets with the marker."""
        times: list[int] = []
        for packet in self.received():
            if isinstance(packet, RtpPacket) and packet.channel == 0 and packet.marker:
                times.append(packet.timestamp)
                if len(times) == count:
                    break
        return times

    def resynchronise(self) -> None:
        """Pass over bytes until a packet of the first picture's kind begins: "$", channel 0, RTP version 2."""
        while not re.match(rb"\$\x00..\x80[\x60\xe0]", self._waiting, re.DOTALL):
            self._take(1)
            if len(self._waiting) < 6:
                self._waiting += self.socket.recv(65536)

    def falls_silent(self, quiet_s: float) -> bool:
        """Read until nothing comes for `quiet_s`; False if that does not happen within the deadline."""
        deadline = time.monotonic() + DEADLINE_S
        self.socket.settimeout(quiet_s)
        try:
            while time.monotonic() < deadline:
                self._waiting += self.socket.recv(65536)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(DEADLINE_S)
        return False

    def is_cut_off(self) -> bool:
        """Read until the server has ended the connection; False if it has not within the deadline."""
        deadline = time.monotonic() + DEADLINE_S
        try:
            while time.monotonic() < deadline:
                if not self.socket.recv(65536):
                    return True
        except ConnectionResetError:
            return True
        return False

    def _take(self, size: int) -> bytes:
        while len(self._waiting) < size:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the camera closed the connection")
            self._waiting += more
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data
