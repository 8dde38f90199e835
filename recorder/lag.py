"""Whether a reader falls behind its camera, so that it must not pause. Pure."""

BEHIND_US = 500_000
_FORGET_PARTS = 10  # a tenth of the time that passes: lateness that stays is forgotten in seconds


class Lag:
    """Tells a reader that falls behind from a camera that once paused: both make pictures late, but only what the
    reader holds up grows, or goes away when it stops pausing. Lateness that simply stays is taken for granted."""

    def __init__(self) -> None:
        self._usual_us = 0
        self._at_us: int | None = None

    def is_behind(self, late_us: int, now_us: int) -> bool:
        """`late_us` is how late the newest picture came (`Timeline.late_us`), `now_us` the monotonic clock."""
        passed_us = now_us - self._at_us if self._at_us is not None else 0
        self._at_us = now_us
        self._usual_us = min(late_us, self._usual_us + passed_us // _FORGET_PARTS)
        return late_us - self._usual_us > BEHIND_US
