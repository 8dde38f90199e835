"""The RTSP server's answers, byte by byte."""

import re
from base64 import b64encode
from pathlib import Path

import av
import pytest

from shilu.cameras.auth import Accounts
from shilu.cameras.errors import CameraError
from tests.cameras.conftest import Hosts
from tests.cameras.reading import RawClient, RtpPacket, SenderReport, open_camera

TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"


def test_options_names_the_methods(hosted: Hosts) -> None:
    with RawClient(hosted().rtsp_url("cam")) as client:
        status, answer = client.ask("OPTIONS")
    assert status == 200
    assert "GET_PARAMETER" in answer


def test_description_has_parameter_sets_and_control_urls(hosted: Hosts) -> None:
    with RawClient(hosted().rtsp_url("cam")) as client:
        status, answer = client.ask("DESCRIBE")
    assert status == 200
    assert f"Content-Base: {client.url}/\r\n" in answer
    assert "a=rtpmap:96 H264/90000" in answer
    assert re.search(r"profile-level-id=42C0[0-9A-F]{2};sprop-parameter-sets=[\w+/=]+,[\w+/=]+", answer)
    assert "config=1188" in answer
    assert answer.count("a=control:trackID=") == 2


def test_session_from_setup_to_teardown(hosted: Hosts) -> None:
    with RawClient(hosted().rtsp_url("cam")) as client:
        answer = client.play(0, 1)
        announced = {int(number): int(time) for number, time in re.findall(r"seq=(\d+);rtptime=(\d+)", answer)}
        first: dict[int, RtpPacket] = {}
        reports: list[SenderReport] = []
        for packet in client.received():
            if isinstance(packet, SenderReport):
                reports.append(packet)
                continue
            if packet.channel not in first:
                first[packet.channel] = packet
            if len(first) == 2:
                break
        assert [report.channel for report in reports] == [0, 2], "both tracks are reported before the first packet"
        for packet in first.values():
            since_play = packet.timestamp - announced[packet.number] & 0xFFFFFFFF
            assert since_play < 48_000, "the first packet has the announced number, and comes within half a second"
        assert client.ask("GET_PARAMETER")[0] == 200
        assert client.ask("TEARDOWN")[0] == 200
        assert client.falls_silent(0.2)
        assert client.ask("PLAY")[0] == 455


def test_a_session_after_teardown_plays_again(hosted: Hosts) -> None:
    with RawClient(hosted().rtsp_url("cam")) as client:
        client.play(0)
        client.ask("TEARDOWN")
        client.play(0)
        assert len(client.packets(0, 3)) == 3


def test_sound_alone_may_be_taken(hosted: Hosts) -> None:
    with RawClient(hosted().rtsp_url("cam")) as client:
        client.play(1)
        assert all(packet.marker and packet.payload_type == 97 for packet in client.packets(2, 5))


def test_several_clients_each_get_the_whole_stream(hosted: Hosts) -> None:
    host = hosted()
    with RawClient(host.rtsp_url("cam")) as one, RawClient(host.rtsp_url("cam")) as other:
        one.play(0)
        other.play(0)
        for client in (one, other):
            numbers = [packet.number for packet in client.packets(0, 30)]
            assert numbers == [(numbers[0] + count) & 0xFFFF for count in range(30)]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("DESCRIBE", "/elsewhere", {}, 404),
        ("SETUP", "/elsewhere/trackID=0", {"Transport": TCP}, 404),
        ("SETUP", "/cam", {"Transport": TCP}, 404),
        ("SETUP", "/cam/trackID=0", {"Transport": "RTP/AVP;unicast;client_port=5000-5001"}, 461),
        ("SETUP", "/cam/trackID=0", {"Transport": "RTP/AVP;unicast;client_port=5000-5001,RTP/AVP/TCP;unicast"}, 200),
        ("PLAY", "/cam", {}, 455),
        ("PLAY", "/cam", {"Session": "of-somebody-else"}, 454),
        ("TEARDOWN", "/cam", {}, 455),
        ("RECORD", "/cam", {}, 405),
    ],
)
def test_status(hosted: Hosts, method: str, path: str, headers: dict[str, str], status: int) -> None:
    url = hosted().rtsp_url("cam").removesuffix("/cam")
    with RawClient(url + "/cam") as client:
        assert client.ask(method, url + path, **headers)[0] == status


def test_noise_instead_of_rtsp_ends_the_connection(hosted: Hosts) -> None:
    with RawClient(hosted().rtsp_url("cam")) as client:
        client.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.is_cut_off()


def test_a_slow_client_is_dropped_and_the_others_go_on(hosted: Hosts) -> None:
    host = hosted({"backlog_limit_bytes": 50_000}, kbps=20_000, noise=40, width=640, height=360)
    with RawClient(host.rtsp_url("cam"), receive_buffer_bytes=4096) as slow, RawClient(host.rtsp_url("cam")) as quick:
        slow.play(0)
        quick.play(0)
        before = quick.frame_times(25)
        assert slow.is_cut_off()
        after = quick.frame_times(5)
    assert after[0] == before[-1] + 3600 & 0xFFFFFFFF


# Who may watch


@pytest.fixture
def guarded(hosted: Hosts) -> str:
    return hosted({"accounts": Accounts({"viewer": "pa:ss"})}).rtsp_url("cam")


def with_login(url: str, login: str) -> str:
    return url.replace("rtsp://", f"rtsp://{login}@")


def test_the_right_password_is_admitted_by_digest(guarded: str) -> None:
    with open_camera(with_login(guarded, "viewer:pa%3Ass")) as container:
        assert next(container.demux()).size > 0


@pytest.mark.parametrize("login", ["", "viewer:wrong@", "somebody:pa%3Ass@"])
def test_without_the_right_password_nothing_is_told(guarded: str, login: str) -> None:
    with pytest.raises(av.error.HTTPUnauthorizedError):
        open_camera(guarded.replace("rtsp://", f"rtsp://{login}"))


@pytest.mark.parametrize(
    ("scheme", "login", "status"),
    [("Basic", "viewer:pa:ss", 200), ("Basic", "viewer:no", 401), ("Basic", "viewer", 401), ("Bearer", "x", 401)],
)
def test_basic_login(guarded: str, scheme: str, login: str, status: int) -> None:
    with RawClient(guarded) as client:
        authorization = f"{scheme} {b64encode(login.encode()).decode()}"
        assert client.ask("DESCRIBE", Authorization=authorization)[0] == status


def test_a_digest_for_another_method_or_nonce_is_refused(guarded: str) -> None:
    with RawClient(guarded) as client:
        assert "Digest realm=" in client.ask("DESCRIBE")[1]
        stale = f'Digest username="viewer", realm="camera", nonce="00", uri="{guarded}", response="00"'
        assert client.ask("DESCRIBE", Authorization=stale)[0] == 401


def test_accounts_file(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    path.write_text("# who may watch\n\nviewer:pa:ss\n")
    assert Accounts.from_file(path).admit("Basic " + b64encode(b"viewer:pa:ss").decode(), "DESCRIBE", "")
    path.write_text("viewer\n")
    with pytest.raises(CameraError, match=r"accounts:1: no colon"):
        Accounts.from_file(path)
