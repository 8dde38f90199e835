"""A stream that plays: units, manners of conversation meanwhile, and the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.errors import RtspError
from recorder.rtsp.handshake import RedirectedError
from recorder.rtsp.units import AudioUnit, Unit, VideoUnit
from tests.recorder.rtsp.wire import (
    ALAW_SDP,
    URL,
    VIDEO_SDP,
    answer,
    asked,
    bye,
    connection,
    cut,
    feed,
    greeting,
    header,
    playing,
    report,
    requests,
    rtp,
    talk,
)

PICTURE = b"\x65\x88picture"
DIGEST = 'Digest realm="camera", nonce="n1"'


def picture(number: int, timestamp: int) -> bytes:
    return rtp(0, number, timestamp, PICTURE)


def sound(number: int, timestamp: int) -> bytes:
    return rtp(2, number, timestamp, b"\xd5" * 160, payload_type=8)


def test_pictures_and_sound() -> None:
    made = playing(VIDEO_SDP + ALAW_SDP)
    data = picture(1, 90) + sound(1, 7) + picture(2, 3690)
    assert made.receive(data, 0) == [
        VideoUnit((PICTURE,), 90, False),
        AudioUnit(b"\xd5" * 160, 7, 160, False),
        VideoUnit((PICTURE,), 3690, False),
    ]


def test_the_session_is_kept_alive_without_waiting() -> None:
    made = playing(session="5;timeout=20")
    for second in range(31):
        made.receive(picture(second, second * 90_000), second * 1_000_000)
        made.keep_alive(second * 1_000_000)
    said = requests(made)
    assert [lines[0] for lines in said] == [f"GET_PARAMETER {URL} RTSP/1.0"] * 3
    assert header(said[0], "Session") == "5"
    number = int(header(said[-1], "CSeq"))
    units = made.receive(answer(number) + picture(31, 0) + answer(number, 404) + bytes(16), 0)
    assert len(units) == 1


def test_a_camera_that_does_not_offer_get_parameter_is_asked_for_options() -> None:
    made = connection()
    made.receive(answer(1) + answer(2, body=f"v=0\r\n{VIDEO_SDP}") + answer(3, Session="1") + answer(4), 0)
    made.unsent.clear()
    made.keep_alive(0)
    made.keep_alive(30_000_000)
    assert asked(made) == [f"OPTIONS {URL} RTSP/1.0"]


def test_a_keep_alive_with_a_stale_nonce_is_sent_once_more() -> None:
    made = connection("user", "secret")
    talk(
        made,
        answer(1),
        answer(2, 401, WWW_Authenticate=DIGEST),
        answer(3, body=f"v=0\r\n{VIDEO_SDP}"),
        answer(4, Session="1"),
        answer(5),
    )
    made.keep_alive(0)
    made.keep_alive(30_000_000)
    assert len(asked(made)) == 1
    for number in (6, 7, 8):
        stale = f'Digest realm="camera", nonce="m{number}", stale=true'
        made.receive(answer(number, 401, WWW_Authenticate=stale), 0)
    assert len(asked(made)) == 1
    made.keep_alive(60_000_000)
    made.receive(answer(8, 401, WWW_Authenticate='Digest realm="camera", nonce="x"'), 0)
    assert made.receive(picture(1, 0), 0), "pictures count for more than manners"


def test_what_the_camera_asks_is_answered() -> None:
    made = playing()
    ask = "{} rtsp://192.0.2.7/cam RTSP/1.0\r\nCSeq: 70\r\n\r\n".format
    data = b"".join(ask(method).encode() for method in ("OPTIONS", "SET_PARAMETER", "ANNOUNCE"))
    assert len(made.receive(data + picture(1, 0), 0)) == 1
    said = requests(made)
    assert [lines[0].split()[1] for lines in said] == ["200", "200", "501"]
    assert {header(lines, "CSeq") for lines in said} == {"70"}


def test_a_camera_that_asks_without_end_is_left() -> None:
    made = playing()
    with pytest.raises(RtspError):
        feed(made.receive, [b"OPTIONS * RTSP/1.0\r\nCSeq: 70\r\n\r\n"] * 10_000)


@pytest.mark.parametrize("farewell", [bye(1), b"TEARDOWN * RTSP/1.0\r\nCSeq: 1\r\n\r\n"])
def test_a_camera_that_takes_its_leave(farewell: bytes) -> None:
    made = playing()
    assert len(made.receive(picture(1, 0) + farewell + bytes(16), 0)) == 1, "what came before is not lost"
    with pytest.raises(RtspError, match="ended the stream"):
        made.receive(b"", 0)


def test_the_leave_of_sound_or_of_an_earlier_source_is_not_the_end() -> None:
    made = playing(VIDEO_SDP + ALAW_SDP)
    data = picture(1, 0) + sound(1, 0) + bye(3) + bye(1, source=5) + picture(2, 3600)
    assert len(made.receive(data, 0)) == 3


def test_teardown() -> None:
    made = playing()
    made.tear_down()
    (said,) = requests(made)
    assert said[0] == f"TEARDOWN {URL} RTSP/1.0"
    assert not made.torn_down
    made.receive(picture(1, 0) + answer(int(header(said, "CSeq"))), 0)
    assert made.torn_down


# Any camera


STREAM = greeting(
    VIDEO_SDP + ALAW_SDP,
    rtp_info="url=trackID=0;rtptime=0,url=trackID=1;rtptime=0",
    after_play=b"".join(
        picture(number, number * 3600) + sound(number, number * 320) + report(1, number, number) for number in range(4)
    )
    + b"GET_PARAMETER * RTSP/1.0\r\nCSeq: 3\r\n\r\n",
)


def outcome(pieces: list[bytes]) -> tuple[list[Unit], bytes, list[int]]:
    made = connection()
    units = feed(made.receive, pieces)
    ticks = [made.alignment.media_ticks(unit.kind, unit.timestamp) for unit in units]
    return units, bytes(made.unsent), ticks


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_how_the_stream_is_cut_makes_no_difference(places: list[int]) -> None:
    assert outcome(cut(STREAM, places)) == outcome([STREAM])
    assert len(outcome([STREAM])[0]) == 8


@given(st.lists(st.tuples(st.integers(0, len(STREAM) - 1), st.binary(max_size=6), st.integers(0, 8)), max_size=8))
def test_no_camera_does_more_harm_than_an_error(changes: list[tuple[int, bytes, int]]) -> None:
    data = bytearray(STREAM)
    for at, new, old_bytes in changes:
        data[at : at + old_bytes] = new
    made = connection("user", "secret")
    said = ""
    try:
        units = made.receive(bytes(data), 0)
        for unit in units:
            made.alignment.media_ticks(unit.kind, unit.timestamp)
        made.keep_alive(0)
        made.keep_alive(1 << 60)
    except (RtspError, RedirectedError) as error:
        said = str(error)
    assert "secret" not in said
    assert "\n" not in said
