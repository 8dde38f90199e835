"""Requests out of a byte stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shilu.cameras.errors import ProtocolError
from shilu.cameras.rtsp_message import Answer, Request, RequestReader

PLAY = b"PLAY rtsp://h/cam RTSP/1.0\r\nCSeq: 4\r\nSession: ab\r\n\r\n"
WITH_BODY = b"GET_PARAMETER rtsp://h/cam RTSP/1.0\r\nCSeq: 5\r\nContent-Length: 4\r\n\r\nping"
RECEIVER_REPORT = b"$\x01\x00\x06RTSP/1"
ANSWER = b"RTSP/1.0 501 Not Implemented\r\nCSeq: 7\r\n\r\n"


@given(st.lists(st.sampled_from([PLAY, WITH_BODY, RECEIVER_REPORT, ANSWER]), max_size=8), st.integers(1, 40))
def test_requests_come_out_however_the_stream_is_cut(pieces: list[bytes], size: int) -> None:
    stream = b"".join(pieces)
    reader = RequestReader()
    found = [request.method for at in range(0, len(stream), size) for request in reader.feed(stream[at : at + size])]
    names = {PLAY: "PLAY", WITH_BODY: "GET_PARAMETER"}
    assert found == [names[piece] for piece in pieces if piece in names]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
        b"PLAY rtsp://h/cam RTSP/1.0\r\nContent-Length: -1\r\n\r\n",
        b"A" * 20_000,
    ],
)
def test_what_is_no_rtsp_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(RequestReader().feed(data))


def test_an_answer_carries_number_and_length() -> None:
    request = Request("DESCRIBE", "rtsp://h/cam", {"cseq": "9"})
    assert Answer(200, (("A", "b"),), b"xyz").to_bytes(request) == (
        b"RTSP/1.0 200 OK\r\nCSeq: 9\r\nA: b\r\nContent-Length: 3\r\n\r\nxyz"
    )
