"""Columns of many blocks, one after the other, and cheap to append to."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.model import Refusal

CAPACITY: Final = 256
"""Rows that a buffer has room for at first; it doubles from there."""

LONG_TEXT: Final = 64
"""Characters of a text up to which all rows of a column have room for as many. Longer ones are
kept one by one: one text of 1000 characters must not make 4 kB of each of a million others."""

MISSING_BYTES: Final = 256 << 20
"""Bytes that columns may take for values that never came: 100 columns of 300 000 rows. A block of
many columns and one row must not make gigabytes of a block of many rows without any."""

WIDENING: Final = 8
"""Times as much as came that columns may take besides: flags become numbers where some miss."""


def missing_value(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], Any]:
    """Return the value that stands for none in a column, and the type that can hold it.

    >>> missing_value(np.dtype("int64")), missing_value(np.dtype("<U3"))
    ((dtype('float64'), nan), (dtype('<U3'), np.str_('')))
    """
    if dtype.kind in "biu":
        return np.dtype(np.float64), np.nan
    if dtype.kind in "fc":
        return dtype, np.nan
    if dtype.kind in "US":
        return dtype, dtype.type()
    return np.dtype(object), None


def common_type(one: np.dtype[Any], other: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that holds values of both; text and numbers stay what they are.

    >>> common_type(np.dtype("int32"), np.dtype("float32"))
    dtype('float64')
    >>> common_type(np.dtype("int32"), np.dtype("<U3"))
    dtype('O')
    """
    if one == other:
        return one
    if "U" in (one.kind, other.kind) and _is_long(max(one, other, key=_text_length)):
        return np.dtype(object)
    alike = (one.kind in "US") == (other.kind in "US") and "O" not in (one.kind, other.kind)
    return np.result_type(one, other) if alike else np.dtype(object)


def _text_length(dtype: np.dtype[Any]) -> int:
    return dtype.itemsize if dtype.kind == "U" else 0


def _is_long(dtype: np.dtype[Any]) -> bool:
    return _text_length(dtype) > LONG_TEXT * np.dtype("U1").itemsize


def _row_bytes(arrays: Iterable[npt.NDArray[Any] | None]) -> int:
    """Return the bytes of a row of a column that takes the rows of all arrays."""
    there = [array for array in arrays if array is not None]
    dtype = functools.reduce(common_type, (array.dtype for array in there))
    return math.prod(there[0].shape[1:]) * (8 if _is_long(dtype) else dtype.itemsize)


@dataclass(slots=True, eq=False)
class PreparedRows:
    """Rows of columns, and buffers with room for them."""

    start: int
    stop: int
    block: Mapping[str, npt.NDArray[Any]]
    buffers: dict[str, npt.NDArray[Any]]


class GrowingColumns:
    """Named arrays of one length that are appended to together.

    Appending costs what the new rows cost, whatever the number of rows already there
    (amortised: the buffers double). A block that lacks a column, or brings a new one, leaves
    missing values: NaN, or empty text.

    >>> columns = GrowingColumns()
    >>> columns.append(2, {"area": np.array([4, 9])})
    >>> columns.append(1, {"area": np.array([0.5]), "name": np.array(["a"])})
    >>> columns["area"], columns["name"]
    (array([4. , 9. , 0.5]), array(['', '', 'a'], dtype='<U1'))
    """

    def __init__(self) -> None:
        self._buffers: dict[str, npt.NDArray[Any]] = {}
        self._length = 0
        self._arrived = 0  # bytes of the rows that are there, as they came

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<GrowingColumns {len(self)} rows of {list(self._buffers)}>"

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._buffers[name][: self._length]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in the order in which they came."""
        return tuple(self._buffers)

    def check(self, length: int, block: Mapping[str, npt.NDArray[Any]]) -> None:
        """Raise a Refusal if a block does not fit."""
        for name, values in block.items():
            if len(values) != length:
                raise Refusal("features", f"column {name!r} has {len(values)} rows, not {length}")
            known = self._buffers.get(name)
            if known is not None and known.shape[1:] != values.shape[1:]:
                raise Refusal(
                    "features",
                    f"column {name!r} has rows of shape {values.shape[1:]}, but those before it"
                    f" have {known.shape[1:]}",
                )
        self._check_missing(length, block)

    def _check_missing(self, length: int, block: Mapping[str, npt.NDArray[Any]]) -> None:
        """Refuse a block after which the columns would take far more than has come for them."""
        names = {*self._buffers, *block}
        row = sum(_row_bytes((self._buffers.get(name), block.get(name))) for name in names)
        arrived = self._arrived + sum(values.nbytes for values in block.values())
        if row * (self._length + length) > MISSING_BYTES + WIDENING * arrived:
            raise Refusal(
                "features",
                f"columns of {row} B a row are missing in most of {self._length + length} rows, "
                "and would take too much memory; put them onto a layer of their own",
            )

    def append(self, length: int, block: Mapping[str, npt.NDArray[Any]]) -> None:
        """Add rows at the end."""
        self.write(self.prepare(self._length, length, block))

    def prepare(
        self, start: int, length: int, block: Mapping[str, npt.NDArray[Any]]
    ) -> PreparedRows:
        """Make room for rows at the end, or over others; nothing changes before :meth:`write`."""
        stop = start + length
        full = start == 0 and stop >= self._length
        names = {**self._buffers, **block}
        buffers = {name: self._room(name, stop, block.get(name), full=full) for name in names}
        return PreparedRows(start, stop, block, buffers)

    def write(self, rows: PreparedRows) -> None:
        """Write prepared rows; that does not fail."""
        for name, buffer in rows.buffers.items():
            values = rows.block.get(name)
            if values is None:
                values = missing_value(buffer.dtype)[1]
            buffer[rows.start : rows.stop] = values
        self._buffers = rows.buffers
        added = max(0, rows.stop - max(rows.start, self._length)) / max(1, rows.stop - rows.start)
        self._arrived += int(added * sum(values.nbytes for values in rows.block.values()))
        self._length = max(self._length, rows.stop)

    def _room(
        self, name: str, stop: int, values: npt.NDArray[Any] | None, *, full: bool
    ) -> npt.NDArray[Any]:
        """Return a buffer of a type and a length that take the values."""
        old = self._buffers.get(name)
        if old is None:
            assert values is not None
            dtype = (
                values.dtype if full else common_type(values.dtype, missing_value(values.dtype)[0])
            )
            tail = values.shape[1:]
            dtype = np.dtype(object) if _is_long(dtype) else dtype
        else:
            new = missing_value(old.dtype)[0] if values is None else values.dtype
            dtype = old.dtype if old.dtype == new else common_type(old.dtype, new)
            if old.dtype is dtype and len(old) >= stop:
                return old
            tail = old.shape[1:]
        size = CAPACITY if old is None else max(CAPACITY, len(old))
        while size < stop:
            size *= 2
        buffer = np.empty((size, *tail), dtype)
        if old is not None:
            buffer[: self._length] = old[: self._length]
        elif self._length:
            buffer[: self._length] = missing_value(dtype)[1]
        return buffer

    def add(self, name: str, values: npt.NDArray[Any]) -> None:
        """Add a column for the rows that there are."""
        buffer = self._room(name, len(self), values, full=True)
        buffer[: len(self)] = values
        self._buffers[name] = buffer

    def selected(self, rows: npt.NDArray[np.bool_]) -> GrowingColumns:
        """Return a copy with the rows of a mask."""
        columns = GrowingColumns()
        columns._buffers = {name: self[name][rows] for name in self._buffers}
        columns._length = int(rows.sum())
        columns._arrived = self._arrived * columns._length // max(1, self._length)
        return columns
