"""What is in a record: its images, its columns, and the items that lie there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dask_napari.model import PIXEL_KINDS, Item, PlaceKey
from dask_napari.record import files
from dask_napari.record._axis_plan import Plan, plan_of
from dask_napari.record._column_arrays import FOLDER, ColumnArrays
from dask_napari.record._families import Family, begins, family_of, family_of_info
from dask_napari.record._file_names import FileNames
from dask_napari.record._image import Image
from dask_napari.record._journal import JournalSurvey
from dask_napari.record._journal_lines import JournalLine, StoredAt
from dask_napari.record._sheet import ChunkedArray

MOST_IMAGES: Final = 4096
"""Images of a record; nobody opens more of them one by one, and each takes memory. What would need
another one lies among the columns."""


@dataclass(slots=True)
class RecordedItem:
    """What is there of an item."""

    id: int
    arrays: tuple[StoredAt, ...]  # what is kept of every item is small


class Contents:
    """Find places for items, and remember which are taken.

    Parameters
    ----------
    path : Path
        The record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns = ColumnArrays(path)
        self.images: dict[str, Image] = {}
        self.kept: dict[PlaceKey, RecordedItem] = {}
        self.last = 0
        """Number of the last line."""
        self._by_array: dict[str, Image] = {}
        self._families: dict[Family, list[Image]] = {}
        self._orders: dict[tuple[str, str, frozenset[str]], tuple[str, ...]] = {}
        self._names = FileNames()
        for name in ("OME", FOLDER, "zarr"):
            self._names.reserve(name)
        self._load()

    # -- what an earlier recorder left -------------------------------------------------------

    def _load(self) -> None:
        for metadata in sorted(self.path.glob("*/zarr.json")):
            name = metadata.parent.name
            self._names.reserve(name)
            if image := Image.open(self.path, name):
                self._admit(image)
        lines = JournalSurvey(self.path)
        self.last = lines.last
        for line in lines:
            slot = line.slot
            self.kept[slot] = RecordedItem(line.id, tuple(line.arrays.values()))
            for where in line.arrays.values():
                self._learn(slot, line, where)
        self._sweep()

    def _learn(self, slot: PlaceKey, line: JournalLine, where: StoredAt) -> None:
        image = self.images.get(where.path.rpartition("/")[0])
        if image is not None:
            if where.path != image.sheet.path:
                # Sorted, and killed before its attributes said so: the journal is right.
                image.sheet = ChunkedArray(self.path, where.path)
                self._by_array[where.path] = image
            image.learn(line, where)
            image.claim(where, slot)
        elif where.path in self.columns.by_path:
            self.columns.by_path[where.path].learn(where.start[0])

    def _sweep(self) -> None:
        """Remove what a recorder that was killed had not finished, or not removed."""
        there: dict[str, set[str]] = {}
        for kept in self.kept.values():
            for where in kept.arrays:
                if (image := self._by_array.get(where.path)) is not None:
                    chunks = image.sheet.chunks(*image.region(where))
                    names = there.setdefault(where.path, set())
                    names.update(image.sheet.file(chunk).name for chunk in chunks)
        for image in self.images.values():
            names = there.get(image.sheet.path, set())
            for file in image.sheet.folder.glob("c.*"):
                if file.name not in names:
                    file.unlink()
        for part in self.path.rglob(f".*{files.PART}"):
            part.unlink()

    def _admit(self, image: Image) -> None:
        self.images[image.path] = image
        self._by_array[image.sheet.path] = image
        info = image.info
        self._families.setdefault(family_of_info(info), []).append(image)
        order = (*(name for axis in info.axes for name in axis.names), *info.split)
        self._orders.setdefault((info.layer, info.part, frozenset(order)), order)

    def plan(self, item: Item) -> Plan | None:
        """How an item lies in OME-Zarr; None if it does not.

        Axes are in the order in which the first item of their layer named them.
        """
        if item.kind not in PIXEL_KINDS:
            return None
        at = item.at
        key = item.layer, item.part, frozenset(at)
        return plan_of(item, self._orders.setdefault(key, tuple(at)))

    # -- places ------------------------------------------------------------------------------

    def image_for(self, item: Item, plan: Plan) -> Image | None:
        """An image in which an item lies well; None if there is none."""
        images = self._families.get(family_of(item, plan), [])
        return next((image for image in images if image.fits(item)), None)

    def new_image(self, item: Item, plan: Plan, fill: float) -> Image | None:
        """Make an image that begins with an item; None if none can. Raises OSError."""
        if len(self.images) >= MOST_IMAGES or not begins(item, plan):
            return None
        at = item.at
        path = self._names.new(" ".join([item.name, *(str(at[name]) for name in plan.split)]))
        try:
            image = Image.create(self.path, path, item, plan, fill)
        except OSError:
            shutil.rmtree(self.path / path, ignore_errors=True)
            raise
        self._admit(image)
        return image

    def remove(self, kept: RecordedItem, but: Mapping[str, StoredAt]) -> None:
        """Remove the arrays of an item that is not there any more, unless others lie there now."""
        places = {(where.path, where.start) for where in but.values()}
        for where in kept.arrays:
            if (where.path, where.start) in places:
                continue
            column, image = self.columns.by_path.get(where.path), self._by_array.get(where.path)
            if column is not None:
                sheet, start = column.sheet, where.start
                shape: tuple[int, ...] = (1, *sheet.shape[1:])
                column.give_back(start[0])
            elif image is not None:
                image.release(where)
                sheet, (start, shape) = image.sheet, image.region(where)
            else:
                continue
            for chunk in sheet.chunks(start[: len(shape)], shape):
                with contextlib.suppress(OSError):
                    sheet.file(chunk).unlink(missing_ok=True)
