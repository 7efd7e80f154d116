"""Blocks of elements, and the rows of a ragged canvas."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The elements of one item.

    Attributes
    ----------
    coordinates : numpy.ndarray
        ``(n, D)``, a row an element, in pixels.
    axes : tuple of str
        Names of the D axes; empty for the usual ones, ``(z,) y, x``.
    columns : dict of str to numpy.ndarray
        Other values of each row, such as features.
    extra : object
        Data of the block that is handed back with the rows.
    """

    coordinates: npt.NDArray[Any]
    axes: tuple[str, ...] = ()
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    extra: Any = None


@dataclass(slots=True, eq=False)
class Span:
    """Rows of a block in the table.

    Attributes
    ----------
    start, stop : int
        First row, and the one after the last.
    extra : object
        See :attr:`Block.extra`.
    axes : tuple
        Sliders along which the block has coordinates, and its number of spatial axes.
    tile : hashable
        Which of several blocks side by side in space it is.
    shift : tuple of float
        Where its pixel (0, 0) lies, y and x in pixels.
    """

    start: int
    stop: int
    extra: Any
    axes: tuple[frozenset[str], int] = (frozenset(), 0)
    tile: Hashable = None
    shift: tuple[float, float] = (0.0, 0.0)

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Elements in the axes of the viewer.

    Attributes
    ----------
    coordinates : numpy.ndarray
        ``(n, sliders + space)``: indices on the sliders, then coordinates in space.
    columns : dict of str to numpy.ndarray
        The columns of the blocks.
    source : numpy.ndarray
        Number of each row in the table; repeated rows are there several times.
    spans : list of Span
        The blocks, with their rows among these; empty where rows are repeated or picked.
    extras : list
        Data of the blocks, see :attr:`Block.extra`.
    """

    coordinates: Floats
    columns: dict[str, npt.NDArray[Any]]
    source: npt.NDArray[np.intp]
    spans: list[Span]
    extras: list[Any]

    def __len__(self) -> int:
        return len(self.coordinates)


def consecutive(spans: list[Span]) -> list[Span]:
    """Return copies of spans that lie one after the other."""
    result, start = [], 0
    for span in spans:
        result.append(replace(span, start=start, stop=start + len(span)))
        start += len(span)
    return result
