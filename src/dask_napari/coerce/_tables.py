"""Tables of any library, as columns by name."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date, time, timedelta
from typing import Any, Final

import numpy as np

from dask_napari.coerce._host_arrays import is_array, refuse_lazy
from dask_napari.model import Refusal

Table = dict[str, Any]
"""Name -> column: an array, a series of a data frame or a list."""

MAX_CHARACTERS: Final = 256
"""Characters of a name; a receiver takes some more, and people read less."""

_SCALARS: Final = (str, bytes, bool, int, float, complex, np.generic, date, time, timedelta)

MAX_COLUMNS: Final = 256
"""Features of one table. The headers of a batch of 64 such items are a quarter of what a message
may hold."""

MAX_READ: Final = 10_000
"""Columns of one table that are looked at for coordinates: some 0.2 s of the publisher's thread."""


def is_frame(value: object) -> bool:
    """Return whether a value is a data frame, a table of arrow or a structured array.

    >>> is_frame(np.zeros(3, [("y", "f4"), ("x", "f4")])), is_frame({"y": [1]})
    (True, False)
    """
    if isinstance(value, type):
        return False
    if isinstance(value, np.ndarray):
        return value.dtype.names is not None
    if hasattr(value, "column_names") and hasattr(value, "column"):
        return True
    rows = hasattr(value, "iloc") or hasattr(value, "to_series") or hasattr(value, "collect")
    # The type is asked: a LazyFrame would compute its columns.
    return rows and hasattr(type(value), "columns")


def is_columns(value: object) -> bool:
    """Return whether a value is a mapping of names to columns of scalars.

    >>> is_columns({"y": [1, 2], "x": [3, 4]}), is_columns({"raw": np.zeros((4, 4))})
    (True, False)
    """
    return isinstance(value, Mapping) and bool(value) and all(map(_is_column, value.values()))


def _is_column(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return not value or value[0] is None or isinstance(value[0], _SCALARS)
    return is_array(value) and getattr(value, "ndim", 1) == 1


def is_record(value: object) -> bool:
    """Return whether a value is a row of a table: a mapping of names to scalars.

    >>> is_record({"y": 1, "x": 2.5}), is_record({"y": [1], "x": [2]})
    (True, False)
    """
    if not isinstance(value, Mapping) or not value:
        return False
    entries = list(value.values())
    return any(isinstance(entry, _SCALARS) for entry in entries) and all(
        entry is None or isinstance(entry, _SCALARS) or is_record(entry) for entry in entries
    )


def are_records(value: object) -> bool:
    """Return whether a value is one row of a table, or a list of rows; rows of None count.

    >>> are_records([{"y": 1, "x": 2}, None]), are_records([[1, 2]])
    (True, False)
    """
    if isinstance(value, list):
        return any(map(is_record, value)) and all(v is None or is_record(v) for v in value)
    return is_record(value)


def holds_table(value: object) -> bool:
    """Return whether a value is a data frame, a mapping of columns or a list of records."""
    return is_frame(value) or isinstance(value, Mapping) or are_records(value)


def table_of(value: object) -> Table | None:
    """Return the columns of a data frame, a mapping or a list of records, None for other values.

    A named index of a data frame is a column, too.
    """
    if are_records(value):
        rows: Any = [value] if isinstance(value, Mapping) else value
        return rows_to_table(rows)
    if is_frame(value):
        refuse_lazy(value)
        return _from_frame(value)
    if isinstance(value, Mapping):
        return _with_unique_names(list(value), list(value.values()).__getitem__)
    return None


def find(table: Table, names: Sequence[str]) -> str | None:
    """Return the first column with one of the names, the best first, whatever its case.

    >>> find({"Shape-Type": [1]}, ["index", "shape-type"])
    'Shape-Type'
    """
    folded = {name.strip().lower(): name for name in reversed(table)}
    return next((folded[name] for name in names if name in folded), None)


def required_table(value: object) -> Table:
    """Return the columns of a table of features; refuse other values."""
    table = table_of(value)
    if table is None:
        raise Refusal(
            "features", f"features in a {type(value).__name__}; give a data frame or a dict"
        )
    return table


def column_list(table: Table) -> str:
    """Return the first columns of a table by name, for messages."""
    shown = ", ".join(map(repr, list(table)[:8]))
    return f"columns {shown}" + (" ..." if len(table) > 8 else "")


def clean(text: str) -> str:
    r"""Return text that can be sent: bounded, and without halves of characters.

    A file name that is not UTF-8 has such halves in Python.

    >>> clean("well \udcff")
    'well ?'
    """
    return text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _from_frame(frame: Any) -> Table:
    if isinstance(frame, np.ndarray):
        names = list(frame.dtype.names or ())
        return _with_unique_names(names, lambda n: frame[names[n]])
    if hasattr(frame, "column_names"):
        return _with_unique_names(list(frame.column_names), frame.column)
    names = list(frame.columns)
    if not hasattr(frame, "iloc"):
        return _with_unique_names(names, frame.to_series)
    levels = [n for n, name in enumerate(frame.index.names) if name not in (None, *names)]
    return _with_unique_names(
        [*names, *(frame.index.names[level] for level in levels)],
        lambda n: (
            frame.iloc[:, n]
            if n < len(names)
            else frame.index.get_level_values(levels[n - len(names)])
        ),
    )


def _with_unique_names(names: list[Any], column: Callable[[int], Any]) -> Table:
    if len(names) > MAX_READ:
        raise Refusal(
            "too many columns",
            f"a table of {len(names)} columns; at most {MAX_READ} are read, select those of"
            " interest",
        )
    found: Table = {}
    for number, name in enumerate(names):
        text = " ".join(map(str, name)) if isinstance(name, tuple) else str(name)
        found[unused(text, found)] = column(number)
    return found


def unused(name: str, names: Container[str]) -> str:
    """Return the name for a new column, numbered if it is in use.

    >>> unused("area", ["area"]), unused("", [])
    ('area [1]', 'unnamed')
    """
    name = clean(name) or "unnamed"
    candidates = (f"{name} [{number}]" for number in itertools.count(1))
    return name if name not in names else next(c for c in candidates if c not in names)


def rows_to_table(rows: Sequence[Mapping[str, Any] | None]) -> Table:
    """Return the features of each element as columns, with None for missing ones.

    >>> rows_to_table([{"name": "a"}, None, {"name": "b", "z": 3}])
    {'name': ['a', None, 'b'], 'z': [None, None, 3]}
    """
    names: dict[Any, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row or ()))
        if len(names) > MAX_READ:
            raise Refusal("too many columns", f"more than {MAX_READ} features")
    table: Table = {}
    for name in names:
        table[unused(str(name), table)] = [(row or {}).get(name) for row in rows]
    return table
