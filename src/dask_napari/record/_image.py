"""One image of a record: an array with the items of a layer that have the same type and axes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from dask_napari.model import Item
from dask_napari.record._chunked_array import ChunkedArray, chunk_shape
from dask_napari.record._coordinate_index import CoordinateIndex
from dask_napari.record._disk import part_of, read_attributes, remove, write_group
from dask_napari.record._image_family import ImageFamily
from dask_napari.record._journal_lines import ImageRegion, JournalLine
from dask_napari.record._multiscales import KEY, multiscales

FIRST: Final = "0"
"""Name of the array in its group; another once the array was sorted."""


class ImageInfo(msgspec.Struct, frozen=True):
    """Attributes of an image, for recorders that go on with it.

    Attributes
    ----------
    family : ImageFamily
        What its items have in common.
    item_shape : tuple of int
        Shape of its first item; each item has so much room.
    translate : tuple of float
        Translation of the first item.
    """

    family: ImageFamily
    item_shape: tuple[int, ...]
    translate: tuple[float, ...]


class Image:
    """An OME-Zarr image that grows.

    Parameters
    ----------
    root : Path
        The record.
    path : str
        Of the array of the image in the record.
    info : ImageInfo
        What is in its attributes.
    """

    def __init__(self, root: Path, path: str, info: ImageInfo) -> None:
        self.path = path
        self.info = info
        self.folder = (root / path).parent
        self.array = ChunkedArray(root / path)
        self.indices = {
            axis.name: CoordinateIndex(axis.names) for axis in info.family.axes if axis.own < 0
        }
        own = {axis.own: dim for dim, axis in enumerate(info.family.axes) if axis.own >= 0}
        self._order = tuple(own[axis] for axis in range(len(own)))
        self._moving = False  # the translation differs from item to item
        self._described = True

    def __repr__(self) -> str:
        return f"<Image {self.path}: {self.array.shape} of {self.info.family.layer!r}>"

    @classmethod
    def create(
        cls, root: Path, name: str, item: Item, family: ImageFamily, fill: float = 0.0
    ) -> Image:
        """Create the image of a first item, in one step. Raises OSError."""
        shape = item.data.shape
        whole = (*(item.whole or shape), *shape[len(item.whole) or len(shape) :])
        chunk = chunk_shape(shape, item.data.itemsize)
        folder = part_of(root / name)
        remove(folder)  # of a recorder that was killed here
        try:
            folder.mkdir()
            ChunkedArray.create(
                folder / FIRST,
                [whole[axis.own] if axis.own >= 0 else 1 for axis in family.axes],
                [chunk[axis.own] if axis.own >= 0 else 1 for axis in family.axes],
                np.dtype(family.dtype),
                [axis.name for axis in family.axes],
                labels=item.kind == "labels",
                fill=fill,
            )
            info = ImageInfo(family, shape, item.calibration.translate)
            image = cls(root, f"{folder.name}/{FIRST}", info)
            image.describe()
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
    def is_in(folder: Path) -> bool:
        """Return whether a folder is an image of ours."""
        return folder.is_dir() and "image" in read_attributes(folder).get(KEY, ())

    # -- items -------------------------------------------------------------------------------

    @staticmethod
    def can_begin_with(item: Item) -> bool:
        """Return whether an item tells the size of all items.

        The last chunks of an array may be smaller than others, but for the second of two.
        """
        ends = item.whole or [math.inf] * len(item.origin)
        return all(
            start in (0, length) or (start % length == 0 and start + length < end)
            for start, length, end in zip(item.origin, item.data.shape, ends, strict=False)
        )

    def fits(self, item: Item) -> bool:
        """Return whether an item of this family has room, and leaves at most half of it empty."""
        shape, room = item.data.shape, self.info.item_shape
        if any(length > most for length, most in zip(shape, room, strict=True)):
            return False
        if self.info.family.chunked:
            return not any(at % step for at, step in zip(item.origin, room, strict=False))
        return 2 * math.prod(shape) >= math.prod(room)

    def place(self, item: Item) -> ImageRegion:
        """Return where the data of an item lies, after making room for it."""
        at, start, ends = item.at, [], []
        for axis in self.info.family.axes:
            if axis.own < 0:
                first = self.indices[axis.name].add(tuple(at[name] for name in axis.names))
            else:
                first = item.origin[axis.own] if axis.own < len(item.origin) else 0
            start.append(first)
            ends.append(first + (item.data.shape[axis.own] if axis.own >= 0 else 1))
        self.array.grow(ends)
        self._moving |= item.calibration.translate != self.info.translate
        self._described = False
        return ImageRegion(self.path, tuple(start), self._order)

    def chunks(
        self, start: tuple[int, ...], shape: tuple[int, ...]
    ) -> Iterator[tuple[str, tuple[slice, ...]]]:
        """Yield the file name of each chunk of an item, and the slices of :meth:`block` in it."""
        # All of its room, so that nothing stays of a larger item that lay there.
        shape = shape if self.info.family.chunked else self.info.item_shape
        lengths = [1] * len(start)
        for own, dim in enumerate(self._order):
            lengths[dim] = shape[own]
        return self.array.chunks(start, lengths)

    def block(self, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the data of an item in the axes of the array."""
        axes = self.info.family.axes
        block = data.transpose([axis.own for axis in axes if axis.own >= 0])
        return np.expand_dims(block, [dim for dim, axis in enumerate(axes) if axis.own < 0])

    def learn(self, line: JournalLine, region: ImageRegion) -> None:
        """Take over where an item lies from a journal."""
        at = line.at
        for axis, index in zip(self.info.family.axes, region.start, strict=True):
            if axis.own < 0:
                self.indices[axis.name].set(tuple(at[name] for name in axis.names), index)
        self._moving |= line.translate != self.info.translate
        self._described = False

    # -- metadata ----------------------------------------------------------------------------

    def describe(self) -> None:
        """Write the attributes. Raises OSError."""
        family, coordinates = self.info.family, {k: v.values() for k, v in self.indices.items()}
        translate = () if self._moving else self.info.translate
        ours = {
            "image": msgspec.to_builtins(self.info),
            "coordinates": {
                name: {"axes": list(self.indices[name].names), "values": values}
                for name, values in coordinates.items()
            },
        }
        described = multiscales(family, self.array.folder.name, translate, coordinates)
        write_group(self.folder, {"ome": described, KEY: ours})
        self._described = True

    def describe_changes(self) -> None:
        """Write the attributes, if items came since that was done. Raises OSError."""
        if not self._described:
            self.describe()
