"""Giving memory back to the system. The pre-roll is tens of megabytes that are free once a session has begun."""

import ctypes

_libc = ctypes.CDLL(None)


def give_back() -> None:
    """Return free heap memory (malloc_trim(3)); nothing on a C library that has no such call."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)
