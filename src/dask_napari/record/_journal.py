"""The journal of a record: a line of JSON for each item that is there in full.

A line is written after all arrays of its item; an item without one does not exist, whatever chunks
of it may lie about. Among lines of one place the last counts. Before chunks are overwritten, a line
says that their item is gone.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from dask_napari.model import PlaceKey
from dask_napari.record._disk import part_of, remove, write_part
from dask_napari.record._journal_lines import JournalLine, Removal, decode, encode
from dask_napari.system import lock

NAME: Final = "items.jsonl"


class JournalReader:
    """The lines of a journal that count: of each place the last one, unless its item is gone.

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
        self._file = folder / NAME
        newest: dict[PlaceKey, int] = {}
        gone: set[int] = set()
        for line in self._read():
            if isinstance(line, Removal):
                gone.update(line.gone)
            else:
                newest[line.slot] = line.id
        self.last = max(newest.values(), default=0)
        self._ids = set(newest.values()) - gone

    def _read(self) -> Iterator[JournalLine | Removal]:
        with open(self._file, "rb") as file:
            for text in file:
                if not text.endswith(b"\n"):
                    return  # as a kill may leave
                try:
                    yield decode(text)
                except msgspec.DecodeError:
                    continue

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[JournalLine]:
        for line in self._read():
            if isinstance(line, JournalLine) and line.id in self._ids:
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
        self._path = folder / NAME
        self._descriptor = self._open(self._path)
        self._size = os.fstat(self._descriptor).st_size
        self._cut_off_partial_line()

    def __repr__(self) -> str:
        return f"<Journal {self._path}: {self._size} bytes>"

    def _open(self, path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if not lock(descriptor):
            os.close(descriptor)
            raise OSError(errno.EBUSY, f"{self._path.parent} is being recorded by another process")
        return descriptor

    def _cut_off_partial_line(self) -> None:
        """Cut off what a kill has left of a line."""
        keep, step = self._size, 1 << 16
        while keep:
            at = max(0, keep - step)
            found = os.pread(self._descriptor, keep - at, at).rfind(b"\n")
            keep = at + found + 1
            if found >= 0:
                break
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

    def replace(self, lines: Iterable[JournalLine]) -> None:
        """Put other lines in place of all there are, in one step. Raises OSError."""
        part = part_of(self._path)
        try:
            write_part(self._path, b"")
            with open(part, "wb") as file:
                file.writelines(encode([line]) for line in lines)
            descriptor = self._open(part)
            os.replace(part, self._path)
        except OSError:
            remove(part)
            raise
        os.close(self._descriptor)
        self._descriptor, self._size = descriptor, os.fstat(descriptor).st_size

    def close(self) -> None:
        """Let others write."""
        os.close(self._descriptor)
