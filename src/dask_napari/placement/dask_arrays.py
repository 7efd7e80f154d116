"""Dask arrays, bare or in xarray: the geometry of their chunks.

Neither library is imported: whoever has an array has imported its library.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from typing import Any

from dask_napari.model import PIXEL_KINDS, Calibration, Coordinate, Kind
from dask_napari.placement._chunk_grid import ChunkGrid
from dask_napari.placement._named_axes import is_colour, named_axes, split_axes
from dask_napari.placement._xarray_coordinates import calibration_of, is_labelled, position_of

TOKEN = re.compile(r"-[0-9a-f]{16,}$")
"""Token that Dask appends to the names of arrays."""


def is_array(value: object) -> bool:
    """Return whether a value is a dask array, or a ``DataArray``."""
    return is_labelled(value) or _is_dask(value)


def variables(dataset: Any) -> dict[str, Any]:
    """Return the variables of a ``Dataset`` that can be shown: in chunks, with two axes or more."""
    found = {
        str(name): array
        for name, array in dataset.data_vars.items()
        if _is_dask(array.data) and array.ndim >= 2
    }
    if not found:
        raise ValueError(
            f"no variable of the Dataset has chunks and two axes ({', '.join(map(str, dataset))});"
            " open it with chunks={}, or call .chunk()"
        )
    return found


def title_of(array: Any) -> str:
    """Return the title of an array: the xarray name, or the dask name without its token."""
    if is_labelled(array):
        return str(array.name) if array.name is not None else title_of(array.data)
    return TOKEN.sub("", array.name) or "dask"


def chunks_of(
    array: Any,
    *,
    kind: Kind = "image",
    rgb: bool | None = None,
    dims: Sequence[str] = (),
    source: str = "",
) -> ChunkGrid:
    """Return the geometry of an array's chunks.

    The axes of a ``DataArray`` have its dimensions as names. Even coordinates say the pixel
    size. An axis whose coordinates are text or uneven numbers becomes an axis of the position,
    as long as two others are left.

    >>> import dask.array as da
    >>> chunks_of(da.zeros((10, 10), chunks=(4, 10), name="empty")).sizes
    ((4, 4, 2), (10,))
    """
    dask_array = array.data if is_labelled(array) else array
    if not _is_dask(dask_array):
        raise ValueError(
            f"DataArray {title_of(array)!r} is in memory already; call .chunk() to compute it in"
            " chunks"
            if is_labelled(array)
            else f"{array!r} is not a dask array; give one"
        )
    _check(dask_array, title_of(array), kind)
    dims = _dims(array, dims)
    every = range(dask_array.ndim)
    named = named_axes(array)
    is_rgb = _is_rgb(dask_array, kind, rgb, named.get(dask_array.ndim - 1, ()))
    split = split_axes(array, dask_array.ndim - is_rgb, named)
    spatial = [axis for axis in every[: dask_array.ndim - is_rgb] if axis not in dict(split)]
    calibration, position = Calibration(axes=tuple(dims[axis] for axis in spatial if dims)), {}
    if is_labelled(array):
        lazy = [name for name, entry in array.coords.items() if entry.chunks is not None]
        bare = array.drop_vars(lazy)  # their values are not known without computing them
        position = position_of(bare)
        others = {dims[axis]: 0 for axis in every if axis not in spatial}
        calibration = calibration_of(bare.isel(others), len(spatial))
    return ChunkGrid(
        _name(dask_array),
        tuple(tuple(map(int, sizes)) for sizes in dask_array.chunks),
        dims,
        split,
        tuple(position.items()),
        calibration,
        is_rgb,
        source,
    )


def _name(array: Any) -> str:
    """Return the name with which the keys of an array's chunks will begin."""
    # With query planning (`array.query-planning`) it is known after the optimization only.
    name: str = (array.optimize() if hasattr(array, "expr") else array).name
    return name


def _is_dask(value: object) -> bool:
    module = sys.modules.get("dask.array")
    return module is not None and isinstance(value, module.Array)


def _check(array: Any, title: str, kind: Kind) -> None:
    if kind not in PIXEL_KINDS:
        raise ValueError(
            f"kind={kind!r}: the chunks of array {title!r} are pixels, so kind is 'image' or"
            " 'labels'; tap the tasks that make other things by their name"
        )
    if array.ndim < 2:
        raise ValueError(
            f"array {title!r} has shape {array.shape}, and an {kind} layer needs at least 2 axes;"
            " x[None, :] makes an image of a line"
        )
    if any(math.isnan(size) for sizes in array.chunks for size in sizes):
        raise ValueError(
            f"array {title!r} has chunks of unknown size, shape {array.shape}; call"
            " x.compute_chunk_sizes() first"
        )
    if array.size == 0:
        raise ValueError(f"array {title!r} is empty, shape {array.shape}; nothing can be shown")


def _dims(array: Any, given: Sequence[str]) -> tuple[str, ...]:
    if is_labelled(array):
        dims = tuple(map(str, array.dims))
        if given and tuple(given) != dims:
            raise ValueError(f"dims={tuple(given)} are not those of the DataArray, {dims}")
        return dims
    dims = tuple(given)
    if dims and (len(dims) != array.ndim or len(set(dims)) != len(dims)):
        raise ValueError(
            f"dims={dims} do not name the {array.ndim} axes of an array of shape {array.shape};"
            " give each a name of its own"
        )
    return dims


def _is_rgb(array: Any, kind: Kind, rgb: bool | None, names: tuple[Coordinate, ...]) -> bool:
    """Return whether the last axis is colour; for all chunks, since those at the rim are small."""
    if rgb is None:
        return (
            kind == "image"
            and array.numblocks[-1] == 1
            and is_colour(array.shape, array.dtype, names)
        )
    fits = array.ndim >= 3 and array.shape[-1] in (3, 4) and array.numblocks[-1] == 1
    if rgb and not (fits and kind == "image"):
        raise ValueError(
            f"rgb=True needs an image whose last axis has length 3 or 4 and one chunk, not shape"
            f" {array.shape} in {array.numblocks} chunks; x.rechunk({{-1: -1}}) joins them"
        )
    return rgb
