"""The journal of a record: a line of JSON for each item that is there in full.

A line is written after all arrays of its item; an item without one does not exist, whatever chunks
of it may lie about. Among lines of one place the last counts. Before chunks are overwritten, a line
says that their item is gone.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from dask_napari.model import Item, ItemMeta, PlaceKey
from dask_napari.record._files import part_of, remove, write_all, write_part
from dask_napari.system import lock

NAME: Final = "items.jsonl"


class ImageRegion(msgspec.Struct, frozen=True):
    """Where the data of an item lies in the array of an image.

    Attributes
    ----------
    path : str
        The zarr array.
    start : tuple of int
        Index of its first element there.
    order : tuple of int
        The axis of the zarr array that each of its own is; along others it has length 1.
    """

    path: str
    start: tuple[int, ...]
    order: tuple[int, ...]


class JournalLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item without its arrays, and where those lie.

    Attributes
    ----------
    id : int
        Number of the line.
    meta : ItemMeta
        The item, with its options as :func:`to_json` makes them.
    shape, dtype
        Of the data.
    image : ImageRegion, optional
        Where the data lies, if in an image.
    file : str
        The file of arrays with all else, empty if there is nothing else.
    arrays : tuple of str
        Names of the arrays in the file, in its order.
    """

    id: int
    meta: ItemMeta
    shape: tuple[int, ...]
    dtype: str
    image: ImageRegion | None = None
    file: str = ""
    arrays: tuple[str, ...] = ()
    publisher: str = ""

    @classmethod
    def of(
        cls, number: int, item: Item, image: ImageRegion | None, file: str, arrays: Iterable[str]
    ) -> JournalLine:
        """Describe an item."""
        task = item.provenance
        if not (math.isfinite(task.start) and math.isfinite(task.stop)):  # JSON has neither
            task = replace(task, start=0.0, stop=0.0)
        return cls(
            number,
            replace(item.meta, provenance=task, options=to_json(item.options)),
            item.data.shape,
            item.data.dtype.str,
            image,
            file,
            tuple(arrays),
            item.publisher,
        )

    def item(self, data: Any, arrays: dict[str, Any]) -> Item:
        """Return the item with its arrays."""
        meta = replace(self.meta, options=from_json(self.meta.options))
        return Item.of(meta, data, arrays, self.publisher)


class Removal(msgspec.Struct, frozen=True):
    """Numbers of lines whose items are about to be overwritten."""

    gone: list[int]


_encoder = msgspec.json.Encoder()
_lines: msgspec.json.Decoder[JournalLine] = msgspec.json.Decoder(JournalLine)
_removals: msgspec.json.Decoder[Removal] = msgspec.json.Decoder(Removal)


def decode(text: bytes) -> JournalLine | Removal:
    """Return what a line of the file says. Raises ``msgspec.DecodeError``."""
    return _removals.decode(text) if text.startswith(b'{"gone"') else _lines.decode(text)


def encode(lines: Iterable[JournalLine | Removal]) -> bytes:
    """Return lines as they are in the file."""
    return b"".join(_encoder.encode(line) + b"\n" for line in lines)


def to_json(value: Any) -> Any:
    """Return options as JSON knows them: other keys than text, and numbers that are not finite.

    Examples
    --------
    >>> from_json(to_json({"colormap": {1: "red"}, "gamma": float("inf")}))
    {'colormap': {1: 'red'}, 'gamma': inf}
    """
    if isinstance(value, dict):
        pairs = [(key, to_json(each)) for key, each in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return dict(pairs)
        return {"$items": [[to_json(key), each] for key, each in pairs]}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value


def from_json(value: Any) -> Any:
    """Return what :func:`to_json` was given."""
    if isinstance(value, list):
        return [from_json(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$float" in value:
        return float(value["$float"])
    if "$items" in value:
        return {from_json(key): from_json(each) for key, each in value["$items"]}
    return {key: from_json(each) for key, each in value.items()}


class JournalReader:
    """The lines of a journal that count: of each place the last one, unless its item is gone.

    Lines are read anew each time, since there may be a million; ``last`` is the highest number.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / NAME
        newest: dict[PlaceKey, int] = {}
        gone: set[int] = set()
        for line in self._read():
            if isinstance(line, Removal):
                gone.update(line.gone)
            else:
                newest[line.meta.place] = line.id
        self.last = max(newest.values(), default=0)
        self._ids = set(newest.values()) - gone

    def _read(self) -> Iterator[JournalLine | Removal]:
        with open(self._file, "rb") as file:
            for text in file:
                with contextlib.suppress(msgspec.DecodeError):  # of a line that a kill cut off
                    yield decode(text)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[JournalLine]:
        for line in self._read():
            if isinstance(line, JournalLine) and line.id in self._ids:
                yield line


class Journal:
    """The journal of a record that is written, by one process at a time; others get an OSError."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._descriptor = self._open(self._path)
        self._size = os.fstat(self._descriptor).st_size
        if self._size and os.pread(self._descriptor, 1, self._size - 1) != b"\n":
            self._write(b"\n")  # after a line that a kill cut off

    def __repr__(self) -> str:
        return f"<Journal {self._path}: {self._size} bytes>"

    def _open(self, path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if not lock(descriptor):
            os.close(descriptor)
            raise OSError(errno.EBUSY, f"{self._path.parent} is being recorded by another process")
        return descriptor

    def append(self, lines: Iterable[JournalLine | Removal]) -> None:
        """Write lines, all or none. Raises OSError."""
        self._write(encode(lines))

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
