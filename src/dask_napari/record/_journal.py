"""The journal of a record: a line of JSON for each item that is there in full.

A line is written after all arrays of its item; an item without one does not exist, whatever chunks
of it may lie about. Among lines of one place the last counts. Before chunks are overwritten, a line
says that their item is gone.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from dask_napari.model import Item, ItemMeta, PlaceKey, PlainValue, Refusal
from dask_napari.record._files import open_inside, part_of, remove, write_all
from dask_napari.system import lock, open_regular, read_bytes

NAME: Final = "items.jsonl"

LINE_LIMIT: Final = 8 << 20
"""Bytes of a line: the header of an item, which came in a message of half of them."""


RunPlace = tuple[int, PlaceKey]
"""Number of a run, and a place that an item fills in it."""


class JournalLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item without its arrays, and where those lie."""

    id: int
    meta: ItemMeta  # with its options as `to_json` makes them
    shape: tuple[int, ...]  # of the data
    dtype: str
    image: str = ""  # the zarr array of an image that has the data
    start: tuple[int, ...] = ()  # index of the first element there
    order: tuple[int, ...] = ()  # axis of the zarr array that each of the data is
    file: str = ""  # the file of all other arrays
    arrays: tuple[str, ...] = ()  # their names, in the order of the file
    publisher: str = ""
    run: int = 1

    @property
    def place(self) -> RunPlace:
        """Return the identity of the place that the item fills in its run."""
        return self.run, self.meta.place

    def item(self, data: Any, arrays: dict[str, Any]) -> Item:
        """Return the item with its arrays."""
        meta = replace(self.meta, options=from_json(self.meta.options))
        item = Item.of(meta, data, arrays, self.publisher)
        item.run = self.run
        return item


class Removal(msgspec.Struct, frozen=True):
    """Numbers of lines whose items are about to be overwritten."""

    gone: list[int]


def meta_to_json(meta: ItemMeta) -> ItemMeta:
    """Return metadata that JSON can hold. Raises Refusal if they could not be read again."""
    task, options = meta.provenance, to_json(meta.options)
    try:
        msgspec.convert(options, dict[str, PlainValue])
    except msgspec.ValidationError as error:
        raise Refusal("options nested too deeply", str(error)) from error
    if not (math.isfinite(task.start) and math.isfinite(task.stop)):
        task = replace(task, start=0.0, stop=0.0)
    return replace(meta, provenance=task, options=options)


def to_json(value: Any) -> Any:
    """Return options as JSON knows them: other keys than text, and numbers that are not finite.

    >>> from_json(to_json({"colormap": {1: "red"}, "gamma": float("inf")}))
    {'colormap': {1: 'red'}, 'gamma': inf}
    """
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: to_json(each) for key, each in value.items()}
        return {"$items": [[to_json(key), to_json(each)] for key, each in value.items()]}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value


def from_json(value: Any) -> Any:
    """Return what :func:`to_json` was given. Raises ValueError for what it does not return.

    >>> from_json({"$items": 3})
    Traceback (most recent call last):
    ValueError: no options of a record: 'int' object is not iterable
    """
    try:
        return _from_json(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"no options of a record: {error}") from error


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$float" in value:
        return float(value["$float"])
    pairs = value["$items"] if "$items" in value else value.items()
    return {_from_json(key): _from_json(each) for key, each in pairs}


class JournalReader:
    """The lines of a journal that count: of each place the last one, unless its item is gone.

    Lines are read anew each time, since there may be a million; ``last`` is the highest number,
    and ``runs`` are the numbers of the runs.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / NAME
        self.unreadable: int = 0
        newest: dict[RunPlace, int] = {}
        gone: set[int] = set()
        for line in self._read():
            if isinstance(line, Removal):
                gone.update(line.gone)
            else:
                newest[line.place] = line.id
        self.last: int = max(newest.values(), default=0)
        self.runs: tuple[int, ...] = tuple(sorted({run for run, _ in newest}))
        self._ids = set(newest.values()) - gone

    def __repr__(self) -> str:
        return f"<JournalReader {self._file}: {len(self)} items>"

    def _read(self) -> Iterator[JournalLine | Removal]:
        unreadable = 0  # a kill may have cut a line off
        with open_inside(self._file) as file:
            while text := file.readline(LINE_LIMIT):
                try:
                    line = _decode(text)
                except (msgspec.DecodeError, ValueError, RecursionError):
                    unreadable += 1
                else:
                    yield line
        self.unreadable = unreadable

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[JournalLine]:
        for line in self._read():
            if isinstance(line, JournalLine) and line.id in self._ids:
                yield line


def _decode(text: bytes) -> JournalLine | Removal:
    if text.startswith(b'{"gone"'):
        return msgspec.json.decode(text, type=Removal)
    line = msgspec.json.decode(text, type=JournalLine)
    from_json(line.meta.options)  # now, and not when the item is read
    return line


class Journal:
    """The journal of a record that is written, by one process at a time; others get an OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        if not lock(self._descriptor):
            self.close()
            raise OSError(errno.EBUSY, f"{path.parent} is being recorded by another process")
        self._size = os.fstat(self._descriptor).st_size
        if self._size and read_bytes(self._descriptor, self._size - 1, self._size) != b"\n":
            self._write(b"\n")  # after a line that a kill cut off

    def __repr__(self) -> str:
        return f"<Journal {self._path}: {self._size} bytes>"

    def append(self, lines: Iterable[JournalLine | Removal]) -> None:
        """Write lines, all or none. Raises OSError."""
        self._write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))

    def _write(self, data: bytes) -> None:
        try:
            write_all(self._descriptor, data)
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)

    def replace(self, lines: Iterable[JournalLine]) -> None:
        """Put other lines in place of all there are, in one step. Raises OSError."""
        part = part_of(self._path)
        remove(part)  # of a recorder that was killed here
        new = Journal(part)
        try:
            for line in lines:
                new.append([line])
            os.replace(part, self._path)
        except OSError:
            new.close()
            remove(part)
            raise
        self.close()
        self._descriptor, self._size = new._descriptor, new._size

    def close(self) -> None:
        """Let others write."""
        os.close(self._descriptor)
