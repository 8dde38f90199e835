"""A clock that stands until a test moves it."""

from datetime import datetime

from evidence_store.records import ClockState, to_us
from tests.evidence_store.chains import START

BOOT = "5f1c3a70-0b7e-4c0e-9a43-3f2d3a3d9d11"
OTHER_BOOT = "0a4b6c11-7d52-4c55-8a68-1e7b9b1f6d20"
UP_US = 3_600_000_000
"""For how long the machine has been running when a test begins."""


class FakeClock:
    def __init__(self, start: datetime = START, boot: str = BOOT) -> None:
        self._utc_us = to_us(start)
        self._monotonic_us = UP_US
        self._boot = boot

    def utc_us(self) -> int:
        return self._utc_us

    def monotonic_us(self) -> int:
        return self._monotonic_us

    def boot_id(self) -> str:
        return self._boot

    def state(self) -> ClockState:
        return ClockState(source="kernel", offset_us=-120, uncertainty_us=900, synchronized=True)

    def advance(self, us: int) -> None:
        """Time goes by."""
        self._utc_us += us
        self._monotonic_us += us

    def set_utc(self, us: int) -> None:
        """Somebody sets the wall clock."""
        self._utc_us = us

    def reboot(self) -> None:
        """The machine was started again a moment ago."""
        self._boot = OTHER_BOOT
        self._monotonic_us = 10_000_000
