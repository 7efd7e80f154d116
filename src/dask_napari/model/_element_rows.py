"""Rows of elements: points, shapes, tracks and vectors as the columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from dask_napari.model._item import SHAPE_TYPES, AnyArray, Item

TABLE_KINDS: Final = ("points", "shapes", "tracks", "vectors")
"""Kinds that are tables; surfaces have faces, too."""


def element_rows(item: Item) -> dict[str, AnyArray]:
    """Return the columns of an item: its position, places in pixels, features.

    A row is a point, a vertex of a shape, a place of a track, or a vector.

    >>> item = Item("cells", "points", np.array([[1.0, 2.0]]), {"well": "A01"})
    >>> {name: column.tolist() for name, column in element_rows(item).items()}
    {'well': ['A01'], 'y': [1.0], 'x': [2.0]}
    """
    data, features = item.data, item.features
    columns: dict[str, AnyArray] = {}
    if item.kind == "shapes":
        offsets = item.arrays["offsets"].astype(np.intp)
        shape = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets).tolist())
        columns["shape"] = shape
        columns["type"] = np.array(SHAPE_TYPES)[item.arrays["types"].astype(np.intp)][shape]
        columns["vertex"] = np.arange(len(shape)) - offsets[shape]
        features = {name: column[shape] for name, column in features.items()}
    elif item.kind == "tracks":
        columns["track"], data = data[:, 0], data[:, 1:]
    names = _names(item.calibration.axes, data.shape[-1], item.kind)
    places = data[:, 0] if item.kind == "vectors" else data
    columns |= {name: places[:, column] for column, name in enumerate(names)}
    if item.kind == "vectors":
        columns |= {f"d{name}": data[:, 1, column] for column, name in enumerate(names)}
    position = {name: np.full(len(data), at) for name, at in item.at.items()}
    return {**position, **columns, **features}


def _names(axes: Sequence[str], count: int, kind: str) -> Sequence[str]:
    if len(axes) == count:
        return axes
    usual = ("t", "z", "y", "x") if count > 3 else ("t", "y", "x") if kind == "tracks" else "zyx"
    return usual[-count:] if count <= len(usual) else [f"axis-{n}" for n in range(count)]
