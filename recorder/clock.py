"""The machine's clocks, and what is known of how right they are."""

import ctypes
import time
from pathlib import Path
from typing import Protocol

from evidence_store.records import ClockState

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_STA_UNSYNC = 0x0040
_STA_NANO = 0x2000


class Clock(Protocol):
    """Time as the recorder sees it; passed in, so that a test can set it."""

    def utc_us(self) -> int:
        """Microseconds since 1970, from the clock that can be set."""

    def monotonic_us(self) -> int:
        """Microseconds since boot, suspended time included; never set."""

    def boot_id(self) -> str: ...
    def state(self) -> ClockState: ...


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    )


class SystemClock:
    """The kernel's clocks; its state is what the kernel's time discipline knows (adjtimex(2), mode 0: read only)."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def utc_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def boot_id(self) -> str:
        return self._boot_id

    def state(self) -> ClockState:
        timex = _Timex(modes=0)
        result = int(self._libc.adjtimex(ctypes.byref(timex)))
        if result < 0:
            return ClockState(source="none", offset_us=0, uncertainty_us=0, synchronized=False)
        offset_us = timex.offset // 1000 if timex.status & _STA_NANO else timex.offset
        return ClockState(
            source="kernel",
            offset_us=offset_us,
            uncertainty_us=timex.maxerror,
            synchronized=result != _TIME_ERROR and not timex.status & _STA_UNSYNC,
        )
