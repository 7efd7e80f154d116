"""The end of a record: images in the order of their coordinates, without what is not needed.

While a record grows, nothing is moved: what comes gets the next index. Now the chunks of an image
whose coordinates are not in order get names in a second array, by hard links, which takes no room
and copies nothing. The journal that names the new arrays then replaces the old one in one step, and
only after that are the old arrays removed. So whatever ends the process, there is a whole record,
sorted or not; to finish again does what is left to do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from dask_napari.record._image import Image
from dask_napari.record._indices import Indices
from dask_napari.record._journal import JournalSurvey
from dask_napari.record._journal_lines import JournalLine, StoredAt
from dask_napari.record._sheet import ChunkedArray
from dask_napari.record._store import DATA, Store
from dask_napari.record.root import write_series

logger = logging.getLogger(__name__)


def finish(store: Store) -> None:
    """Sort the images of a record and bring their metadata up to date.

    Raises
    ------
    OSError
        If the disk does not take it; the record is as whole as before.
    """
    lines = JournalSurvey(store.path)
    sorted_ = {image.sheet.path: _Sorted(image) for image in store.contents.images.values()}
    for line in lines:  # only what is there; a coordinate may have lost its last item
        if (where := line.arrays.get(DATA)) is not None and where.path in sorted_:
            sorted_[where.path].add(line, where)
    moved: dict[str, _Sorted] = {}
    for image in store.contents.images.values():
        sorting = sorted_[image.sheet.path]
        if sorting.needed():
            try:
                sorting.link()
            except OSError as error:
                logger.warning("%s: left unsorted: %s", store.path / image.path, error)
                continue
            moved[image.sheet.path] = sorting
    try:
        store.journal.replace(_moved(lines, moved))
    except OSError:
        for sorting in moved.values():
            shutil.rmtree(store.path / sorting.path, ignore_errors=True)
        raise
    for image in store.contents.images.values():
        if image.sheet.path in moved:
            moved[image.sheet.path].take_over()
        image.trim()
        image.describe()
    store.contents.columns.trim()
    for image in store.contents.images.values():
        _sweep(store.path / image.path, keep=image.sheet.folder.name)
    write_series(store.path, store.contents.images)


class _Sorted:
    """The image with its coordinates in order."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.indices = {name: Indices(found.names) for name, found in image.indices.items()}
        self.path = f"{image.path}/{int(image.sheet.folder.name) + 1}"
        self.order: dict[str, dict[int, int]] = {}
        self._places: list[StoredAt] = []
        self._dims: dict[int, dict[int, int]] = {}

    def add(self, line: JournalLine, where: StoredAt) -> None:
        """An item that is there."""
        self.image.learn(line, where, self.indices)
        self._places.append(where)

    def needed(self) -> bool:
        """Whether coordinates are not in order, or some have no items any more."""
        self.order = {name: found.sorted() for name, found in self.indices.items()}
        self._dims = {
            dim: self.order[axis.name]
            for dim, axis in enumerate(self.image.info.axes)
            if axis.name in self.order
        }
        return any(
            old != new for order in self.order.values() for old, new in order.items()
        ) or any(
            len(self.indices[name]) != len(found) for name, found in self.image.indices.items()
        )

    def start(self, where: StoredAt) -> tuple[int, ...]:
        """Where an item lies in the new array."""
        return tuple(
            self._dims[dim][at] if dim in self._dims else at for dim, at in enumerate(where.start)
        )

    def link(self) -> None:
        """Make the new array. Raises OSError, and leaves nothing then."""
        image = self.image
        folder = image.root / self.path
        shutil.rmtree(folder, ignore_errors=True)  # of one that was killed here
        try:
            folder.mkdir()
            shutil.copyfile(image.sheet.folder / "zarr.json", folder / "zarr.json")
            fresh = ChunkedArray(image.root, self.path)
            for where in self._places:
                start, shape = image.region(where)
                for old, new in zip(
                    image.sheet.chunks(start, shape),
                    fresh.chunks(self.start(where), shape),
                    strict=True,
                ):
                    os.link(image.sheet.file(old), fresh.file(new))
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def take_over(self) -> None:
        """The new array is the image's."""
        image = self.image
        image.sheet = ChunkedArray(image.root, self.path)
        for name, found in self.indices.items():
            image.indices[name] = fresh = Indices(found.names)
            for place, old in found.items():
                fresh.set(place, self.order[name][old])


def _moved(lines: Iterable[JournalLine], moved: dict[str, _Sorted]) -> Iterator[JournalLine]:
    for line in lines:
        where = line.arrays.get(DATA)
        if where is not None and where.path in moved:
            sorting = moved[where.path]
            there = StoredAt(
                sorting.path, sorting.start(where), where.shape, where.dtype, where.order
            )
            yield replace(line, arrays={**line.arrays, DATA: there})
        else:
            yield line


def _sweep(folder: Path, keep: str) -> None:
    """Remove arrays of an image that are in no line any more."""
    for other in folder.iterdir():
        if other.is_dir() and other.name != keep:
            with contextlib.suppress(OSError):
                shutil.rmtree(other)
