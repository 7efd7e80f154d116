"""Vectors: starts and projections, fields of them, and tables."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

import numpy as np

from dask_napari.coerce._column_roles import check_named, words_of
from dask_napari.coerce._coordinate_columns import (
    axis_columns,
    axis_names,
    note_unused,
    take,
    with_numbers,
)
from dask_napari.coerce._host_arrays import is_array
from dask_napari.coerce._layer_arrays import CoercionContext, LayerArrays
from dask_napari.coerce._output_kind import OutputKind, are_rows
from dask_napari.coerce._points import element_rows, made_of_rows
from dask_napari.coerce._tables import Table, column_list, holds_table, table_of, unused
from dask_napari.model import AXES_LIMIT, AnyArray, Refusal
from dask_napari.placement import column_names

_PROJECTIONS: Final = (
    *("d{}", "v{}", "{}projection", "velocity{}", "{}velocity"),
    *("direction{}", "displacement{}", "flow{}"),
)
"""Names of the column of the projection along an axis, without separators."""


def vectors(value: object, context: CoercionContext) -> list[LayerArrays]:
    """Make vectors of starts and projections ``(n, 2, D)``, of a field, pairs or a table.

    A field ``(N, M, 2)`` or ``(2, N, M)``, or of more axes and as many components, has a vector a
    pixel. A table
    has columns such as ``y``, ``x``, ``dy`` and ``dx``.
    """
    table: Table | None = None
    if holds_table(value):
        data, axes, table = _from_table(table_of(value) or {}, context)
    elif is_array(value) or isinstance(value, list | tuple):
        data = _from_array(element_rows(value, "vectors"), context)
        axes = column_names(value, data.shape[2])
    else:
        raise Refusal(
            "not vectors",
            f"a {type(value).__name__} cannot be shown as vectors; return an array (n, 2, D) of"
            " starts and projections, or a field (N, M, 2)",
        )
    return [made_of_rows("vectors", data, axes, context, table)]


VECTORS: Final = OutputKind(vectors, are_several=functools.partial(are_rows, ndim=3))


def _from_array(data: AnyArray, context: CoercionContext) -> AnyArray:
    shape = data.shape
    if data.size == 0:
        has_ndim = data.ndim == 3 and 2 <= shape[2] <= AXES_LIMIT
        return np.empty((0, 2, shape[2] if has_ndim else context.empty_ndim), data.dtype)
    if data.ndim == 3 and shape[1] == 2 and 2 <= shape[2] <= AXES_LIMIT:
        return data
    if data.ndim >= 3 and shape[-1] == data.ndim - 1:
        return _from_field(data)
    if data.ndim >= 3 and shape[0] == data.ndim - 1:  # components first, as of optical flow
        return _from_field(np.moveaxis(data, 0, -1))
    if data.ndim == 2 and shape[0] == 2 and 2 <= shape[1] <= AXES_LIMIT:
        return data[np.newaxis]
    raise Refusal(
        "dimensions",
        f"vectors need shape (n, 2, D), or a field (N, M, 2); this array has shape {shape}",
    )


def _from_field(field: AnyArray) -> AnyArray:
    found = np.empty((*field.shape[:-1], 2, field.shape[-1]), field.dtype)
    for axis, index in enumerate(np.ogrid[tuple(slice(n) for n in field.shape[:-1])]):
        found[..., 0, axis] = index
    found[..., 1, :] = field
    return found.reshape(-1, 2, field.shape[-1])


def _from_table(table: Table, context: CoercionContext) -> tuple[AnyArray, tuple[str, ...], Table]:
    check_named(table, context.columns)
    starts = axis_columns(table, context.position_axes, context.columns)
    starts = with_numbers(starts, table, context.columns)
    projections = _projections(table, list(starts), context.columns)
    if not projections:
        raise Refusal(
            "no coordinates",
            "a table of vectors needs columns y and x and their projections dy and dx (or vy, vx,"
            f" or v and u), one for each axis of {', '.join(starts) or 'y and x'}; this one has"
            f" {column_list(table)}; or say columns={{'dy': ..., 'dx': ...}} of the tap",
        )
    if len(projections) < len(starts):  # arrows lie in their frame
        none = unused("dt", table)
        table = {**table, none: np.zeros(len(next(iter(table.values()))))}
        projections = [none, *projections]
    data, others = take(table, [*starts.values(), *projections], "vectors")
    note_unused(others, starts, context.note, context.position_axes)
    return data.reshape(-1, 2, len(starts)), axis_names(starts), others


def _projections(table: Table, axes: list[str], named: Mapping[str, str]) -> list[str]:
    """Return the columns of projections along the axes, or all axes but time, all by one form."""
    known = [named[f"d{axis}"] for axis in axes if f"d{axis}" in named]
    if known:
        return known if len(known) in (len(axes), len(axes) - (axes[0] == "t")) else []
    by_words = {"".join(words_of(name)): name for name in reversed(table)}
    for wanted in (axes, axes[1:] if axes[:1] == ["t"] else []):
        forms = [[form.format(axis) for axis in wanted] for form in _PROJECTIONS]
        if wanted == ["y", "x"]:
            forms.append(["v", "u"])
        for names in forms:
            if names and all(name in by_words for name in names):
                return [by_words[name] for name in names]
    return []
