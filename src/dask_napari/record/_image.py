"""One image of a record: an array with the items of a layer that have the same type and axes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import zarr

from dask_napari.model import Calibration, Item, PlaceKey
from dask_napari.record import files, ome
from dask_napari.record._axis_plan import Plan
from dask_napari.record._families import Info, aligned, own_chunk
from dask_napari.record._indices import Indices
from dask_napari.record._journal_lines import JournalLine, StoredAt
from dask_napari.record._sheet import ChunkedArray, padded
from dask_napari.record.root import write_group

FIRST: Final = "0"
"""Name of the array in its group; it changes when the array is sorted."""


class Image:
    """An OME-Zarr image that grows.

    Parameters
    ----------
    root : Path
        The record.
    path : str
        Of the group of the image.
    info : Info
        What is in its attributes.
    array : str
        Path of its array.
    """

    def __init__(self, root: Path, path: str, info: Info, array: str) -> None:
        self.root = root
        self.path = path
        self.info = info
        self.sheet = ChunkedArray(root, array)
        self.indices = {axis.name: Indices(axis.names) for axis in info.axes if axis.own < 0}
        self._owners: dict[tuple[int, ...], PlaceKey] = {}
        self._own = {axis.own: dim for dim, axis in enumerate(info.axes) if axis.own >= 0}
        self._order = tuple(self._own[own] for own in range(len(self._own)))
        self._shape = tuple(info.extent)
        self._ahead = [dim for dim, axis in enumerate(info.axes) if axis.own < 0]

    # -- made and found ----------------------------------------------------------------------

    @classmethod
    def create(cls, root: Path, path: str, item: Item, plan: Plan, fill: float = 0.0) -> Image:
        """Make the image of a first item. Raises OSError."""
        data, at = item.data, item.at
        extent = [*(item.whole or data.shape), *data.shape[len(item.whole) or data.ndim :]]
        info = Info(
            layer=item.layer,
            part=item.part,
            kind=item.kind,
            rgb=item.rgb,
            axes=list(plan.axes),
            split={name: at[name] for name in plan.split},
            extent=extent,
            whole=list(item.whole),
            chunked=bool(item.origin),
            dtype=data.dtype.newbyteorder("=").str,
            calibration=item.calibration,
        )
        own = own_chunk(item, plan)
        chunk = tuple(own[axis.own] if axis.own >= 0 else 1 for axis in plan.axes)
        shape = tuple(extent[axis.own] if axis.own >= 0 else 1 for axis in plan.axes)
        zarr.create_group(str(root / path), attributes={})
        array = f"{path}/{FIRST}"
        ChunkedArray.create(
            root,
            array,
            shape,
            chunk,
            data.dtype.newbyteorder("="),
            labels=item.kind == "labels",
            fill=fill,
            names=[axis.name for axis in plan.axes],
        )
        image = cls(root, path, info, array)
        image.describe()
        return image

    @classmethod
    def open(cls, root: Path, path: str) -> Image | None:
        """The image in a group; None if it is not one of ours."""
        attributes = files.read_json(root / path / "zarr.json").get("attributes", {})
        try:
            info = msgspec.convert(attributes[ome.KEY]["image"], Info)
            array = attributes["ome"]["multiscales"][0]["datasets"][0]["path"]
            return cls(root, path, info, f"{path}/{array}")
        except (KeyError, IndexError, msgspec.ValidationError, FileNotFoundError):
            return None

    # -- items -------------------------------------------------------------------------------

    def fits(self, item: Item) -> bool:
        """Whether an item of this family lies on whole chunks, and leaves little of them empty."""
        shape, extent = item.data.shape, self.info.extent
        if not self.info.chunked:
            within = all(length <= room for length, room in zip(shape, extent, strict=True))
            return within and 2 * math.prod(shape) >= math.prod(extent)
        chunk = [self.sheet.chunk[self._own[own]] for own in range(item.data.ndim)]
        return aligned(item, chunk, extent)

    def place(self, item: Item) -> StoredAt:
        """Where the data of an item lies, after making room for it. Raises OSError."""
        info, at = self.info, item.at
        start, ends = [], []
        for axis in info.axes:
            if axis.own < 0:
                index = self.indices[axis.name].add(tuple(at[name] for name in axis.names))
                start.append(index)
                ends.append(index + 1)
            else:
                first = item.origin[axis.own] if axis.own < len(item.origin) else 0
                start.append(first)
                ends.append(first + item.data.shape[axis.own])
        longer = any(end > length for end, length in zip(ends, self.sheet.shape, strict=True))
        moved = not info.moving and item.calibration.translate != info.calibration.translate
        if longer:
            self.sheet.ensure(ends, self._ahead)
        for axis, end in zip(info.axes, ends, strict=True):
            if axis.own >= 0:
                info.extent[axis.own] = max(info.extent[axis.own], end)
        if longer or moved:
            info.moving |= moved
            self.describe()
        # What all items have in common is there once, however many they are.
        full = item.data.shape == self._shape
        shape = self._shape if full else item.data.shape
        return StoredAt(self.sheet.path, tuple(start), shape, info.dtype, self._order)

    def region(self, where: StoredAt) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Start and shape of an item in the axes of the array, with all that its chunks take."""
        shape = [1] * len(self.info.axes)
        for own, dim in enumerate(where.order):
            shape[dim] = where.shape[own] if self.info.chunked else self.info.extent[own]
        return where.start, tuple(shape)

    def claim(self, where: StoredAt, slot: PlaceKey) -> bool:
        """Take the chunks of a place; false if one of them holds a part of another item.

        Chunks of dask arrays do not overlap; what anybody sends may.
        """
        if not self.info.chunked:
            return True
        chunks = list(self.sheet.chunks(*self.region(where)))
        if any(self._owners.get(chunk, slot) != slot for chunk in chunks):
            return False
        self._owners.update(dict.fromkeys(chunks, slot))
        return True

    def release(self, where: StoredAt) -> None:
        """Give the chunks of a place back."""
        if self.info.chunked:
            for chunk in self.sheet.chunks(*self.region(where)):
                self._owners.pop(chunk, None)

    def block(self, item: Item) -> np.ndarray[Any, np.dtype[Any]]:
        """The data of an item in the axes of the array, with all that its chunks have room for."""
        own = [axis.own for axis in self.info.axes if axis.own >= 0]
        data = item.data.transpose(own)
        shape = iter(data.shape)
        data = data.reshape([next(shape) if axis.own >= 0 else 1 for axis in self.info.axes])
        if self.info.chunked:
            return data
        # All of it, so that nothing stays of a larger item that lay here.
        room = [self.info.extent[a.own] if a.own >= 0 else 1 for a in self.info.axes]
        if list(data.shape) == room:
            return data
        return padded(data, room, self.sheet.fill, self.sheet.dtype)

    def learn(
        self, line: JournalLine, where: StoredAt, indices: Mapping[str, Indices] | None = None
    ) -> None:
        """Take over where an item lies from a journal."""
        indices = self.indices if indices is None else indices
        for axis, index in zip(self.info.axes, where.start, strict=True):
            if axis.own < 0:
                at = tuple(line.at[name] for name in axis.names)
                indices[axis.name].set(at, index)

    # -- metadata ----------------------------------------------------------------------------

    def trim(self) -> None:
        """Cut the array to what it needs. Raises OSError."""
        shape = [
            self.info.extent[axis.own] if axis.own >= 0 else max(1, len(self.indices[axis.name]))
            for axis in self.info.axes
        ]
        if tuple(shape) != self.sheet.shape:
            self.sheet.reshape(shape)

    def describe(self) -> None:
        """Write the attributes. Raises OSError."""
        info = self.info
        known = info.calibration
        if info.moving:
            known = Calibration(known.axes, known.scale, (), known.units)
        coordinates = {name: found.coordinates for name, found in self.indices.items()}
        name = ", ".join([info.part or info.layer, *(f"{k} {v}" for k, v in info.split.items())])
        array = self.sheet.path.removeprefix(f"{self.path}/")
        plan = Plan(tuple(info.axes), tuple(info.split))
        ours = {
            "image": msgspec.to_builtins(info),
            "coordinates": {
                axis.name: {"axes": list(axis.names), "values": coordinates[axis.name]}
                for axis in info.axes
                if axis.own < 0
            },
        }
        described = ome.multiscales(name, array, info.kind, plan, known, coordinates)
        write_group(self.root / self.path, {"ome": described, ome.KEY: ours})
