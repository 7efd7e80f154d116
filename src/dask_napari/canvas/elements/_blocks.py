"""Blocks of elements, and the rows of a ragged canvas."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
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
        More of each row, such as features.
    extra : object
        What else belongs to the block as a whole; it is handed back with the rows.
    """

    coordinates: npt.NDArray[Any]
    axes: tuple[str, ...] = ()
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    extra: Any = None


@dataclass(slots=True, eq=False)
class Span:
    """Where the rows of a block are in the buffers."""

    start: int
    stop: int
    extra: Any
    kind: tuple[frozenset[str], int] = (frozenset(), 0)
    tile: Hashable = None
    shift: tuple[float, float] = (0.0, 0.0)


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
        Which row of the canvas each row is; repeated ones are there several times.
    spans : list of Span
        The blocks, with their rows among these; empty where rows are repeated or picked.
    extras : list
        What the blocks brought with them, see :attr:`Block.extra`.
    """

    coordinates: Floats
    columns: dict[str, npt.NDArray[Any]]
    source: npt.NDArray[np.intp]
    spans: list[Span]
    extras: list[Any]

    def __len__(self) -> int:
        return len(self.coordinates)


def moved(spans: list[Span]) -> list[Span]:
    """Return the spans as they lie one after the other."""
    result, start = [], 0
    for span in spans:
        stop = start + span.stop - span.start
        result.append(Span(start, stop, span.extra, span.kind, span.tile, span.shift))
        start = stop
    return result
