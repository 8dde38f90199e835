"""One camera's thread: it never gives up, and says in words how things stand."""

import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from random import Random

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from recorder.capture import Camera
from recorder.clock import SystemClock
from recorder.groups import Group, Loss
from recorder.intake import Source
from recorder.timeline import Timeline
from shilu.cameras.auth import Accounts
from tests.evidence_store.builder import clip
from tests.recorder.clocks import FakeClock
from tests.recorder.conftest import Hosts
from tests.recorder.rooms import wait_for
from tests.recorder.takes import GOP, PICTURE_90K, PICTURE_US, header

Serve = Callable[[socket.socket], None]


class Sink:
    """What a camera hands on. `fails` is raised once, by the next group."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.losses: list[Loss] = []
        self.fails: Exception | None = None

    def take(self, group: Group) -> None:
        if self.fails is not None:
            error, self.fails = self.fails, None
            raise error
        self.groups.append(group)

    def ended(self, loss: Loss) -> None:
        self.losses.append(loss)


@contextmanager
def serving(serve: Serve) -> Iterator[tuple[int, list[int]]]:
    """A port at which every connection is served so; the list grows by one for each."""
    listening = socket.create_server(("127.0.0.1", 0))
    connections: list[int] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connections.append(len(connections))
            with connection:
                connection.settimeout(2)
                try:
                    serve(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listening.getsockname()[1], connections
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@contextmanager
def reading(url: str, *, sound: bool = True) -> Iterator[tuple[Camera, Sink]]:
    sink = Sink()
    camera = Camera(Source(url, "room-1-subject", sound, 500), sink, SystemClock())
    camera.start()
    try:
        yield camera, sink
    finally:
        camera.stop(timeout_s=8)


def lost(camera: Camera) -> str:
    """What is wrong with it, once that is known."""
    wait_for(lambda: camera.state == "lost", "the camera to be lost")
    return camera.detail


def garbage(connection: socket.socket) -> None:
    connection.sendall(Random(1).randbytes(600_000))


def hang_up(connection: socket.socket) -> None:
    """An answer of nothing."""


def http(status: str) -> Serve:
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    return serve


def transport_stream(*, video: str | None, sound: str | None = None) -> bytes:
    """Two seconds of another kind of stream than cameras are to send."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as output:
        pictures = output.add_stream(video, rate=25) if video else None
        if isinstance(pictures, VideoStream):
            pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        sounds = output.add_stream(sound, rate=48_000) if sound else None
        if isinstance(sounds, AudioStream):
            sounds.layout = "mono"
        for number in range(50):
            if isinstance(pictures, VideoStream):
                picture = av.VideoFrame.from_ndarray(np.full((64, 64), number, dtype=np.uint8), format="gray")
                picture = picture.reformat(format="yuv420p")
                picture.pts, picture.time_base = number, Fraction(1, 25)
                output.mux(pictures.encode(picture))
            if isinstance(sounds, AudioStream):
                block = av.AudioFrame.from_ndarray(np.zeros((1, 1152), dtype=np.int16), format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = 48_000, number * 1152, Fraction(1, 48_000)
                output.mux(sounds.encode(block))
    return buffer.getvalue()


def sending(data: bytes) -> Serve:
    return lambda connection: connection.sendall(data)


class TestWhatIsWrong:
    """One line for a technician, whatever answers at the address."""

    @pytest.mark.parametrize("serve", [garbage, hang_up])
    @pytest.mark.parametrize("scheme", ["rtsp", "tcp", "http"])
    def test_something_that_is_no_camera(self, scheme: str, serve: Serve) -> None:
        with serving(serve) as (port, _), reading(f"{scheme}://127.0.0.1:{port}/cam") as (camera, sink):
            detail = lost(camera)
            assert detail
            assert "\n" not in detail
            assert len(detail) < 120
        assert sink.groups == []

    @pytest.mark.parametrize(
        ("status", "says"),
        [
            ("401 Unauthorized", "the camera refused user name or password"),
            ("403 Forbidden", "the camera refused user name or password"),
            ("404 Not Found", "the camera has no stream at this path"),
        ],
    )
    def test_a_refusal_over_http(self, status: str, says: str) -> None:
        with serving(http(status)) as (port, _), reading(f"http://viewer:hush@127.0.0.1:{port}/live.ts") as (camera, _):
            assert lost(camera) == says

    def test_a_refusal_over_rtsp(self, hosts: Hosts) -> None:
        host = hosts({"cam": {}}, accounts=Accounts({"viewer": "right"}))
        with reading(host.rtsp_url("cam").replace("rtsp://", "rtsp://viewer:hush@")) as (camera, _):
            assert lost(camera) == "the camera refused user name or password"

    def test_a_path_that_the_camera_does_not_have(self, hosts: Hosts) -> None:
        host = hosts({"cam": {}})
        with reading(host.rtsp_url("cam") + "/other") as (camera, _):
            assert "path" in lost(camera)

    def test_pictures_of_another_codec(self) -> None:
        data = transport_stream(video="mpeg2video")
        with serving(sending(data)) as (port, _), reading(f"tcp://127.0.0.1:{port}") as (camera, _):
            assert lost(camera) == "the camera codes pictures as mpeg2video; set it to H.264 or H.265"

    def test_sound_without_pictures(self) -> None:
        data = transport_stream(video=None, sound="mp2")
        with serving(sending(data)) as (port, _), reading(f"tcp://127.0.0.1:{port}") as (camera, _):
            assert lost(camera) == "the camera sends no picture"

    def test_sound_of_another_codec_does_not_cost_the_picture(self) -> None:
        data = transport_stream(video="libx264", sound="mp2")
        with serving(sending(data)) as (port, _), reading(f"tcp://127.0.0.1:{port}") as (_, sink):
            wait_for(lambda: sink.groups, "pictures")
        assert {group.stream.audio_codec for group in sink.groups} == {None}
        assert {group.stream.video_codec for group in sink.groups} == {"h264"}


class TestAgainAndAgain:
    def test_a_camera_is_tried_for_ever_and_taken_when_it_is_there(self, hosts: Hosts) -> None:
        host = hosts({"cam": {}})
        host.refuse_connections(True)
        with reading(host.rtsp_url("cam")) as (camera, sink):
            lost(camera)
            host.refuse_connections(False)
            wait_for(lambda: camera.state == "delivering" and sink.groups, "pictures")
            assert sink.groups[0].lost is not None, "why there was none before"
            assert sink.groups[0].keyframe

    def test_each_try_is_a_connection_and_the_pauses_grow(self) -> None:
        with serving(hang_up) as (port, connections), reading(f"rtsp://127.0.0.1:{port}/cam") as (camera, _):
            wait_for(lambda: len(connections) >= 3, "three tries")
            assert camera.state == "lost"
            assert len(connections) < 20

    def test_a_camera_that_is_lost_says_so_and_its_rest_is_handed_on(self, hosts: Hosts) -> None:
        host = hosts({"cam": {}})
        with reading(host.rtsp_url("cam")) as (camera, sink):
            wait_for(lambda: len(sink.groups) >= 2, "pictures")
            host.drop_clients("cam")
            wait_for(lambda: sink.losses, "the loss")
            before = sink.groups[-1]
            wait_for(lambda: sink.groups[-1].stream.number > before.stream.number, "pictures again")
            assert sink.losses[0].cause == "camera_lost"
            first = next(group for group in sink.groups if group.stream.number == before.stream.number + 1)
            assert first.lost == sink.losses[0]
            assert camera.state == "delivering"

    def test_a_fault_of_the_program_is_one_more_reason_to_read_anew(self, hosts: Hosts) -> None:
        host = hosts({"cam": {}})
        with reading(host.rtsp_url("cam")) as (_, sink):
            wait_for(lambda: sink.groups, "pictures")
            sink.fails = ZeroDivisionError("nobody thought of this")
            wait_for(lambda: sink.losses, "the loss")
            assert sink.losses[0].cause == "stream_damaged"
            assert "ZeroDivisionError" in sink.losses[0].detail
            last = sink.groups[-1].stream.number
            wait_for(lambda: sink.groups[-1].stream.number > last, "pictures again")

    def test_stopping_does_not_wait_for_a_camera_that_is_away(self) -> None:
        with serving(hang_up) as (port, connections), reading(f"rtsp://127.0.0.1:{port}/cam") as (camera, _):
            wait_for(lambda: len(connections) >= 4, "a longer pause")
            camera.stop(timeout_s=5)
            assert not camera._thread.is_alive()


class TestGroupsOfAStream:
    """Without a thread: a test stands where the reader would."""

    @pytest.fixture
    def camera(self) -> Camera:
        return Camera(Source("rtsp://192.0.2.1/", "cam", True, 500), Sink(), FakeClock())

    def play(self, camera: Camera, pictures: int, line: Timeline, *, arrival_us: Callable[[int], int]) -> None:
        for number in range(pictures):
            sample = clip().video[number]
            line.place(number * PICTURE_90K, arrival_us(number))
            camera.add_video(sample, arrival_us(number))

    def begin(self, camera: Camera, line: Timeline, loss: Loss | None = None) -> None:
        stream = header(with_sound=False)
        camera.begin_stream(stream.init_bytes, stream.init, ("h264", None), line, loss)

    def sink(self, camera: Camera) -> Sink:
        sink = camera._sink
        assert isinstance(sink, Sink)
        return sink

    def test_pictures_of_a_rush_are_held_until_it_is_known_when_they_were_taken(self, camera: Camera) -> None:
        """Two seconds gathered before the first read; they all arrive when the last one does."""
        line = Timeline(90_000)
        self.begin(camera, line)
        end_us = 2_000_000
        self.play(camera, 101, line, arrival_us=lambda number: max(end_us, number * PICTURE_US))
        assert self.sink(camera).groups == []
        camera.settle()
        groups = self.sink(camera).groups
        first = [0, 13, 26, 39, GOP, GOP + 13, GOP + 26, GOP + 39]
        assert [group.taken_us for group in groups] == [number * PICTURE_US for number in first]

    def test_whoever_sees_that_it_delivers_sees_when_it_last_did(self, camera: Camera) -> None:
        """Start is refused for a camera that sent nothing for long; one that has just begun is none of those."""
        assert camera.last_packet_us == 0
        self.begin(camera, Timeline(90_000))
        assert camera.state == "delivering"
        assert camera.last_packet_us == camera.clock.monotonic_us()

    def test_after_that_they_are_handed_on_at_once(self, camera: Camera) -> None:
        line = Timeline(90_000)
        self.begin(camera, line)
        camera.settle()
        self.play(camera, 14, line, arrival_us=lambda number: number * PICTURE_US)
        assert len(self.sink(camera).groups) == 1

    def test_new_parameters_in_the_same_connection_need_no_settling(self, camera: Camera) -> None:
        line = Timeline(90_000)
        self.begin(camera, line)
        camera.settle()
        self.play(camera, 20, line, arrival_us=lambda number: number * PICTURE_US)
        camera.end_stream(Loss("camera_restarted", ""))
        self.begin(camera, line, Loss("camera_restarted", ""))
        assert camera._early is None
        assert [len(group.video) for group in self.sink(camera).groups] == [13, 7]
        assert len(self.sink(camera).losses) == 1

    def test_a_stream_that_ends_before_it_settled_is_handed_on(self, camera: Camera) -> None:
        line = Timeline(90_000)
        self.begin(camera, line)
        self.play(camera, 20, line, arrival_us=lambda number: number * PICTURE_US)
        camera.end_stream(Loss("camera_lost", ""))
        assert sum(len(group.video) for group in self.sink(camera).groups) == 20

    def test_pictures_before_the_first_key_frame_have_no_stream(self, camera: Camera) -> None:
        camera.add_video(clip().video[1], 0)
        camera.end_stream(Loss("camera_lost", ""))
        assert self.sink(camera).groups == []
        assert self.sink(camera).losses == []

    def test_the_address_is_in_no_text(self) -> None:
        source = Source("rtsp://viewer:hush@192.0.2.1/", "cam", True, 500)
        assert "hush" not in repr(source)
