"""Vectors: starts and projections, fields of them, and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from dask_napari.coerce import _coordinate_columns
from dask_napari.coerce._coerced import Coerced, Hints
from dask_napari.coerce._host_arrays import coordinates, is_array
from dask_napari.coerce._points import MOST_AXES, rows_made
from dask_napari.coerce._tables import Table, is_frame, table_of
from dask_napari.model import AnyArray, Calibration, Refusal
from dask_napari.placement import column_names

_PROJECTIONS: Final = ("d{}", "v{}", "v_{}", "d_{}", "{}_projection", "velocity_{}", "direction_{}")
"""What the column of the projection along an axis may be called."""


def vectors(value: object, hints: Hints) -> list[Coerced]:
    """Make vectors.

    Examples
    --------
    >>> (made,) = vectors(np.ones((3, 4, 2)), Hints())
    >>> made.data.shape, made.data[-1].tolist()
    ((12, 2, 2), [[2.0, 3.0], [1.0, 1.0]])
    """
    table: Table | None = None
    axes: tuple[str, ...] = ()
    if is_frame(value) or isinstance(value, Mapping):
        data, axes, table = _from_table(table_of(value) or {}, hints)
    elif is_array(value) or isinstance(value, list | tuple):
        data = _from_array(coordinates(value, "vectors"), hints)
        axes = column_names(value, data.shape[2])
    else:
        raise Refusal(
            "not vectors",
            f"a {type(value).__name__} is no vectors; return an array (n, 2, D) of starts and"
            " projections, or a field (N, M, 2)",
        )
    made = rows_made("vectors", data, axes, hints, table)
    made.known = Calibration(axes=axes)
    return [made]


def _from_array(data: AnyArray, hints: Hints) -> AnyArray:
    shape = data.shape
    if data.size == 0:
        wide = data.ndim == 3 and 2 <= shape[2] <= MOST_AXES
        return np.empty((0, 2, shape[2] if wide else hints.ndim), data.dtype)
    if data.ndim == 3 and shape[1] == 2 and 2 <= shape[2] <= MOST_AXES:
        return data
    if data.ndim >= 3 and shape[-1] == data.ndim - 1:
        return _of_field(data)
    if data.ndim == 2 and shape[0] == 2 and 2 <= shape[1] <= MOST_AXES:
        return data[np.newaxis]
    raise Refusal(
        "dimensions",
        f"vectors need shape (n, 2, D), or a field (N, M, 2); this array has shape {shape}",
    )


def _of_field(field: AnyArray) -> AnyArray:
    found = np.empty((*field.shape[:-1], 2, field.shape[-1]), field.dtype)
    for axis, index in enumerate(np.ogrid[tuple(slice(n) for n in field.shape[:-1])]):
        found[..., 0, axis] = index
    found[..., 1, :] = field
    return found.reshape(-1, 2, field.shape[-1])


def _from_table(table: Table, hints: Hints) -> tuple[AnyArray, tuple[str, ...], Table]:
    starts = _coordinate_columns.axis_columns(table, hints.taken)
    ends = _projections(table, list(starts))
    if not ends:
        raise Refusal(
            "no coordinates",
            "a table of vectors needs columns y and x and their projections dy and dx (or vy, vx,"
            f" or v and u); this one has {', '.join(map(repr, list(table)[:8]))}",
        )
    names = [*starts.values(), *ends]
    data = _coordinate_columns.stack(table, names, "vectors").reshape(-1, 2, len(starts))
    return data, _coordinate_columns.axes_of(starts), _coordinate_columns.without(table, names)


def _projections(table: Table, axes: list[str]) -> list[str]:
    for form in _PROJECTIONS:
        found = [_coordinate_columns.find(table, [form.format(axis)]) for axis in axes]
        names = [name for name in found if name is not None]
        if names and len(names) == len(axes):
            return names
    if axes == ["y", "x"]:
        found = [_coordinate_columns.find(table, ["v"]), _coordinate_columns.find(table, ["u"])]
        return [name for name in found if name is not None] if all(found) else []
    return []
