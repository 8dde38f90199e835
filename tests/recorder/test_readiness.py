"""What is checked when start is pressed, and what blocks it."""

from datetime import timedelta
from pathlib import Path

import pytest

from evidence_store.records import ClockState, ReadinessCheck
from evidence_store.signing import RECORDER_USAGE, issue
from recorder.capture import Camera, CameraState
from recorder.devices import Limits
from recorder.intake import Source
from recorder.readiness import SILENT_US, check
from tests.evidence_store.chains import START, make_site
from tests.recorder.clocks import FakeClock
from tests.recorder.takes import header


class Unsynchronized(FakeClock):
    def state(self) -> ClockState:
        return ClockState(source="none", offset_us=0, uncertainty_us=16_000_000, synchronized=False)


class Nowhere:
    """A sink that nothing is sent to."""

    def take(self, _: object) -> None: ...
    def ended(self, _: object) -> None: ...


def camera(clock: FakeClock, state: CameraState = "delivering", detail: str = "", *, with_sound: bool = True) -> Camera:
    """As another thread would see it; it is never started."""
    found = Camera(Source("rtsp://192.0.2.1/", "room-1-subject", True, 500), Nowhere(), clock)
    found.state, found.detail = state, detail
    found.stream = header(with_sound) if state == "delivering" else None
    found.last_packet_us = clock.monotonic_us()
    return found


def checks(folder: Path, clock: FakeClock, *cameras: Camera, limits: Limits | None = None) -> dict[str, ReadinessCheck]:
    found = check(cameras, folder, make_site().recorder, clock, limits or Limits(min_free_gb=0))
    return {one.name: one for one in found}


def test_when_all_is_right(tmp_path: Path) -> None:
    clock = FakeClock()
    found = checks(tmp_path, clock, camera(clock))
    assert {name: one.result for name, one in found.items()} == {
        "camera room-1-subject": "ok",
        "disk": "ok",
        "certificate": "ok",
        "clock": "ok",
    }


@pytest.mark.parametrize(
    ("state", "detail", "says"),
    [
        ("connecting", "", "camera room-1-subject: connecting"),
        ("lost", "the camera refused user name or password", "camera room-1-subject: the camera refused user name"),
    ],
)
def test_a_camera_that_does_not_deliver(tmp_path: Path, state: CameraState, detail: str, says: str) -> None:
    clock = FakeClock()
    found = checks(tmp_path, clock, camera(clock, state, detail))["camera room-1-subject"]
    assert found.result == "failed"
    assert found.detail.startswith(says)


def test_a_camera_that_hangs_on_an_open_connection(tmp_path: Path) -> None:
    clock = FakeClock()
    hanging = camera(clock)
    clock.advance(SILENT_US)
    assert checks(tmp_path, clock, hanging)["camera room-1-subject"].result == "ok"
    clock.advance(500_000)
    found = checks(tmp_path, clock, hanging)["camera room-1-subject"]
    assert (found.result, found.detail) == ("failed", "camera room-1-subject: nothing has come for 2.5 s")


def test_a_camera_without_the_sound_that_it_should_have_does_not_block(tmp_path: Path) -> None:
    clock = FakeClock()
    found = checks(tmp_path, clock, camera(clock, with_sound=False))["camera room-1-subject"]
    assert (found.result, found.detail) == ("warning", "camera room-1-subject: delivering, but no sound")


def test_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    found = checks(tmp_path, FakeClock(), limits=Limits(min_free_gb=1e9))["disk"]
    assert found.result == "failed"
    assert "GB free for the spool, at least 1e+09 GB are asked for" in found.detail


@pytest.mark.parametrize("days", [-10, 4000])
def test_a_certificate_that_is_not_valid(tmp_path: Path, days: int) -> None:
    found = checks(tmp_path, FakeClock(START + timedelta(days=days)))["certificate"]
    assert found.result == "failed"
    assert found.detail == "the recorder's certificate is valid until 2036-11-19"


def test_a_certificate_that_has_ended(tmp_path: Path) -> None:
    signer = issue(make_site().root, "old", RECORDER_USAGE, START - timedelta(days=20), 10)
    found = check((), tmp_path, signer, FakeClock(), Limits(min_free_gb=0))
    assert [one.result for one in found if one.name == "certificate"] == ["failed"]


def test_a_clock_without_a_time_source_is_told_and_does_not_block(tmp_path: Path) -> None:
    found = checks(tmp_path, Unsynchronized())["clock"]
    assert (found.result, found.detail) == ("warning", "the clock is not synchronized with a time source")
