"""Time as the cameras see it; passed in, so that a test can hold or step it."""

import time
from typing import Protocol


class Clock(Protocol):
    """A steady clock that paces the sending and a wall clock that is shown in the picture and told in RTCP."""

    def monotonic_us(self) -> int:
        """Microseconds since some fixed moment; never steps."""
        ...

    def utc_us(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z; may step."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1000

    def utc_us(self) -> int:
        return time.time_ns() // 1000
