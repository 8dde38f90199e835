"""The machine's clocks as they are read."""

import time
from pathlib import Path

from recorder.clock import SystemClock


def test_the_two_clocks_run_at_the_same_pace() -> None:
    clock = SystemClock()
    before = clock.utc_us() - clock.monotonic_us()
    after = clock.utc_us() - clock.monotonic_us()
    assert abs(after - before) < 500_000


def test_monotonic_time_counts_since_boot_with_the_time_asleep() -> None:
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    assert abs(SystemClock().monotonic_us() / 1e6 - uptime_s) < 5


def test_utc_is_the_clock_on_the_wall() -> None:
    assert abs(SystemClock().utc_us() / 1e6 - time.time()) < 5


def test_the_boot_has_a_name_that_stays() -> None:
    name = SystemClock().boot_id()
    assert name == SystemClock().boot_id()
    assert name == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_what_the_kernel_knows_of_its_clock_can_stand_in_a_record() -> None:
    state = SystemClock().state()
    assert state.source in {"kernel", "none"}
    assert state.uncertainty_us >= 0
    assert state.model_validate(state.model_dump()) == state
