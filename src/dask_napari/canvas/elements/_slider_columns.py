"""Columns of coordinates that lie along sliders, such as the time of tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dask_napari.canvas._axes import CanvasAxes, spatial_names
from dask_napari.canvas.elements._blocks import Floats
from dask_napari.model import SPATIAL, Coordinate, Refusal

MAX_DEPTH: Final = 1 << 16
"""Longest extent along z that elements ask for; a stray one at 1e9 must not make it that."""

MAX_STEPS: Final = 10_000
"""Coordinates that one item may add to a slider: more are no frames, but a mistake."""


def names_of(given: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return the names of columns of coordinates, the usual ones if none are given.

    >>> names_of((), 3)
    ('z', 'y', 'x')
    """
    if not given:
        return spatial_names(count)
    if len(given) != count or len(set(given)) != count:
        raise Refusal("coordinates", f"{count} columns of coordinates, but axes {given}")
    return given


def is_slider(axes: CanvasAxes, name: str, *, named: bool) -> bool:
    """Return whether a column of coordinates lies along a slider, not in space."""
    if name in axes:
        return True
    return named and name not in axes.spatial and name not in SPATIAL


@dataclass(slots=True, eq=False)
class NewCoordinates:
    """Coordinates that the axes must know for a block."""

    first: Mapping[str, Coordinate]  # one on each slider
    order: Sequence[str]  # of new sliders
    steps: Mapping[str, list[Coordinate]]  # of the columns along sliders
    depth: Sequence[int]
    spatial: Sequence[str]

    def admit(self, axes: CanvasAxes) -> bool:
        """Make the coordinates known to the axes; return whether any was new."""
        before = axes.version
        axes.admit(self.first, self.order)
        for name, values in self.steps.items():
            for value in values:
                if name in axes and value not in axes[name]:
                    axes.admit({name: value})
        axes.admit_space(self.depth, self.spatial)
        return axes.version != before


def new_coordinates(
    axes: CanvasAxes,
    position: Mapping[str, Coordinate],
    order: Sequence[str],
    coordinates: Floats,
    names: tuple[str, ...],
    inner: Sequence[str],
) -> NewCoordinates:
    """Return the coordinates that axes must know for a block; too many raise a Refusal.

    ``names`` are those of the columns of ``coordinates``, ``inner`` those of them in space.
    """
    first = dict(position)
    steps: dict[str, list[Coordinate]] = {}
    for column, name in enumerate(names):
        if name not in inner:
            steps[name] = steps_of(axes, name, coordinates[:, column])
            if name not in first and steps[name]:
                first[name] = steps[name][0]
    axes.check(first, len(inner))
    depth = [1] * len(inner)
    for n, name in enumerate(inner[:-2]):
        depths = coordinates[:, names.index(name)]
        if len(depths):
            depth[n] = int(np.clip(np.floor(depths.max()) + 1, 1, MAX_DEPTH))
    return NewCoordinates(first, order, steps, depth, inner)


def steps_of(axes: CanvasAxes, name: str, values: Floats) -> list[Coordinate]:
    """Return the coordinates that a slider must have for values along it.

    Whole numbers are frames, and get a place on the slider. What lies between frames is
    drawn between them: sub-frame values must not make a slider of thousands.
    """
    known = axes[name].coordinates if name in axes else ()
    numbers = [float(each) for each in known if not isinstance(each, str)]
    if not all(each.is_integer() for each in numbers):
        return []  # an axis in units of its own
    values = np.unique(values)
    whole = values == np.rint(values)
    numbers += values[whole].tolist()
    if numbers:
        whole |= (values < min(numbers)) | (values > max(numbers))
    else:
        whole[:] = True
    if not len(values) and name not in axes:
        return [0]  # also nothing has to be somewhere
    steps = np.unique(np.rint(values[whole])).tolist()
    if len(steps) > MAX_STEPS:
        raise Refusal(
            "coordinates", f"{len(steps)} steps on axis {name!r}; at most {MAX_STEPS} an item"
        )
    return [int(value) for value in steps]
