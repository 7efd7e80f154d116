"""The journal of a record: a line of JSON for each item that is there whole.

A line is written after all arrays of its item; an item without one does not exist, whatever of its
chunks may lie about. Among lines of the same place the last one counts. Before chunks are replaced,
a line says that their item is gone.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from dask_napari.model import PlaceKey
from dask_napari.record import files
from dask_napari.record._journal_lines import JournalLine, Removal, decode, encode

NAME: Final = "items.jsonl"


def read(file: BinaryIO) -> Iterator[JournalLine | Removal]:
    """Read lines; one that is not whole, as a kill may leave, is passed over."""
    file.seek(0)
    for text in file:
        if not text.endswith(b"\n"):
            return
        try:
            yield decode(text)
        except msgspec.DecodeError:
            continue


class JournalSurvey:
    """Which lines of a journal count: of each place the last one, unless its item is gone.

    Lines are read anew each time, since there may be a million.

    Parameters
    ----------
    folder : Path
        The record.

    Attributes
    ----------
    last : int
        The highest number of a line.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turns: dict[PlaceKey, int] = {}
        self.last = 0
        slots: dict[int, PlaceKey] = {}
        ids: dict[PlaceKey, int] = {}
        with open(folder / NAME, "rb") as file:
            for turn, line in enumerate(read(file)):
                if isinstance(line, Removal):
                    for number in line.gone:
                        if (gone := slots.pop(number, None)) is not None:
                            del self._turns[gone], ids[gone]
                    continue
                slot = line.slot
                slots.pop(ids.get(slot, 0), None)
                ids[slot], slots[line.id] = line.id, slot
                self._turns[slot] = turn
                self.last = max(self.last, line.id)

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[JournalLine]:
        with open(self._folder / NAME, "rb") as file:
            for turn, line in enumerate(read(file)):
                if isinstance(line, JournalLine) and self._turns.get(line.slot) == turn:
                    yield line


class Journal:
    """The journal of a record that is written, by one process at a time.

    Parameters
    ----------
    folder : Path
        The record.

    Raises
    ------
    OSError
        If another process writes it, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = self._open()
        self._size = os.fstat(self._descriptor).st_size
        self._end_at_a_line()

    def _open(self) -> int:
        descriptor = os.open(
            self._folder / NAME, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise OSError(
                errno.EBUSY, f"{self._folder} is being recorded by another process"
            ) from error
        return descriptor

    def _end_at_a_line(self) -> None:
        """Cut off what a kill has left of a line."""
        keep, step = self._size, 1 << 16
        while keep:
            at = max(0, keep - step)
            found = os.pread(self._descriptor, keep - at, at).rfind(b"\n")
            if found >= 0:
                keep = at + found + 1
                break
            keep = at
        if keep != self._size:
            os.ftruncate(self._descriptor, keep)
            self._size = keep

    def append(self, lines: Iterable[JournalLine | Removal]) -> None:
        """Write lines, all or none. Raises OSError."""
        data = encode(lines)
        try:
            done = 0
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)

    def replace(self, lines: Iterable[JournalLine | Removal]) -> None:
        """Put other lines in place of all there are, in one step. Raises OSError."""
        part = files.write_part(self._folder / NAME, b"")
        try:
            with open(part, "wb") as file:
                file.writelines(encode([line]) for line in lines)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        fresh = os.open(part, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        fcntl.flock(fresh, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.replace(part, self._folder / NAME)
        os.close(self._descriptor)
        self._descriptor, self._size = fresh, os.fstat(fresh).st_size

    def close(self) -> None:
        """Let others write."""
        os.close(self._descriptor)
