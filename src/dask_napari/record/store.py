"""A record that is written: items in, chunks and lines of the journal out."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt

from dask_napari.record import files
from dask_napari.record.columns import Columns
from dask_napari.record.draft import Draft
from dask_napari.record.image import Family, Image, begins, family_of
from dask_napari.record.journal import Gone, Journal, Line, Where, line_of, live
from dask_napari.record.names import Names
from dask_napari.record.plan import plan_of
from dask_napari.record.reader import read_item
from dask_napari.record.root import prepare
from dask_napari.record.sheet import Sheet
from dask_napari.stream.item import Item, LayerSpec, Slot

logger = logging.getLogger(__name__)

WRITERS: Final = 4
"""Threads that compress and write; both let go of the GIL, and a disk takes a few at once."""

APART_LIMIT: Final = 1000
"""Chunks of a family that wait for an image in which they would lie well."""

DATA: Final = "data"


@dataclass(slots=True)
class Kept:
    """What is there of an item."""

    id: int
    arrays: tuple[Where, ...]  # what is kept of every item is small


class Store:
    """Write items into a record; one thread at a time.

    Parameters
    ----------
    path : Path
        The record, a directory.
    append : bool
        Go on with one that is there.
    overwrite : bool
        Remove one that is there.

    Raises
    ------
    OSError
        If it is there and ``append`` is not given, or it cannot be written.
    ValueError
        If what is there is no record.
    """

    def __init__(self, path: Path, *, append: bool = False, overwrite: bool = False) -> None:
        self.path = path
        prepare(path, append=append, overwrite=overwrite)
        self.journal = Journal(path)
        self.specs: Mapping[str, LayerSpec] = {}
        self.images: dict[str, Image] = {}
        self.columns = Columns(path)
        self._by_sheet: dict[str, Image] = {}
        self._families: dict[Family, list[Image]] = {}
        self._apart: dict[Family, dict[Slot, Line]] = {}
        self._ripe: list[Line] = []
        self._kept: dict[Slot, Kept] = {}
        self._next = 0
        self._names = Names()
        for name in ("OME", "columns", "zarr"):
            self._names.reserve(name)
        self._trouble = ""
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="dask-napari-record")
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        """Find what an earlier recorder left, and sweep what it had not finished."""
        for metadata in sorted(self.path.glob("*/zarr.json")):
            name = metadata.parent.name
            self._names.reserve(name)
            if image := Image.open(self.path, name):
                self._admit(image)
        for slot, line in live(self.path).items():
            self._next = max(self._next, line.id)
            self._kept[slot] = Kept(line.id, tuple(line.arrays.values()))
            for where in line.arrays.values():
                image = self.images.get(where.path.rpartition("/")[0])
                if image is not None:
                    if where.path != image.sheet.path:
                        # Sorted, and killed before its attributes said so: the journal is right.
                        image.sheet = Sheet(self.path, where.path)
                        self._by_sheet[where.path] = image
                    image.learn(line, where)
                    image.claim(where, slot)
                elif where.path in self.columns.by_path:
                    self.columns.by_path[where.path].learn(where.start[0])
        for part in self.path.rglob(f".*{files.PART}"):
            with contextlib.suppress(OSError):
                part.unlink()

    def _admit(self, image: Image) -> None:
        self.images[image.path] = image
        self._by_sheet[image.sheet.path] = image
        self._families.setdefault(image.family, []).append(image)

    def __len__(self) -> int:
        return len(self._kept)

    # -- items -------------------------------------------------------------------------------

    def put(self, items: Sequence[Item]) -> list[str]:
        """Write items of different places; what is there of these is replaced.

        Returns
        -------
        list of str
            For each, empty if it is recorded, or why it is not, as in the ledger.
        """
        drafts = [self._draft(item) for item in items]
        list(self._pool.map(Draft.write, drafts))
        self._commit([draft for draft in drafts if not draft.reason])
        self._say([draft.reason for draft in drafts])
        if self._ripe:
            ripe, self._ripe = self._ripe, []
            there = [line for line in ripe if self._is_there(line)]
            self.put([read_item(self.path, line) for line in there])
        return [draft.reason for draft in drafts]

    def _is_there(self, line: Line) -> bool:
        kept = self._kept.get(line.slot)
        return kept is not None and kept.id == line.id

    def _draft(self, item: Item) -> Draft:
        draft = Draft(item)
        try:
            # More than for one item, once it was full: else what is said of it goes to and fro.
            files.check_room(self.path, files.RESERVE if self._trouble == files.FULL else 0)
            arrays = dict(item.arrays)
            if not self._lay(draft):
                arrays = {DATA: item.data, **arrays}
            for name, array in arrays.items():
                where, column, block = self.columns.place(item.layer, item.part, name, array)
                draft.rows.append((column, where.start[0]))
                draft.arrays[name] = where
                draft.jobs.append((column.sheet, where.start[: block.ndim], partial(_same, block)))
        except Exception as error:  # one bad item must not end the record
            draft.give_up(error)
        return draft

    def _lay(self, draft: Draft) -> bool:
        """Find the place of an image in OME-Zarr; false if it has none."""
        item = draft.item
        plan = plan_of(item) if item.kind in ("image", "labels") else None
        if plan is None:
            return False
        family = family_of(item, plan)
        images = self._families.get(family, [])
        image = next((image for image in images if image.fits(item)), None)
        if image is None:
            if not begins(item, plan):
                return False
            label = " ".join([item.name, *(str(at) for _, at in family[0][-1])])
            spec = self.specs.get(item.layer)
            path = self._names.new(label)
            try:
                image = Image.create(self.path, path, item, plan, spec.fill if spec else 0.0)
            except OSError:
                shutil.rmtree(self.path / path, ignore_errors=True)
                raise
            self._admit(image)
            apart = self._apart.get(family, {})
            ripe = [slot for slot, line in apart.items() if image.fits(read_item(self.path, line))]
            self._ripe += [apart.pop(slot) for slot in ripe]
        where = image.place(item)
        if not image.claim(where, item.slot):
            return False
        draft.arrays[DATA] = where
        draft.jobs.append((image.sheet, where.start, partial(image.block, item)))
        return True

    def _commit(self, drafts: list[Draft]) -> None:
        """Put what is written in its place, and say so in the journal."""
        over = [
            (draft, kept)
            for draft in drafts
            if (kept := self._kept.get(draft.item.slot)) and draft.overwrites(kept.arrays)
        ]
        try:
            if over:
                self.journal.append([Gone([kept.id for _, kept in over])])
        except OSError as error:
            for draft, _ in over:
                draft.give_up(error)
        else:
            for draft, kept in over:
                del self._kept[draft.item.slot]
                self._remove(kept, but=draft.arrays)
        for draft in drafts:
            if not draft.reason:
                draft.move()
        whole = [draft for draft in drafts if not draft.reason]
        for draft in whole:
            self._next += 1
            draft.line = line_of(self._next, draft.item, draft.arrays)
        try:
            if whole:
                self.journal.append([draft.line for draft in whole if draft.line is not None])
        except OSError as error:
            for draft in whole:
                draft.give_up(error)
        else:
            for draft in whole:
                self._keep(draft)

    def _keep(self, draft: Draft) -> None:
        assert draft.line is not None
        slot, line = draft.item.slot, draft.line
        old = self._kept.pop(slot, None)
        self._kept[slot] = Kept(line.id, tuple(line.arrays.values()))
        if old is not None:
            self._remove(old, but=line.arrays)
        if draft.item.origin and line.arrays[DATA].path in self.columns.by_path:
            self._wait_apart(draft.item, slot, line)

    def _wait_apart(self, item: Item, slot: Slot, line: Line) -> None:
        """Remember a chunk that lies apart, in case an image comes in which it would lie well."""
        plan = plan_of(item)
        if plan is not None:
            apart = self._apart.setdefault(family_of(item, plan), {})
            if len(apart) < APART_LIMIT or slot in apart:
                apart[slot] = line

    def _remove(self, kept: Kept, but: Mapping[str, Where]) -> None:
        """Remove the arrays of an item that is not there any more, unless others lie there now."""
        places = {(where.path, where.start) for where in but.values()}
        for where in kept.arrays:
            if (where.path, where.start) in places:
                continue
            column, image = self.columns.by_path.get(where.path), self._by_sheet.get(where.path)
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

    def _say(self, reasons: list[str]) -> None:
        """Say once that the disk takes no more, and once that it does again."""
        reason = next(filter(None, reasons), "")
        if reason and not self._trouble:
            remedy = files.REMEDIES.get(reason, "items are not recorded meanwhile")
            logger.error("%s: %s; %s", self.path, reason, remedy)
        elif reasons and not reason and self._trouble:
            logger.warning("%s: recording again", self.path)
        self._trouble = reason if reasons else self._trouble

    def close(self) -> None:
        """Let others write; metadata stays as it is, see :func:`~.finish.finish`."""
        self._pool.shutdown()
        self.journal.close()


def _same(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return block
