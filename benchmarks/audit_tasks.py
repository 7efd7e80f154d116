"""Tasks of the audit, and the values that the screen must show for them.

Workers, viewer and audit import this module: each value follows from the round and the place alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ROWS, COLUMNS = 4, 6
PLACES = ROWS * COLUMNS
"""Wells of the smallest plate that has rows and columns enough to mistake one for the other."""

TILE = 48, 64
BASE = 32
"""Planes of the array that an output of ``crop`` is a view of: 192 KiB a well that shows 6."""

DTYPES = ("<f4", ">f4", "<i2", "|u1")


def name_of(turn: int, place: int) -> str:
    """Return the argument of a task."""
    return f"r{turn}-{well_of(place)}-{place}"


def well_of(place: int) -> str:
    """Return the well of a place, row by row.

    Examples
    --------
    >>> well_of(0), well_of(7)
    ('A01', 'B02')
    """
    row, column = divmod(place, COLUMNS)
    return f"{'ABCD'[row]}{column + 1:02d}"


def place_of(name: str) -> tuple[int, int]:
    """Return round and place of a task's argument.

    Examples
    --------
    >>> place_of(name_of(12, 7))
    (12, 7)
    """
    turn, _, place = name.removeprefix("r").split("-")
    return int(turn), int(place)


def tile(turn: int, place: int) -> Array:
    """Return the picture of a well: no two pixels of a round are equal, and no two rounds are."""
    first = (turn * PLACES + place) * 31
    return ((np.arange(TILE[0] * TILE[1]) * 7 + first) % 65_521 + 1).astype(np.uint16).reshape(TILE)


def mask(turn: int, place: int) -> Array:
    """Return labels for a well."""
    return (tile(turn, place) % 251 + 1).astype(np.int32)


def frame(turn: int, place: int) -> Array:
    """Return a picture whose numbers all types of ``DTYPES`` hold."""
    return (np.arange(40 * 24).reshape(40, 24) + turn * 5 + place) % 100 + 1


def spot(turn: int, place: int) -> Array:
    """Return three points, (y, x)."""
    return np.array([[turn % 97 + k, place + k / 2] for k in range(3)], float)


def outline(turn: int, place: int) -> Array:
    """Return the vertices of a quadrilateral, (y, x)."""
    return np.array([[0, 0], [0, place + 2], [turn % 97 + 2, place + 3], [9, 1]], float)


def on_plate(key: object, value: object, args: tuple[str, ...]) -> dict[str, int | str]:
    """Return the position of an output on the plate."""
    turn, place = place_of(args[0])
    return {"round": turn, "well": well_of(place)}


def on_slider(key: object, value: object, args: tuple[str, ...]) -> dict[str, int | str]:
    """Return the position of an output on two sliders."""
    turn, place = place_of(args[0])
    return {"round": turn, "n": place}


class Unreadable:
    """Output that says it is an array, and raises when it is read."""

    shape = TILE
    dtype = np.dtype(np.uint16)
    ndim = 2

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise OSError("the file behind this array is gone")


@dataclass
class Boundless:
    """Output whose size is a lie."""

    array: Array

    @property
    def nbytes(self) -> float:
        return float("nan")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return self.array


# -- tasks: one a stream -------------------------------------------------------------------------


def crop(name: str) -> Array:
    """Return a view of a much larger array."""
    base = np.zeros((BASE, *TILE), np.uint16)
    base[3] = tile(*place_of(name))
    return base[3]


def label(name: str) -> Array:
    """Return labels that are no contiguous memory."""
    return np.asfortranarray(mask(*place_of(name)))


def film(name: str) -> Array:
    """Return a picture of another type at each place."""
    turn, place = place_of(name)
    return frame(turn, place).astype(DTYPES[place % len(DTYPES)])


def find(name: str) -> Array:
    """Return points."""
    return spot(*place_of(name))


def trace(name: str) -> list[Array]:
    """Return shapes."""
    return [outline(*place_of(name))]


def misbehave(name: str) -> Any:
    """Return a picture at every third place, else an output that cannot be read or measured."""
    turn, place = place_of(name)
    match place % 3:
        case 0:
            return tile(turn, place)
        case 1:
            return Unreadable()
        case _:
            return Boundless(tile(turn, place))


def fail(name: str) -> Array:
    """Return a picture, but at every fourth place fail."""
    turn, place = place_of(name)
    if place % 4 == 0:
        raise RuntimeError(f"no picture of {name}")
    return tile(turn, place)
