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

_LETTERS: Final = "[A-Za-z]|[Aa][A-Fa-f]"
_NUMBER: Final = "4[0-8]|[1-3][0-9]|[1-9]"
_PART: Final = r"(?:\.[A-Za-z][0-9]{1,2})?"

WELL: Final = f"(?:{_LETTERS})0*(?:{_NUMBER}){_PART}"
"""Regular expression of a well of up to 1536, in any case and padding. Yokogawa names a part of a
well behind a dot, as in ``A01.a1``."""

_WELL = re.compile(
    f"(?P<letters>{_LETTERS})(?P<between>[ _-]*)(?P<digits>0*(?P<column>{_NUMBER})){_PART}",
    re.ASCII,
)


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
        for letter in match["letters"].upper():
            row = row * 26 + ord(letter) - ord("A") + 1
        found = row - 1, int(match["column"]) - 1
        rows, columns = PLATES[plate]
        if found[0] < rows and found[1] < columns:
            return found
    raise NoPlace(f"no well of a plate with {plate}")


def one_well(name: str) -> str:
    """Return the standard name of a well, however it is written; another text as it is.

    >>> one_well("a1"), one_well("A01.a1"), one_well("af048"), one_well("control")
    ('A01', 'A01', 'AF48', 'control')
    """
    match = _WELL.fullmatch(name.strip())
    return name if match is None else f"{match['letters'].upper()}{int(match['column']):02d}"


def is_well(name: object) -> bool:
    """Return whether a coordinate names a well of some plate.

    >>> is_well("p24"), is_well("22123_B02"), is_well(3)
    (True, False, False)
    """
    return isinstance(name, str) and _WELL.fullmatch(name.strip()) is not None


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
    letters, between, digits = ("A", "", "01") if match is None else match.groups()[:3]
    name = row_name(row)
    name = name.lower() if letters.islower() else name
    return f"{name}{between}{column + 1:0{len(digits)}d}"
