"""The synthetic cameras, in good order and with every fault."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from recorder.rtsp.errors import RtspError
from recorder.rtsp.source import RtspSource
from recorder.rtsp.units import VIDEO_CLOCK_HZ, Unit
from shilu.cameras.auth import Accounts
from shilu.cameras.clip import Clip, make_clip
from shilu.cameras.host import CameraHost
from shilu.cameras.media import SAMPLE_RATE_HZ, AudioCodec, VideoCodec
from shilu.cameras.nal import split
from tests.cameras.conftest import Hosts
from tests.recorder.rtsp.reading import pictures, read_pictures, read_until, sounds, source, wait_gathered

STEP = VIDEO_CLOCK_HZ // 25


def apart_s(reader: RtspSource, units: list[Unit]) -> float:
    """From the last picture to the last sound on the common time line: little where both are sent as they are made."""
    about = reader.description.audio
    assert about is not None
    heard_s = reader.media_ticks("audio", sounds(units)[-1].timestamp) / about.sample_rate_hz
    return heard_s - reader.media_ticks("video", pictures(units)[-1].timestamp) / VIDEO_CLOCK_HZ


def clip_of(host: CameraHost) -> Clip:
    clip = host.camera("cam").source._clip  # type: ignore[attr-defined]
    assert isinstance(clip, Clip)
    return clip


@pytest.mark.parametrize("video", VideoCodec)
@pytest.mark.parametrize("audio", [*AudioCodec, None])
def test_every_kind_of_camera(hosted: Hosts, video: VideoCodec, audio: AudioCodec | None) -> None:
    host = hosted(video=video, audio=audio)
    with source(host.rtsp_url("cam")) as reader:
        about = reader.description
        assert about.video.codec == ("h264" if video is VideoCodec.H264 else "hevc")
        clip = clip_of(host)
        assert about.video.parameter_sets == clip.video_format.parameter_sets
        units = read_until(reader, lambda units: len(pictures(units)) >= 30 and (not audio or len(sounds(units)) >= 30))
        if audio and clip.audio_format:
            assert about.audio is not None
            assert (about.audio.codec, about.audio.sample_rate_hz) == (audio.value, SAMPLE_RATE_HZ[audio])
            assert about.audio.config == clip.audio_format.config
            assert about.audio.frame_samples == clip.audio_format.frame_samples
        else:
            assert about.audio is None
        assert not about.silent_because
        if audio:
            report, other = reader.sender_report("video"), reader.sender_report("audio")
            assert report is not None
            assert other is not None
            assert abs(report.utc_us / 1e6 - time.time()) < 15
            assert abs(apart_s(reader, units)) < 0.1
    seen = pictures(units)
    sent = [tuple(split(unit.data)) for unit in clip.video]
    first = sent.index(seen[0].nals)
    assert clip.video[first].keyframe
    assert [unit.nals for unit in seen] == [sent[(first + number) % len(sent)] for number in range(len(seen))]
    assert {later.timestamp - earlier.timestamp for earlier, later in pairwise(seen)} == {STEP}
    assert not any(unit.lost_before for unit in units)
    if audio:
        frames = [frame.data for frame in clip.audio]
        heard = sounds(units)
        at = next(at for at in range(len(frames)) if frames[at] == heard[0].data and frames[at + 1] == heard[1].data)
        assert [unit.data for unit in heard] == [frames[(at + number) % len(frames)] for number in range(len(heard))]
        assert all(later.timestamp == earlier.timestamp + earlier.samples for earlier, later in pairwise(heard))


def test_a_time_line_that_begins_near_zero(hosted: Hosts) -> None:
    host = hosted(audio=AudioCodec.ALAW)
    for _ in range(3):
        with source(host.rtsp_url("cam")) as reader:
            units = read_pictures(reader, 3)
            first = pictures(units)[0]
            assert 0 <= reader.media_ticks("video", first.timestamp) <= VIDEO_CLOCK_HZ


def test_bursts(hosted: Hosts) -> None:
    """A pause lets units gather; one read takes them all and says that nothing is left."""
    host = hosted()
    with source(host.rtsp_url("cam")) as reader:
        read_pictures(reader, 1)
        wait_gathered(reader, 15_000)
        burst = reader.read()
        assert len(pictures(burst.units)) >= 3
        assert burst.drained


def test_a_reader_that_is_behind_is_told(hosted: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.rtsp.source._READ_BYTES", 4096)
    with source(hosted().rtsp_url("cam")) as reader:
        read_pictures(reader, 1)
        wait_gathered(reader, 3 * 4096)
        bursts = [reader.read()]
        while not bursts[-1].drained:
            bursts.append(reader.read())
        assert len(bursts) > 1


# Passwords and addresses


@pytest.fixture
def guarded(hosted: Hosts) -> str:
    return hosted(options={"accounts": Accounts({"user": "s3cret"})}, audio=None).rtsp_url("cam")


def test_a_password_given_or_in_the_address(guarded: str) -> None:
    for reader in (source(guarded, user="user", password="s3cret"), source(guarded.replace("//", "//user:s3cret@"))):
        with reader:
            assert read_pictures(reader, 2)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"user": "user", "password": "wrong"}, "refused user name or password"),
        ({"user": "nobody", "password": "s3cret"}, "refused user name or password"),
        ({}, "asks for a user name and a password"),
    ],
)
def test_refused_passwords(guarded: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(RtspError, match=text) as caught:
        source(guarded, **options).open()
    assert "127.0.0.1" not in str(caught.value)


def test_no_stream_at_this_path(hosted: Hosts) -> None:
    with pytest.raises(RtspError, match="no stream at this path"):
        source(hosted().rtsp_url("cam") + "era").open()


# Faults


def test_a_stalled_camera_is_noticed(hosted: Hosts) -> None:
    host = hosted()
    with source(host.rtsp_url("cam"), read_timeout_s=0.5) as reader:
        read_pictures(reader, 2)
        host.camera("cam").faults.stalled = True
        began_s = time.monotonic()
        with pytest.raises(RtspError, match=r"neither picture nor sound for 0\.5 s"):
            read_pictures(reader, 1000)
        assert time.monotonic() - began_s < 2


def test_a_dropped_connection_and_another_one(hosted: Hosts) -> None:
    host = hosted()
    with source(host.rtsp_url("cam")) as reader:
        read_pictures(reader, 2)
        host.drop_clients("cam")
        with pytest.raises(RtspError, match="ended the stream"):
            read_pictures(reader, 1000)
        reader.close()
        reader.open()
        assert read_pictures(reader, 2)


def test_a_refused_connection(hosted: Hosts) -> None:
    host = hosted()
    host.refuse_connections(True)
    with pytest.raises(RtspError, match="refuses the connection"):
        source(host.rtsp_url("cam")).open()


def test_garbage_instead_of_a_description(hosted: Hosts) -> None:
    host = hosted()
    host.camera("cam").faults.garbage_describe = True
    with pytest.raises(RtspError, match="not a stream"):
        source(host.rtsp_url("cam")).open()


def test_garbage_in_the_middle_costs_nothing(hosted: Hosts) -> None:
    host = hosted()
    with source(host.rtsp_url("cam")) as reader:
        units = read_pictures(reader, 3)
        for size_bytes in (1, 1000, 50_000):
            host.send_garbage("cam", size_bytes)
            units += read_pictures(reader, 5)
    assert {later.timestamp - earlier.timestamp for earlier, later in pairwise(pictures(units))} == {STEP}


def test_lost_packets_cost_their_pictures_and_are_told(hosted: Hosts) -> None:
    host = hosted()
    sent = {tuple(split(unit.data)) for unit in clip_of(host).video}
    with source(host.rtsp_url("cam")) as reader:
        host.camera("cam").faults.loss_percent = 10
        units = read_pictures(reader, 40)
    seen = pictures(units)
    assert {unit.nals for unit in seen} <= sent, "none is damaged"
    for earlier, later in pairwise(seen):
        assert later.lost_before == (later.timestamp - earlier.timestamp > STEP)
    assert any(unit.lost_before for unit in seen)


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_timestamps_that_jump_are_handed_on_as_they_are(hosted: Hosts, seconds: float) -> None:
    host = hosted()
    with source(host.rtsp_url("cam")) as reader:
        units = read_pictures(reader, 5)
        host.camera("cam").faults.timestamp_shift_s = seconds
        units += read_pictures(reader, 10)
    steps = {later.timestamp - earlier.timestamp for earlier, later in pairwise(pictures(units))}
    assert steps == {STEP, STEP + round(seconds) * VIDEO_CLOCK_HZ}


def test_wild_timestamps_at_the_start_do_not_part_picture_and_sound(hosted: Hosts) -> None:
    host = hosted(audio=AudioCodec.ALAW)
    host.camera("cam").faults.wild_start_frames = 5
    with source(host.rtsp_url("cam")) as reader:
        units: list[Unit] = []
        while len(pictures(units)) < 20 or len(sounds(units)) < 20:
            units += reader.read().units
            for unit in units:
                reader.media_ticks(unit.kind, unit.timestamp)
        assert {later.timestamp - earlier.timestamp for earlier, later in pairwise(pictures(units)[5:])} == {STEP}
        assert abs(apart_s(reader, units)) < 0.1


def test_sound_that_begins_late_is_in_step(hosted: Hosts) -> None:
    host = hosted(audio=AudioCodec.ALAW)
    host.camera("cam").faults.sound_delay_s = 0.8
    with source(host.rtsp_url("cam")) as reader:
        units = read_until(reader, lambda units: len(sounds(units)) >= 2)
        assert abs(apart_s(reader, units)) < 0.1


def test_a_clock_that_is_wrong_or_steps_moves_nothing(hosted: Hosts) -> None:
    host = hosted(audio=AudioCodec.ALAW)
    host.camera("cam").faults.ntp_step_s = -86_400.5
    with source(host.rtsp_url("cam")) as reader:
        units = read_until(reader, lambda units: bool(pictures(units)) and bool(sounds(units)))
        before = [reader.media_ticks(unit.kind, unit.timestamp) for unit in units]
        first = reader.sender_report("video")
        assert first is not None
        assert first.utc_us / 1e6 - time.time() == pytest.approx(-86_400.5, abs=1)
        host.camera("cam").faults.ntp_step_s = 3600
        read_until(reader, lambda _: reader.sender_report("audio") != first and reader.sender_report("video") != first)
        assert [reader.media_ticks(unit.kind, unit.timestamp) for unit in units] == before


def test_another_clip_in_the_middle(hosted: Hosts, clip_cache: Path) -> None:
    host = hosted()
    spec = clip_of(host).spec.model_copy(update={"width": 480, "height": 272})
    other = make_clip(spec, clip_of(host).seconds, clip_cache)
    with source(host.rtsp_url("cam")) as reader:
        read_pictures(reader, 3)
        host.switch_clip("cam", other)
        wanted = set(other.video_format.parameter_sets)
        assert read_until(reader, lambda units: any(wanted <= set(unit.nals) for unit in pictures(units)))
