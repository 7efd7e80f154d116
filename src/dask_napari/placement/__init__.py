"""Placement: names, patterns, conventions, chunks and coordinates give outputs their places."""

from __future__ import annotations

from dask_napari.placement._chunk_grid import ChunkGrid
from dask_napari.placement._convention import Convention
from dask_napari.placement._matching import Matcher
from dask_napari.placement._name_readers import name_reader, position
from dask_napari.placement._named_axes import Split, is_colour, named_axes, split_axes
from dask_napari.placement._patterns import compiled, names_in, names_of_key, references_in
from dask_napari.placement._placements import Placement
from dask_napari.placement._slices import placement_of_slices
from dask_napari.placement._xarray_coordinates import (
    Size,
    calibration_of,
    column_names,
    is_dataset,
    is_labelled,
    is_quantity,
    loaded_class,
    position_of,
)
from dask_napari.placement.dask_arrays import is_array, title_of, variables

__all__ = [
    "ChunkGrid",
    "Convention",
    "Matcher",
    "Placement",
    "Size",
    "Split",
    "calibration_of",
    "column_names",
    "compiled",
    "is_array",
    "is_colour",
    "is_dataset",
    "is_labelled",
    "is_quantity",
    "loaded_class",
    "name_reader",
    "named_axes",
    "names_in",
    "names_of_key",
    "placement_of_slices",
    "position",
    "position_of",
    "references_in",
    "split_axes",
    "title_of",
    "variables",
]
