"""Tables of shapes: of geometries, of bounding boxes, and napari's own."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from dask_napari.coerce._column_roles import CORNERS, check_named, role_column, words_of
from dask_napari.coerce._coordinate_columns import PLANES, axis_columns, complete, take
from dask_napari.coerce._features import as_column, is_missing
from dask_napari.coerce._geometries import add_geometry, is_geometry
from dask_napari.coerce._host_arrays import is_array
from dask_napari.coerce._outlines import Outlines, box
from dask_napari.coerce._tables import Table, column_list, find
from dask_napari.model import Refusal

_EDGE: Final = 0.5
"""Pixels from the corners of a box of pixels, the last one excluded, as in ``regionprops_table``,
to its edges. The corners of detectors are coordinates as they are."""

_NUMBERED_BOXES: Final = frozenset({("bbox",), ("bounding", "box")})
"""Words of boxes whose corners are numbered: the first ones, then the last ones."""

_AXES: Final = frozenset({"y", "x", "row", "col", "column"})

_JOINED: Final = re.compile(r"^([xyz])(min|max)$")

_ENDS: Final = (("min", "max"), ("minimum", "maximum"), ("1", "2"), ("0", "1"))
"""Words for the first and the last corner of a box."""


def add_table(outlines: Outlines, table: Table, named: Mapping[str, str]) -> Table:
    """Add the shapes of a table, and return the columns that are their features.

    The table has a column ``geometry``, columns of bounding boxes such as ``bbox-0`` to ``bbox-3``,
    or napari's ``index``, ``shape-type``, ``vertex-index`` and ``axis-0``, ``axis-1``.
    """
    check_named(table, named)
    name = role_column(table, "geometry", named) or _geometry_column(table)
    if name is not None and "ymin" not in named:
        return _add_geometries(outlines, table, name)
    if find(table, ["vertex-index"]) and find(table, ["shape-type"]):
        return _add_vertices(outlines, table)
    found = [named[corner] for corner in CORNERS if corner in named]
    if found:
        return _add_boxes(outlines, table, found, 0.0)
    found = _numbered_corners(table)
    if found:
        return _add_boxes(outlines, table, found, _EDGE)
    found, edge = _named_corners(table)
    if found:
        return _add_boxes(outlines, table, found, edge)
    raise Refusal(
        "no coordinates",
        "a table of shapes needs a column 'geometry', or bbox-0 to bbox-3 as regionprops_table"
        f" returns them; this one has {column_list(table)}; or say columns={{'ymin': ..., 'xmin':"
        " ..., 'ymax': ..., 'xmax': ...} of the tap",
    )


def _geometry_column(table: Table) -> str | None:
    """Return the first column that holds geometries, whatever its name."""
    for name, values in table.items():
        kind = getattr(getattr(values, "dtype", None), "kind", "O")
        if isinstance(kind, str) and kind == "O" and _holds_geometries(values):
            return name
    return None


def _holds_geometries(values: Any) -> bool:
    if not is_array(values) and not isinstance(values, list | tuple):
        return False
    first = next((value for value in values if not is_missing(value)), None)
    return is_geometry(first)


def _numbered_corners(table: Table) -> list[str]:
    """Return columns such as ``bbox-0`` to ``bbox-3``; refuse a part of them, and volumes."""
    family: dict[int, str] = {}
    for name in table:
        *rest, number = words_of(name) or ("",)
        if tuple(rest) in _NUMBERED_BOXES and number.isdigit():
            family.setdefault(int(number), name)
    corners = complete(family)
    if len(corners) == 6:
        raise _of_a_volume(corners)
    return corners if len(corners) == 4 else []


def _named_corners(table: Table) -> tuple[list[str], float]:
    """Return columns such as ``ymin`` or ``min_row``, first corner first, and where edges lie."""
    by_words = {frozenset(_corner_words(name)): name for name in reversed(table)}
    ends = {word for pair in _ENDS for word in pair}
    stems = {words - {*_AXES, *ends} for words in by_words if words & ends}
    for stem in sorted(stems, key=lambda words: (len(words), sorted(words))):
        for (low, high), plane in itertools.product(_ENDS, PLANES):
            keys = [stem | {axis, end} for end in (low, high) for axis in plane]
            if all(key in by_words for key in keys):
                names = [by_words[key] for key in keys]
                if depth := by_words.get(stem | {"z", low}):
                    raise _of_a_volume([depth, *names])
                return names, _EDGE if "row" in plane or "bounding" in stem else 0.0
    return [], 0.0


def _corner_words(name: str) -> list[str]:
    """Return the words of a column's name, with two for ``ymin``."""
    return [part for word in words_of(name) for part in _JOINED.sub(r"\1 \2", word).split()]


def _of_a_volume(names: Sequence[str]) -> Refusal:
    return Refusal(
        "dimensions",
        f"columns {', '.join(map(repr, names))} are boxes of a volume, which napari's shapes cannot"
        " draw; return the columns of a plane, or tap the centroids as kind='points'",
    )


def _add_geometries(outlines: Outlines, table: Table, name: str) -> Table:
    for value in as_column(name, table[name], "shapes"):
        with outlines.element():
            if is_missing(value):
                outlines.leave_out("no geometry")
            elif not is_geometry(value):
                raise Refusal(
                    "shapes", f"column {name!r} holds a {type(value).__name__}; give geometries"
                )
            else:
                add_geometry(outlines, value)
    return {other: values for other, values in table.items() if other != name}


def _add_boxes(outlines: Outlines, table: Table, names: list[str], edge: float) -> Table:
    corners, others = take(table, names, "bounding boxes")
    for row in corners - edge:
        with outlines.element():
            outlines.add(box(row[:2], row[2:]), "rectangle")
    return others


def _add_vertices(outlines: Outlines, table: Table) -> Table:
    axes = axis_columns(table)
    data, _ = take(table, list(axes.values()), "vertices")
    index = find(table, ["index"])
    if index is None or not axes:
        raise Refusal("no coordinates", "a table of vertices needs index and axis-0 ...")
    numbers = take(table, [index], "vertices")[0][:, 0]
    named = find(table, ["shape-type"])
    types: Any = as_column("shape-type", table[named or ""], "vertices")
    for number in np.unique(numbers):
        rows = np.flatnonzero(numbers == number)
        with outlines.element():
            outlines.add(data[rows], str(types[rows[0]]))
    return {}
