"""Description of an item: all but its bytes, for those who read these later, or not at all."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from dask_napari.model._bounds import Name, Shape
from dask_napari.model._item import AnyArray, Item
from dask_napari.model._item_meta import ItemMeta

ARRAYS_LIMIT = 4096
"""Arrays of an item, which are its data and a column a feature."""


class ItemDescription(msgspec.Struct, frozen=True):
    """Metadata of an item, and shape and type of each array, ``"data"`` first.

    >>> item = Item("cells", "labels", np.ones((2, 3), "uint8"))
    >>> ItemDescription.of(item).empty("data").shape
    (2, 3)
    """

    meta: ItemMeta
    arrays: Annotated[dict[Name, tuple[Shape, Name]], Meta(max_length=ARRAYS_LIMIT)]

    @classmethod
    def of(cls, item: Item) -> ItemDescription:
        """Return the description of an item, whose elements are not looked at."""
        arrays = {"data": item.data, **item.arrays}
        return cls(item.meta, {name: (a.shape, a.dtype.str) for name, a in arrays.items()})

    def empty(self, name: str) -> AnyArray:
        """Return an array to be filled; raises ValueError for objects, which are never sent."""
        shape, text = self.arrays[name]
        dtype = np.dtype(text)
        if dtype.hasobject:
            raise ValueError(f"array {name!r} of {self.meta.name!r} holds objects")
        return np.empty(shape, dtype)
