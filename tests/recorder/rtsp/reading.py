"""Reading whole streams in tests."""

import fcntl
import sys
import termios
import time
from collections.abc import Callable, Sequence
from typing import Any

from recorder.rtsp.source import RtspSource
from recorder.rtsp.units import AudioUnit, Unit, VideoUnit

DEADLINE_S = 20.0


def now_us() -> int:
    return time.monotonic_ns() // 1000


def source(url: str, **options: Any) -> RtspSource:
    return RtspSource(url, want_audio=options.pop("want_audio", True), now_us=now_us, **options)


def read_until(reader: RtspSource, enough: Callable[[list[Unit]], bool]) -> list[Unit]:
    """Units until there are enough of them; read without pauses."""
    units: list[Unit] = []
    deadline_s = time.monotonic() + DEADLINE_S
    while not enough(units):
        units += reader.read(0.1).units
        assert time.monotonic() < deadline_s, f"only {len(units)} units in {DEADLINE_S} s"
    return units


def read_pictures(reader: RtspSource, count: int) -> list[Unit]:
    return read_until(reader, lambda units: len(pictures(units)) >= count)


def pictures(units: Sequence[Unit]) -> list[VideoUnit]:
    return [unit for unit in units if isinstance(unit, VideoUnit)]


def sounds(units: Sequence[Unit]) -> list[AudioUnit]:
    return [unit for unit in units if isinstance(unit, AudioUnit)]


def wait_gathered(reader: RtspSource, size_bytes: int) -> None:
    """Until the kernel holds so much for a reader that does not read."""
    deadline_s = time.monotonic() + DEADLINE_S
    while waiting_bytes(reader) < size_bytes:
        assert time.monotonic() < deadline_s, f"the camera sent less than {size_bytes} bytes"
        time.sleep(0.01)  # between looks at a condition


def waiting_bytes(reader: RtspSource) -> int:
    assert reader._socket is not None
    return int.from_bytes(fcntl.ioctl(reader._socket, termios.FIONREAD, bytes(4)), sys.byteorder)
