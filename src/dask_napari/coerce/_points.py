"""Points: arrays, tables, lists of coordinates, and the centres of regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from dask_napari.coerce import _coordinate_columns
from dask_napari.coerce._coerced import Coerced, Hints
from dask_napari.coerce._features import features_of
from dask_napari.coerce._host_arrays import coordinates, is_array
from dask_napari.coerce._regions import are_regions, centres
from dask_napari.coerce._tables import Table, is_frame, table_of
from dask_napari.model import AnyArray, Calibration, Refusal, reachable
from dask_napari.placement import column_names

MOST_AXES: Final = 32
"""Coordinates of one point; numpy and napari go no further."""


def points(value: object, hints: Hints) -> list[Coerced]:
    """Make points.

    Examples
    --------
    >>> (made,) = points({"x": [3], "y": [4], "area": [9]}, Hints())
    >>> made.data.tolist(), made.arrays, made.known.axes
    ([[4.0, 3.0]], {'feature:area': array([9])}, ('y', 'x'))
    """
    table: Table | None = None
    axes: tuple[str, ...] = ()
    if are_regions(value):
        data, table = centres(value)
    elif is_frame(value) or isinstance(value, Mapping):
        data, axes, table = _from_table(value, hints)
    elif is_array(value) or isinstance(value, list | tuple):
        data = _from_array(value, hints)
        axes = column_names(value, data.shape[1])
    else:
        raise Refusal(
            "not points",
            f"a {type(value).__name__} is no points; return an array (n, D), a data frame with"
            " columns y and x, or a list of coordinates",
        )
    made = rows_made("points", data, axes, hints, table)
    return [made]


def rows_made(
    kind: Any,
    data: AnyArray,
    axes: tuple[str, ...],
    hints: Hints,
    table: Table | None,
) -> Coerced:
    """Make an item of rows with features, without those that are nowhere."""
    arrays = features_of(table, len(data), kind)
    arrays |= features_of(hints.features, len(data), kind)
    if data.size:
        there = reachable(data).reshape(len(data), -1).all(axis=1)
        if not there.all():
            hints.note(
                f"{kind} with a coordinate that is not finite, or beyond 2**31, are left out",
            )
            data = data[there]
            arrays = {name: array[there] for name, array in arrays.items()}
    spatial = data.shape[-1] - (kind == "tracks")
    return Coerced(kind, data, arrays, spatial, known=Calibration(axes=axes))


def _from_table(value: object, hints: Hints) -> tuple[AnyArray, tuple[str, ...], Table]:
    table = table_of(value) or {}
    found = _coordinate_columns.axis_columns(table, hints.taken)
    if not found:
        raise Refusal(
            "no coordinates",
            f"a table with columns {_some(table)} has no coordinates; name them y and x (and z, t),"
            " centroid-0, centroid-1 ... or axis-0, axis-1 ...",
        )
    names = list(found.values())
    data = _coordinate_columns.stack(table, names, "points")
    return data, _coordinate_columns.axes_of(found), _coordinate_columns.without(table, names)


def _some(names: Sequence[str] | Table) -> str:
    shown = ", ".join(map(repr, list(names)[:8]))
    return shown + (" ..." if len(names) > 8 else "")


def _from_array(value: Any, hints: Hints) -> AnyArray:
    data = coordinates(value, "points")
    if data.size == 0:
        wide = data.ndim == 2 and 2 <= data.shape[1] <= MOST_AXES
        return np.empty((0, data.shape[1] if wide else hints.ndim), data.dtype)
    if data.ndim == 1 and 2 <= len(data) <= 4:
        return data[np.newaxis]  # one point, such as a centre of mass
    if data.ndim != 2 or not 2 <= data.shape[1] <= MOST_AXES:
        raise Refusal(
            "dimensions", f"points need an array of shape (n, D), and came with {data.shape}"
        )
    return data
