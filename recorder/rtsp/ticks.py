"""RTP timestamps beyond 32 bits (RFC 3550 section 5.1). Pure."""

_WRAP = 1 << 32
_HALF = 1 << 31


def near(reference: int, timestamp: int) -> int:
    """The unwrapped value of a 32-bit `timestamp` that lies within 2^31 ticks of `reference`."""
    step = (timestamp - reference) & 0xFFFFFFFF
    return reference + (step - _WRAP if step >= _HALF else step)


class Ticks:
    """The timestamps of one track, each continued from the one before; the first is taken as it is."""

    def __init__(self) -> None:
        self._last: int | None = None

    def unwrap(self, timestamp: int) -> int:
        self._last = timestamp if self._last is None else near(self._last, timestamp)
        return self._last
