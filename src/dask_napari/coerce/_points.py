"""Points: arrays, tables, lists of coordinates, and the centres of regions."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np

from dask_napari.coerce._column_roles import check_named
from dask_napari.coerce._coordinate_columns import (
    axis_columns,
    axis_names,
    note_unused,
    take,
    with_numbers,
)
from dask_napari.coerce._features import features_of
from dask_napari.coerce._host_arrays import coordinates, is_array
from dask_napari.coerce._layer_arrays import CoercionContext, LayerArrays
from dask_napari.coerce._output_kind import OutputKind
from dask_napari.coerce._regions import are_regions, centres
from dask_napari.coerce._tables import Table, column_list, holds_table, table_of
from dask_napari.model import AXES_LIMIT, AnyArray, Calibration, Kind, Refusal, reachable
from dask_napari.placement import column_names


def points(value: object, context: CoercionContext) -> list[LayerArrays]:
    """Make points of an array ``(n, D)``, a list or table of coordinates, or regions.

    Columns of a table are named like ``y`` and ``x``, or ``centroid-0`` and ``centroid-1``.
    """
    table: Table | None = None
    axes: tuple[str, ...] = ()
    if are_regions(value):
        data, table = centres(value)
    elif holds_table(value):
        data, axes, table = _from_table(table_of(value) or {}, context)
    elif is_array(value) or isinstance(value, list | tuple):
        data = _from_array(value, context)
        axes = column_names(value, data.shape[1])
    else:
        raise Refusal(
            "not points",
            f"a {type(value).__name__} cannot be shown as points; return an array (n, D), a data"
            " frame with columns y and x, or a list of coordinates",
        )
    return [made_of_rows("points", data, axes, context, table)]


POINTS: Final = OutputKind(points)

NOT_REACHABLE: Final = "a coordinate that is not finite, or beyond 2**31"


def rows_of(kind: Kind) -> str:
    """Return the name of the elements of a kind, for messages."""
    return "rows of tracks" if kind == "tracks" else kind


def made_of_rows(
    kind: Kind,
    data: AnyArray,
    axes: tuple[str, ...],
    context: CoercionContext,
    table: Table | None,
    usable: AnyArray | None = None,
) -> LayerArrays:
    """Return a layer of one row an element, with features.

    Rows that cannot be reached are left out, as are those outside ``usable``, which were reported.
    """
    arrays = features_of(table, len(data), kind, context.note)
    arrays |= features_of(context.features, len(data), kind, context.note)
    if data.size:
        kept = reachable(data).reshape(len(data), -1).all(axis=1)
        if usable is None:
            usable = np.ones(len(data), np.bool_)
        count = int((usable & ~kept).sum())
        context.leave_out(rows_of(kind), count, len(data), NOT_REACHABLE)
        kept &= usable
        if not kept.any():
            raise Refusal("not finite", f"all {rows_of(kind)} are left out: {NOT_REACHABLE}")
        if not kept.all():
            data = data[kept]
            arrays = {name: array[kept] for name, array in arrays.items()}
    return LayerArrays(kind, data, arrays, data.shape[-1], calibration=Calibration(axes=axes))


def _from_table(table: Table, context: CoercionContext) -> tuple[AnyArray, tuple[str, ...], Table]:
    check_named(table, context.columns)
    columns = axis_columns(table, context.position_axes, context.columns)
    if not columns:
        raise Refusal(
            "no coordinates",
            f"a table with {column_list(table)} has no coordinates; name their columns y and x (and"
            " z, t), row and col, centroid-0, centroid-1 ... or axis-0, axis-1 ...; or say columns="
            "{'y': ..., 'x': ...} of the tap",
        )
    columns = with_numbers(columns, table, context.columns)
    note_unused(table, columns, context.note, context.position_axes)
    data, others = take(table, list(columns.values()), "points")
    return data, axis_names(columns), others


def element_rows(value: Any, elements: str) -> AnyArray:
    """Return an array of one row an element; rows of a list that are no numbers become NaN."""
    try:
        return coordinates(value, elements)
    except Refusal:
        if not isinstance(value, list | tuple):
            raise
        rows = [_row(row) for row in value]
        shapes = Counter(row.shape for row in rows if row is not None)
        if len(rows) < 2 or not shapes:
            raise
        shape = max(shapes, key=lambda s: shapes[s])
        if shapes[shape] * 2 <= len(rows):
            raise
        missing = np.full(shape, np.nan)
        return np.stack([missing if r is None or r.shape != shape else r for r in rows])


def _row(value: Any) -> AnyArray | None:
    try:
        return (
            coordinates(value, "a row")
            if is_array(value) or isinstance(value, list | tuple)
            else None
        )
    except Refusal:
        return None


def _from_array(value: Any, context: CoercionContext) -> AnyArray:
    data = element_rows(value, "points")
    if data.size == 0:
        has_ndim = data.ndim == 2 and 2 <= data.shape[1] <= AXES_LIMIT
        return np.empty((0, data.shape[1] if has_ndim else context.empty_ndim), data.dtype)
    if data.ndim == 1 and 2 <= len(data) <= 4:
        return data[np.newaxis]  # one point, such as a centre of mass
    if data.ndim == 3 and data.shape[1:] == (1, 2):
        return data[:, 0, ::-1]  # of OpenCV, which has x before y
    if data.ndim != 2 or not 2 <= data.shape[1] <= AXES_LIMIT:
        raise Refusal(
            "dimensions", f"points need an array of shape (n, D); this one has shape {data.shape}"
        )
    return data
