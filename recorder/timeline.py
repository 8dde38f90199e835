"""Time of a camera's packets: what its stamps say, made usable without dropping a picture. Pure.

Cameras lie about time: the first packets can carry wild stamps, stamps are missing, jump back, or leap when the camera
sets its clock. The arrival of packets is the second witness: a packet can come late, never early. Rules:

1. A stamp that goes on, and is not earlier than possible, is believed.
2. A stamp that leaps so far that its packet would have come before it was made, or that jumps back by more than
   `JUMP_US`, is a change of the camera's clock: the packet is kept and the leap is taken out of the decode times.
3. A stamp that stands still or goes back by less is moved to one tick after the last.
4. A missing stamp is the last one plus the usual step; after `MAX_UNSTAMPED` in a row the stream is given up.
5. A stamp that goes on after more than `MAX_STEP_US` and could be true says that time was really lost (`Lost`). So does
   a leap after more than `MAX_STEP_US` without a packet: how much was lost is then told by arrival.
6. Stamps of picture and sound tell one time, so what was taken out of the one is taken out of the other (`bring_to`),
   unless arrival contradicts by more than `MAX_APART_US`: then the stamps are wild each in its own way, and sound that
   stands so far beside the pictures it came with is brought to where these stand.
"""

from dataclasses import dataclass

JUMP_US = 1_000_000  # well above the burst in which packets are read, well below what harms an interview
MAX_STEP_US = 2_000_000  # a longer hole between two pictures is a gap, not a slow picture
MAX_APART_US = 2_000_000  # no camera sends sound that much later or sooner than the picture of the same moment
MAX_UNSTAMPED = 50
RISE_PPM = 1000  # how fast the arrival offset may grow: beyond any camera's quartz, far below a late packet
_FIRST_STEP_PARTS = 25  # a 25th of a second is the usual step until one was seen
_ROUNDING_US = 1_000  # what conversions between clocks may make of the same time


class StreamDamagedError(Exception):
    """The stream's stamps make no sense for too long; the connection has to be made anew."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing came for `missing_us`; what follows, from decode time `dts` on, belongs to a new run."""

    missing_us: int
    dts: int


class Timeline:
    """Decode times of one elementary stream, in ticks of `timescale` per second, beside the monotonic clock."""

    def __init__(self, timescale: int, usual_step: int | None = None) -> None:
        """`usual_step`: from one packet to the next, as long as they have not told it themselves."""
        self._timescale = timescale
        self._shift = 0
        self._last: int | None = None
        self._usual_step = usual_step or timescale // _FIRST_STEP_PARTS
        self._unstamped = 0
        self._offset_us = 0  # smallest arrival minus decode time: where the stream's time stands on the monotonic clock
        self._offset_at_us = 0
        self.jumps = 0
        self.late_us = 0

    def place(self, stamp: int | None, arrival_us: int) -> int | Lost:
        """Decode time of a packet with the camera's `stamp` that arrived at `arrival_us` of the monotonic clock."""
        if stamp is None:
            self._unstamped += 1
            if self._unstamped > MAX_UNSTAMPED:
                raise StreamDamagedError(f"{MAX_UNSTAMPED} packets in a row without a time")
            if self._last is None:
                return self._begin(0, arrival_us)
            return self._accept(self._last + self._usual_step, arrival_us)
        self._unstamped = 0
        if self._last is None:
            return self._begin(stamp, arrival_us)
        placed = stamp + self._shift
        step_us = self._us(placed - self._last)
        early_us = self._us(placed) + self._offset_us - arrival_us
        if early_us > JUMP_US or step_us < -JUMP_US:
            self.jumps += 1
            hole_us = arrival_us - self.monotonic_us(self._last)
            lost = hole_us > MAX_STEP_US
            placed = self._last + (hole_us * self._timescale // 1_000_000 if lost else self._usual_step)
            self._shift = placed - stamp
            if lost:
                return Lost(hole_us, self._begin(placed, arrival_us))
        elif step_us > MAX_STEP_US:
            return Lost(step_us, self._begin(placed, arrival_us))
        elif placed <= self._last:
            placed = self._last + 1
        else:
            self._usual_step = min(placed - self._last, self._timescale)
        return self._accept(placed, arrival_us)

    def bring_to(self, pictures: "Timeline", placed: int) -> int:
        """The decode time `placed`, just given out by this line of sound, beside the pictures' line (rule 6).

        It may lie before the ones given out earlier.
        """
        if not pictures.begun:
            return placed
        apart_us = self._offset_us - pictures.monotonic_us(0)
        follow_us = pictures.shift_us - self.shift_us
        if abs(follow_us) > _ROUNDING_US and abs(apart_us - follow_us) <= MAX_APART_US:
            move_us = follow_us
        elif abs(apart_us) > MAX_APART_US:
            move_us = apart_us
        else:
            return placed
        move = move_us * self._timescale // 1_000_000
        self._shift += move
        self._last = placed + move
        self._offset_us -= move_us
        return self._last

    @property
    def begun(self) -> bool:
        """Whether a packet has been placed."""
        return self._last is not None

    @property
    def shift(self) -> int:
        """Ticks by which the camera's stamps were moved; times of showing move with them."""
        return self._shift

    @property
    def shift_us(self) -> int:
        return self._us(self._shift)

    @property
    def usual_step(self) -> int:
        return self._usual_step

    def monotonic_us(self, placed: int) -> int:
        """When, on the monotonic clock, the picture with this decode time was taken, as far as arrival tells."""
        return self._us(placed) + self._offset_us

    def _begin(self, placed: int, arrival_us: int) -> int:
        self._last = placed
        self._offset_us, self._offset_at_us = arrival_us - self._us(placed), arrival_us
        self.late_us = 0
        return placed

    def _accept(self, placed: int, arrival_us: int) -> int:
        offset_us = arrival_us - self._us(placed)
        risen_us = (arrival_us - self._offset_at_us) * RISE_PPM // 1_000_000
        best_us = min(offset_us, self._offset_us + risen_us)
        if risen_us > 0 or best_us < self._offset_us:
            self._offset_us, self._offset_at_us = best_us, arrival_us
        self.late_us = offset_us - best_us
        self._last = placed
        return placed

    def _us(self, ticks: int) -> int:
        return ticks * 1_000_000 // self._timescale
