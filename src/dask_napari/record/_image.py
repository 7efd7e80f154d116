"""One image of a record: an array with the items of a layer that have the same type and axes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from dask_napari.model import AnyArray, Item
from dask_napari.record._chunked_array import ChunkedArray, chunk_shape
from dask_napari.record._coordinate_index import CoordinateIndex
from dask_napari.record._files import part_of, read_attributes, remove, write_group
from dask_napari.record._journal import JournalLine
from dask_napari.record._ome_zarr import KEY, ImageFamily, multiscales

FIRST: Final = "0"
"""Name of the array in its group; another once the array was sorted."""


class ImageInfo(msgspec.Struct, frozen=True):
    """Attributes of an image, for recorders that go on with it."""

    family: ImageFamily
    item_shape: tuple[int, ...]  # of its first item; each item has so much room
    translate: tuple[float, ...]  # of its first item


class Image:
    """An OME-Zarr image that grows; ``path`` is that of its array in the record."""

    def __init__(self, root: Path, path: str, info: ImageInfo) -> None:
        self.path = path
        self.info = info
        self.axes = info.family.axes
        self.array = ChunkedArray(root / path)
        self.indices = {axis.name: CoordinateIndex(axis.names) for axis in self.axes if axis.names}
        own = {axis.own: dim for dim, axis in enumerate(self.axes)}
        self.order = tuple(own[axis] for axis in range(len(info.item_shape)))
        self._chunked = bool(info.family.meta.origin)
        self._moving = False  # the translation differs from item to item
        self._described = False

    def __repr__(self) -> str:
        return f"<Image {self.path}: {self.array.shape} of {self.info.family.meta.layer!r}>"

    @classmethod
    def create(cls, root: Path, name: str, item: Item, family: ImageFamily, fill: float) -> Image:
        """Create the image of a first item, in one step. Raises OSError."""
        shape = item.data.shape
        whole = (*item.array_shape, *shape[len(item.array_shape) :])
        chunk = chunk_shape(shape, item.data.itemsize)
        info = ImageInfo(family, shape, item.calibration.translate)
        folder = part_of(root / name)
        remove(folder)  # of a recorder that was killed here
        try:
            folder.mkdir()
            ChunkedArray.create(
                folder / FIRST,
                [1 if axis.names else whole[axis.own] for axis in family.axes],
                [1 if axis.names else chunk[axis.own] for axis in family.axes],
                np.dtype(family.dtype),
                [axis.name for axis in family.axes],
                labels=item.kind == "labels",
                fill=fill,
            )
            cls(root, f"{folder.name}/{FIRST}", info).describe()
            os.replace(folder, root / name)
        except OSError:
            remove(folder)
            raise
        return cls(root, f"{name}/{FIRST}", info)

    @classmethod
    def open(cls, root: Path, path: str) -> Image:
        """Open the image of an array. Raises OSError, ValueError."""
        attributes = read_attributes((root / path).parent).get(KEY, {})
        return cls(root, path, msgspec.convert(attributes.get("image"), ImageInfo))

    @staticmethod
    def can_begin_with(item: Item) -> bool:
        """Return whether an item tells the size of all items.

        The last chunks of an array may be smaller than others, but for the second of two.
        """
        ends = item.array_shape or [math.inf] * len(item.origin)
        return all(
            start in (0, length) or (start % length == 0 and start + length < end)
            for start, length, end in zip(item.origin, item.data.shape, ends, strict=False)
        )

    def fits(self, item: Item) -> bool:
        """Return whether an item of this family has room, and leaves at most half of it empty."""
        shape, room = item.data.shape, self.info.item_shape
        if any(length > most for length, most in zip(shape, room, strict=True)):
            return False
        if self._chunked:
            return not any(at % step for at, step in zip(item.origin, room, strict=False))
        return 2 * math.prod(shape) >= math.prod(room)

    def place(self, item: Item) -> tuple[int, ...]:
        """Return where the data of an item begins, after making room for it."""
        at, start, ends = item.at, [], []
        for axis in self.axes:
            if axis.names:
                first = self.indices[axis.name].add(tuple(at[name] for name in axis.names))
            else:
                first = item.origin[axis.own] if axis.own < len(item.origin) else 0
            start.append(first)
            ends.append(first + (1 if axis.names else item.data.shape[axis.own]))
        self.array.shape = tuple(map(max, self.array.shape, ends))
        self._moving |= item.calibration.translate != self.info.translate
        self._described = False
        return tuple(start)

    def learn(self, line: JournalLine) -> None:
        """Take over where an item lies from a journal."""
        at = line.meta.at
        for axis, index in zip(self.axes, line.start, strict=True):
            if axis.names:
                self.indices[axis.name].set(tuple(at[name] for name in axis.names), index)
        self._moving |= line.meta.calibration.translate != self.info.translate

    def chunks(
        self, start: tuple[int, ...], shape: tuple[int, ...]
    ) -> Iterator[tuple[str, tuple[slice, ...]]]:
        """Yield the file name of each chunk of an item, and the slices of :meth:`block` in it."""
        # All of its room, so that nothing stays of a larger item that lay there.
        shape = shape if self._chunked else self.info.item_shape
        return self.array.chunks(start, [1 if a.names else shape[a.own] for a in self.axes])

    def block(self, data: AnyArray) -> AnyArray:
        """Return the data of an item in the axes of the array."""
        block = data.transpose([axis.own for axis in self.axes if not axis.names])
        return np.expand_dims(block, [dim for dim, axis in enumerate(self.axes) if axis.names])

    def orders(self) -> list[list[int]]:
        """Return the indices along each axis in the order of their coordinates."""
        return [
            self.indices[axis.name].order() if axis.names else [*range(length)]
            for axis, length in zip(self.axes, self.array.shape, strict=True)
        ]

    def describe(self) -> None:
        """Write the attributes, if items came since that was done. Raises OSError."""
        if self._described:
            return
        values = {name: index.values() for name, index in self.indices.items()}
        translate = () if self._moving else self.info.translate
        ours = {
            "image": msgspec.to_builtins(self.info),
            "coordinates": {
                name: {"axes": list(index.names), "values": values[name]}
                for name, index in self.indices.items()
            },
        }
        ome = multiscales(self.info.family, self.array.folder.name, translate, values)
        write_group(self.array.folder.parent, {"ome": ome, KEY: ours})
        self._described = True
