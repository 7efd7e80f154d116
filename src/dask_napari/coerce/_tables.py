"""Tables of whatever library: columns by name, in order."""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping
from datetime import date, time, timedelta
from typing import Any, Final

import numpy as np

from dask_napari.coerce._host_arrays import is_array, refuse_lazy
from dask_napari.coerce._text import clean
from dask_napari.model import Refusal

Table = dict[str, Any]
"""Name -> column: an array, a series of a data frame or a list."""

_SCALARS: Final = (str, bytes, bool, int, float, complex, np.generic, date, time, timedelta)

COLUMNS: Final = 256
"""Columns of one table. The headers of a batch of 64 such items are a quarter of what a message
may hold."""


def is_frame(value: object) -> bool:
    """Return whether a value is a data frame, a table of arrow or a structured array.

    Examples
    --------
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
    # Of the type: a LazyFrame would work out its columns when asked.
    return rows and hasattr(type(value), "columns")


def is_columns(value: object) -> bool:
    """Return whether a value is a mapping of names to columns of scalars.

    Examples
    --------
    >>> is_columns({"y": [1, 2], "x": [3, 4]}), is_columns({"raw": np.zeros((4, 4))})
    (True, False)
    """
    return isinstance(value, Mapping) and bool(value) and all(map(_is_column, value.values()))


def _is_column(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return not value or value[0] is None or isinstance(value[0], _SCALARS)
    return is_array(value) and getattr(value, "ndim", 1) == 1


def table_of(value: object) -> Table | None:
    """Return the columns of a data frame or a mapping, None for what is no table.

    A named index of a data frame is a column, too.

    Examples
    --------
    >>> table_of({"y": [1, 2], "x": [3, 4]})
    {'y': [1, 2], 'x': [3, 4]}
    >>> table_of([1, 2]) is None
    True
    """
    if is_frame(value):
        refuse_lazy(value)
        return _of_frame(value)
    if isinstance(value, Mapping):
        return _named(list(value), list(value.values()))
    return None


def _of_frame(frame: Any) -> Table:
    if isinstance(frame, np.ndarray):
        names = list(frame.dtype.names or ())
        return _named(names, [frame[name] for name in names])
    if hasattr(frame, "column_names"):
        names = list(frame.column_names)
        return _named(names, [frame.column(n) for n in range(len(names))])
    names = list(frame.columns)
    _check_count(len(names))
    if not hasattr(frame, "iloc"):
        return _named(names, [frame.to_series(n) for n in range(len(names))])
    columns = [frame.iloc[:, n] for n in range(len(names))]
    index = frame.index
    for level, name in enumerate(index.names):
        if name is not None and name not in names:
            names.append(name)
            columns.append(index.get_level_values(level))
    return _named(names, columns)


def _check_count(count: int) -> None:
    if count > COLUMNS:
        raise Refusal(
            "too many columns",
            f"a table of {count} columns; at most {COLUMNS} are shown, select those of interest",
        )


def _named(names: list[Any], columns: list[Any]) -> Table:
    _check_count(len(names))
    found: Table = {}
    for name, column in zip(names, columns, strict=True):
        text = " ".join(map(str, name)) if isinstance(name, tuple) else str(name)
        found[unused(text, found)] = column
    return found


def unused(name: str, names: Container[str]) -> str:
    """Return the name of a column, numbered if there is one of that name.

    Examples
    --------
    >>> unused("area", ["area"]), unused("", [])
    ('area [1]', 'unnamed')
    """
    name = clean(name) or "unnamed"
    candidates = (f"{name} [{number}]" for number in itertools.count(1))
    return name if name not in names else next(c for c in candidates if c not in names)
