"""Kinds of output: how each is made, and how one output is told from several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dask_napari.coerce._coordinate_columns import axis_columns
from dask_napari.coerce._host_arrays import is_array
from dask_napari.coerce._layer_arrays import CoercionContext, LayerArrays
from dask_napari.coerce._tables import are_records, is_columns, is_frame, is_record, table_of


def is_table(value: object) -> bool:
    """Return whether a value is a data frame, a mapping of names to columns or rows by name."""
    return is_frame(value) or is_columns(value) or are_records(value)


def has_coordinates(value: Mapping[Any, Any]) -> bool:
    """Return whether a mapping is a table of coordinates, not of layers by name."""
    # Empty lists alone are layers without elements, unless they are named like axes.
    empty = all(isinstance(entry, list | tuple) and not entry for entry in value.values())
    return (
        is_record(value)
        or (is_columns(value) and not empty)
        or bool(axis_columns(table_of(value) or {}))
    )


def are_rows(values: Sequence[Any], ndim: int = 2) -> bool:
    """Return whether all values are tables, or arrays of enough axes to be an output each."""
    return all(is_frame(v) or (is_array(v) and getattr(v, "ndim", 0) >= ndim) for v in values)


@dataclass(frozen=True, slots=True)
class OutputKind:
    """Rules of one kind of output.

    ``make`` returns more than one where an output holds a second kind of layer; ``are_several``
    judges a list or tuple, ``is_single`` a mapping (else layers by name), ``is_features`` the
    second of a pair.
    """

    make: Callable[[object, CoercionContext], list[LayerArrays]]
    are_several: Callable[[Sequence[Any]], bool] = are_rows
    is_single: Callable[[Mapping[Any, Any]], bool] = has_coordinates
    is_features: Callable[[object], bool] = is_table
