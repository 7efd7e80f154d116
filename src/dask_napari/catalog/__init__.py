"""The catalogue: all items of a viewer, by stream, run and place, and their states; pure data."""

from __future__ import annotations

from dask_napari.catalog._catalogue import Catalogue
from dask_napari.catalog._entry import (
    WITHOUT_ITEM,
    ArrayHandle,
    CatalogueEntry,
    HeldItem,
    State,
    StreamKey,
)
from dask_napari.catalog._value_range import ValueRange

__all__ = [
    "WITHOUT_ITEM",
    "ArrayHandle",
    "Catalogue",
    "CatalogueEntry",
    "HeldItem",
    "State",
    "StreamKey",
    "ValueRange",
]
