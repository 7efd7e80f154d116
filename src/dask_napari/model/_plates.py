"""Plates: how many wells they have, and where a well lies."""

from __future__ import annotations

import re
from typing import Final

from dask_napari.model._coordinates import Coordinate
from dask_napari.model._refusal import Refusal

PLATES: Final = {
    6: (2, 3),
    12: (3, 4),
    24: (4, 6),
    48: (6, 8),
    96: (8, 12),
    384: (16, 24),
    1536: (32, 48),
}
"""Rows and columns of the plates of ANSI/SLAS 4, and of the smaller ones by the same makers."""

PLATE_GUTTER: Final = 0.06
"""Space between wells as a share of a well; enough to tell wells apart at any zoom."""

_WELL = re.compile(r"([A-Za-z]{1,2})([ _-]*)(0*([1-9][0-9]?))")


class NoPlace(Refusal):
    """A tile that the mosaic has no place for; the text names no tile, fit to be counted by."""


def well(name: Coordinate, plate: int) -> tuple[int, int]:
    """Return row and column of a well, from 0.

    Raises NoPlace if the plate has no such well.

    >>> well("B03", 96), well("AF48", 1536)
    ((1, 2), (31, 47))
    """
    match = _WELL.fullmatch(str(name).strip())
    if match is not None:
        row = 0
        for letter in match[1].upper():
            row = row * 26 + ord(letter) - ord("A") + 1
        found = row - 1, int(match[4]) - 1
        rows, columns = PLATES[plate]
        if found[0] < rows and found[1] < columns:
            return found
    raise NoPlace(f"no well of a plate with {plate}")


def row_name(row: int) -> str:
    """Return the name of a row of wells.

    >>> row_name(0), row_name(25), row_name(26)
    ('A', 'Z', 'AA')
    """
    letters = ""
    row += 1
    while row:
        row, letter = divmod(row - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def well_name(row: int, column: int, like: str = "A01") -> str:
    """Return the name of a well, spelled as that of another one.

    >>> well_name(2, 4), well_name(2, 4, like="a_1"), well_name(2, 11, like="B003")
    ('C05', 'c_5', 'C012')
    """
    match = _WELL.fullmatch(like.strip())
    letters, between, digits = ("A", "", "01") if match is None else match.group(1, 2, 3)
    name = row_name(row)
    name = name.lower() if letters.islower() else name
    return f"{name}{between}{column + 1:0{len(digits)}d}"
