"""Each fault switch does what it says, as a client sees it."""

import time
from itertools import pairwise, takewhile
from pathlib import Path

import av
import numpy as np
import pytest
from pydantic import ValidationError

from shilu.cameras.clip import make_clip
from shilu.cameras.errors import CameraError, SpecError
from shilu.cameras.faults import Faults
from shilu.cameras.host import CameraHost
from shilu.cameras.media import VIDEO_CLOCK_HZ, VideoCodec
from shilu.cameras.nal import START_CODE, nal_type
from shilu.cameras.spec import MediaSpec
from tests.cameras.conftest import Hosts
from tests.cameras.reading import RawClient, RtpPacket, SenderReport, open_camera, watch

FRAME_90K = 3600


def steps(times: list[int]) -> list[int]:
    """Differences of RTP timestamps, signed."""
    return [(later - earlier + 2**31 & 0xFFFFFFFF) - 2**31 for earlier, later in pairwise(times)]


def test_a_stalled_camera_answers_and_sends_nothing(hosted: Hosts) -> None:
    host = hosted()
    with RawClient(host.rtsp_url("cam")) as client:
        client.play(0, 1)
        client.packets(0, 3)
        host.camera("cam").faults.stalled = True
        assert client.falls_silent(0.3)
        assert client.ask("GET_PARAMETER")[0] == 200
        host.camera("cam").faults.stalled = False
        assert client.packets(0, 3)


def test_a_reader_with_a_timeout_notices_the_stall(hosted: Hosts) -> None:
    host = hosted()
    with open_camera(host.rtsp_url("cam"), timeout_s=0.5) as container:
        host.camera("cam").faults.stalled = True
        with pytest.raises(av.error.ExitError):
            for _ in container.demux():
                pass


def test_dropped_clients_lose_the_connection_and_may_come_back(hosted: Hosts) -> None:
    host = hosted()
    with RawClient(host.rtsp_url("cam")) as one, RawClient(host.rtsp_url("cam")) as other:
        one.play(0)
        other.play(0)
        host.drop_clients("cam")
        assert one.is_cut_off()
        assert other.is_cut_off()
    with RawClient(host.rtsp_url("cam")) as client:
        client.play(0)
        assert client.packets(0, 1)


def test_refused_connections_spare_those_that_stand(hosted: Hosts) -> None:
    host = hosted()
    with RawClient(host.rtsp_url("cam")) as client:
        client.play(0)
        host.refuse_connections(True)
        with pytest.raises(ConnectionRefusedError):
            RawClient(host.rtsp_url("cam"))
        assert client.packets(0, 3)
    host.refuse_connections(False)
    with RawClient(host.rtsp_url("cam")) as client:
        assert client.ask("OPTIONS")[0] == 200


@pytest.mark.parametrize("mode", ["loop", "live"])
def test_a_frozen_picture_stands_while_time_and_sound_go_on(hosted: Hosts, mode: str) -> None:
    host = hosted(mode=mode)
    with open_camera(host.rtsp_url("cam")) as container:
        watch(container, pictures=2)
        host.freeze("cam", True)
        watch(container, pictures=10)  # on the way when the picture froze
        frozen = watch(container, pictures=26)
        host.freeze("cam", False)
        watch(container, pictures=6)  # a clip moves again with its next key frame
        moving = watch(container, pictures=5)
    assert max(changes(frozen.pictures)) < 0.01
    assert not frozen.flashes_s()
    assert np.diff(frozen.picture_s) == pytest.approx(0.04, abs=0.001)
    assert frozen.beeps_s()
    assert min(changes(moving.pictures)) > 0.02


def changes(pictures: list[np.typing.NDArray[np.uint8]]) -> list[float]:
    """The share of samples, percent, that differ clearly from one picture to the next."""
    return [float((np.abs(a.astype(int) - b) > 24).mean() * 100) for a, b in pairwise(pictures)]


def test_silence_in_the_packets(hosted: Hosts) -> None:
    host = hosted()
    with open_camera(host.rtsp_url("cam")) as container:
        loud = watch(container, pictures=25)
        host.camera("cam").faults.silent = True
        watch(container, pictures=5)
        silent = watch(container, pictures=10)
    assert max(float(np.abs(samples).max()) for samples in loud.sounds) > 0.1
    assert max(float(np.abs(samples).max()) for samples in silent.sounds) < 0.001
    assert np.diff(silent.sound_s) == pytest.approx(1024 / 48_000, abs=0.001)


def test_no_packets_of_sound(hosted: Hosts) -> None:
    host = hosted()
    with RawClient(host.rtsp_url("cam")) as client:
        client.play(0, 1)
        client.packets(2, 3)
        host.camera("cam").faults.sound_muted = True
        client.frame_times(2)
        assert 2 not in channels_during(client, pictures=10)
        host.camera("cam").faults.sound_muted = False
        assert client.packets(2, 3)


def channels_during(client: RawClient, pictures: int) -> set[int]:
    channels = set()
    for packet in client.received():
        if isinstance(packet, RtpPacket):
            channels.add(packet.channel)
            pictures -= packet.channel == 0 and packet.marker
        if pictures == 0:
            break
    return channels


def test_sound_that_starts_late(hosted: Hosts) -> None:
    host = hosted()
    host.camera("cam").faults.sound_delay_s = 0.8
    with RawClient(host.rtsp_url("cam")) as client:
        began = time.monotonic()
        client.play(0, 1)
        client.packets(0, 1)
        assert time.monotonic() - began < 0.7
        client.packets(2, 1)
        assert 0.75 < time.monotonic() - began < 2


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_timestamps_jump_and_jump_back(hosted: Hosts, seconds: float) -> None:
    host = hosted()
    with RawClient(host.rtsp_url("cam")) as client:
        client.play(0)
        before = client.frame_times(3)
        host.camera("cam").faults.timestamp_shift_s = seconds
        after = client.frame_times(6)
        host.camera("cam").faults.timestamp_shift_s = 0
        back = client.frame_times(6)
    jump = round(seconds) * VIDEO_CLOCK_HZ
    assert sorted(set(steps([*before, *after, *back])), key=abs) == sorted(
        {FRAME_90K, jump + FRAME_90K, FRAME_90K - jump}, key=abs
    )


def test_wild_timestamps_at_the_start(hosted: Hosts) -> None:
    host = hosted()
    host.camera("cam").faults.wild_start_frames = 5
    with RawClient(host.rtsp_url("cam")) as client:
        client.play(0)
        seen = steps(client.frame_times(20))
    assert FRAME_90K not in seen[:5]
    assert set(seen[5:]) == {FRAME_90K}


def test_key_frames_left_out_for_a_while(hosted: Hosts) -> None:
    host = hosted()
    with RawClient(host.rtsp_url("cam")) as client:
        client.play(0)
        client.frame_times(2)
        host.drop_key_frames("cam", seconds=1)
        pictures = [(packet.timestamp, packet.payload) for packet in client.packets(0, 60) if starts_picture(packet)]
    without = list(takewhile(lambda picture: not is_key(picture[1]), pictures))
    assert 19 <= len(without) <= 28, "a second, and up to a key interval of 5 pictures"
    missing = [step for step in steps([timestamp for timestamp, _ in without]) if step == 2 * FRAME_90K]
    assert len(missing) in (4, 5), "the key frames of a second are not there"
    assert is_key(pictures[len(without)][1])


def starts_picture(packet: RtpPacket) -> bool:
    """Whether a packet holds (the start of) a slice: pictures here are one slice, and key frames are fragmented."""
    kind = packet.payload[0] & 0x1F
    return kind in (1, 5) or (kind == 28 and bool(packet.payload[1] & 0x80))


def is_key(payload: bytes) -> bool:
    return (payload[1] & 0x1F if payload[0] & 0x1F == 28 else payload[0] & 0x1F) == 5


def test_garbage_stands_between_the_packets(hosted: Hosts) -> None:
    """What a reader makes of it is the reader's affair: FFmpeg goes on, or fails with EIO after some seconds."""
    host = hosted()
    with RawClient(host.rtsp_url("cam")) as client:
        client.play(0)
        client.packets(0, 3)
        host.send_garbage("cam", 1000)
        with pytest.raises(AssertionError):
            client.packets(0, 200)
        client.resynchronise()
        assert set(steps(client.frame_times(5))) == {FRAME_90K}


def test_lost_packets_leave_holes(hosted: Hosts) -> None:
    host = hosted()
    host.camera("cam").faults.loss_percent = 30
    with RawClient(host.rtsp_url("cam")) as client:
        client.play(0, 1)
        numbers = [packet.number for packet in client.packets(0, 25)]
    span = (numbers[-1] - numbers[0] & 0xFFFF) + 1
    assert 0.1 < 1 - len(numbers) / span < 0.5


def test_a_stepped_clock_shows_in_the_next_report(hosted: Hosts) -> None:
    host = hosted()
    with RawClient(host.rtsp_url("cam")) as client:
        host.camera("cam").faults.ntp_step_s = -86_400.5
        client.play(0)
        report = next(packet for packet in client.received() if isinstance(packet, SenderReport))
    assert report.utc_us / 1e6 - time.time() == pytest.approx(-86_400.5, abs=0.2)


def test_garbage_instead_of_a_description(hosted: Hosts) -> None:
    host = hosted()
    host.camera("cam").faults.garbage_describe = True
    with pytest.raises(av.error.FFmpegError):
        open_camera(host.rtsp_url("cam"))
    host.camera("cam").faults.garbage_describe = False
    with open_camera(host.rtsp_url("cam")) as container:
        assert len(container.streams) == 2


@pytest.mark.parametrize("video", VideoCodec)
def test_another_clip_in_the_middle(hosted: Hosts, clip_cache: Path, video: VideoCodec) -> None:
    host = hosted(video=video)
    other = make_clip(MediaSpec(video=video, width=480, height=272, fps=20, kbps=300, beep=True), cache=clip_cache)
    with open_camera(host.rtsp_url("cam")) as container:
        first = watch(container, pictures=5)
        host.switch_clip("cam", other)
        seen = watch(container, pictures=30)
    assert {picture.shape for picture in first.pictures} == {(270, 320)}
    assert seen.pictures[-1].shape == (408, 480)
    times = first.picture_s + seen.picture_s
    assert all(0 < later - earlier < 0.1 for earlier, later in pairwise(times)), "timestamps run on"
    large = [at for at, picture in zip(seen.picture_s, seen.pictures, strict=True) if picture.shape == (408, 480)]
    flash = next(flash for flash in seen.flashes_s() if flash > large[0] + 0.5)
    assert min(abs(flash - beep) for beep in seen.beeps_s()) < 0.04, "sound has gone over to the new clip too"


def test_a_clip_with_other_codecs_is_refused(hosted: Hosts, clip_cache: Path) -> None:
    host = hosted()
    with pytest.raises(SpecError, match="keep the codecs"):
        host.switch_clip("cam", make_clip(MediaSpec(width=320, height=180, audio=None), 1, clip_cache))


def test_a_live_camera_plays_no_clip(hosted: Hosts, clip_cache: Path) -> None:
    host = hosted(mode="live")
    with pytest.raises(SpecError, match="live camera"):
        host.switch_clip("cam", make_clip(MediaSpec(width=320, height=180), cache=clip_cache))


def test_unknown_cameras_and_wrong_values_are_refused(hosted: Hosts) -> None:
    host: CameraHost = hosted()
    with pytest.raises(CameraError, match="there are: cam"):
        host.drop_clients("door")
    with pytest.raises(ValidationError):
        host.camera("cam").faults.loss_percent = 101
    with pytest.raises(ValidationError):
        Faults.model_validate({"stuck": True})


def test_a_clip_starts_with_its_parameter_sets(clip_cache: Path) -> None:
    clip = make_clip(MediaSpec(width=320, height=180), cache=clip_cache)
    assert clip.video[0].data.startswith(START_CODE + clip.video_format.parameter_sets[0])
    assert nal_type(VideoCodec.H264, clip.video_format.parameter_sets[0]) == 7
