"""Items of several values of one layer, checked together, so that all are sent or none."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np

from dask_napari.model import (
    KINDS,
    PIXEL_KINDS,
    Coordinate,
    Item,
    Kind,
    Position,
    arguments,
    plain_position,
)


def items_of(
    values: Iterable[Any], positions: Iterable[Position], layer: str, kind: Kind
) -> list[Item]:
    """Return an item for each value and position; see :meth:`Publisher.save_batch`."""
    values, positions = list(values), list(positions)
    if len(values) != len(positions):
        raise ValueError(
            f"{len(values)} values and {len(positions)} positions for layer {layer!r}; give one"
            " position for each value"
        )
    arguments.layer_name(layer)
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is unknown; use {', '.join(map(repr, KINDS))}")
    return [
        _item(value, plain_position(position), layer, kind, number)
        for number, (value, position) in enumerate(zip(values, positions, strict=True))
    ]


def _item(value: Any, position: dict[str, Coordinate], layer: str, kind: Kind, number: int) -> Item:
    if isinstance(value, Item):
        if value.layer != layer:
            raise ValueError(f"value {number} is an item of layer {value.layer!r}, not {layer!r}")
        item = copy.copy(value)
        item.amend(position=position)
        return item
    if not isinstance(value, np.ndarray):
        raise TypeError(
            f"value {number} is a {type(value).__name__}; give arrays or items;"
            " dask_napari.save_batch takes anything that can be shown"
        )
    if kind not in PIXEL_KINDS:
        raise TypeError(f"value {number} is a bare array, which {kind!r} cannot be; give an Item")
    # Graphics cards know floats of 4 and 8 bytes; `coerce` makes those of others.
    floats = value.dtype.kind == "f" and value.dtype.itemsize in (4, 8) and kind == "image"
    if not (floats or value.dtype.kind in "iu") or value.ndim < 2:
        raise ValueError(
            f"value {number}, of dtype {value.dtype} and shape {value.shape}, is no {kind}; give"
            " numbers in two axes or more; dask_napari.save_batch takes anything that can be shown"
        )
    if not value.size:
        raise ValueError(f"value {number} is empty, shape {value.shape}")
    # The wire knows native byte order only.
    native = value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))
    return Item(layer, kind, native, position)
