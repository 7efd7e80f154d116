"""Columns of tables that hold coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from dask_napari.coerce._column_roles import AXES, AXIS_WORDS, places_in
from dask_napari.coerce._features import as_column, column
from dask_napari.coerce._host_arrays import coordinates
from dask_napari.coerce._layer_arrays import Note
from dask_napari.coerce._tables import Table
from dask_napari.model import AnyArray, Conversion, Refusal

Places = Mapping[tuple[str, tuple[str, ...]], str]
"""Columns by their word for an axis, and the rest of their words."""

PLANES: Final = (
    *(("y", "x"), ("row", "col"), ("row", "column"), ("rows", "cols")),
    *(("cy", "cx"), ("yc", "xc"), ("ym", "xm")),
)
"""Words that go together."""


def axis_columns(
    table: Table, excluded: frozenset[str] = frozenset(), named: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the columns of coordinates by their axes, in the order of an array.

    Those that a tap has ``named`` come first; words of ``excluded`` axes make features.

    >>> axis_columns({"x": [1], "area": [9], "y": [2]})
    {'y': 'y', 'x': 'x'}
    >>> axis_columns({"centroid-0": [1], "centroid-1": [9]})
    {'0': 'centroid-0', '1': 'centroid-1'}
    >>> axis_columns({"u": [1], "v": [2], "y": [3], "x": [4]}, named={"y": "v", "x": "u"})
    {'y': 'v', 'x': 'u'}
    """
    chosen = {axis: name for axis, name in (named or {}).items() if axis in AXES}
    places = {key: name for key, name in places_in(table).items() if name not in chosen.values()}
    wanted = {a: w for a, w in AXIS_WORDS.items() if a not in chosen and excluded.isdisjoint(w)}
    if "y" in chosen and "x" in chosen:
        return _ordered({a: _best(places, words, ()) for a, words in wanted.items()} | chosen)
    # The shortest names are the plainest: y before centroid_y.
    for rest in sorted({rest for _, rest in places}, key=lambda words: (len(words), words)):
        for plane in PLANES:
            if all((word, rest) in places for word in plane):
                guessed = {axis: _best(places, words, rest) for axis, words in wanted.items()}
                guessed |= {a: places[w, rest] for a, w in zip("yx", plane, strict=True)}
                return _ordered(guessed | chosen)
    numbered = {} if "y" in chosen or "x" in chosen else _numbered(places)
    more = {axis: _best(places, wanted[axis], ()) for axis in ("t", "z") if axis in wanted} | chosen
    if numbered and any(more.values()) and len(numbered) <= 3:
        # Numbered axes are those of the picture; a column of frames or planes stands beside them.
        names = dict(zip("zyx"[-len(numbered) :], numbered.values(), strict=True))
        return _ordered(more | names)
    return numbered


def _ordered(columns: Mapping[str, str | None]) -> dict[str, str]:
    return {axis: name for axis in AXES if (name := columns.get(axis)) is not None}


def _best(places: Places, words: Sequence[str], rest: tuple[str, ...]) -> str | None:
    """Return the column of an axis that goes with the rest of the others, or has the word alone."""
    keys = [(word, each) for word in words for each in (rest, ())]
    return next((places[key] for key in keys if key in places), None)


def _numbered(places: Places) -> dict[str, str]:
    """Return columns such as ``centroid-0`` and ``centroid-1``; refuse those with gaps."""
    families = numbered_families(places)
    # Centres before napari's axes, and weighted centres last.
    for rest in sorted(families, key=lambda words: (len(words), words[0] == "axis", words)):
        if len(families[rest]) >= 2:
            return {str(n): name for n, name in enumerate(complete(families[rest]))}
    return {}


def numbered_families(places: Places) -> dict[tuple[str, ...], dict[int, str]]:
    """Return the columns of each family by their number."""
    families: dict[tuple[str, ...], dict[int, str]] = {}
    for (word, rest), name in places.items():
        if word.isdigit() and rest and len(word) <= 2:
            families.setdefault(rest, {})[int(word)] = name
    return families


def complete(family: Mapping[int, str]) -> list[str]:
    """Return the columns of a family in order; refuse it where one is missing."""
    if sorted(family) != [*range(len(family))]:
        raise Refusal(
            "no coordinates",
            f"columns {', '.join(map(repr, family.values()))} are not all of their axes from 0"
            " on; return the others, too",
        )
    return [family[number] for number in sorted(family)]


def with_numbers(
    columns: Mapping[str, str], table: Table, named: Mapping[str, str]
) -> dict[str, str]:
    """Return the columns without those of t and z that have no number, such as times of day."""
    return {
        axis: name
        for axis, name in columns.items()
        if axis not in ("t", "z") or axis in named or _has_number(table[name], name)
    }


def _has_number(values: object, name: str) -> bool:
    numbers = numbers_in(as_column(name, values, "rows"))
    return numbers.dtype.kind in "iuf" and (not numbers.size or bool(np.isfinite(numbers).any()))


def note_unused(
    table: Table, used: Mapping[str, str], note: Note, excluded: frozenset[str] = frozenset()
) -> None:
    """Tell that further columns of coordinates are features, such as a second kind of centre."""
    expected = {*used.values()}
    for words in AXIS_WORDS.values():
        if not excluded.isdisjoint(words):
            expected |= {name for (word, _), name in places_in(table).items() if word in words}
    unused = [name for name in dict.fromkeys(places_in(table).values()) if name not in expected]
    if unused:
        text = Conversion.OTHER_COORDINATES
        note(text, f"{text}: {', '.join(used.values())} are used, and not {', '.join(unused)}")


def axis_names(columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return the axes of :func:`axis_columns`, empty where they are only numbered."""
    return () if any(axis.isdigit() for axis in columns) else tuple(columns)


def numbers_in(values: AnyArray) -> AnyArray:
    """Return a column as numbers, with NaN for text and objects that are none.

    Files of some programs have lines of text below their header, and so text in all columns.
    """
    if values.dtype.kind in "OU":
        return np.array([_number(value) for value in values.tolist()], np.float64)
    return values


def _number(value: object) -> float:
    try:
        if isinstance(value, int | float | np.number | str) and not isinstance(value, bool):
            return float(value)
    except (OverflowError, TypeError, ValueError):
        pass
    return np.nan


def take(table: Table, names: Sequence[str], elements: str) -> tuple[AnyArray, Table]:
    """Return columns of numbers side by side, and the table of the other columns."""
    found: list[AnyArray] = []
    for name in names:
        try:
            given = as_column(name, table[name], elements)
            numbers = numbers_in(given)
            values = given if numbers.dtype.kind == "f" and np.isnan(numbers).all() else numbers
            values = column(values)
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
