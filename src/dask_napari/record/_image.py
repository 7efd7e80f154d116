"""One image of a record: a zarr array with the items of a layer that have the same type and axes.

zarr makes its metadata; its chunks are written as the files that zarr reads. Assignments through
zarr take 2 to 4 times as long. With the codecs of zarrs they come near, but a chunk is overwritten
in place then, and a kill leaves half of it to every reader. Files of our own are complete before
they get their names, and several are prepared before one replaces an old one.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import zarr
from numcodecs import Blosc, Zstd
from zarr.codecs import BloscCodec, ZstdCodec

from dask_napari.model import AnyArray, Item
from dask_napari.record._files import part_of, read_attributes, remove, write_group, write_json
from dask_napari.record._journal import JournalLine
from dask_napari.record._ome_zarr import KEY, CoordinateIndex, ImageAxis, ImageFamily, multiscales

FIRST: Final = "0"  # name of the array in its group; another once the array was sorted

# Bytes of a chunk; larger items are several. Blosc ends at 2 GiB, and a reader takes one whole.
CHUNK_LIMIT: Final = 512 << 20


def chunk_shape(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Return the shape of an item's chunks: its own, or equal pieces of it if that is too large.

    >>> chunk_shape((4, 1 << 15, 1 << 15), 2)
    (1, 8192, 32768)
    """
    chunk = list(shape)
    for axis, length in enumerate(shape):
        most = CHUNK_LIMIT // (math.prod(chunk) // length * itemsize)
        chunk[axis] = next((n for n in range(min(most, length), 1, -1) if length % n == 0), 1)
    return tuple(chunk)


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
        self.folder: Path = root / path
        self.axes: tuple[ImageAxis, ...] = info.family.axes
        self._metadata = json.loads((self.folder / "zarr.json").read_bytes())
        self.shape: tuple[int, ...] = tuple(self._metadata["shape"])
        self._chunk = tuple(self._metadata["chunk_grid"]["configuration"]["chunk_shape"])
        labels = info.family.meta.kind == "labels"
        self._codec = Zstd(1) if labels else Blosc("lz4", 1, Blosc.BITSHUFFLE)
        self._indices = {axis.name: CoordinateIndex(axis.names) for axis in self.axes if axis.names}
        own = {axis.own: dim for dim, axis in enumerate(self.axes)}
        self.order: tuple[int, ...] = tuple(own[axis] for axis in range(len(info.item_shape)))
        self._chunked = bool(info.family.meta.origin)
        self._moving = False  # the translation differs from item to item
        self._described = False

    def __repr__(self) -> str:
        return f"<Image {self.path}: {self.shape} of {self.info.family.meta.layer!r}>"

    @classmethod
    def create(cls, root: Path, name: str, item: Item, family: ImageFamily, fill: float) -> Image:
        """Create the image of a first item, in one step. Raises OSError."""
        info = ImageInfo(family, item.data.shape, item.calibration.translate)
        whole = (*item.array_shape, *info.item_shape[len(item.array_shape) :])
        shape, chunks = (
            tuple(1 if axis.names else each[axis.own] for axis in family.axes)
            for each in (whole, chunk_shape(info.item_shape, item.data.itemsize))
        )
        dtype = np.dtype(family.dtype)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            fill = min(max(int(fill) if math.isfinite(fill) else 0, limits.min), limits.max)
        # zstd shrinks labels a hundred times; Blosc is as fast as the disk.
        blosc = BloscCodec(typesize=dtype.itemsize, cname="lz4", clevel=1, shuffle="bitshuffle")
        folder = part_of(root / name)
        remove(folder)  # of a recorder that was killed here
        try:
            folder.mkdir()
            zarr.create_array(
                str(folder / FIRST),
                shape=shape,
                chunks=chunks,
                dtype=dtype,
                compressors=[ZstdCodec(level=1) if item.kind == "labels" else blosc],
                fill_value=fill,
                dimension_names=[axis.name for axis in family.axes],
                # Without a directory for each axis of each chunk.
                chunk_key_encoding={"name": "default", "separator": "."},
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
                first = self._indices[axis.name].add(tuple(at[name] for name in axis.names))
            else:
                first = item.origin[axis.own] if axis.own < len(item.origin) else 0
            start.append(first)
            ends.append(first + (1 if axis.names else item.data.shape[axis.own]))
        self.shape = tuple(map(max, self.shape, ends))
        self._moving |= item.calibration.translate != self.info.translate
        self._described = False
        return tuple(start)

    def learn(self, line: JournalLine) -> None:
        """Take over where an item lies from a journal."""
        at = line.meta.at
        for axis, index in zip(self.axes, line.start, strict=True):
            if axis.names:
                self._indices[axis.name].set(tuple(at[name] for name in axis.names), index)
        self._moving |= line.meta.calibration.translate != self.info.translate

    def chunks(
        self, start: Sequence[int], shape: Sequence[int]
    ) -> Iterator[tuple[str, tuple[slice, ...]]]:
        """Yield the file name of each chunk of an item, and the slices of :meth:`block` in it."""
        # All of its room, so that nothing stays of a larger item that lay there.
        shape = shape if self._chunked else self.info.item_shape
        lengths = (1 if axis.names else shape[axis.own] for axis in self.axes)
        steps = list(zip(start, lengths, self._chunk, strict=True))
        spans = (range(at // step, -(-(at + length) // step)) for at, length, step in steps)
        for number in itertools.product(*spans):
            firsts = [n * step - at for n, (at, _, step) in zip(number, steps, strict=True)]
            slices = tuple(slice(a, a + step) for a, step in zip(firsts, self._chunk, strict=True))
            yield ".".join(("c", *map(str, number))), slices

    def block(self, data: AnyArray) -> AnyArray:
        """Return the data of an item in the axes of the array."""
        block = data.transpose([axis.own for axis in self.axes if not axis.names])
        return np.expand_dims(block, [dim for dim, axis in enumerate(self.axes) if axis.names])

    def encode(self, block: AnyArray) -> bytes:
        """Return the content of a chunk's file; a block that is smaller is filled up."""
        dtype = np.dtype(self.info.family.dtype)
        if block.shape != self._chunk:
            # Text, as "NaN", where JSON has no such number.
            full = np.full(self._chunk, dtype.type(self._metadata["fill_value"]), dtype)
            full[tuple(map(slice, block.shape))] = block
            block = full
        return bytes(self._codec.encode(np.ascontiguousarray(block, dtype)))

    def orders(self) -> list[list[int]]:
        """Return the indices along each axis in the order of their coordinates."""
        return [
            self._indices[axis.name].order() if axis.names else [*range(length)]
            for axis, length in zip(self.axes, self.shape, strict=True)
        ]

    def save(self) -> None:
        """Write the shape of the array, if it has changed. Raises OSError."""
        if self._metadata["shape"] != list(self.shape):
            self.copy_metadata(self.folder, self.shape)
            self._metadata["shape"] = list(self.shape)

    def copy_metadata(self, folder: Path, shape: Sequence[int]) -> None:
        """Write the metadata of an array of another shape. Raises OSError."""
        write_json(folder / "zarr.json", {**self._metadata, "shape": list(shape)})

    def describe(self) -> None:
        """Write the attributes, if items came since that was done. Raises OSError."""
        if self._described:
            return
        values = {name: index.values() for name, index in self._indices.items()}
        translate = () if self._moving else self.info.translate
        ome = multiscales(self.info.family, self.folder.name, translate, values)
        coordinates = {k: {"axes": v.names, "values": values[k]} for k, v in self._indices.items()}
        ours = {"image": self.info, "coordinates": coordinates}
        write_group(self.folder.parent, {"ome": ome, KEY: ours})
        self._described = True
