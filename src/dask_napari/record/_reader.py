"""A record that is read: what is there, item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from dask_napari.model import Item
from dask_napari.record import files
from dask_napari.record._journal import JournalSurvey
from dask_napari.record._journal_lines import JournalLine, StoredAt, item_of
from dask_napari.record._record_attributes import layers_of
from dask_napari.record.root import check_record


def open_array(root: Path, path: str) -> Any:
    """Open an array of a record with zarr, and nothing beside the record."""
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"{path} is not in the record")
    return zarr.open_array(str(root / path), mode="r")


def read_array(stored: Any, where: StoredAt) -> npt.NDArray[Any]:
    """Read an array of an item from the zarr array in which it lies."""
    region = [slice(at, at + 1) for at in where.start]
    for length, dim in zip(where.shape, where.order, strict=True):
        region[dim] = slice(where.start[dim], where.start[dim] + length)
    dtype = np.dtype(where.dtype)
    if dtype.kind == "U":
        region[-1] = slice(0, dtype.itemsize // 4)
    found = np.asarray(stored[tuple(region)])
    if dtype.kind == "U":
        letters = np.ascontiguousarray(found, dtype.str[0].replace("|", "=") + "u4")
        found = letters.view(dtype)[..., 0]
    own = sorted(where.order)
    found = found.reshape([where.shape[where.order.index(dim)] for dim in own])
    return np.ascontiguousarray(found.transpose([own.index(dim) for dim in where.order]))


def read_item(root: Path, line: JournalLine) -> Item:
    """Read the item of a line."""
    return _item(line, lambda path: open_array(root, path))


def _item(line: JournalLine, opened: Callable[[str], Any]) -> Item:
    arrays = {name: read_array(opened(w.path), w) for name, w in line.arrays.items()}
    return item_of(line, arrays.pop("data"), arrays)


class Record:
    """What a recorder has written, whether it was closed or killed.

    Parameters
    ----------
    path : str or Path
        The record.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or it is something else.

    Attributes
    ----------
    lines : iterable of JournalLine
        A description of each item, in the order in which they were recorded.
    layers : list of LayerSpec
        What the taps said of their layers.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        attributes = check_record(self.path)
        self._arrays: dict[str, Any] = {}
        self.closed = bool(attributes.get("closed"))
        self.sessions: list[dict[str, Any]] = attributes.get("sessions", [])
        self.lines = JournalSurvey(self.path)
        self.layers = layers_of(attributes)

    def item(self, line: JournalLine) -> Item:
        """Read the item that a line describes."""
        return _item(line, self._opened)

    def _opened(self, path: str) -> Any:
        if path not in self._arrays:
            self._arrays[path] = open_array(self.path, path)
        return self._arrays[path]

    def items(self) -> Iterator[Item]:
        """Read all items, one after the other."""
        return map(self.item, self.lines)

    def images(self) -> list[str]:
        """Paths of the OME-Zarr images, each of which any reader opens."""
        found = files.read_json(self.path / "OME" / "zarr.json")
        return list(found.get("attributes", {}).get("ome", {}).get("series", []))

    def __len__(self) -> int:
        return len(self.lines)
