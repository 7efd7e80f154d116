"""An item on its way to the disk."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dask_napari.model import Item, Refusal, contain
from dask_napari.record._disk import check_room, part_of, refusal_of, remove, write_part
from dask_napari.record._image import Image
from dask_napari.record._journal_lines import JournalLine

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ItemDraft:
    """Files and line of an item, and why it is refused.

    Attributes
    ----------
    root : Path
        The record.
    item : Item
        The item.
    line : JournalLine, optional
        Its line of the journal.
    files : dict of str to callable
        Path of each of its files in the record, and what makes its content: late, and in the
        thread that writes it.
    image : Image, optional
        The image that has its data.
    overwrites : bool
        Whether files of an earlier item may still have the names of its own.
    refusal : Refusal, optional
        Why it is given up.
    """

    root: Path
    item: Item
    line: JournalLine | None = None
    files: dict[str, Callable[[], bytes | memoryview]] = field(default_factory=dict)
    image: Image | None = None
    overwrites: bool = True
    refusal: Refusal | None = None

    def write(self) -> None:
        """Write its files under the names of parts; any thread."""
        try:
            for name, content in () if self.refusal else self.files.items():
                data = content()
                check_room(self.root, len(data))
                write_part(self.root / name, data)
        except Exception as error:
            self.give_up(error)

    def move(self) -> None:
        """Give its files their names, in an image that is long enough for them."""
        try:
            if self.image and not self.refusal:
                self.image.array.save()
            for name in () if self.refusal else self.files:
                os.replace(part_of(self.root / name), self.root / name)
        except OSError as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Leave nothing of it, and remember why."""
        for path in map(self.root.joinpath, self.files):
            remove(part_of(path))
            if not self.overwrites:
                remove(path)
        if isinstance(error, OSError):
            self.refusal = refusal_of(error)
        else:
            self.refusal = Refusal(f"error: {type(error).__name__}", str(error))
            logger.error("an item of %r cannot be recorded", self.item.layer, exc_info=error)
            contain(error)
