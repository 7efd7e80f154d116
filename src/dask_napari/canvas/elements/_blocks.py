"""Blocks of elements, and the rows of a ragged canvas."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Shift = tuple[float, float]
"""Place of pixel (0, 0) of a block: y and x in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The elements of one item."""

    coordinates: npt.NDArray[Any]  # (n, D), a row an element, in pixels
    axes: tuple[str, ...] = ()  # names of the D axes; empty for the usual ones, (z,) y, x
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)  # such as features
    extra: Any = None  # handed back with the rows


@dataclass(slots=True, eq=False)
class Span:
    """Rows of a block in the table."""

    start: int
    stop: int
    extra: Any  # of the block
    axes: tuple[frozenset[str], int] = (frozenset(), 0)  # sliders of its coordinates; axes in space
    tile: Hashable = None  # which of several blocks side by side in space it is
    shift: Shift = (0.0, 0.0)

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Elements in the axes of the viewer."""

    coordinates: Floats  # (n, sliders + space): indices on the sliders, then places in space
    columns: dict[str, npt.NDArray[Any]]  # of the blocks
    source: npt.NDArray[np.intp]  # number of each row in the table, once for each repetition
    spans: list[Span]  # the blocks among these rows; empty where rows are repeated or picked
    extras: list[Any]  # of the blocks

    def __len__(self) -> int:
        return len(self.coordinates)


def consecutive(spans: list[Span]) -> list[Span]:
    """Return copies of spans that lie one after the other."""
    result, start = [], 0
    for span in spans:
        result.append(replace(span, start=start, stop=start + len(span)))
        start += len(span)
    return result
