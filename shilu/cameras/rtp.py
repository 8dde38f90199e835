"""RTP (RFC 3550): frames into payloads, payloads into packets on an interleaved RTSP connection.

A payload rule is a function from one frame to the payloads of its packets, chosen by codec. `RtpSender` numbers and
stamps them for one client and one track, and gives a whole frame as one run of bytes, to be sent with a single call.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from shilu.cameras import nal
from shilu.cameras.media import AudioCodec, AudioFormat, VideoCodec, VideoFormat

MAX_PAYLOAD_BYTES = 1400
"""With all headers below the 1500 bytes of Ethernet: cameras keep to it over TCP too."""

PayloadRule = Callable[[bytes], list[bytes]]

_STATIC_TYPES = {AudioCodec.MULAW: 0, AudioCodec.ALAW: 8}
"""RFC 3551 section 6, table 4."""
_DYNAMIC_TYPES = {"video": 96, "audio": 97}

_INTERLEAVED_RTP = struct.Struct(">BBHBBHII")
"""RFC 2326 section 10.12: "$", channel, length; then RFC 3550 section 5.1: V P X CC, M PT, number, time, source."""
_RTP_HEADER_BYTES = 12
_VERSION_2 = 0x80
_MARKER = 0x80
_NTP_EPOCH_S = 2_208_988_800
"""1970 counted from 1900 (RFC 5905 section 6)."""


def _h264_payloads(access_unit: bytes) -> list[bytes]:
    """RFC 6184: a small NAL unit is a payload of its own (section 5.6), a large one goes as FU-A (section 5.8)."""
    payloads = []
    for unit in nal.split(access_unit):
        if len(unit) <= MAX_PAYLOAD_BYTES:
            payloads.append(unit)
            continue
        indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 0x1F
        payloads += _fragments(unit[1:], bytes([indicator]), kind)
    return payloads


def _h265_payloads(access_unit: bytes) -> list[bytes]:
    """RFC 7798: single NAL unit packets (section 4.4.1) and fragmentation units (section 4.4.3)."""
    payloads = []
    for unit in nal.split(access_unit):
        if len(unit) <= MAX_PAYLOAD_BYTES:
            payloads.append(unit)
            continue
        header = bytes([(unit[0] & 0x81) | (49 << 1), unit[1]])
        payloads += _fragments(unit[2:], header, (unit[0] >> 1) & 0x3F)
    return payloads


def _fragments(body: bytes, header: bytes, kind: int) -> list[bytes]:
    """The pieces of a NAL unit without its header, each behind `header` and the byte with start, end and type."""
    size = MAX_PAYLOAD_BYTES - len(header) - 1
    last = (len(body) - 1) // size * size
    pieces = []
    for at in range(0, len(body), size):
        flags = (0x80 if at == 0 else 0) | (0x40 if at == last else 0)
        pieces.append(b"%b%c%b" % (header, flags | kind, body[at : at + size]))
    return pieces


def _aac_payloads(frame: bytes) -> list[bytes]:
    """RFC 3640 section 3.3.6, AAC-hbr: one access unit behind a 16-bit AU-headers-length and a 13 + 3 bit AU-header."""
    return [struct.pack(">HH", 16, len(frame) << 3) + frame]


def _whole_frame(frame: bytes) -> list[bytes]:
    """RFC 7587 section 4.2 (Opus) and RFC 3551 section 4.5.14 (G.711): the frame is the payload."""
    return [frame]


_VIDEO_RULES: dict[VideoCodec, PayloadRule] = {VideoCodec.H264: _h264_payloads, VideoCodec.H265: _h265_payloads}


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """How one track travels. `marker` says whether the last packet of a frame carries the marker bit: of a picture and
    of an AAC access unit it does, of Opus and G.711 without pauses it does not."""

    payload_type: int
    clock_hz: int
    marker: bool
    rule: PayloadRule


def video_payload(form: VideoFormat) -> PayloadFormat:
    return PayloadFormat(_DYNAMIC_TYPES["video"], 90_000, True, _VIDEO_RULES[form.codec])


def audio_payload(form: AudioFormat) -> PayloadFormat:
    aac = form.codec is AudioCodec.AAC
    payload_type = _STATIC_TYPES.get(form.codec, _DYNAMIC_TYPES["audio"])
    return PayloadFormat(payload_type, form.rate_hz, aac, _aac_payloads if aac else _whole_frame)


class RtpSender:
    """Numbering, stamping and reporting of one track for one client (RFC 3550 sections 5.1 and 6.4.1)."""

    def __init__(self, form: PayloadFormat, channel: int, rng: Random) -> None:
        """`channel` is the interleaved channel of RTP; RTCP goes on the next one."""
        self._form, self._channel, self._rng = form, channel, rng
        self.ssrc = rng.getrandbits(32)
        self.next_number = rng.getrandbits(16)
        self._offset = rng.getrandbits(32)
        self._packets = self._octets = 0

    def timestamp(self, pts: int) -> int:
        """The RTP timestamp of a pts: a random offset and 32 bits (RFC 3550 section 5.1)."""
        return (pts + self._offset) & 0xFFFFFFFF

    def frame(self, data: bytes, timestamp: int, loss_percent: float = 0) -> bytes:
        """One frame's packets with their interleaving headers, some of them left out at random."""
        payloads = self._form.rule(data)
        pieces: list[bytes] = []
        kind = self._form.payload_type
        for at, payload in enumerate(payloads, start=1):
            marked = kind | _MARKER if self._form.marker and at == len(payloads) else kind
            number, size = self.next_number, len(payload) + _RTP_HEADER_BYTES
            self.next_number = (number + 1) & 0xFFFF
            if loss_percent and self._rng.uniform(0, 100) < loss_percent:
                continue
            header = (0x24, self._channel, size, _VERSION_2, marked, number, timestamp, self.ssrc)
            pieces += (_INTERLEAVED_RTP.pack(*header), payload)
            self._packets += 1
            self._octets += len(payload)
        return b"".join(pieces)

    def report(self, timestamp: int, utc_us: int) -> bytes:
        """A sender report and the CNAME that must go with it (RFC 3550 sections 6.4.1 and 6.5.1), interleaved: at
        `utc_us` of the camera's wall clock the track's timestamps stood at `timestamp`."""
        seconds, fraction_us = divmod(utc_us, 1_000_000)
        ntp = ((seconds + _NTP_EPOCH_S) & 0xFFFFFFFF) << 32 | (fraction_us << 32) // 1_000_000
        counts = (self._packets & 0xFFFFFFFF, self._octets & 0xFFFFFFFF)
        sender = struct.pack(">BBHIQIII", _VERSION_2, 200, 6, self.ssrc, ntp, timestamp, *counts)
        name = b"camera"
        items = struct.pack(">IBB", self.ssrc, 1, len(name)) + name
        items += bytes(4 - len(items) % 4)  # the chunk ends with at least one zero, on a 32-bit boundary
        compound = sender + struct.pack(">BBH", _VERSION_2 | 1, 202, len(items) // 4) + items
        return struct.pack(">BBH", 0x24, self._channel + 1, len(compound)) + compound
