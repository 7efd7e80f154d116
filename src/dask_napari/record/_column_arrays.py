"""The arrays of items that are no images: columns, a row of a zarr array for each item."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import zarr

from dask_napari.record import files, ome
from dask_napari.record._file_names import FileNames
from dask_napari.record._journal_lines import StoredAt
from dask_napari.record._sheet import ChunkedArray, chunk_shape, padded

FOLDER: Final = "columns"
"""Group of them all; what is beside it are images."""

ROUNDED: Final = 1 << 20
"""Bytes up to which lengths are rounded up to a power of two, so that items of many lengths share
few arrays. The rest is zero, and shrinks to nothing."""

Key = tuple[str, str, str, str, tuple[int, ...]]
"""Layer, part, name and type of a column, and the shape of its chunks."""


class ColumnInfo(msgspec.Struct):
    """What the attributes of a column say."""

    layer: str
    part: str
    name: str
    dtype: str


class ColumnArray:
    """A zarr array of so many rows: one an item, with the length of the longest one's array."""

    def __init__(self, sheet: ChunkedArray, info: ColumnInfo) -> None:
        self.sheet = sheet
        self.info = info
        self._next = 0
        self._free: dict[int, None] = {}  # in order, and quick to take one out of

    def take(self) -> int:
        """A row that nothing lies in. Raises OSError."""
        if self._free:
            return self._free.popitem()[0]
        row = self._next
        self.sheet.ensure((row + 1, *self.sheet.shape[1:]), (0,))
        self._next += 1
        return row

    def learn(self, row: int) -> None:
        """A row that is used, from a journal."""
        self._free |= dict.fromkeys(range(self._next, row))
        self._next = max(self._next, row + 1)
        self._free.pop(row, None)

    def trim(self) -> None:
        """Cut the array to the rows that were used. Raises OSError."""
        if (rows := max(1, self._next)) != self.sheet.shape[0]:
            self.sheet.reshape((rows, *self.sheet.shape[1:]))

    def give_back(self, row: int) -> None:
        """A row that is free again."""
        self._free[row] = None


def numbers(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array as it is stored: text as the numbers of its characters, in a further axis.

    Examples
    --------
    >>> numbers(np.array(["ab", "c"])).tolist()
    [[97, 98], [99, 0]]
    """
    array = np.asarray(array, array.dtype.newbyteorder("="))
    if array.dtype.kind != "U":
        return array
    flat = np.ascontiguousarray(array)
    return flat.view(np.uint32).reshape(*array.shape, array.dtype.itemsize // 4)


class ColumnArrays:
    """All columns of a record.

    Parameters
    ----------
    root : Path
        The record.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.by_path: dict[str, ColumnArray] = {}
        self._by_key: dict[Key, ColumnArray] = {}
        self._names = FileNames()
        if (root / FOLDER).is_dir():
            self._find()

    def _find(self) -> None:
        for metadata in sorted((self.root / FOLDER).glob("*/zarr.json")):
            path = f"{FOLDER}/{metadata.parent.name}"
            self._names.reserve(metadata.parent.name)
            try:
                attributes = files.read_json(metadata)["attributes"][ome.KEY]
                info = msgspec.convert(attributes, ColumnInfo)
            except (KeyError, TypeError, ValueError):
                continue
            self._add(ColumnArray(ChunkedArray(self.root, path), info))

    def _add(self, column: ColumnArray) -> None:
        info, shape = column.info, column.sheet.shape[1:]
        self.by_path[column.sheet.path] = column
        self._by_key[info.layer, info.part, info.name, info.dtype, shape] = column

    def place(
        self, layer: str, part: str, name: str, array: npt.NDArray[Any]
    ) -> tuple[StoredAt, ColumnArray, npt.NDArray[Any]]:
        """Where an array of an item is to lie, and what is written there. Raises OSError."""
        stored = numbers(array)
        shape = (_capacity(stored), *(max(1, length) for length in stored.shape[1:]))
        # A type of text has its length in the further axis already.
        key = layer, part, name, stored.dtype.str, shape
        column = self._by_key.get(key)
        if column is None:
            column = self._create(key)
        row = column.take()
        block = padded(stored, shape, 0, stored.dtype)[np.newaxis]
        where = StoredAt(
            column.sheet.path,
            (row,) + (0,) * stored.ndim,
            array.shape,
            array.dtype.newbyteorder("=").str,
            tuple(range(1, array.ndim + 1)),
        )
        return where, column, block

    def trim(self) -> None:
        """Cut the arrays to what they need. Raises OSError."""
        for column in self.by_path.values():
            column.trim()

    def _create(self, key: Key) -> ColumnArray:
        layer, part, name, dtype, shape = key
        if not (self.root / FOLDER / "zarr.json").exists():
            zarr.create_group(str(self.root / FOLDER), overwrite=False)
        label = f"{part or layer} {name} {shape[0]}"
        path = f"{FOLDER}/{self._names.new(label)}"
        type_ = np.dtype(dtype)
        chunk = (1, *chunk_shape(shape, type_.itemsize))
        sheet = ChunkedArray.create(self.root, path, (1, *shape), chunk, type_)
        info = ColumnInfo(layer, part, name, dtype)
        sheet.attributes({ome.KEY: msgspec.to_builtins(info)})
        column = ColumnArray(sheet, info)
        self._add(column)
        return column


def _capacity(array: npt.NDArray[Any]) -> int:
    length = max(1, len(array))
    return length if array.nbytes > ROUNDED else 1 << (length - 1).bit_length()
