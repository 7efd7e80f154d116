"""What the items of one image have in common, and how they lie on its chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from dask_napari.model import Calibration, Item, Kind
from dask_napari.record._axis_plan import Plan, PlanAxis
from dask_napari.record._sheet import chunk_shape

Family = tuple[Any, ...]
"""What the items of an image have in common but for their size."""


class Info(msgspec.Struct):
    """What the attributes of an image say, for those who go on with it."""

    layer: str
    part: str
    kind: Kind
    rgb: bool
    axes: list[PlanAxis]
    split: dict[str, int | float | str]
    extent: list[int]
    """Length of the data's own axes, as far as it is known."""
    whole: list[int]
    """The same if the items are chunks of an array of this shape."""
    chunked: bool
    dtype: str
    calibration: Calibration
    moving: bool = False
    """Whether the translation differs from item to item."""


def family_of(item: Item, plan: Plan) -> Family:
    """What an image can hold items of, but for their size."""
    at, known = item.at, item.calibration
    split = tuple((name, at[name]) for name in plan.split)
    chunked = bool(item.origin)
    return (
        (item.layer, item.part, item.kind, item.rgb, plan.axes, split),
        (item.data.dtype.newbyteorder("=").str, chunked, item.whole),
        (known.axes, known.scale, known.units),
        item.data.shape[-1] if item.rgb else 0,
    )


def family_of_info(info: Info) -> Family:
    """The same of an image that is there."""
    known = info.calibration
    what = (info.layer, info.part, info.kind, info.rgb, tuple(info.axes))
    return (
        (*what, tuple(info.split.items())),
        (info.dtype, info.chunked, tuple(info.whole)),
        (known.axes, known.scale, known.units),
        info.extent[-1] if info.rgb else 0,
    )


def aligned(item: Item, chunk: Sequence[int], extent: Sequence[int]) -> bool:
    """Whether a chunk of a larger array is a whole number of an image's chunks.

    Examples
    --------
    >>> import numpy as np
    >>> last = Item("a", "image", np.zeros((5, 3)), origin=(0, 8), whole=(5, 11))
    >>> aligned(last, (5, 4), (5, 11)), aligned(last, (5, 3), (5, 11))
    (True, False)
    """
    return not any(
        start % step or (length % step and start + length != end)
        for start, length, step, end in zip(
            item.origin, item.data.shape, chunk, extent, strict=False
        )
    )


def begins(item: Item, plan: Plan) -> bool:
    """Whether an image can be made of an item. Not of the last chunk of an uneven array."""
    chunk = own_chunk(item, plan)
    return not item.origin or aligned(item, chunk, item.whole or chunk)


def own_chunk(item: Item, plan: Plan) -> list[int]:
    """Length of a chunk along each axis of an item's data, in an image that is made of it."""
    data = item.data
    order = [axis.own for axis in plan.axes if axis.own >= 0]
    lengths = chunk_shape([data.shape[own] for own in order], data.itemsize)
    return [lengths[order.index(own)] for own in range(data.ndim)]
