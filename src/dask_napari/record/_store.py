"""A record that is written: items in, chunks and lines of the journal out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt

from dask_napari.model import Item, LayerSpec
from dask_napari.record import files
from dask_napari.record._contents import Contents, RecordedItem
from dask_napari.record._draft import ItemDraft
from dask_napari.record._journal import Journal
from dask_napari.record._journal_lines import JournalLine, Removal, line_of
from dask_napari.record._unaligned_chunks import UnalignedChunks
from dask_napari.record.root import prepare

logger = logging.getLogger(__name__)

WRITERS: Final = 4
"""Threads that compress and write; both let go of the GIL, and a disk takes a few at once."""

DATA: Final = "data"


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
        self._apart = UnalignedChunks(path)
        self._trouble = ""
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="dask-napari-record")
        try:
            self.contents = Contents(path)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self.contents.kept)

    # -- items -------------------------------------------------------------------------------

    def put(self, items: Sequence[Item]) -> list[str]:
        """Write items of different places; what is there of these is replaced.

        Returns
        -------
        list of str
            For each, empty if it is recorded, or why it is not, as in the ledger.
        """
        drafts = [self._draft(item) for item in items]
        list(self._pool.map(ItemDraft.write, drafts))
        self._commit([draft for draft in drafts if not draft.reason])
        self._say([draft.reason for draft in drafts])
        if again := [item for line, item in self._apart.take() if self._is_there(line)]:
            self.put(again)
        return [draft.reason for draft in drafts]

    def _is_there(self, line: JournalLine) -> bool:
        kept = self.contents.kept.get(line.slot)
        return kept is not None and kept.id == line.id

    def _draft(self, item: Item) -> ItemDraft:
        draft = ItemDraft(item)
        try:
            # More than for one item, once it was full: else what is said of it goes to and fro.
            files.check_room(self.path, files.RESERVE if self._trouble == files.FULL else 0)
            arrays, columns = dict(item.arrays), self.contents.columns
            if not self._lay(draft):
                arrays = {DATA: item.data, **arrays}
            for name, array in arrays.items():
                where, column, block = columns.place(item.layer, item.part, name, array)
                draft.rows.append((column, where.start[0]))
                draft.arrays[name] = where
                draft.jobs.append((column.sheet, where.start[: block.ndim], partial(_same, block)))
        except Exception as error:  # one bad item must not end the record
            draft.give_up(error)
        return draft

    def _lay(self, draft: ItemDraft) -> bool:
        """Find the place of an image in OME-Zarr; false if it has none."""
        item = draft.item
        plan = self.contents.plan(item)
        if plan is None:
            return False
        image = self.contents.image_for(item, plan)
        if image is None:
            spec = self.specs.get(item.layer)
            image = self.contents.new_image(item, plan, spec.fill if spec else 0.0)
            if image is None:
                return False
            self._apart.ripen(item, plan, image)
        where = image.place(item)
        if not image.claim(where, item.slot):
            return False
        draft.arrays[DATA] = where
        draft.jobs.append((image.sheet, where.start, partial(image.block, item)))
        return True

    def _commit(self, drafts: list[ItemDraft]) -> None:
        """Put what is written in its place, and say so in the journal."""
        over = [
            (draft, kept)
            for draft in drafts
            if (kept := self.contents.kept.get(draft.item.slot)) and draft.overwrites(kept.arrays)
        ]
        try:
            if over:
                self.journal.append([Removal([kept.id for _, kept in over])])
        except OSError as error:
            for draft, _ in over:
                draft.give_up(error)
        else:
            for draft, kept in over:
                draft.over = True
                del self.contents.kept[draft.item.slot]
                self.contents.remove(kept, but=draft.arrays)
        for draft in drafts:
            if not draft.reason:
                draft.move()
        whole = [draft for draft in drafts if not draft.reason]
        for draft in whole:
            self.contents.last += 1
            draft.line = line_of(self.contents.last, draft.item, draft.arrays)
        try:
            if whole:
                self.journal.append([draft.line for draft in whole if draft.line is not None])
        except OSError as error:
            for draft in whole:
                draft.give_up(error)
        else:
            for draft in whole:
                self._keep(draft)

    def _keep(self, draft: ItemDraft) -> None:
        assert draft.line is not None
        slot, line = draft.item.slot, draft.line
        old = self.contents.kept.pop(slot, None)
        self.contents.kept[slot] = RecordedItem(line.id, tuple(line.arrays.values()))
        if old is not None:
            self.contents.remove(old, but=line.arrays)
        apart = draft.item.origin and line.arrays[DATA].path in self.contents.columns.by_path
        if apart and (plan := self.contents.plan(draft.item)) is not None:
            self._apart.add(draft.item, plan, line)

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
