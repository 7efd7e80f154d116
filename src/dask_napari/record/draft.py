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

from dask_napari.record import files
from dask_napari.record.columns import Column
from dask_napari.record.lines import Line, Where
from dask_napari.record.sheet import Sheet
from dask_napari.stream.item import Item

logger = logging.getLogger(__name__)

Block = Callable[[], npt.NDArray[Any]]
"""Makes what is written: late, and in the thread that writes it."""


@dataclass(slots=True)
class Draft:
    """What is to be written of an item, and what came of it.

    Attributes
    ----------
    item : Item
        The item.
    arrays : dict of str to Where
        Where its arrays are to lie.
    jobs : list
        What has to be written for that: array, start and content.
    rows : list
        Rows of columns that were taken for it.
    parts : list of tuple of Path
        What is written under another name, and the name that it is to get.
    line : Line, optional
        Its line of the journal.
    reason : str
        Why it is given up, empty if it is not.
    """

    item: Item
    arrays: dict[str, Where] = field(default_factory=dict)
    jobs: list[tuple[Sheet, Sequence[int], Block]] = field(default_factory=list)
    rows: list[tuple[Column, int]] = field(default_factory=list)
    parts: list[tuple[Path, Path]] = field(default_factory=list)
    line: Line | None = None
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

    def overwrites(self, arrays: Iterable[Where]) -> bool:
        """Whether it takes a place in which one of these arrays lies."""
        old = {(where.path, where.start) for where in arrays}
        return any((where.path, where.start) in old for where in self.arrays.values())
