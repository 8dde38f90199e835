"""The moving picture: somebody at a table (or two people in a room), a running clock, a flash at each whole second.

Everything is drawn straight into the planes of an I420 picture (ITU-R BT.601 studio range), so that no colour
conversion is paid for: under half a millisecond for 640x360.
"""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from shilu.cameras.spec import View

Plane: TypeAlias = NDArray[np.uint8]
"""Shape (rows, columns)."""
_Colour: TypeAlias = tuple[int, int, int]
"""Y, U, V."""

FLASH_US = 80_000
"""How long the flash lasts from each whole second on: two pictures at 25 a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLACK: _Colour = (16, 128, 128)
_WHITE: _Colour = (235, 128, 128)
_WALL: _Colour = (150, 118, 132)
_TABLE: _Colour = (92, 108, 148)
_SKIN: _Colour = (170, 110, 152)
_LIPS: _Colour = (70, 118, 160)
_HAIR: _Colour = (40, 126, 130)
_SUIT: _Colour = (80, 150, 116)
_JACKET: _Colour = (64, 134, 120)
_NOISE_MARGIN = 64


def flash_box(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive, pixels) of the square in the top right corner that flashes."""
    side = height // 6 // 2 * 2
    return width - side, 0, width, side


class _Canvas:
    """One I420 picture: `pixels` has the shape (height * 3 / 2, width), the planes are views into it."""

    def __init__(self, pixels: Plane) -> None:
        self.pixels = pixels
        self.height, self.width = pixels.shape[0] * 2 // 3, pixels.shape[1]
        half = self.height // 2, self.width // 2
        self.luma = pixels[: self.height]
        blue, red = np.split(pixels[self.height :], 2)
        self._planes = ((self.luma, 1), (blue.reshape(half), 2), (red.reshape(half), 2))

    def box(self, left: int, top: int, right: int, bottom: int, colour: _Colour) -> None:
        for (plane, scale), value in zip(self._planes, colour, strict=True):
            plane[top // scale : bottom // scale, left // scale : right // scale] = value

    def ellipse(self, x: float, y: float, half_width: float, half_height: float, colour: _Colour) -> None:
        """Filled; centre and half axes in pixels of the luma plane."""
        for (plane, scale), value in zip(self._planes, colour, strict=True):
            centre = (round(x / scale), round(y / scale))
            axes = (max(1, round(half_width / scale)), max(1, round(half_height / scale)))
            cv2.ellipse(plane, centre, axes, 0, 0, 360, value, cv2.FILLED)

    def person(self, x: float, y: float, size: float, seconds: float, clothes: _Colour) -> None:
        """Head at (x, y) as parts of the picture, `size` the head's height as a part of the picture's; sways, blinks,
        and talks at four syllables a second. All movements fit into four seconds."""
        head = size * self.height / 2
        x = x * self.width + 0.1 * head * np.sin(np.pi * seconds / 2)
        y = y * self.height + 0.1 * head * np.sin(np.pi * seconds)
        self.ellipse(x, y + 0.9 * head, 0.32 * head, 0.6 * head, _SKIN)
        self.ellipse(x, y + 2.6 * head, 1.6 * head, 1.5 * head, clothes)
        self.ellipse(x, y - 0.25 * head, 0.78 * head, 0.92 * head, _HAIR)
        self.ellipse(x, y, 0.72 * head, 0.92 * head, _SKIN)
        eyelids = 0.02 if seconds % 4 < 0.16 else 0.08
        for side in (-0.3, 0.3):
            self.ellipse(x + side * head, y - 0.15 * head, 0.1 * head, eyelids * head, _BLACK)
        mouth = 0.04 + 0.10 * abs(np.sin(4 * np.pi * seconds))
        self.ellipse(x, y + 0.5 * head, 0.22 * head, mouth * head, _LIPS)

    def text(self, words: str, row: float) -> None:
        """White with a shadow, to be read on any ground; `row` is the base line as a part of the height."""
        scale, shadow = self.height / 500, max(1, self.height // 360)
        x, y = round(self.width * 0.02), round(self.height * row)
        for offset, value in ((shadow, _BLACK[0]), (0, _WHITE[0])):
            cv2.putText(self.luma, words, (x + offset, y + offset), cv2.FONT_HERSHEY_SIMPLEX, scale, value, 2)


class Scene:
    """Draws one camera's pictures."""

    def __init__(self, name: str, view: View, width: int, height: int, noise: int, seed: int) -> None:
        """`noise` is in grey levels, 0 for none; `seed` chooses it."""
        self._name = name
        self._view = view
        self._empty_room = _empty_room(width, height)
        shape = (height + _NOISE_MARGIN, width + _NOISE_MARGIN)
        rng = np.random.default_rng(seed)
        self._noise: Plane | None = rng.integers(0, 2 * noise, shape, np.uint8, endpoint=True) if noise else None

    def draw(self, time_us: int, utc_us: int) -> Plane:
        """The picture of the moment, I420 with the shape (height * 3 / 2, width).

        `time_us` since the source's start moves things and fires the flash; `utc_us` is what the burnt-in clock shows.
        """
        canvas = _Canvas(self._empty_room.copy())
        width, height = canvas.width, canvas.height
        seconds = time_us / 1e6
        if self._view is View.SUBJECT:
            canvas.person(0.5, 0.50, 0.30, seconds, _SUIT)
        else:
            canvas.person(0.30, 0.48, 0.15, seconds, _SUIT)
            canvas.person(0.70, 0.46, 0.15, seconds + 1.3, _JACKET)
        canvas.box(0, int(height * 0.82), width, height, _TABLE)
        if self._noise is not None:
            down, across = (time_us // 1000 * 37) % _NOISE_MARGIN, (time_us // 1000 * 53) % _NOISE_MARGIN
            cv2.add(canvas.luma, self._noise[down : down + height, across : across + width], dst=canvas.luma)
        moment = (_EPOCH + timedelta(microseconds=utc_us)).isoformat(sep=" ", timespec="milliseconds")
        canvas.text(moment.removesuffix("+00:00") + " UTC", 0.08)
        canvas.text(self._name, 0.96)
        canvas.box(*flash_box(width, height), _WHITE if time_us % 1_000_000 < FLASH_US else _BLACK)
        return canvas.pixels


def _empty_room(width: int, height: int) -> Plane:
    """The wall, lighter towards the top, with the line where it meets the floor."""
    canvas = _Canvas(np.empty((height * 3 // 2, width), dtype=np.uint8))
    canvas.box(0, 0, width, height, _WALL)
    fall = np.linspace(20, -30, height).astype(np.int16)[:, None]
    canvas.luma[:] = (canvas.luma + fall).astype(np.uint8)
    skirting = int(height * 0.62)
    canvas.box(0, skirting, width, skirting + height // 60 * 2, _HAIR)
    return canvas.pixels
