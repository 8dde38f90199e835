"""Every kind of camera in one room, recorded at the same time: pictures and sound come out as they were sent.

The cameras flash and beep at each whole second, so that picture and sound can be compared.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from evidence_store.verify import Report, Verdict
from tests.integration.film import decode, length_s
from tests.parts.require import require
from tests.recorder.conftest import Hosts
from tests.recorder.rooms import ROOM, Camera, Recorded, Running, new_site, write_devices

SYNC_S = 0.040
SECONDS = 5.0


@dataclass(frozen=True)
class Kind:
    """A camera and what its track has to be. `sound` is None where none is to be recorded."""

    fields: dict[str, str | None]
    video: str
    sound: str | None
    over: str = "rtsp"
    settings: tuple[tuple[str, bool], ...] = ()


KINDS = {
    "h264-aac": Kind({}, "avc1.", "mp4a.40.2"),
    "h264-alaw": Kind({"audio": "pcm_alaw"}, "avc1.", "flac"),
    "h264-mulaw": Kind({"audio": "pcm_mulaw"}, "avc1.", "flac"),
    "h265-opus": Kind({"video": "h265", "audio": "opus"}, "hvc1.", "opus"),
    "h265-aac": Kind({"video": "h265"}, "hvc1.", "mp4a.40.2"),
    "no-microphone": Kind({"audio": None}, "avc1.", None),
    "sound-not-wanted": Kind({}, "avc1.", None, settings=(("sound", False),)),
    "ts-tcp": Kind({}, "avc1.", "mp4a.40.2", over="tcp"),
    "ts-http": Kind({"video": "h265"}, "hvc1.", "mp4a.40.2", over="http"),
}


@pytest.fixture(scope="module")
def recorded(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    rtsp = hosts({name: dict(kind.fields) for name, kind in KINDS.items() if kind.over == "rtsp"})
    streams = hosts({name: dict(kind.fields) for name, kind in KINDS.items() if kind.over != "rtsp"}, mpegts=True)
    cameras: dict[str, Camera] = {}
    for name, kind in KINDS.items():
        url = {"rtsp": rtsp.rtsp_url, "tcp": streams.tcp_url, "http": streams.http_url}[kind.over](name)
        cameras[name] = {"url": url, **dict(kind.settings)}
    site = new_site(tmp_path_factory.mktemp("kinds") / "site")
    with Running(site, write_devices(site, {ROOM: cameras}, pre_roll_s=1)) as room:
        room.wait_delivering()
        session = room.start()
        room.wait_recorded(SECONDS)
        room.stop()
    return Recorded(site, session)


@pytest.fixture(scope="module")
def report(recorded: Recorded) -> Report:
    return recorded.verify()


def test_the_session_is_whole(report: Report) -> None:
    assert report.verdict is Verdict.OK, report.text("en")
    assert {track.track for track in report.facts.tracks} == KINDS.keys()
    assert all(track.recorded_us >= SECONDS * 1e6 for track in report.facts.tracks)


@pytest.mark.parametrize("name", KINDS)
def test_the_record_says_how_it_is_coded(recorded: Recorded, name: str) -> None:
    kind = KINDS[name]
    for segment in recorded.segments(name):
        video, *sound = segment.media.mime.removeprefix('video/mp4; codecs="').removesuffix('"').split(", ")
        assert video.startswith(kind.video)
        assert sound == ([kind.sound] if kind.sound else [])
    opened = next(track for track in recorded.opened.tracks if track.track == name)
    assert opened.video == ("h264" if kind.video == "avc1." else "hevc")
    assert (opened.audio is None) is (kind.sound is None)


@pytest.mark.parametrize("name", KINDS)
def test_it_is_one_run_without_a_gap(recorded: Recorded, name: str) -> None:
    assert len(recorded.runs(name)) == 1
    assert recorded.gaps(name) == []
    assert [segment.index for segment in recorded.segments(name)] == list(range(len(recorded.segments(name))))
    assert len(recorded.segments(name)) >= 2


@pytest.mark.parametrize("name", KINDS)
def test_every_segment_plays_by_itself(recorded: Recorded, name: str) -> None:
    ffmpeg = require("ffmpeg")
    for segment in recorded.segments(name):
        assert decode(ffmpeg, recorded.data(segment)) == ""


@pytest.mark.parametrize("name", KINDS)
def test_segments_end_to_end_are_one_film_of_the_stated_length(recorded: Recorded, name: str) -> None:
    (run,) = recorded.runs(name)
    film = recorded.film(run)
    assert decode(require("ffmpeg"), film) == ""
    assert length_s(film) == pytest.approx(recorded.length_s(run), abs=0.05)


@pytest.mark.parametrize("name", KINDS)
def test_no_picture_is_missing(recorded: Recorded, name: str) -> None:
    (run,) = recorded.runs(name)
    seen = recorded.watch(run)
    assert [later - earlier for earlier, later in pairwise(seen.picture_s)] == pytest.approx(
        [0.04] * (len(seen.picture_s) - 1), abs=0.002
    )
    assert len(seen.picture_s) == sum(fragment.samples.video for one in run for fragment in one.fragments)
    flashes = seen.flashes_s()
    assert [later - earlier for earlier, later in pairwise(flashes)] == pytest.approx(
        [1.0] * (len(flashes) - 1), abs=0.01
    )
    assert len(flashes) >= SECONDS - 1


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.sound])
def test_picture_and_sound_are_in_step_from_beginning_to_end(recorded: Recorded, name: str) -> None:
    (run,) = recorded.runs(name)
    seen = recorded.watch(run)
    beeps = seen.beeps_s()
    for flash in seen.flashes_s()[:-1]:
        assert min(abs(beep - flash) for beep in beeps) < SYNC_S


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.sound])
def test_no_sound_is_missing(recorded: Recorded, name: str) -> None:
    (run,) = recorded.runs(name)
    seen = recorded.watch(run)
    ends = [start + len(samples) / seen.rate_hz for start, samples in zip(seen.sound_s, seen.sounds, strict=True)]
    holes = [later - end for end, later in zip(ends, seen.sound_s[1:], strict=False)]
    assert max(holes, default=0) < 0.002
    assert ends[-1] - seen.sound_s[0] == pytest.approx(recorded.length_s(run), abs=0.3)


@pytest.mark.parametrize("name", KINDS)
def test_times_of_fragments_run_with_the_film(recorded: Recorded, name: str) -> None:
    """A fragment's UTC and its decode time tell the same, to within what arrival over a busy machine can tell."""
    fragments = [fragment for segment in recorded.segments(name) for fragment in segment.fragments]
    start = fragments[0].time
    for fragment in fragments:
        assert (fragment.time - start).total_seconds() == pytest.approx(fragment.media_start_us / 1e6, abs=0.3)
        assert fragment.duration_us <= 1_000_000


def test_nothing_but_the_session_is_in_the_spool(recorded: Recorded) -> None:
    names = {path.relative_to(recorded.spool.folder).parts[0] for path in recorded.spool.folder.rglob("*")}
    assert names == {"media", "records", "stopping"}
    files = {path.name for path in Path(recorded.spool.folder / "media" / "h264-aac").iterdir()}
    assert files == {f"{segment.index:06d}.0000.mp4" for segment in recorded.segments("h264-aac")}
