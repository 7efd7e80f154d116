"""Columns of tables that hold coordinates."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from dask_napari.coerce._features import as_column, column
from dask_napari.coerce._host_arrays import coordinates
from dask_napari.coerce._tables import Table
from dask_napari.model import AnyArray, Refusal

AXES: Final = ("t", "z", "y", "x")
"""Axes that a column may be named after, in the order of an array."""

_WORDS: Final = {
    "t": ("t", "frame", "timepoint", "time"),
    "z": ("z", "slice", "plane"),
    "y": ("y", "row"),
    "x": ("x", "col", "column"),
}
"""Words for each axis at either end of a column's name, the best first, for all kinds."""

_PLANES: Final = (("y", "x"), ("row", "col"), ("row", "column"))
"""Words that go together."""

_PLACE_WORDS: Final = frozenset(
    {"position", "pos", "centroid", "center", "centre", "location", "loc", "com"}
    | {"coord", "coordinate", "coordinates", "axis"}
)
"""Words that may stand beside the axis in a name. Others make it something else: ``velocity_x``."""

_OTHER_ORIGIN: Final = frozenset({"local", "relative", "offset"})
"""Words of coordinates that do not count from the corner of the image."""

_UNITS: Final = frozenset(
    {
        "px",
        "pixel",
        "pixels",
        "nm",
        "um",
        "\N{MICRO SIGN}m",
        "\N{GREEK SMALL LETTER MU}m",
        "mm",
        "micron",
    }
)
"""Words at the end of a name that tell its unit, and not the axis."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")


@functools.lru_cache(4096)  # tables of one task have the same names each time
def _words(name: str) -> tuple[str, ...]:
    """Return the words of a column's name in lower case, without its unit.

    >>> _words("AreaShape_Center_X"), _words("Centroid X px"), _words("centroid-0")
    (('area', 'shape', 'center', 'x'), ('centroid', 'x'), ('centroid', '0'))
    """
    found = [word.lower() for word in _WORD.findall(name)]
    while len(found) > 1 and found[-1] in _UNITS:
        found.pop()
    return tuple(found)


def _columns_of(table: Table) -> dict[tuple[str, tuple[str, ...]], str]:
    """Return columns by their word for an axis and the rest of their words, the first of each."""
    found: dict[tuple[str, tuple[str, ...]], str] = {}
    known = {word for words in _WORDS.values() for word in words}
    for name in table:
        words = _words(name)
        ends = [(words[-1], words[:-1]), (words[0], words[1:])] if words else []
        for word, rest in ends:
            is_place = not rest or (_PLACE_WORDS & {*rest} and not _OTHER_ORIGIN & {*rest})
            if is_place and (word in known or word.isdigit()):
                found.setdefault((word, rest), name)
    return found


def find(table: Table, names: Sequence[str]) -> str | None:
    """Return the first column with one of the names, the best first, whatever its case.

    >>> find({"Track_ID": [1]}, ["id", "track_id"])
    'Track_ID'
    """
    folded = {name.strip().lower(): name for name in reversed(table)}
    return next((folded[name] for name in names if name in folded), None)


def axis_columns(table: Table, excluded: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return the columns of coordinates by their axes, in the order of an array.

    >>> axis_columns({"x": [1], "area": [9], "y": [2]})
    {'y': 'y', 'x': 'x'}
    >>> axis_columns({"centroid-0": [1], "centroid-1": [9]})
    {'0': 'centroid-0', '1': 'centroid-1'}
    """
    columns = _columns_of(table)
    wanted = {axis: words for axis, words in _WORDS.items() if excluded.isdisjoint(words)}
    # The shortest names are the plainest: y before centroid_y.
    for rest in sorted({rest for _, rest in columns}, key=lambda words: (len(words), words)):
        for plane in _PLANES:
            if all((word, rest) in columns for word in plane):
                named = {axis: _best(columns, words, rest) for axis, words in wanted.items()}
                named |= {a: columns[w, rest] for a, w in zip("yx", plane, strict=True)}
                return {axis: named[axis] for axis in AXES if named.get(axis) is not None}  # type: ignore[misc]
    return _numbered(columns)


def _best(
    columns: Mapping[tuple[str, tuple[str, ...]], str], words: Sequence[str], rest: tuple[str, ...]
) -> str | None:
    """Return the column of an axis that goes with the rest of the others, or has the word alone."""
    keys = [(word, each) for each in (rest, ()) for word in words]
    return next((columns[key] for key in keys if key in columns), None)


def _numbered(columns: Mapping[tuple[str, tuple[str, ...]], str]) -> dict[str, str]:
    """Return columns such as ``centroid-0`` and ``centroid-1``; refuse those with gaps."""
    families: dict[tuple[str, ...], dict[int, str]] = {}
    for (word, rest), name in columns.items():
        if word.isdigit() and rest and len(word) <= 2:
            families.setdefault(rest, {})[int(word)] = name
    # Centres before napari's axes, and weighted centres last.
    order = sorted(families, key=lambda words: (len(words), words[0] == "axis", words))
    for rest in order:
        family = families[rest]
        if len(family) < 2:
            continue
        if sorted(family) != list(range(len(family))):
            raise Refusal(
                "no coordinates",
                f"columns {', '.join(map(repr, family.values()))} are not all of their axes from 0"
                " on; return the others, too",
            )
        return {str(number): family[number] for number in sorted(family)}
    return {}


def axis_names(columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return the axes of :func:`axis_columns`, empty where they are only numbered."""
    return () if any(axis.isdigit() for axis in columns) else tuple(columns)


def _numbers(values: AnyArray) -> AnyArray:
    """Return a column of objects as numbers, with NaN for what is none, if it has any."""
    if values.dtype.kind != "O":
        return values
    given = [isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values]
    if all(given) or not any(given):
        return values
    pairs = zip(values, given, strict=True)
    return np.array([float(v) if is_number else np.nan for v, is_number in pairs])


def take(table: Table, names: Sequence[str], elements: str) -> tuple[AnyArray, Table]:
    """Return columns of numbers side by side, and the table of the other columns."""
    found: list[AnyArray] = []
    for name in names:
        try:
            values = column(_numbers(as_column(name, table[name], elements)))
            # An empty list has no type of its own.
            values = coordinates(values if len(values) else np.empty(0), f"column {name!r}")
        except Refusal as error:
            raise Refusal("dtype", f"column {name!r} of {elements}: {error}") from error
        if values.ndim != 1 or (found and len(values) != len(found[0])):
            raise Refusal(
                "feature length",
                f"column {name!r} has {len(values)} values, and column {names[0]!r} has"
                f" {len(found[0]) if found else 'another form'}",
            )
        found.append(values)
    others = {name: values for name, values in table.items() if name not in names}
    return np.column_stack(found), others
