"""Columns of tables that hold coordinates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from dask_napari.coerce._features import as_column, column
from dask_napari.coerce._host_arrays import coordinates
from dask_napari.coerce._tables import Table
from dask_napari.model import AnyArray, Refusal

AXES: Final = ("t", "z", "y", "x")
"""Axes that a column may be named after, in the order of an array."""

_PREFIXES: Final = ("position_", "pos_", "centroid_", "coord_", "")
"""Prefixes of the name of an axis; TrackMate's columns are ``POSITION_X``."""

_NUMBERED: Final = ("centroid-", "axis-", "centroid_", "axis_")
"""Prefixes of the number of an axis: in scikit-image's and in napari's tables."""


def find(table: Table, names: Sequence[str]) -> str | None:
    """Return the first column with one of the names, the best first, whatever its case.

    >>> find({"Track_ID": [1]}, ["id", "track_id"])
    'Track_ID'
    """
    folded = {name.strip().lower(): name for name in reversed(table)}
    return next((folded[name] for name in names if name in folded), None)


def axis_columns(table: Table, excluded: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return the columns of coordinates by their axes, in the order of an array.

    >>> axis_columns({"x": [1], "area": [9], "y": [2]})
    {'y': 'y', 'x': 'x'}
    >>> axis_columns({"centroid-0": [1], "centroid-1": [9]})
    {'0': 'centroid-0', '1': 'centroid-1'}
    """
    for prefix in sorted(_PREFIXES):
        found = {axis: find(table, [prefix + axis]) for axis in AXES if axis not in excluded}
        named = {axis: name for axis, name in found.items() if name is not None}
        if {"y", "x"} <= named.keys():
            return named
    for prefix in _NUMBERED:
        pattern = re.compile(re.escape(prefix) + r"(\d{1,2})")
        hits = {name: pattern.fullmatch(name.strip().lower()) for name in table}
        numbered = sorted((int(hit[1]), name) for name, hit in hits.items() if hit)
        if len(numbered) >= 2:
            return {str(number): name for number, name in numbered}
    return {}


def axis_names(columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return the axes of :func:`axis_columns`, empty where they are only numbered."""
    return () if any(axis.isdigit() for axis in columns) else tuple(columns)


def _numbers(values: AnyArray) -> AnyArray:
    """Return a column of objects as numbers, with NaN for what is none, if it has any."""
    if values.dtype.kind != "O":
        return values
    given = [isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values]
    if all(given) or not any(given):
        return values
    pairs = zip(values, given, strict=True)
    return np.array([float(v) if is_number else np.nan for v, is_number in pairs])


def take(table: Table, names: Sequence[str], elements: str) -> tuple[AnyArray, Table]:
    """Return columns of numbers side by side, and the table of the other columns."""
    found: list[AnyArray] = []
    for name in names:
        try:
            values = column(_numbers(as_column(name, table[name], elements)))
            # An empty list has no type of its own.
            values = coordinates(values if len(values) else np.empty(0), f"column {name!r}")
        except Refusal as error:
            raise Refusal("dtype", f"column {name!r} of {elements}: {error}") from error
        if values.ndim != 1 or (found and len(values) != len(found[0])):
            raise Refusal(
                "feature length",
                f"column {name!r} has {len(values)} values, and column {names[0]!r} has"
                f" {len(found[0]) if found else 'another form'}",
            )
        found.append(values)
    others = {name: values for name, values in table.items() if name not in names}
    return np.column_stack(found), others
