"""An item on its way to the disk."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from dask_napari.model import Item
from dask_napari.record import files
from dask_napari.record._column_arrays import ColumnArray
from dask_napari.record._journal_lines import JournalLine, StoredAt
from dask_napari.record._sheet import ChunkedArray

logger = logging.getLogger(__name__)

DraftBlock = Callable[[], npt.NDArray[Any]]
"""Makes what is written: late, and in the thread that writes it."""


@dataclass(slots=True)
class ItemDraft:
    """What is to be written of an item, and what came of it.

    Attributes
    ----------
    item : Item
        The item.
    arrays : dict of str to StoredAt
        Where its arrays are to lie.
    jobs : list
        What has to be written for that: array, start and content.
    rows : list
        Rows of columns that were taken for it.
    parts : list of tuple of Path
        What is written under another name, and the name that it is to get.
    line : JournalLine, optional
        Its line of the journal.
    reason : str
        Why it is given up, empty if it is not.
    """

    item: Item
    arrays: dict[str, StoredAt] = field(default_factory=dict)
    jobs: list[tuple[ChunkedArray, Sequence[int], DraftBlock]] = field(default_factory=list)
    rows: list[tuple[ColumnArray, int]] = field(default_factory=list)
    parts: list[tuple[Path, Path]] = field(default_factory=list)
    line: JournalLine | None = None
    reason: str = ""
    moved: int = 0
    over: bool = False
    """Whether what lay in its place is given up already."""

    def write(self) -> None:
        """Write all of it under other names; any thread."""
        try:
            for sheet, start, block in () if self.reason else self.jobs:
                self.parts += sheet.write_parts(start, block())
        except Exception as error:
            self.give_up(error)

    def move(self) -> None:
        """Give what was written its name."""
        try:
            for part, path in self.parts:
                os.replace(part, path)
                self.moved += 1
        except OSError as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Leave nothing of it, and remember why."""
        if isinstance(error, OSError):
            self.reason = files.reason_of(error)
        else:
            self.reason = f"error: {type(error).__name__}"
            logger.error("an item of %r cannot be recorded", self.item.layer, exc_info=error)
        for number, (part, path) in enumerate(self.parts):
            for file in (part, path) if self.over or number < self.moved else (part,):
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)
        for column, row in self.rows:
            column.give_back(row)
        self.rows, self.jobs = [], []

    def overwrites(self, arrays: Iterable[StoredAt]) -> bool:
        """Whether it takes a place in which one of these arrays lies."""
        old = {(where.path, where.start) for where in arrays}
        return any((where.path, where.start) in old for where in self.arrays.values())
