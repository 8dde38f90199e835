"""Interleaved frames and messages out of the bytes of one TCP connection (RFC 2326 section 10.12). Pure.

At some thousand packets a second in all, this loop is where reading costs: one `unpack_from` looks at the interleaving
header and the RTP header together, and what follows is positions in one `bytes`, not objects.

Cameras put bytes between the frames that belong to nothing. After PLAY those are passed over, up to a bound: the search
goes on until something that is surely a packet of this session, or an answer, begins. Which packets were destroyed is
told by their sequence numbers, not here.
"""

import re
import struct
from collections.abc import Callable, Container

from recorder.rtsp.errors import NOT_RTSP, RtspError
from recorder.rtsp.messages import MAX_HEAD_BYTES, Message, body_bytes, parse_head

MAX_GARBAGE_BYTES = 262_144
"""In one stretch of garbage, or in several with fewer good bytes than this between them."""

Take = Callable[[bytes, int, int, int, int, int, int, int], None]
"""What takes a channel's packets: data, begin and end of what follows the 12 bytes of RTP header, and of that header
the first byte, the second, sequence number, timestamp and source."""

_HEADERS = struct.Struct(">BBHBBHII")
"""RFC 2326 section 10.12: "$", channel, length; RFC 3550 section 5.1: V P X CC, M PT, number, timestamp, source."""
_DOLLAR = 0x24
_RTP_HEADER_BYTES = 12
_MIN_RTCP_BYTES = 4
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_MESSAGE = re.compile(
    rb"RTSP/\d\.\d |(?:OPTIONS|ANNOUNCE|DESCRIBE|GET_PARAMETER|PLAY|PLAY_NOTIFY|REDIRECT|SET_PARAMETER|TEARDOWN) "
)
_SEARCHED = re.compile(rb"\$|RTSP/1\.[0-9] ")
_LOOK_AHEAD_BYTES = _HEADERS.size  # also enough to tell each of _MESSAGE


class Splitter:
    """Bytes in; packets go to their channel's `Take`, messages to `on_message`, each in its order and at once."""

    def __init__(self, on_message: Callable[[Message], None]) -> None:
        self.strict = True
        """Bytes that belong to nothing are an error: until PLAY has been answered they mean that no camera is there."""
        self._on_message = on_message
        self._takes: list[Take | None] = [None] * 256
        self._kinds: dict[int, Container[int]] = {}
        self._rest = bytearray()
        self._needed = 0  # so many bytes there must be before there is anything to do
        self._adrift = False
        self._garbage_bytes = 0
        # Positions in the whole stream: what is dealt with, where the bytes at hand begin, the end of the last garbage.
        self._passed = self._origin = self._good_since = 0

    def listen(self, channel: int, take: Take, kinds: Container[int]) -> None:
        """Give a channel's packets to `take`; `kinds` are the second bytes that such a packet can have."""
        self._takes[channel] = take
        self._kinds[channel] = kinds

    def feed(self, chunk: bytes) -> None:
        """Raises:
        RtspError: this is no RTSP. The splitter is of no more use.
        """
        at, size = 0, len(chunk)
        while self._rest and at < size:
            # Where it is known how much is missing, only that is copied together with what came before.
            missing = self._needed - len(self._rest)
            end = size if missing <= 0 or self._adrift else min(at + missing, size)
            self._rest += chunk[at:end]
            at = end
            if len(self._rest) >= self._needed:
                self._deal_with(bytes(self._rest), 0)
        if at < size:
            self._deal_with(chunk, at)

    def _deal_with(self, data: bytes, begin: int) -> None:
        """Take what is complete in `data` from `begin` on and keep the rest."""
        self._needed = _LOOK_AHEAD_BYTES
        self._origin = self._passed - begin
        at = self._walk(data, begin)
        self._passed = self._origin + at
        self._rest = bytearray(data[at:])

    def _walk(self, data: bytes, at: int) -> int:
        """Up to where `data` is dealt with."""
        unpack, takes, size = _HEADERS.unpack_from, self._takes, len(data)
        if self._adrift:
            at = self._search(data, at)
        while size - at >= _LOOK_AHEAD_BYTES and not self._adrift:
            dollar, channel, length, head, kind, number, timestamp, source = unpack(data, at)
            if dollar == _DOLLAR and head & 0xC0 == 0x80 and length >= _RTP_HEADER_BYTES:
                end = at + 4 + length
                if end > size:
                    self._needed = end - at
                    break
                take = takes[channel]
                if take is not None:
                    take(data, at + 16, end, head, kind, number, timestamp, source)
                at = end
                continue
            begin, at = at, self._other(data, at)
            if at == begin:
                break
        return at

    def _other(self, data: bytes, at: int) -> int:
        """What is no RTP packet: the position after it, or `at` if it is not complete."""
        if data[at] in b"\r\n":
            return at + 1
        if data[at] == _DOLLAR and data[at + 4] & 0xC0 == 0x80:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            if _MIN_RTCP_BYTES <= length < _RTP_HEADER_BYTES:
                return at + 4 + length  # an RTCP packet that is too short to report anything
        if _MESSAGE.match(data, at):
            return self._message(data, at)
        if self.strict:
            raise RtspError(NOT_RTSP)
        if self._origin + at - self._good_since > MAX_GARBAGE_BYTES:
            self._garbage_bytes = 0
        return self._search(data, at)

    def _message(self, data: bytes, at: int) -> int:
        blank = _BLANK_LINE.search(data, at, at + MAX_HEAD_BYTES)
        if blank is None:
            if len(data) - at >= MAX_HEAD_BYTES:
                raise RtspError(NOT_RTSP)
            return at
        start, headers = parse_head(data[at : blank.start()])
        end = blank.end() + body_bytes(headers)
        if end > len(data):
            self._needed = end - at
            return at
        self._on_message(Message(start, headers, data[blank.end() : end]))
        return end

    def _search(self, data: bytes, at: int) -> int:
        """Where the next packet or answer begins; `_adrift` while that is not known."""
        self._adrift = True
        begin, size = at, len(data)
        while found := _SEARCHED.search(data, at):
            at = found.start()
            if size - at < _LOOK_AHEAD_BYTES:
                break
            if data[at] != _DOLLAR or self._is_packet(data, at):
                self._adrift = False
                break
            at += 1
        else:
            at = max(at, size - _LOOK_AHEAD_BYTES + 1)
        self._garbage_bytes += at - begin
        self._good_since = self._origin + at
        if self._garbage_bytes > MAX_GARBAGE_BYTES:
            raise RtspError(NOT_RTSP)
        return at

    def _is_packet(self, data: bytes, at: int) -> bool:
        """Whether a packet of this session begins here: by chance one byte in some hundred million looks so."""
        _, channel, length, head, kind, *_ = _HEADERS.unpack_from(data, at)
        return head & 0xC0 == 0x80 and length >= _RTP_HEADER_BYTES and kind in self._kinds.get(channel, ())
