"""The journal of a record: a line of JSON for each item that is there whole.

A line is written after all arrays of its item; an item without one does not exist, whatever of its
chunks may lie about. Among lines of the same place the last one counts. Before chunks are replaced,
a line says that their item is gone.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from dask_napari.record import files
from dask_napari.stream.item import (
    ARRIVAL_AXIS,
    Calibration,
    Coordinate,
    Item,
    Kind,
    Provenance,
    Slot,
)

NAME: Final = "items.jsonl"


class Where(msgspec.Struct, frozen=True):
    """Where an array of an item lies.

    Attributes
    ----------
    path : str
        The zarr array.
    start : tuple of int
        Its first element there.
    shape, dtype
        Its own. Text is stored as the numbers of its characters, along one more axis.
    order : tuple of int
        Which axis of the zarr array each of its own is; along others it has length 1.
    """

    path: str
    start: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str
    order: tuple[int, ...]


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item without its arrays; see :class:`~dask_napari.stream.item.Item`."""

    id: int
    layer: str
    kind: Kind
    arrays: dict[str, Where]
    position: dict[str, int | float | str] = {}
    key: str = ""
    worker: str = ""
    run_id: int = 0
    start: float = 0.0
    stop: float = 0.0
    rgb: bool = False
    axes: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    translate: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    origin: tuple[int, ...] = ()
    whole: tuple[int, ...] = ()
    part: str = ""
    options: Any = {}
    publisher: str = ""

    @property
    def at(self) -> Mapping[str, Coordinate]:
        """The position; without one, its task is its place."""
        if not self.position and not self.whole:
            return {ARRIVAL_AXIS: self.key}
        return self.position

    @property
    def slot(self) -> Slot:
        """Identity of the place of the item."""
        return self.layer, self.part, self.origin, frozenset(self.at.items())


class Gone(msgspec.Struct, frozen=True):
    """Items that are no more."""

    gone: list[int]


_encoder = msgspec.json.Encoder()
_lines: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_gone: msgspec.json.Decoder[Gone] = msgspec.json.Decoder(Gone)


def line_of(number: int, item: Item, arrays: dict[str, Where]) -> Line:
    """Describe an item whose arrays lie where ``arrays`` says."""
    made, known = item.provenance, item.calibration
    return Line(
        number,
        item.layer,
        item.kind,
        arrays,
        dict(item.position),
        made.key,
        made.worker,
        made.run_id,
        made.start if math.isfinite(made.start) else 0.0,
        made.stop if math.isfinite(made.stop) else 0.0,
        item.rgb,
        known.axes,
        known.scale,
        known.translate,
        known.units,
        item.origin,
        item.whole,
        item.part,
        to_json(item.options),
        item.publisher,
    )


def item_of(line: Line, data: Any, arrays: dict[str, Any]) -> Item:
    """The item of a line, with its arrays."""
    return Item(
        line.layer,
        line.kind,
        data,
        line.position,
        Provenance(line.key, line.worker, line.run_id, line.start, line.stop),
        Calibration(line.axes, line.scale, line.translate, line.units),
        line.rgb,
        arrays,
        line.origin,
        line.whole,
        line.part,
        from_json(line.options),
        line.publisher,
    )


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


def encode(lines: Iterable[Line | Gone]) -> bytes:
    """Lines as they are in the file."""
    return b"".join(_encoder.encode(line) + b"\n" for line in lines)


def read(folder: Path) -> Iterator[Line | Gone]:
    """Read the lines of a record; one that is not whole, as a kill may leave, is passed over."""
    with open(folder / NAME, "rb") as file:
        for text in file:
            if not text.endswith(b"\n"):
                return
            try:
                yield _gone.decode(text) if text.startswith(b'{"gone"') else _lines.decode(text)
            except msgspec.DecodeError:
                continue


def live(folder: Path) -> dict[Slot, Line]:
    """The items that are there, the last one of each place, in the order in which they came."""
    found: dict[Slot, Line] = {}
    slots: dict[int, Slot] = {}
    for line in read(folder):
        if isinstance(line, Gone):
            for number in line.gone:
                slot = slots.pop(number, None)
                if slot is not None and found[slot].id == number:
                    del found[slot]
            continue
        slot = line.slot
        if (old := found.pop(slot, None)) is not None:
            slots.pop(old.id, None)
        found[slot] = line
        slots[line.id] = slot
    return found


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

    def append(self, lines: Iterable[Line | Gone]) -> None:
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

    def replace(self, lines: Iterable[Line | Gone]) -> None:
        """Put other lines in place of all there are, in one step. Raises OSError."""
        part = files.write_part(self._folder / NAME, b"")
        with open(part, "wb") as file:
            file.writelines(encode([line]) for line in lines)
        fresh = os.open(part, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        fcntl.flock(fresh, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.replace(part, self._folder / NAME)
        os.close(self._descriptor)
        self._descriptor, self._size = fresh, os.fstat(fresh).st_size

    def close(self) -> None:
        """Let others write."""
        os.close(self._descriptor)
