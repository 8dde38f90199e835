"""Access units out of NAL units. Pure.

Rules, the same for H.264 (RFC 6184 section 5.1) and H.265 (RFC 7798 section 4.1):

1. An access unit ends with the marker bit or where the timestamp changes, whichever comes first, if there is a slice
   in it. Parameter sets that a camera marks, or stamps by themselves, go with the picture that follows them.
2. A camera that marks each slice instead of each picture is found out by a picture that goes on after its marker; from
   then on its timestamps alone decide.
3. A picture is whole or it is not handed on. After a hole in the numbering the picture in which the hole lies is
   dropped, and with it the one to which the first packet after the hole belongs: its beginning can be missing, too.
   The next one says so (`lost_before`). So it is with a picture whose payloads contradict themselves.
4. A picture beyond MAX_PICTURE_BYTES is dropped: no more than that is ever held.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from recorder.rtsp.ticks import Ticks
from recorder.rtsp.units import VideoUnit

MAX_PICTURE_BYTES = 16 << 20
_PIECE_BYTES = 64  # what holding one more piece costs beside its bytes
_START_CODE = b"\x00\x00\x01"


class Pictures(ABC):
    """One track's payloads in, access units out to `emit`. What differs between codecs is in the three methods below;
    `_take` calls `_unit`, `_begin`, `_more` and `_finish`."""

    def __init__(self, emit: Callable[[VideoUnit], None]) -> None:
        self._emit = emit
        self._ticks = Ticks()
        self._timestamp: int | None = None
        self._units: list[bytes] = []
        self._pieces: list[bytes] = []  # of a NAL unit that is not complete
        self._held_bytes = 0
        self._has_slice = False
        self._damaged = False
        self._hole = False  # the next packet is the first one after a hole
        self._skip = False  # what comes belongs to a picture whose beginning may be missing
        self._lost = False
        self._marked: int | None = None  # timestamp of the picture that a marker has just ended
        self._markers_lie = False

    @abstractmethod
    def _take(self, data: bytes, begin: int, end: int) -> None:
        """One payload, `data[begin:end]`, of at least one byte."""

    @staticmethod
    @abstractmethod
    def _is_slice(unit: bytes) -> bool: ...

    @staticmethod
    @abstractmethod
    def _is_first_slice(unit: bytes) -> bool: ...

    def lose(self) -> None:
        """Packets are missing before the next one."""
        self._drop()
        self._hole = True

    def packet(self, data: bytes, begin: int, end: int, timestamp: int, marker: int, /) -> None:
        if timestamp != self._timestamp or self._hole:
            self._turn(timestamp)
        if not self._skip:
            self._take(data, begin, end)
        if marker and not self._markers_lie:
            if self._skip:
                self._skip = False
                self._timestamp = None
            else:
                self._end()

    def _turn(self, timestamp: int) -> None:
        """A packet with another timestamp than the one before, or the first one after a hole."""
        if self._hole:
            self._hole, self._skip = False, True
        else:
            self._end()
            self._skip = False
        self._marked, self._timestamp = None, timestamp

    def _end(self) -> None:
        if self._pieces:
            self._damaged = True
        if self._damaged:
            self._drop()
        elif self._has_slice and self._timestamp is not None:
            lost, self._lost = self._lost, False
            units = tuple(self._units)
            self._clear()
            self._marked = self._timestamp
            self._emit(VideoUnit(units, self._ticks.unwrap(self._timestamp), lost))

    def _drop(self) -> None:
        self._lost = True
        self._clear()

    def _clear(self) -> None:
        self._units = []
        self._pieces = []
        self._held_bytes = 0
        self._has_slice = self._damaged = False

    # For _take

    def _contradiction(self) -> None:
        """The payloads of this picture do not fit together."""
        self._damaged = True
        self._units, self._pieces = [], []

    def _begin(self, header: bytes, piece: bytes) -> None:
        """The first fragment of a NAL unit."""
        if self._pieces:
            self._contradiction()
        self._pieces = [header, piece]
        self._hold(len(piece))

    def _more(self, piece: bytes) -> None:
        pieces = self._pieces
        if not pieces:
            self._contradiction()
            return
        pieces.append(piece)
        self._held_bytes += len(piece) + _PIECE_BYTES
        if self._held_bytes > MAX_PICTURE_BYTES:
            self._contradiction()

    def _finish(self) -> None:
        """The last fragment was there."""
        if self._pieces:
            unit = b"".join(self._pieces)
            self._pieces = []
            self._add(unit)

    def _unit(self, unit: bytes) -> None:
        """A whole NAL unit."""
        if self._pieces:
            self._contradiction()
        self._hold(len(unit))
        self._add(unit)

    def _hold(self, size_bytes: int) -> None:
        self._held_bytes += size_bytes + _PIECE_BYTES
        if self._held_bytes > MAX_PICTURE_BYTES:
            self._contradiction()

    def _add(self, unit: bytes) -> None:
        if unit[-1] == 0:
            unit = unit.rstrip(b"\x00")  # a NAL unit never ends in zeros (H.264 section 7.4.1, H.265 section 7.4.2)
        if self._damaged or not unit:
            return
        if self._is_slice(unit):
            if not self._has_slice and self._marked == self._timestamp and not self._is_first_slice(unit):
                self._markers_lie = True
                self._contradiction()
                return
            self._has_slice = True
        elif _START_CODE in unit:
            # A start code cannot occur within a NAL unit: the camera has put several into one, parameter sets first.
            for part in filter(None, unit.split(_START_CODE)):
                self._add(part)
            return
        self._units.append(unit)
