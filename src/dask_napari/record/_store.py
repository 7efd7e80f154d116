"""A record that is written: items in, chunks and lines of the journal out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from dask_napari.model import Item, LayerSpec, Refusal
from dask_napari.record._contents import Contents, RecordedItem
from dask_napari.record._disk import FULL, RESERVE, check_room
from dask_napari.record._element_files import FOLDER, encode_arrays
from dask_napari.record._image import Image
from dask_napari.record._item_draft import ItemDraft
from dask_napari.record._journal import Journal
from dask_napari.record._journal_lines import JournalLine, Removal
from dask_napari.record._record_group import create_record

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
        Go on with a record that is there.
    overwrite : bool
        Remove a record that is there.

    Raises
    ------
    OSError
        If it is there and ``append`` is not given, or it cannot be written.
    ValueError
        If what is there is not a record.
    """

    def __init__(self, path: Path, *, append: bool = False, overwrite: bool = False) -> None:
        self.path = path
        create_record(path, append=append, overwrite=overwrite)
        self.journal = Journal(path)
        self.specs: Mapping[str, LayerSpec] = {}
        self._trouble = ""
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="dask-napari-record")
        try:
            self.reload()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Store {self.path}: {len(self)} items{self._trouble and ', '}{self._trouble}>"

    def __len__(self) -> int:
        return len(self.contents.items)

    def reload(self) -> None:
        """Read from the journal what is there. Raises OSError, ValueError."""
        self.contents = Contents(self.path)

    def put(self, items: Sequence[Item]) -> list[Refusal | None]:
        """Write items of different places; what is there of these is replaced.

        Returns
        -------
        list of Refusal or None
            For each, None if it is recorded, or why it is not.
        """
        drafts = [self._draft(item) for item in items]
        list(self._pool.map(ItemDraft.write, drafts))
        self._commit(drafts)
        self._log([draft.refusal for draft in drafts])
        return [draft.refusal for draft in drafts]

    def _draft(self, item: Item) -> ItemDraft:
        draft = ItemDraft(self.path, item)
        try:
            # More than for one item, once it was full: else it is full and not full in turns.
            check_room(self.path, RESERVE if self._trouble == FULL else 0)
            self.contents.last += 1
            arrays, region, file = dict(item.arrays), None, ""
            if image := self._image(item):
                draft.image, region = image, image.place(item)
                block = image.block(item.data)
                for name, slices in image.chunks(region.start, item.data.shape):
                    draft.files[f"{image.path}/{name}"] = partial(image.array.encode, block[slices])
            else:
                arrays = {DATA: item.data, **arrays}
            if arrays:
                file = f"{FOLDER}/{self.contents.last}.npz"
                draft.files[file] = partial(
                    encode_arrays, list(arrays.values()), compress=item.kind == "labels"
                )
            draft.line = JournalLine.of(self.contents.last, item, region, file, arrays)
            old = self.contents.items.get(item.slot)
            draft.overwrites = old is not None and not draft.files.keys().isdisjoint(old.files)
        except Exception as error:  # one bad item must not end the record
            draft.give_up(error)
        return draft

    def _image(self, item: Item) -> Image | None:
        """Return the image in which an item is to lie, None if it has none. Raises OSError."""
        family = self.contents.family(item)
        if family is None:
            return None
        if image := self.contents.image_for(item, family):
            return image
        spec = self.specs.get(item.layer)
        return self.contents.new_image(item, family, spec.fill if spec else 0.0)

    def _commit(self, drafts: Sequence[ItemDraft]) -> None:
        """Give what is written its names, and say so in the journal."""
        items = self.contents.items
        overwriting = [draft for draft in drafts if draft.overwrites and not draft.refusal]
        if overwriting:
            removal = Removal([items[draft.item.slot].id for draft in overwriting])
            self._append([removal], overwriting)
        for draft in overwriting:
            if not draft.refusal:
                self.contents.remove(items.pop(draft.item.slot), keep=draft.files)
                draft.overwrites = False
        for draft in drafts:
            draft.move()
        complete = [draft for draft in drafts if not draft.refusal]
        self._append([draft.line for draft in complete if draft.line], complete)
        for draft in complete:
            if draft.line and not draft.refusal:
                if old := items.pop(draft.item.slot, None):
                    self.contents.remove(old)
                items[draft.item.slot] = RecordedItem(draft.line.id, tuple(draft.files))

    def _append(self, lines: Sequence[JournalLine | Removal], drafts: Iterable[ItemDraft]) -> None:
        """Write lines, or give up the drafts that need them."""
        try:
            if lines:
                self.journal.append(lines)
        except OSError as error:
            for draft in drafts:
                draft.give_up(error)

    def _log(self, refusals: Sequence[Refusal | None]) -> None:
        """Log once that the disk takes no more, and once that it does again."""
        refusal = next(filter(None, refusals), None)
        if refusal and not self._trouble:
            logger.error("%s: %s; %s", self.path, refusal.reason, refusal)
        elif refusals and not refusal and self._trouble:
            logger.warning("%s: recording again", self.path)
        if refusals:
            self._trouble = refusal.reason if refusal else ""

    def close(self) -> None:
        """Let others write; metadata stays as it is, see :func:`~._closing.finish`."""
        self._pool.shutdown()
        self.journal.close()
