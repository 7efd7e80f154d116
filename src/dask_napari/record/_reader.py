"""A record that is read: what is there, item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dask_napari.model import Item
from dask_napari.record._files import read_arrays, read_attributes
from dask_napari.record._journal import JournalLine, JournalReader
from dask_napari.record._record_group import check_record, layers_of


def read_item(
    root: Path, line: JournalLine, open_array: Callable[..., Any] = zarr.open_array
) -> Item:
    """Read the item of a line, and nothing beside the record. Raises OSError, ValueError."""
    for path in (line.file, line.image):
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"{path} is not in the record")
    found = read_arrays(root / line.file) if line.file else []
    arrays = dict(zip(line.arrays, found, strict=True))
    if not line.image:
        return line.item(arrays.pop("data"), arrays)
    index: list[int | slice] = list(line.start)
    for length, dim in zip(line.shape, line.order, strict=True):
        index[dim] = slice(line.start[dim], line.start[dim] + length)
    array = open_array(str(root / line.image), mode="r")
    # Axes are in the order of the array; each goes to its rank there.
    data = np.asarray(array[tuple(index)]).transpose(np.argsort(np.argsort(line.order)))
    return line.item(np.ascontiguousarray(data), arrays)


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
        self.closed = bool(attributes.get("closed"))
        self.sessions: list[dict[str, Any]] = attributes.get("sessions", [])
        self.lines = JournalReader(self.path)
        self.layers = layers_of(attributes)
        self._open_array = cache(zarr.open_array)

    def __repr__(self) -> str:
        return f"<Record {self.path}: {len(self)} items{'' if self.closed else ', not closed'}>"

    def item(self, line: JournalLine) -> Item:
        """Read the item that a line describes."""
        return read_item(self.path, line, self._open_array)

    def items(self) -> Iterator[Item]:
        """Read all items, one after the other."""
        return map(self.item, self.lines)

    def images(self) -> list[str]:
        """Return the paths of the OME-Zarr images, each of which any reader opens."""
        found = read_attributes(self.path / "OME")
        return list(found.get("ome", {}).get("series", []))

    def __len__(self) -> int:
        return len(self.lines)
