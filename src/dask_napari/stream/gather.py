"""Items of several values of one layer, checked together, so that all are sent or none."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dask_napari.stream.item import KINDS, Coordinate, Item, Kind, Position


def items_of(
    values: Iterable[Any], positions: Iterable[Position], layer: str, kind: Kind
) -> list[Item]:
    """Return an item for each value and position.

    Parameters
    ----------
    values : iterable of Item or array
        Items of the layer, or numeric arrays of at least two axes.
    positions : iterable of Position
        One a value; it takes the place of an item's own.
    layer : str
        The layer.
    kind : Kind
        What arrays are shown as.

    Raises
    ------
    ValueError, TypeError
        If there are not as many positions as values, or one of either cannot be sent.

    Examples
    --------
    >>> plane = np.zeros((4, 4), "uint8")
    >>> [item.position for item in items_of([plane, plane], [{"t": 0}, {"t": 1}], "raw", "image")]
    [{'t': 0}, {'t': 1}]
    """
    values, positions = list(values), list(positions)
    if len(values) != len(positions):
        raise ValueError(
            f"{len(values)} values and {len(positions)} positions for layer {layer!r}; give one"
            " position for each value"
        )
    if not isinstance(layer, str) or not layer:
        raise TypeError(f"layer={layer!r} is not a layer name; give some text")
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is none of {', '.join(map(repr, KINDS))}")
    return [
        _item(value, plain(position), layer, kind, number)
        for number, (value, position) in enumerate(zip(values, positions, strict=True))
    ]


def plain(position: object) -> dict[str, Coordinate]:
    """Return a position as plain numbers and text, fit for the wire.

    Dates and times become text.

    Parameters
    ----------
    position : object
        What was given.

    Raises
    ------
    ValueError, TypeError
        If it is no mapping of axis to number or text.

    Examples
    --------
    >>> plain({"well": "A01", "t": np.int64(3), "day": datetime.date(2024, 5, 1)})
    {'well': 'A01', 't': 3, 'day': '2024-05-01'}
    """
    if not isinstance(position, Mapping) or not position:
        raise TypeError(
            f"{position!r} is no position; give a mapping such as {{'well': 'A01', 'field': 3}}"
        )
    found: dict[str, Coordinate] = {}
    for axis, value in position.items():
        if not isinstance(axis, str) or not axis:
            raise TypeError(f"axis {axis!r} is not a name")
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, datetime.date | datetime.time):
            value = value.isoformat()
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError(f"coordinate {value!r} of axis {axis!r} is neither a number nor text")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"coordinate {value!r} of axis {axis!r} is not finite")
        found[axis] = value
    return found


def _item(value: Any, position: dict[str, Coordinate], layer: str, kind: Kind, number: int) -> Item:
    if isinstance(value, Item):
        if value.layer != layer:
            raise ValueError(f"value {number} is an item of layer {value.layer!r}, not {layer!r}")
        return dataclasses.replace(value, position=position)
    if not isinstance(value, np.ndarray):
        raise TypeError(
            f"value {number} is a {type(value).__name__}; give arrays, or items, as"
            " dask_napari.item.coerce makes them of anything that can be shown"
        )
    if kind not in ("image", "labels"):
        raise TypeError(f"value {number} is a bare array, which {kind!r} cannot be; give an Item")
    # Graphics cards know floats of 4 and 8 bytes; `coerce` makes those of others.
    floats = value.dtype.kind == "f" and value.dtype.itemsize in (4, 8) and kind == "image"
    if not (floats or value.dtype.kind in "iu") or value.ndim < 2:
        raise ValueError(
            f"value {number}, of dtype {value.dtype} and shape {value.shape}, is no {kind}; give"
            " numbers in two axes or more, or what dask_napari.item.coerce makes of it"
        )
    if not value.size:
        raise ValueError(f"value {number} is empty, shape {value.shape}")
    # The wire knows native byte order only.
    native = value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))
    return Item(layer, kind, native, position)
