"""Coercion: what tasks return becomes items that a viewer can show."""

from __future__ import annotations

from dask_napari.coerce._coercion import coerce, coerce_all
from dask_napari.coerce._column_roles import checked_columns
from dask_napari.coerce._output_layers import place_of
from dask_napari.coerce._output_parts import ValueOf, part_of

__all__ = [
    "ValueOf",
    "checked_columns",
    "coerce",
    "coerce_all",
    "part_of",
    "place_of",
]
