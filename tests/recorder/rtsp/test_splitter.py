"""Frames and messages out of a byte stream, whatever lies between and however it was cut."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.errors import RtspError
from recorder.rtsp.messages import MAX_BODY_BYTES, MAX_HEAD_BYTES, Message
from recorder.rtsp.splitter import MAX_GARBAGE_BYTES, Splitter
from tests.recorder.rtsp.wire import answer, cut, frame, rtp

Event = tuple[int, bytes] | Message


class Log:
    """What a splitter gives out, in order: (sequence number, payload) of channel 0, and messages."""

    def __init__(self, *, strict: bool = True) -> None:
        self.events: list[Event] = []
        self.splitter = Splitter(self.events.append)
        self.splitter.strict = strict
        self.splitter.listen(0, self._packet, (96, 224))

    def feed(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self.splitter.feed(piece)

    def _packet(self, data: bytes, begin: int, end: int, *header: int) -> None:
        self.events.append((header[2], data[begin:end]))

    @property
    def numbers(self) -> list[int]:
        return [event[0] for event in self.events if isinstance(event, tuple)]


def numbers(data: bytes, *, strict: bool = False) -> list[int]:
    log = Log(strict=strict)
    log.splitter.feed(data)
    return log.numbers


def packets(*sequence: int) -> bytes:
    return b"".join(rtp(0, number, 0, b"payload %d" % number) for number in sequence)


def test_frames_and_messages_in_their_order() -> None:
    log = Log()
    log.splitter.feed(packets(1) + answer(7, body="text") + rtp(9, 5, 0, b"nobody listens") + packets(2))
    first, message, second = log.events
    assert (first, second) == ((1, b"payload 1"), (2, b"payload 2"))
    assert isinstance(message, Message)
    assert (message.status, message.first("cseq"), message.body) == (200, "7", b"text")


def test_a_request_of_the_camera_is_a_message_without_status() -> None:
    log = Log()
    log.splitter.feed(b"OPTIONS * RTSP/1.0\r\nCSeq: 3\r\n\r\n" + packets(1))
    message = log.events[0]
    assert isinstance(message, Message)
    assert (message.status, message.method) == (None, "OPTIONS")


def test_blank_lines_between_messages_and_bare_line_feeds() -> None:
    log = Log()
    log.splitter.feed(b"\r\n\r\nRTSP/1.0 200 OK\nCSeq: 1\nX: a\n  b\nnothing\n\n\r\n" + packets(4))
    message = log.events[0]
    assert isinstance(message, Message)
    assert message.headers == {"cseq": ("1",), "x": ("a b",)}
    assert log.numbers == [4]


def test_rtcp_too_short_to_say_anything_is_passed_over() -> None:
    assert numbers(frame(1, b"\x80\xcb\0\1\0\0\0\1") + packets(1), strict=True) == [1]


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", bytes(100), b"$" * 20]
)
def test_what_is_no_rtsp_is_an_error_before_play(data: bytes) -> None:
    with pytest.raises(RtspError, match="not a stream"):
        numbers(data, strict=True)


@pytest.mark.parametrize(
    "data",
    [
        b"RTSP/1.0 200 OK\r\nX: " + b"y" * MAX_HEAD_BYTES,
        b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        "RTSP/1.0 200 OK\r\nContent-Length: ٣\r\n\r\n".encode(),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_messages_without_measure_are_an_error(data: bytes, strict: bool) -> None:
    with pytest.raises(RtspError):
        numbers(data, strict=strict)


@pytest.mark.parametrize(
    "garbage", [b"\x01" * 40, b"$" * 300, b"$\0\0\x20" + bytes(40), b"RTSP?", b"R", b"$\0", b"\xff" * 4]
)
def test_garbage_between_packets_costs_no_packet(garbage: bytes) -> None:
    assert numbers(packets(1, 2) + garbage + packets(3) + garbage + packets(4, 5)) == [1, 2, 3, 4, 5]


def test_garbage_that_looks_like_a_packet_of_another_channel_is_searched_through() -> None:
    """A long frame of a channel that nobody set up would swallow what follows; within garbage it is not believed."""
    false = b"\x01$\x07\xff\xff\x80\x60" + bytes(20)
    assert numbers(packets(1) + false + packets(2)) == [1, 2]


def test_endless_garbage_is_an_error() -> None:
    log = Log(strict=False)
    rng = Random(1)
    garbage = [rng.randbytes(1000) for _ in range(MAX_GARBAGE_BYTES // 1000 + 2)]
    with pytest.raises(RtspError, match="not a stream"):
        log.feed(garbage)


def test_a_little_garbage_now_and_then_is_none() -> None:
    log = Log(strict=False)
    good = b"".join(rtp(0, number, 0, bytes(60_000)) for number in range(5))
    for _ in range(8):
        log.splitter.feed(b"\x07" * (MAX_GARBAGE_BYTES // 2))
        log.splitter.feed(good)
    assert len(log.numbers) == 40


def test_a_camera_that_sends_byte_by_byte_costs_no_more_than_its_bytes() -> None:
    """Otherwise each byte would copy, or search, all that waits."""
    log = Log(strict=False)
    whole = rtp(0, 1, 0, bytes(60_000)) + b"\x01" * 20_000 + packets(2)
    for at in range(len(whole)):
        log.splitter.feed(whole[at : at + 1])
    assert log.numbers == [1, 2]


PARTS = st.lists(
    st.one_of(
        st.builds(lambda number, size: rtp(0, number, 0, b"p" * size), st.integers(0, 65535), st.integers(0, 300)),
        st.builds(lambda number: answer(number, body="v=0"), st.integers(0, 9)),
        st.just(b"GET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        st.just(b"\r\n"),
        st.binary(max_size=40),
        st.builds(lambda data: b"$\0" + data, st.binary(max_size=20)),
    ),
    max_size=12,
)


@given(PARTS, st.lists(st.integers(0, 5000), max_size=20), st.booleans())
def test_how_the_stream_is_cut_makes_no_difference(parts: list[bytes], places: list[int], strict: bool) -> None:
    data = b"".join(parts)

    def result(pieces: list[bytes]) -> tuple[list[Event], bool]:
        log = Log(strict=strict)
        try:
            log.feed(pieces)
        except RtspError:
            return log.events, True
        return log.events, False

    assert result(cut(data, places)) == result([data]) == result([data[at : at + 1] for at in range(len(data))])


@given(st.binary(max_size=2000), st.booleans())
def test_no_bytes_do_more_harm_than_an_error(data: bytes, strict: bool) -> None:
    log = Log(strict=strict)
    try:
        log.splitter.feed(data)
    except RtspError:
        return
    assert all(isinstance(event, Message) or len(event[1]) <= len(data) for event in log.events)
