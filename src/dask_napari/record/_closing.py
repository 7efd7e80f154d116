"""The end of a record: chunks in their images, and images in the order of their coordinates.

While a record grows, nothing is moved: each item gets the next index. At the end, the chunks of an
image whose coordinates are not in order get names in a second array, by hard links, which copy
nothing. The journal that names the new arrays then replaces the old one in one step, and only after
that are the old arrays removed. So whatever ends the process, all items are there, sorted or not;
closing the record again does what is left to do.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from dask_napari.record._disk import remove
from dask_napari.record._image import Image
from dask_napari.record._journal import JournalReader
from dask_napari.record._journal_lines import ImageRegion, JournalLine
from dask_napari.record._reader import read_item
from dask_napari.record._record_group import write_series
from dask_napari.record._store import Store

logger = logging.getLogger(__name__)


def finish(store: Store) -> None:
    """Sort the images of a record and bring their metadata up to date.

    Raises
    ------
    OSError
        If the disk does not take it; all items are there as before.
    """
    # Chunks that came before the one that told the size of all others.
    for line in [line for line in JournalReader(store.path) if store.contents.has_image_for(line)]:
        store.put([read_item(store.path, line)])
    store.reload()  # without coordinates whose items were replaced
    sortings = {
        image.path: sorting
        for image in store.contents.images.values()
        if (sorting := _Sorting(store.path, image)).is_needed
    }
    if sortings:
        _sort(store, sortings)
        store.reload()
    for image in store.contents.images.values():
        image.describe()
    write_series(store.path, store.contents.images)


def _sort(store: Store, sortings: dict[str, _Sorting]) -> None:
    lines = JournalReader(store.path)
    try:
        for sorting in sortings.values():
            sorting.create_array()
        for line in lines:
            if line.image and line.image.path in sortings:
                sortings[line.image.path].link(line, line.image)
    except OSError as error:
        logger.warning("%s: images are left unsorted: %s", store.path, error)
        return  # reloading the contents removes the new arrays

    def moved() -> Iterator[JournalLine]:
        for line in lines:
            if line.image and line.image.path in sortings:
                yield replace(line, image=sortings[line.image.path].region(line.image))
            else:
                yield line

    store.journal.replace(moved())


class _Sorting:
    """Copy of an image's array with the coordinates in order."""

    def __init__(self, root: Path, image: Image) -> None:
        self._image = image
        axes = image.info.family.axes
        self._orders = {
            dim: image.indices[axis.name].order() for dim, axis in enumerate(axes) if axis.own < 0
        }
        self._path = f"{image.folder.name}/{int(image.array.folder.name) + 1}"
        self._folder = root / self._path

    @property
    def is_needed(self) -> bool:
        """Whether coordinates are not in order, or indices are free."""
        return any(
            len(order) != self._image.array.shape[dim]
            or any(old != new for old, new in order.items())
            for dim, order in self._orders.items()
        )

    def create_array(self) -> None:
        """Create the array without chunks. Raises OSError."""
        remove(self._folder)
        self._folder.mkdir()
        shape = list(self._image.array.shape)
        for dim, order in self._orders.items():
            shape[dim] = len(order)
        self._image.array.copy_metadata(self._folder, shape)

    def region(self, region: ImageRegion) -> ImageRegion:
        """Return where an item lies in the array."""
        start = list(region.start)
        for dim, order in self._orders.items():
            start[dim] = order[start[dim]]
        return ImageRegion(self._path, tuple(start), region.order)

    def link(self, line: JournalLine, region: ImageRegion) -> None:
        """Give the chunks of an item their new names. Raises OSError."""
        old = self._image.chunks(region.start, line.shape)
        new = self._image.chunks(self.region(region).start, line.shape)
        for (old_name, _), (new_name, _) in zip(old, new, strict=True):
            os.link(self._image.array.folder / old_name, self._folder / new_name)
