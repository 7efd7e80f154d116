"""Feature columns: numbers, flags and text that belong to points, shapes, rows or labels."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from dask_napari.coerce._host_arrays import is_array, to_host
from dask_napari.coerce._layer_arrays import Note, ignore
from dask_napari.coerce._tables import (
    MAX_COLUMNS,
    MAX_READ,
    Table,
    required_table,
    rows_to_table,
    unused,
)
from dask_napari.model import FEATURE, AnyArray, Conversion, Refusal

MAX_TEXT: Final = 256
"""Characters of one text; numpy gives every row the length of the longest."""

MAX_BYTES: Final = 64 << 20
"""Bytes of all columns of one item: a million rows of eight numbers."""

MAX_DEPTH: Final = 4
"""Mappings within mappings that become columns; deeper ones are text."""

_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"


def features_of(
    table: object, count: int, elements: str, note: Note = ignore
) -> dict[str, AnyArray]:
    """Return a table as arrays of an item, with ``count`` elements in each column.

    Numbers and flags keep their values; dates, categories and other objects become text. Missing
    values are NaN among numbers and empty among text. A column with two axes becomes several,
    ``name-0``, ``name-1`` ... Columns beyond the first 256, or 64 MiB, are left out.
    """
    if table is None:
        return {}
    found: dict[str, AnyArray] = {}
    nbytes = left_out = 0
    try:
        given = required_table(table)
    except Refusal as error:
        note(Conversion.FEATURE.format(why=error.reason), f"no features are shown: {error}")
        return {}
    for name, values in given.items():
        try:
            columns = list(_columns(name, values, count, elements, note))
        except Refusal as error:
            note(Conversion.FEATURE.format(why=error.reason), f"a feature is left out: {error}")
            continue
        for full_name, column in columns:
            if len(found) >= MAX_COLUMNS or nbytes + column.nbytes > MAX_BYTES:
                left_out += 1
                continue
            nbytes += column.nbytes
            found[unused(full_name, found)] = column
            if column.itemsize == MAX_TEXT * 4 and any(
                t.endswith(_ELLIPSIS) for t in column.tolist()
            ):
                note(Conversion.LONG_TEXT.format(characters=MAX_TEXT))
    if left_out:
        text = Conversion.FEATURES.format(columns=MAX_COLUMNS, mebibytes=MAX_BYTES >> 20)
        note(text, text.replace("some", str(left_out), 1))
    return {FEATURE + name: column for name, column in found.items()}


def _columns(
    name: str, values: Any, count: int, elements: str, note: Note, depth: int = 0
) -> Iterable[tuple[str, AnyArray]]:
    array = as_column(name, values, elements, count)
    if len(array) != count:
        raise Refusal(
            "feature length",
            f"feature {name!r} has {len(array)} values for {count} {elements}; give one each",
        )
    if array.ndim == 1:
        nested = _nested(array) if depth < MAX_DEPTH else None
        if nested is None:
            if _holds_objects(array):
                note(Conversion.OBJECTS)
            yield name, column(array)
            return
        for key, entries in nested.items():
            yield from _columns(f"{name}.{key}", entries, count, elements, note, depth + 1)
        return
    flat = array.reshape(count, -1 if count else 0)
    for number in range(min(flat.shape[1], MAX_READ)):
        yield f"{name}-{number}", column(flat[:, number])


def _nested(values: AnyArray) -> Table | None:
    """Return the columns of a column of mappings, as QuPath's properties are; None for others.

    They may be JSON text, which files with a fixed set of columns make of them.
    """
    if values.dtype.kind not in "OU":
        return None
    # The first tells for most columns, which are text or numbers.
    present = (value for value in values.flat if not is_missing(value))
    first = next((value for value in present if not isinstance(value, str) or value), "")
    is_json = isinstance(first, str) and first.startswith(("{", "[{"))
    if not is_json and not isinstance(first, Mapping | list):
        return None
    rows = [None if is_missing(value) else value for value in values.tolist()]
    rows = list(map(_as_mapping, map(_from_json, rows) if is_json else rows))
    if not any(isinstance(row, Mapping) for row in rows):
        return None
    return rows_to_table(rows) if all(isinstance(row, Mapping | None) for row in rows) else None


def _from_json(text: Any) -> Any:
    try:
        return json.loads(text) if text else None
    except (TypeError, ValueError, RecursionError):
        return text


def _as_mapping(row: Any) -> Any:
    """Return a list of names and values, as older QuPath writes measurements, as a mapping."""
    if not isinstance(row, list) or not row:
        return row
    if all(isinstance(entry, Mapping) and {"name", "value"} <= entry.keys() for entry in row):
        return {str(entry["name"]): entry["value"] for entry in row}
    return row


def as_column(name: str, values: Any, elements: str, count: int | None = None) -> AnyArray:
    """Return a column as an array; lists of another length than ``count`` are not read."""
    if is_array(values):
        array = _nullable(values)
        return array.reshape(1) if array.ndim == 0 else array
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise Refusal(
            "features",
            f"feature {name!r} is a {type(values).__name__}; give a list of one value for each of"
            f" the {elements}",
        )
    if count is not None and len(values) != count:
        return np.empty(len(values), "V1")  # only the length will be asked for
    scalars = all(isinstance(value, bool | int | float | np.bool_ | np.number) for value in values)
    if scalars and values:
        try:
            return np.asarray(values)
        except (OverflowError, ValueError):
            pass
    # Never nested: a row may hold a list of any length.
    array = np.empty(len(values), object)
    for number, value in enumerate(values):
        array[number] = value
    return array


def _nullable(values: Any) -> AnyArray:
    """Return a column; masked numbers of pandas and arrow are floats with NaN."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    missing = getattr(values, "isna", None)
    if isinstance(kind, str) and kind in set("iuf") and callable(missing):
        return np.asarray(values, np.float64) if missing().any() else to_host(values)
    try:
        return to_host(values)
    except Refusal:
        return np.asarray(values, object)


def _holds_objects(values: AnyArray) -> bool:
    """Return whether a column has lists or other objects, which are no more than text here."""
    if values.dtype.kind != "O":
        return False
    kinds = set(map(type, values.tolist()))  # few, and an ABC is slow to ask
    return any(issubclass(kind, list | tuple | set | Mapping | np.ndarray) for kind in kinds)


def column(values: AnyArray) -> AnyArray:
    """Return a one-dimensional array in a dtype that a feature may have.

    >>> column(np.array(["2024-05-01", "NaT"], "M8[D]"))
    array(['2024-05-01', ''], dtype='<U10')
    """
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind in "biu":
        return values
    if kind == "f":
        return values if size in (4, 8) else values.astype(np.float32 if size < 4 else np.float64)
    if kind == "M":
        text = np.datetime_as_string(values)
        return _text_array(
            ["" if missing else str(t) for t, missing in zip(text, np.isnat(values), strict=True)]
        )
    if kind == "m":
        seconds = values.astype("m8[ns]").astype(np.float64) / 1e9
        return np.where(np.isnat(values), np.nan, seconds)
    if kind == "U" and size <= 4 * MAX_TEXT:
        return values if size else values.astype("U1")
    return _from_objects(values.tolist())


def _from_objects(values: Sequence[Any]) -> AnyArray:
    values = [None if is_missing(value) else value for value in values]
    present = [value for value in values if value is not None]
    if present and all(
        isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in present
    ):
        try:
            return np.array([np.nan if v is None else float(v) for v in values], np.float64)
        except (OverflowError, TypeError):
            pass
    if (
        present
        and len(present) == len(values)
        and all(isinstance(v, bool | np.bool_) for v in present)
    ):
        return np.array(values, np.bool_)
    return _text_array(["" if value is None else _as_text(value) for value in values])


def is_missing(value: Any) -> bool:
    """Return whether a value stands for none: None, NaN, and those of pandas."""
    if value is None:
        return True
    if type(value).__name__ in ("NaTType", "NAType"):  # pandas
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        text = value[: MAX_TEXT + 1].decode("utf-8", "replace")
    elif isinstance(value, str):
        text = str(value)
    elif isinstance(value, list | tuple | set | Mapping | np.ndarray):
        text = reprlib.repr(value)  # of a few elements
    else:
        text = str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + _ELLIPSIS


def _text_array(texts: list[str]) -> AnyArray:
    # numpy ends a text at its last NUL, and has no text of no characters.
    array = np.array(texts, dtype=np.str_)
    return array if array.dtype.itemsize else array.astype("U1")
