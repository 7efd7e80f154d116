"""A record that is written: items in, chunks and lines of the journal out; and its end.

While a record grows, nothing is moved. At the end, images whose coordinates are not in order get
a second array, whose chunks are hard links. The journal that names it replaces the old one in one
step, and only then is the first array removed: all items are there, whatever ends the process.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec.structs import replace

from dask_napari.model import Item, LayerSpec, Refusal, contain
from dask_napari.record._contents import Contents, RecordedItem
from dask_napari.record._files import (
    ELEMENTS,
    FULL,
    check_room,
    encode_arrays,
    part_of,
    refusal_of,
    remove,
    write_part,
)
from dask_napari.record._image import Image
from dask_napari.record._journal import NAME, Journal, JournalLine, Removal, RunPlace, meta_to_json
from dask_napari.record._reader import Record
from dask_napari.record._record_group import check_record, create_record, write_attributes

logger = logging.getLogger(__name__)

WRITERS: Final = 4  # threads that compress and write; both let go of the GIL


@dataclass(slots=True)
class ItemDraft:
    """An item on its way to the disk."""

    root: Path
    item: Item
    line: JournalLine | None = None
    image: Image | None = None
    files: dict[str, Callable[[], bytes | memoryview]] = field(default_factory=dict)
    """Path of each file, and what makes its content: late, in the thread that writes it."""
    overwrites: bool = True
    """Whether files of an earlier item may still have the names of its own."""
    refusal: Refusal | None = None

    @property
    def place(self) -> RunPlace:
        """Return the identity of the place that the item fills in its run."""
        return self.item.run, self.item.place

    def write(self) -> None:
        """Write the files under the names of parts; any thread."""
        try:
            for name, content in () if self.refusal else self.files.items():
                data = content()
                check_room(self.root, len(data))
                write_part(self.root / name, data)
        except Exception as error:
            self.give_up(error)

    def move(self) -> None:
        """Give the files their names, in an image that is long enough for them."""
        try:
            if self.image:
                self.image.save()
            for name in self.files:
                os.replace(part_of(self.root / name), self.root / name)
        except OSError as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Leave nothing of the item, and remember why."""
        for path in map(self.root.joinpath, self.files):
            remove(part_of(path))
            if not self.overwrites:
                remove(path)
        self.refusal = refusal_of(error)
        if not isinstance(error, OSError):
            logger.error("an item of %r cannot be recorded", self.item.layer, exc_info=error)
            contain(error)


class Store:
    """Write items into a record; one thread at a time. Raises OSError, ValueError."""

    def __init__(self, path: Path, *, append: bool = False, overwrite: bool = False) -> None:
        self.path = path
        create_record(path, append=append, overwrite=overwrite)
        self.journal: Journal = Journal(path / NAME)
        self.specs: Mapping[str, LayerSpec] = {}
        self._trouble = ""
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="dask-napari-record")
        try:
            self.contents: Contents = Contents(path)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Store {self.path}: {len(self)} items{self._trouble and ', '}{self._trouble}>"

    def __len__(self) -> int:
        return len(self.contents.items)

    def put(self, items: Sequence[Item]) -> list[Refusal | None]:
        """Write items of different places or runs; return for each None or why it is not recorded.

        Items of these places that are there are replaced.
        """
        drafts = [self._draft(item) for item in items]
        list(self._pool.map(ItemDraft.write, drafts))
        self._commit([draft for draft in drafts if not draft.refusal])
        self._log([draft.refusal for draft in drafts])
        return [draft.refusal for draft in drafts]

    def _draft(self, item: Item) -> ItemDraft:
        draft = ItemDraft(self.path, item)
        try:
            # More than for one item, once it was full: else it is full and not full in turns.
            check_room(self.path, 0, reserves=2 if self._trouble == FULL else 1)
            self.contents.last += 1
            arrays, data, spec = item.arrays, item.data, self.specs.get(item.layer)
            where: dict[str, Any] = {"publisher": item.publisher, "run": item.run}
            if image := self.contents.image(item, spec.fill if spec else 0.0):
                start, block, draft.image = image.place(item), image.block(data), image
                for name, slices in image.chunks(start, data.shape):
                    draft.files[f"{image.path}/{name}"] = partial(image.encode, block[slices])
                where |= {"image": image.path, "start": start, "order": image.order}
            else:
                arrays = {"data": data, **arrays}
            if arrays:
                file, labels = f"{ELEMENTS}/{self.contents.last}.npz", item.kind == "labels"
                draft.files[file] = partial(encode_arrays, arrays.values(), compress=labels)
                where |= {"file": file, "arrays": tuple(arrays)}
            draft.line = JournalLine(
                self.contents.last, meta_to_json(item.meta), data.shape, data.dtype.str, **where
            )
            old = self.contents.items.get((item.run, item.place))
            draft.overwrites = old is not None and not draft.files.keys().isdisjoint(old.files)
        except Exception as error:  # one bad item must not end the record
            draft.give_up(error)
        return draft

    def _commit(self, drafts: Sequence[ItemDraft]) -> None:
        """Give what is written its names, and say so in the journal."""
        items = self.contents.items
        if over := [draft for draft in drafts if draft.overwrites]:
            self._append([Removal([items[draft.place].id for draft in over])], over)
            for draft in over:
                if not draft.refusal:
                    self._remove(items.pop(draft.place), keep=draft.files)
                    draft.overwrites = False
        for draft in drafts:
            if not draft.refusal:
                draft.move()
        drafts = [draft for draft in drafts if not draft.refusal]
        self._append([draft.line for draft in drafts if draft.line], drafts)
        for draft in drafts:
            if draft.line and not draft.refusal:
                if old := items.pop(draft.place, None):
                    self._remove(old)
                items[draft.place] = RecordedItem(draft.line.id, tuple(draft.files))

    def _append(self, lines: Sequence[JournalLine | Removal], drafts: Iterable[ItemDraft]) -> None:
        """Write lines, or give up the drafts that need them."""
        try:
            self.journal.append(lines)
        except OSError as error:
            for draft in drafts:
                draft.give_up(error)

    def _remove(self, item: RecordedItem, keep: Iterable[str] = ()) -> None:
        """Remove the files of an item that is gone, but for those that are overwritten."""
        for file in set(item.files).difference(keep):
            remove(self.path / file)

    def _log(self, refusals: Sequence[Refusal | None]) -> None:
        """Log once that the disk takes no more, and once that it does again."""
        refusal = next(filter(None, refusals), None)
        if refusal and not self._trouble:
            logger.error("%s: %s; %s", self.path, refusal.reason, refusal)
        elif refusals and not refusal and self._trouble:
            logger.warning("%s: recording again", self.path)
        if refusals:
            self._trouble = refusal.reason if refusal else ""

    def finish(self) -> None:
        """Sort the images of a record, and write their metadata. Raises OSError."""
        record = Record(self.path)
        for line in record.lines:
            item = line.item(np.broadcast_to(np.zeros((), line.dtype), line.shape), {})
            if not line.image and self.contents.image(item, create=False):
                # A chunk that came before the one that told the size of all others.
                with suppress(OSError, ValueError):
                    self.put([record.item(line)])
        self.contents = Contents(self.path)  # without coordinates whose items were replaced
        try:
            self._sort()
        except OSError as error:
            logger.warning("%s: images are left unsorted: %s", self.path, error)
        self.contents = Contents(self.path)  # which removes the arrays that are in no line
        for image in self.contents.images.values():
            image.describe()
        write_attributes(self.path, check_record(self.path), self.contents.images)

    def _sort(self) -> None:
        """Link the chunks of images into sorted arrays, and replace the journal. Raises OSError."""
        sorted_arrays: dict[str, tuple[Image, str, list[dict[int, int]]]] = {}
        for image in self.contents.images.values():
            orders = image.orders()
            if orders == [[*range(length)] for length in image.shape]:
                continue
            folder = image.folder.with_name(str(int(image.folder.name) + 1))
            remove(folder)  # of a recorder that was killed here
            folder.mkdir()
            image.copy_metadata(folder, [len(order) for order in orders])
            indices = [{old: new for new, old in enumerate(order)} for order in orders]
            sorted_arrays[image.path] = image, f"{folder.parent.name}/{folder.name}", indices

        def moved(line: JournalLine) -> JournalLine:
            if line.image not in sorted_arrays:
                return line
            _, path, indices = sorted_arrays[line.image]
            start = tuple(new[at] for new, at in zip(indices, line.start, strict=True))
            return replace(line, image=path, start=start)

        lines = Record(self.path).lines
        for line in lines:
            if line.image in sorted_arrays:
                new, chunks = moved(line), sorted_arrays[line.image][0].chunks
                both = chunks(line.start, line.shape), chunks(new.start, line.shape)
                for (old_name, _), (new_name, _) in zip(*both, strict=True):
                    os.link(self.path / line.image / old_name, self.path / new.image / new_name)
        if sorted_arrays:
            self.journal.replace(map(moved, lines))

    def close(self) -> None:
        """Let others write; metadata stays as it is, see :meth:`finish`."""
        self._pool.shutdown()
        self.journal.close()
