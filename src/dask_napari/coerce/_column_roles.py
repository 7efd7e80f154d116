"""Roles of columns: the words by which tables of all kinds say which column is which."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping
from typing import Final

from dask_napari.coerce._tables import Table, column_list
from dask_napari.model import Kind, Refusal

AXES: Final = ("t", "z", "y", "x")
"""Axes that a column may be named after, in the order of an array."""

AXIS_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "t": ("frame", "t", "timepoint", "time"),
    "z": ("z", "slice", "plane"),
    "y": ("y", "row", "rows", "cy", "yc", "ym"),
    "x": ("x", "col", "column", "cols", "cx", "xc", "xm"),
}
"""Words for each axis, the best first: the number of a frame before a time in seconds."""

CORNERS: Final = ("ymin", "xmin", "ymax", "xmax")
"""Roles of the columns of a bounding box."""

COLUMN_ROLES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "points": AXES,
    "vectors": (*AXES, *(f"d{axis}" for axis in AXES)),
    "tracks": ("track", *AXES, "parent"),
    "shapes": ("geometry", *CORNERS),
    "labels": ("label",),
    "image": (),
    "surface": (),
}
"""Roles that ``columns=`` of a tap may give to a column, by kind."""

_PLACE: Final = frozenset(
    {"position", "pos", "centroid", "center", "centre", "location", "loc", "com"}
    | {"coord", "coordinate", "coordinates", "axis", "spatial", "global"}
    | {"cell", "nucleus", "nuclei", "spot", "object"}
)
"""Words that may stand beside an axis in a name. Others make it something else: ``velocity_x``."""

_OTHER_ORIGIN: Final = frozenset({"local", "relative", "offset"})
"""Words of coordinates that do not count from the corner of the image."""

_INDEX: Final = frozenset({"index", "idx", "number", "num", "no", "id"})
"""Words that may stand beside the word for a frame or a plane: they are counted."""

_COUNTED: Final = frozenset({"t", "z", "frame", "timepoint", "time", "slice", "plane"})

_UNITS: Final = frozenset(
    {"px", "pixel", "pixels", "nm", "um", "mm", "micron", "microns"}
    | {"\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m"}
)
"""Words at the end of a name that tell its unit, and not the axis."""

_ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "track": (
        *("track id", "trackid", "track", "track number", "track index"),
        *("particle", "particle id", "trajectory", "trajectory id", "id"),
    ),
    "parent": ("parent track id", "parent id", "parent", "parent track"),
    "label": ("label", "index", "label id", "labels"),
    "geometry": ("geometry",),
}
"""Names of columns that are no coordinates, as words, the best first."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")


@functools.lru_cache(4096)  # tables of one task have the same names each time
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a column's name in lower case, without its unit.

    >>> words_of("AreaShape_Center_X"), words_of("Centroid X px"), words_of("centroid-0")
    (('area', 'shape', 'center', 'x'), ('centroid', 'x'), ('centroid', '0'))
    """
    found = [word.lower() for word in _WORD.findall(name)]
    while len(found) > 1 and found[-1] in _UNITS:
        found.pop()
    return tuple(found)


def places_in(table: Table) -> dict[tuple[str, tuple[str, ...]], str]:
    """Return columns by their word for an axis and the rest of their words, the first of each."""
    found: dict[tuple[str, tuple[str, ...]], str] = {}
    known = {word for words in AXIS_WORDS.values() for word in words}
    for name in table:
        words = words_of(name)
        ends = [(words[-1], words[:-1]), (words[0], words[1:])] if words else []
        for word, rest in ends:
            if word in _COUNTED and rest and _INDEX.issuperset(rest):
                rest = ()
            is_place = not rest or (_PLACE & {*rest} and not _OTHER_ORIGIN & {*rest})
            if is_place and (word in known or word.isdigit()):
                found.setdefault((word, rest), name)
    return found


def role_column(table: Table, role: str, named: Mapping[str, str]) -> str | None:
    """Return the column of a role: the one that the tap names, or else the best by its words.

    >>> role_column({"ID": [7], "Track_ID": [1]}, "track", {})
    'Track_ID'
    >>> role_column({"ID": [7], "Track_ID": [1]}, "track", {"track": "ID"})
    'ID'
    """
    if role in named:
        return named[role]
    by_words = {" ".join(words_of(name)): name for name in reversed(table)}
    return next((by_words[name] for name in _ROLES[role] if name in by_words), None)


def check_named(table: Table, named: Mapping[str, str]) -> None:
    """Refuse a table that lacks a column which the tap names."""
    for role, name in named.items():
        if name not in table:
            near = difflib.get_close_matches(name, table, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise Refusal(
                "no coordinates",
                f"columns={{{role!r}: {name!r}}} of the tap names no column of this table, which"
                f" has {column_list(table)}{hint}",
            )


def checked_columns(kind: Kind, columns: object) -> dict[str, str]:
    """Return ``columns=`` of a tap; refuse what no table of this kind can have.

    >>> checked_columns("points", {"y": "row", "x": "col"})
    {'y': 'row', 'x': 'col'}
    """
    if columns is None:
        return {}
    roles = COLUMN_ROLES[kind]
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns={columns!r} is not a mapping, such as {{'y': 'row', 'x': 'col'}}")
    if not roles:
        raise ValueError(f"columns={columns!r} is for tables, and kind is {kind!r}")
    for role, name in columns.items():
        if role not in roles:
            raise ValueError(
                f"columns={columns!r}: {role!r} is no coordinate of {kind}; give some of"
                f" {', '.join(map(repr, roles))}"
            )
        if not isinstance(name, str) or not name:
            raise TypeError(f"columns={columns!r}: {name!r} is not the name of a column")
    if len({*columns.values()}) < len(columns):
        raise ValueError(f"columns={columns!r} gives one column two meanings")
    _check_complete(kind, columns)
    return dict(columns)


def _check_complete(kind: Kind, columns: Mapping[str, str]) -> None:
    """Refuse half a family: one coordinate of a plane, or some corners of a box."""
    for family in (("y", "x"), ("dy", "dx"), CORNERS):
        given = [role for role in family if role in columns]
        if given and len(given) < len(family) and set(family) <= {*COLUMN_ROLES[kind]}:
            missing = ", ".join(repr(role) for role in family if role not in columns)
            raise ValueError(f"columns={columns!r} lacks {missing}; name the others, too")
