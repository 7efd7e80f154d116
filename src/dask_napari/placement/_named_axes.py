"""Axes of a ``DataArray`` whose elements have names: channels, time stamps, uneven numbers.

One rule for the outputs of tasks and the chunks of dask arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any, Final

import numpy as np

from dask_napari.model import Coordinate
from dask_napari.placement._xarray_coordinates import (
    calibration_of,
    is_labelled,
    plain_scalar,
    values_of,
)

Split = tuple[tuple[int, tuple[Coordinate, ...]], ...]
"""Axes whose coordinates are positions: number of the axis, and coordinates of its elements."""

RGB_SIDE: Final = 30
"""Pixels; napari's own rule for guessing colour. A smaller image says rgb=True."""

_COLOURS: Final = (("r", "g", "b"), ("red", "green", "blue"))
_ALPHA: Final = ("a", "alpha")


def named_axes(array: Any) -> dict[int, tuple[Coordinate, ...]]:
    """Return the axes whose coordinates name the elements, with the coordinates.

    >>> import xarray as xr
    >>> named_axes(xr.DataArray([[1, 2]], dims=("y", "c"), coords={"c": ["DAPI", "GFP"]}))
    {1: ('DAPI', 'GFP')}
    """
    if not is_labelled(array):
        return {}
    found = {axis: _names(array, dim) for axis, dim in enumerate(array.dims)}
    return {axis: names for axis, names in found.items() if names}


def split_axes(
    array: Any, ndim: int, named: dict[int, tuple[Coordinate, ...]], without: Collection[str] = ()
) -> Split:
    """Return those of the named axes that become axes of the position.

    Text comes before numbers, and two axes of ``ndim`` remain; ``without`` are axes that the
    position has already.
    """
    found = {
        axis: names
        for axis, names in named.items()
        if axis < ndim and str(array.dims[axis]) not in without
    }
    # These remain axes first: those of uneven numbers, and the last before the others.
    order: Callable[[int], tuple[bool, int]] = lambda axis: (isinstance(found[axis][0], str), -axis)  # noqa: E731
    kept = sorted(found, key=order)[: max(0, 2 - (ndim - len(found)))]
    return tuple((axis, names) for axis, names in sorted(found.items()) if axis not in kept)


def is_colour(
    shape: tuple[int, ...], dtype: np.dtype[Any], last: tuple[Coordinate, ...] = ()
) -> bool:
    """Return whether the last axis seems to be colour, by the names of its elements if they have.

    >>> is_colour((40, 40, 3), np.dtype("u1"))
    True
    >>> is_colour((40, 40, 3), np.dtype("u1"), ("DAPI", "GFP", "Cy5"))
    False
    """
    if len(shape) < 3 or shape[-1] not in (3, 4):
        return False
    if last and isinstance(last[0], str):
        names = tuple(str(name).lower() for name in last)
        return names[:3] in _COLOURS and names[3:] in ((), *((name,) for name in _ALPHA))
    return min(shape[-3:-1]) >= RGB_SIDE and dtype.kind in "uf"


def _names(array: Any, dim: Any) -> tuple[Coordinate, ...]:
    """Return coordinates that name the elements of a dimension; empty if they count or measure."""
    # xarray counts the elements of a dimension without coordinates when it is asked for some.
    if dim not in array.coords:
        return ()
    coordinate = array.coords[dim]
    if coordinate.ndim != 1 or coordinate.chunks is not None:
        return ()
    values = values_of(coordinate)
    if values.dtype.kind in "iuf" and calibration_of(coordinate, 1).scale:
        return ()  # evenly spaced
    found = [plain_scalar(value) for value in values]
    plain = [
        name
        for name in found
        if name is not None and not (isinstance(name, float) and not math.isfinite(name))
    ]
    return tuple(plain) if len(plain) == len(found) == len(set(plain)) else ()
