"""Speaking to a room over its socket: one line there, one line back."""

import json
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from evidence_store.errors import EvidenceError
from recorder.control import (
    MAX_LINE_BYTES,
    ControlError,
    ControlServer,
    MarkRequest,
    Request,
    StartRequest,
    StatusRequest,
    StopRequest,
    ask,
    parse_request,
    socket_path,
)

DEADLINE_S = 10.0


class Room:
    """What answers."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.release = threading.Event()

    def __call__(self, request: Request) -> dict[str, Any]:
        self.asked.append(request)
        match request:
            case MarkRequest(text="refuse"):
                raise EvidenceError("cannot be done", where="room-1", do="Do something else.")
            case MarkRequest(text="break"):
                raise RuntimeError("a fault of the program")
            case MarkRequest(text="wait"):
                self.release.wait(DEADLINE_S)
            case _:
                pass
        return {"state": "idle", "text": "已封存"}


@contextmanager
def serving(path: Path, timeout_s: float = DEADLINE_S) -> Iterator[Room]:
    room = Room()
    server = ControlServer(path, room, timeout_s)
    try:
        yield room
    finally:
        room.release.set()
        server.close()


def raw(path: Path, data: bytes) -> bytes:
    """Whatever comes back for these bytes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE_S)
        connection.connect(str(path))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_a_request_reaches_the_room_and_its_answer_comes_back(tmp_path: Path) -> None:
    path = socket_path(tmp_path, "room-1")
    with serving(path) as room:
        request = StartRequest(case="平综执立字〔2026〕第0012号", operator="赵操作", rights_read=True)
        assert ask(path, request) == {"ok": True, "state": "idle", "text": "已封存"}
        assert room.asked == [request]


@pytest.mark.parametrize(
    "request_", [StatusRequest(), StopRequest(detail="结束"), MarkRequest(text="出示证据\n第二行")]
)
def test_every_kind_of_request_arrives_as_it_was_sent(tmp_path: Path, request_: Request) -> None:
    path = socket_path(tmp_path, "room-1")
    with serving(path) as room:
        ask(path, request_)
        assert room.asked == [request_]


def test_a_refusal_is_an_error_with_the_rooms_own_words(tmp_path: Path) -> None:
    path = socket_path(tmp_path, "room-1")
    with serving(path), pytest.raises(ControlError, match=r"^room-1: cannot be done\. Do something else\.$"):
        ask(path, MarkRequest(text="refuse"))


@pytest.mark.parametrize("depth", [1, 5, 20])
def test_a_site_folder_may_lie_deep(tmp_path: Path, depth: int) -> None:
    """The name of a Unix socket has 107 bytes; folders have no such bound."""
    folder = tmp_path.joinpath(*["a-folder-with-a-long-name"] * depth)
    folder.mkdir(parents=True)
    path = socket_path(folder, "room-1")
    assert depth == 1 or len(str(path)) > 107
    with serving(path):
        assert ask(path, StatusRequest())["ok"]
    assert not path.exists()


def test_the_longest_name_of_a_room_fits(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 10)
    path = socket_path(folder, "r" * 40)
    with serving(path):
        assert ask(path, StatusRequest())["ok"]


def test_a_socket_that_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    path = socket_path(tmp_path, "room-1")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(ControlError, match="no recorder is running for this room"):
        ask(path, StatusRequest())
    with serving(path):
        assert ask(path, StatusRequest())["ok"]


def test_where_nobody_is_the_error_says_what_to_start(tmp_path: Path) -> None:
    for path in (socket_path(tmp_path, "room-1"), socket_path(tmp_path / "not" / "there" / ("x" * 100), "room-1")):
        with pytest.raises(
            ControlError, match=r"no recorder is running for this room\. Start it with `shilu recorder`"
        ):
            ask(path, StatusRequest())


def test_only_the_sites_own_people_may_speak(tmp_path: Path) -> None:
    run = tmp_path / "run"
    path = socket_path(run, "room-1")
    with serving(path):
        assert stat.S_IMODE(run.stat().st_mode) == 0o750
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_room_that_does_not_answer_in_time_is_told(tmp_path: Path) -> None:
    path = socket_path(tmp_path, "room-1")
    with serving(path), pytest.raises(ControlError, match="did not answer within 0 s"):
        ask(path, MarkRequest(text="wait"), timeout_s=0.05)


def test_one_who_waits_does_not_hold_up_another(tmp_path: Path) -> None:
    path = socket_path(tmp_path, "room-1")
    with serving(path) as room, socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))
        waiting = threading.Thread(target=ask, args=(path, MarkRequest(text="wait")))
        waiting.start()
        assert ask(path, StatusRequest())["ok"]
        room.release.set()
        waiting.join(DEADLINE_S)
        assert not waiting.is_alive()


def test_a_room_that_ends_in_the_middle_is_told(tmp_path: Path) -> None:
    path = tmp_path / "room-1.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def hang_up() -> None:
            connection, _ = listening.accept()
            connection.recv(100)
            connection.close()

        ending = threading.Thread(target=hang_up)
        ending.start()
        with pytest.raises(ControlError, match=r"room-1.sock: the recorder ended before it answered"):
            ask(path, StatusRequest())
        ending.join()


BAD_LINES = [
    (b"not json\n", "Invalid JSON"),
    (b"\xff\xfe\n", "Invalid JSON"),
    (b"[]\n", "Input should be an object"),
    (b"{}\n", "op"),
    (b'{"op": "pause"}\n', "op"),
    (b'{"op": "status", "room": "room-1"}\n', "room: Extra inputs are not permitted"),
    (b'{"op": "start", "case": ""}\n', "case: the case number is empty"),
    (b'{"op": "start", "case": "%s"}\n' % (b"1" * 500), "case: the case number has 500 characters"),
    (b'{"op": "start", "officers": [{"id": "1"}]}\n', "officers.0.name: Field required"),
    (
        b'{"op": "start", "officers": [%s]}\n' % b",".join([b'{"id":"1","name":"n","certificate_no":"c"}'] * 21),
        "officers",
    ),
    (b'{"op": "start", "follows": "yesterday"}\n', "follows: 'yesterday' is not a session id"),
    (b'{"op": "start", "override_reason": ""}\n', "override_reason: String should have at least 1"),
    (b'{"op": "mark", "text": "%s"}\n' % (b"x" * 2001), "text: String should have at most 2000"),
    (b'{"op": "mark", "text": "\\ud800"}\n', "Invalid JSON"),
    (b'{"op": "mark"', "Invalid JSON"),
    (b"x" * MAX_LINE_BYTES, "Invalid JSON"),
]


@pytest.mark.parametrize(("line", "says"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_is_answered_with_one_line(tmp_path: Path, line: bytes, says: str) -> None:
    path = socket_path(tmp_path, "room-1")
    with serving(path) as room:
        data = raw(path, line)
        answer = json.loads(data)
        assert answer["ok"] is False
        assert says in answer["error"]
        assert data.count(b"\n") == 1
        assert room.asked == []
        assert ask(path, StatusRequest())["ok"], "and the room goes on"


def test_an_error_does_not_repeat_what_was_sent(tmp_path: Path) -> None:
    with pytest.raises(ControlError) as caught:
        parse_request(b'{"op": "start", "password": "hush"}')
    assert "hush" not in str(caught.value)


def test_a_connection_without_a_request_is_let_go(tmp_path: Path) -> None:
    path = socket_path(tmp_path, "room-1")
    with serving(path) as room:
        assert raw(path, b"") == b""
        assert room.asked == []


def test_a_fault_in_the_room_is_told_and_the_room_goes_on(tmp_path: Path) -> None:
    path = socket_path(tmp_path, "room-1")
    with serving(path):
        with pytest.raises(ControlError, match="a fault in the recorder"):
            ask(path, MarkRequest(text="break"))
        assert ask(path, StatusRequest())["ok"]


def test_a_caller_who_sends_nothing_is_dropped(tmp_path: Path) -> None:
    path = socket_path(tmp_path, "room-1")
    with serving(path, timeout_s=0.05), socket.socket(socket.AF_UNIX) as silent:
        silent.settimeout(DEADLINE_S)
        silent.connect(str(path))
        assert silent.recv(10) == b""
