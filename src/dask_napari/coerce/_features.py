"""Feature columns: numbers, flags and text that belong to points, shapes, rows or labels."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from dask_napari.coerce._host_arrays import is_array, to_host
from dask_napari.coerce._tables import COLUMNS, Table, table_of, unused
from dask_napari.model import FEATURE, AnyArray, Refusal

TEXT: Final = 256
"""Characters of one text; numpy gives every row the length of the longest."""

BYTES: Final = 64 << 20
"""Bytes of all columns of one item: a million rows of eight numbers."""

_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"


def features_of(table: object, count: int, what: str) -> dict[str, AnyArray]:
    """Return a table as arrays of an item.

    Numbers and flags stay what they are; dates, categories and other objects become text.
    What is missing is NaN among numbers and empty among text.

    Examples
    --------
    >>> features_of({"area": [3.5, None], "name": ["a", "bc"]}, 2, "points")
    {'feature:area': array([3.5, nan]), 'feature:name': array(['a', 'bc'], dtype='<U2')}
    """
    if table is None:
        return {}
    columns = table_of(table)
    if columns is None:
        raise Refusal(
            "features", f"features in a {type(table).__name__}; give a data frame or a dict"
        )
    found: dict[str, AnyArray] = {}
    nbytes = 0
    for name, values in columns.items():
        for full, column in _columns(name, values, count, what):
            nbytes += column.nbytes
            if len(found) >= COLUMNS or nbytes > BYTES:
                raise Refusal(
                    "features too large",
                    f"the features exceed {COLUMNS} columns or {BYTES >> 20} MiB at column"
                    f" {name!r}; return only those of interest",
                )
            found[unused(full, found)] = column
    return {FEATURE + name: column for name, column in found.items()}


def _columns(name: str, values: Any, count: int, what: str) -> Iterable[tuple[str, AnyArray]]:
    array = as_column(name, values, what, count)
    if len(array) != count:
        raise Refusal(
            "feature length",
            f"feature {name!r} has {len(array)} values for {count} {what}; give one each",
        )
    if array.ndim == 1:
        yield name, column(array)
        return
    flat = array.reshape(count, -1 if count else 0)
    if flat.shape[1] > COLUMNS:
        raise Refusal("features too large", f"feature {name!r} has {flat.shape[1]} numbers a row")
    for number in range(flat.shape[1]):
        yield f"{name}-{number}", column(flat[:, number])


def as_column(name: str, values: Any, what: str, count: int | None = None) -> AnyArray:
    """Return a column as an array of some dtype."""
    if is_array(values):
        array = _nullable(values)
        return array.reshape(1) if array.ndim == 0 else array
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise Refusal(
            "features",
            f"feature {name!r} is a {type(values).__name__}; give a list of one value for each of"
            f" the {what}",
        )
    if count is not None and len(values) != count:
        return np.empty(len(values), "V1")  # its length is all that will be looked at
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
    """Read a column; masked numbers of pandas and arrow as floats with NaN."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    missing = getattr(values, "isna", None)
    if isinstance(kind, str) and kind in set("iuf") and callable(missing):
        return np.asarray(values, np.float64) if missing().any() else to_host(values)
    try:
        return to_host(values)
    except Refusal:
        return np.asarray(values, object)


def column(values: AnyArray) -> AnyArray:
    """Return a one-dimensional array in a dtype that a feature may have.

    Examples
    --------
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
        return _text(
            ["" if gone else str(t) for t, gone in zip(text, np.isnat(values), strict=True)]
        )
    if kind == "m":
        seconds = values.astype("m8[ns]").astype(np.float64) / 1e9
        return np.where(np.isnat(values), np.nan, seconds)
    if kind == "U" and size <= 4 * TEXT:
        return values if size else values.astype("U1")
    return _from_objects(values.tolist())


def _from_objects(values: Sequence[Any]) -> AnyArray:
    values = [None if _missing(value) else value for value in values]
    known = [value for value in values if value is not None]
    if known and all(
        isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in known
    ):
        try:
            return np.array([np.nan if v is None else float(v) for v in values], np.float64)
        except (OverflowError, TypeError):
            pass
    if known and len(known) == len(values) and all(isinstance(v, bool | np.bool_) for v in known):
        return np.array(values, np.bool_)
    return _text(["" if value is None else _word(value) for value in values])


def _missing(value: Any) -> bool:
    if value is None:
        return True
    if type(value).__name__ in ("NaTType", "NAType"):  # pandas
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _word(value: Any) -> str:
    if isinstance(value, bytes):
        text = value[: TEXT + 1].decode("utf-8", "replace")
    elif isinstance(value, str):
        text = str(value)
    elif isinstance(value, list | tuple | set | Mapping | np.ndarray):
        text = reprlib.repr(value)  # of a few elements
    else:
        text = str(value)
    return text if len(text) <= TEXT else text[: TEXT - 1] + _ELLIPSIS


def _text(words: list[str]) -> AnyArray:
    # numpy ends a text at its last NUL, and has no text of no characters.
    array = np.array(words, dtype=np.str_)
    return array if array.dtype.itemsize else array.astype("U1")


def rows_to_table(rows: Sequence[Mapping[str, Any] | None]) -> Table:
    """Return what is said of each element as columns; None where one says nothing.

    Examples
    --------
    >>> rows_to_table([{"name": "a"}, None, {"name": "b", "z": 3}])
    {'name': ['a', None, 'b'], 'z': [None, None, 3]}
    """
    names: dict[Any, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row or ()))
        if len(names) > COLUMNS:
            raise Refusal("too many columns", f"more than {COLUMNS} features")
    table: Table = {}
    for name in names:
        table[unused(str(name), table)] = [(row or {}).get(name) for row in rows]
    return table
