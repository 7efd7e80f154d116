"""Writers of napari's *Save Selected Layers*: layers as OME-Zarr, TIFF or CSV.

Of a live layer all is written, also where napari holds only what is in view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from dask_napari.model import (
    FEATURE,
    PIXEL_KINDS,
    SHAPE_TYPES,
    TABLE_KINDS,
    Calibration,
    Item,
    Kind,
    Refusal,
)
from dask_napari.viewer.app._item_files import write_picture, write_table
from dask_napari.viewer.app._live_viewer import live_items

LayerData = tuple[Any, dict[str, Any], Kind]
"""Data, arguments and kind of a layer, as napari hands layers to writers."""

CALIBRATION: Final[Sequence[tuple[str, str, Callable[[Any], Any]]]] = (
    ("axes", "axis_labels", str),
    ("scale", "scale", float),
    ("translate", "translate", float),
    ("units", "units", str),
)
"""Fields of a calibration, and napari's names for them."""


def write_zarr(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write layers as a record, whose images are OME-Zarr."""
    try:
        from dask_napari.record import write_items
    except ImportError as error:
        raise ImportError(f"pip install dask-napari[record] writes OME-Zarr: {error}") from error
    try:
        items = (item for layer in layers for item in _items(*layer))
        write_items(path, items, overwrite=True)  # the dialog has asked
    except (Refusal, ValueError) as error:
        # Of a ValueError, napari only says that no plugin was found.
        raise OSError(f"{path} is not written: {error}") from error
    return [path]


def write_tiff(path: str, data: Any, state: dict[str, Any]) -> list[str]:
    """Write an image or labels, of a pyramid the finest level, as a TIFF."""
    array = np.asarray(data[0] if state.get("multiscale") else data)
    write_picture(path, array, is_rgb=bool(state.get("rgb")))
    return [path]


def write_csv(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write the elements of layers as one table, with a column for each coordinate and feature."""
    write_table(
        path,
        lambda: (
            (state["name"], item)
            for data, state, kind in layers
            for item in _items(data, state, kind)
        ),
        with_layers=len(layers) > 1,
    )
    return [path]


def _items(data: Any, state: Mapping[str, Any], kind: Kind) -> Iterator[Item]:
    """Yield the items of a live layer, or one item of another layer."""
    live = live_items(state["name"], kind)
    yield from [_item(data, state, kind)] if live is None else (item.loaded() for item in live)


def _item(data: Any, state: Mapping[str, Any], kind: Kind) -> Item:
    """Return all of a layer as one item.

    >>> _item(np.eye(2), {"name": "spots", "axis_labels": ("t", "x")}, "points")
    <Item 'spots' points float64 (2, 2) at {'item': ''}>
    """
    arrays: dict[str, Any] = {}
    if kind in TABLE_KINDS:
        columns = dict(state.get("features", {}).items())
        arrays = {f"{FEATURE}{name}": np.asarray(column) for name, column in columns.items()}
    if kind == "shapes":
        types = [SHAPE_TYPES.index(str(each)) for each in state["shape_type"]]
        arrays |= {"types": np.array(types), "offsets": np.cumsum([0, *map(len, data)])}
        data = np.concatenate(data)
    elif kind == "surface":
        arrays["faces"] = data[1]
        data = data[0]
    array = np.asarray(data[0] if state.get("multiscale") else data)
    n_axes = array.ndim - bool(state.get("rgb")) if kind in PIXEL_KINDS else array.shape[-1]
    n_axes -= kind == "tracks"
    known = {
        name: [plain(value) for value in state[key]]
        for name, key, plain in CALIBRATION
        if state.get(key) is not None and len(state[key]) == n_axes
    }
    calibration = msgspec.convert(known, Calibration)
    # An array of its own has no place but itself, as a chunk that is all of it.
    chunk = array.shape[:n_axes] if kind in PIXEL_KINDS else ()
    return Item(
        state["name"],
        kind,
        array,
        calibration=calibration,
        rgb=bool(state.get("rgb")),
        arrays=arrays,
        origin=(0,) * len(chunk),
        array_shape=chunk,
    )
