"""How a stream begins, with cameras of all manners, and how it does not."""

import re
from base64 import b64decode

import pytest

from recorder.rtsp.errors import RtspError
from recorder.rtsp.handshake import RedirectedError
from tests.recorder.rtsp.wire import (
    ALAW_SDP,
    URL,
    VIDEO_SDP,
    answer,
    asked,
    connection,
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


def test_the_whole_conversation() -> None:
    made = connection()
    sdp = f"v=0\r\na=control:*\r\n{VIDEO_SDP}{ALAW_SDP}"
    said = talk(
        made,
        answer(1, Public="OPTIONS, DESCRIBE, SETUP, PLAY"),
        answer(2, body=sdp, Content_Base=f"{URL}/"),
        answer(3, Transport="RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0", Session="  77 ; timeout=30"),
        answer(4, Transport="RTP/AVP/TCP;unicast;interleaved=2-3", Session="77;timeout=30"),
        answer(5, Session="77", RTP_Info=f"url={URL}/trackID=0;seq=9;rtptime=1000,url={URL}/trackID=1;seq=2;rtptime=5"),
    )
    assert [lines[0] for lines in said] == [
        f"OPTIONS {URL} RTSP/1.0",
        f"DESCRIBE {URL} RTSP/1.0",
        f"SETUP {URL}/trackID=0 RTSP/1.0",
        f"SETUP {URL}/trackID=1 RTSP/1.0",
        f"PLAY {URL}/ RTSP/1.0",
    ]
    assert [header(lines, "CSeq") for lines in said] == ["1", "2", "3", "4", "5"]
    assert [header(lines, "Session") for lines in said] == ["", "", "", "77", "77"]
    assert header(said[1], "Accept") == "application/sdp"
    assert header(said[3], "Transport") == "RTP/AVP/TCP;unicast;interleaved=2-3"
    assert made.playing is not None
    assert made.playing.session_s == 30
    assert made.playing.rtp_info == {"video": 1000, "audio": 5}
    assert made.playing.description.audio is not None


@pytest.mark.parametrize(
    ("headers", "control", "url"),
    [
        ({"Content_Base": "rtsp://192.0.2.7/a/"}, "trackID=0", "rtsp://192.0.2.7/a/trackID=0"),
        ({"Content_Base": "rtsp://192.0.2.7/a"}, "trackID=0", "rtsp://192.0.2.7/a/trackID=0"),
        ({"Content_Location": "rtsp://192.0.2.7/b/"}, "v", "rtsp://192.0.2.7/b/v"),
        ({}, "v", f"{URL}/v"),
        ({}, "*", URL),
        ({}, "", URL),
        ({}, "rtsp://10.0.0.1:8554/other", "rtsp://10.0.0.1:8554/other"),
        ({"Content_Base": "rtsp://192.0.2.7/a/"}, "/root/v", "rtsp://192.0.2.7/root/v"),
        ({"Content_Base": "rtsp://192.0.2.7/real?channel=1/"}, "v=1", "rtsp://192.0.2.7/real?channel=1/v=1"),
    ],
)
def test_where_a_track_is_asked_for(headers: dict[str, str], control: str, url: str) -> None:
    made = connection()
    sdp = f"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:{control}\r\n"
    assert talk(made, answer(1), answer(2, body=sdp, **headers))[-1][0] == f"SETUP {url} RTSP/1.0"


def test_an_address_that_cannot_be_asked_for() -> None:
    made = connection()
    sdp = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:a b\r\n"
    with pytest.raises(RtspError, match="cannot be asked for"):
        talk(made, answer(1), answer(2, body=sdp))


def test_the_whole_has_an_address_of_its_own() -> None:
    made = connection()
    sdp = f"v=0\r\na=control:rtsp://192.0.2.7/all\r\n{VIDEO_SDP}"
    said = talk(made, answer(1), answer(2, body=sdp), answer(3, Session="1"))
    assert said[-1][0] == "PLAY rtsp://192.0.2.7/all RTSP/1.0"


def test_options_that_are_not_understood_do_not_matter() -> None:
    made = connection()
    assert asked(made)
    made.receive(answer(1, 501), 0)
    assert asked(made) == [f"DESCRIBE {URL} RTSP/1.0"]


def test_provisional_answers_are_passed_over() -> None:
    made = connection()
    assert talk(made, answer(1, 100))[-1][0].startswith("OPTIONS")


@pytest.mark.parametrize("data", [b"RTSP/1.0 200 OK\r\n\r\n", answer(7)])
def test_some_cameras_do_not_number_their_answers(data: bytes) -> None:
    assert talk(connection(), data)[-1][0].startswith("DESCRIBE")


def test_the_camera_chooses_the_channels() -> None:
    made = connection()
    data = answer(1) + answer(2, body=f"v=0\r\n{VIDEO_SDP}")
    data += answer(3, Transport="RTP/AVP/TCP;interleaved=6-9", Session="1") + answer(4)
    utc_us = 1_767_225_600_000_000
    data += rtp(6, 1, 0, PICTURE) + report(9, utc_us, 7) + bytes(16)
    assert [unit.timestamp for unit in made.receive(data, 5)] == [0]
    shown = made.alignment.sender_report("video")
    assert shown is not None
    assert (shown.timestamp, shown.arrival_us) == (7, 5)


def test_data_before_the_answer_to_play() -> None:
    made = connection()
    head, _, tail = greeting().rpartition(b"RTSP/1.0 200")
    units = made.receive(
        head + rtp(0, 1, 0, PICTURE) + b"RTSP/1.0 200" + tail + rtp(0, 2, 3600, PICTURE) + bytes(16), 0
    )
    assert [unit.timestamp for unit in units] == [0, 3600]
    assert made.playing is not None


def test_only_pictures_are_asked_for_where_sound_is_not_wanted() -> None:
    made = connection(want_audio=False)
    said = talk(made, answer(1), answer(2, body=f"v=0\r\n{VIDEO_SDP}{ALAW_SDP}"), answer(3, Session="1"), answer(4))
    assert [lines[0].split()[0] for lines in said] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert made.playing is not None
    assert (made.playing.description.audio, made.playing.description.silent_because) == (None, "")


def test_sound_that_is_refused_leaves_the_pictures() -> None:
    made = connection()
    talk(made, answer(1), answer(2, body=f"v=0\r\n{VIDEO_SDP}{ALAW_SDP}"), answer(3, Session="1"), answer(4, 459))
    made.receive(answer(5), 0)
    assert made.playing is not None
    assert made.playing.description.audio is None
    assert "SETUP of its sound with error 459" in made.playing.description.silent_because


def test_sound_of_an_unknown_kind_is_named_and_leaves_the_pictures() -> None:
    made = connection()
    talk(made, answer(1), answer(2, body=f"v=0\r\n{VIDEO_SDP}m=audio 0 RTP/AVP 3\r\n"), answer(3), answer(4))
    assert made.playing is not None
    assert made.playing.description.silent_because == "its sound is coded as GSM; set it to AAC, Opus or G.711"


@pytest.mark.parametrize(
    ("rtp_info", "found"),
    [
        (f"url={URL}/trackID=1;rtptime=5,url={URL}/trackID=0;rtptime=1000", {"video": 1000, "audio": 5}),
        ("url=trackID=0;rtptime=1000, url=trackID=1;rtptime=5", {"video": 1000, "audio": 5}),
        ('url="rtsp://nat/x";seq=1;rtptime=1000,url="rtsp://nat/y";rtptime=5', {"video": 1000, "audio": 5}),
        (f"url={URL}/trackID=0;seq=1;rtptime=1000", {"video": 1000}),
        (f"url={URL}/trackID=0;rtptime=99999999999,url={URL}/trackID=1;rtptime=-3", {}),
        ("url=;rtptime=,,;;", {}),
        ("", {}),
    ],
)
def test_what_rtp_info_says(rtp_info: str, found: dict[str, int]) -> None:
    made = playing(VIDEO_SDP + ALAW_SDP, rtp_info=rtp_info)
    assert made.playing is not None
    assert made.playing.rtp_info == found


# How it fails to begin


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, "does not let this user"),
        (404, "no stream at this path"),
        (453, "serves no more viewers"),
        (454, "error 454"),
        (500, "answers DESCRIBE with error 500"),
        (503, "serves no more viewers"),
    ],
)
def test_refusals(status: int, text: str) -> None:
    made = connection()
    made.receive(answer(1), 0)
    with pytest.raises(RtspError, match=text):
        made.receive(answer(2, status), 0)


def test_a_camera_that_knows_udp_only() -> None:
    made = connection()
    talk(made, answer(1), answer(2, body=f"v=0\r\n{VIDEO_SDP}"))
    with pytest.raises(RtspError, match="UDP only"):
        made.receive(answer(3, 461), 0)
    made = connection()
    talk(made, answer(1), answer(2, body=f"v=0\r\n{VIDEO_SDP}"))
    with pytest.raises(RtspError, match="UDP only"):
        made.receive(answer(3, Transport="RTP/AVP/UDP;unicast;client_port=0-1"), 0)


def test_an_answer_that_is_none() -> None:
    for data in (b"RTSP/1.0 200x\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"):
        with pytest.raises(RtspError, match="not a stream"):
            connection().receive(data, 0)


def test_redirections() -> None:
    made = connection()
    made.receive(answer(1), 0)
    with pytest.raises(RedirectedError) as caught:
        made.receive(answer(2, 302, Location="rtsp://192.0.2.9:8554/there"), 0)
    assert (caught.value.address.host, caught.value.address.port) == ("192.0.2.9", 8554)
    for location in ("http://192.0.2.9/", "", "rtsp://"):
        made = connection()
        made.receive(answer(1), 0)
        with pytest.raises(RtspError, match="not RTSP"):
            made.receive(answer(2, 301, Location=location), 0)


def test_tls_is_not_given_up_for_a_redirection() -> None:
    made = connection(url="rtsps://192.0.2.7/cam")
    made.receive(answer(1), 0)
    with pytest.raises(RtspError, match="without TLS"):
        made.receive(answer(2, 302, Location=URL), 0)


# Passwords


def test_the_password_is_proved_when_it_is_asked_for() -> None:
    made = connection("user", "secret")
    said = talk(
        made,
        answer(1),
        answer(2, 401, WWW_Authenticate=DIGEST),
        answer(3, body=f"v=0\r\n{VIDEO_SDP}"),
        answer(4, Session="1"),
        answer(5),
    )
    assert made.playing is not None
    proofs = [header(lines, "Authorization") for lines in said]
    assert [bool(proof) for proof in proofs] == [False, False, True, True, True]
    uris = [re.search(r'uri="([^"]*)"', proof) for proof in proofs[2:]]
    assert [uri[1] if uri else "" for uri in uris] == [URL, f"{URL}/trackID=0", URL]
    assert "secret" not in str(said)


def test_a_camera_that_asks_before_options() -> None:
    made = connection("user", "secret")
    said = talk(made, answer(1, 401, WWW_Authenticate='Basic realm="x"'), answer(2))
    assert [lines[0].split()[0] for lines in said] == ["OPTIONS", "OPTIONS", "DESCRIBE"]
    assert b64decode(header(said[1], "Authorization").split()[1]) == b"user:secret"


def test_a_wrong_password_is_tried_once() -> None:
    made = connection("user", "wrong")
    made.receive(answer(1), 0)
    made.receive(answer(2, 401, WWW_Authenticate=DIGEST), 0)
    requests(made)
    with pytest.raises(RtspError, match="refused user name or password"):
        made.receive(answer(3, 401, WWW_Authenticate='Digest realm="camera", nonce="n2"'), 0)
    assert not made.unsent


def test_a_nonce_that_grows_stale_on_the_way() -> None:
    made = connection("user", "secret")
    said = talk(
        made,
        answer(1),
        answer(2, 401, WWW_Authenticate=DIGEST),
        answer(3, body=f"v=0\r\n{VIDEO_SDP}"),
        answer(4, 401, WWW_Authenticate='Digest realm="camera", nonce="n2", stale=true'),
        answer(5, Session="1"),
        answer(6),
    )
    assert made.playing is not None
    assert [lines[0].split()[0] for lines in said[3:5]] == ["SETUP", "SETUP"]
    assert 'nonce="n2"' in header(said[4], "Authorization")


def test_a_camera_whose_nonces_are_always_stale_is_given_up() -> None:
    made = connection("user", "secret")
    made.receive(answer(1), 0)
    stale = [f'Digest realm="camera", nonce="n{number}", stale=true' for number in range(2, 9)]
    with pytest.raises(RtspError, match="refused"):
        feed(made.receive, [answer(number, 401, WWW_Authenticate=one) for number, one in enumerate(stale, 2)])
