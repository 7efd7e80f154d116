"""Tables of shapes: of geometries, of bounding boxes, and napari's own."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dask_napari.coerce._coordinate_columns import axis_columns, find, take
from dask_napari.coerce._features import as_column, is_missing
from dask_napari.coerce._geometries import add_geometry, is_geometry
from dask_napari.coerce._outlines import Outlines, box
from dask_napari.coerce._tables import Table, column_list
from dask_napari.model import Refusal

_BOXES: Final = (
    # Of pixels, the last one excluded, as in regionprops_table: from edge to edge.
    (("bbox-0", "bbox-1", "bbox-2", "bbox-3"), 0.5),
    (("min_row", "min_col", "max_row", "max_col"), 0.5),
    # Of detectors: coordinates as they are.
    (("ymin", "xmin", "ymax", "xmax"), 0.0),
    (("y_min", "x_min", "y_max", "x_max"), 0.0),
    (("y1", "x1", "y2", "x2"), 0.0),
)
"""Names of the corners of a bounding box, and the distance from them to the edge."""


def add_table(outlines: Outlines, table: Table) -> Table:
    """Add the shapes of a table, and return the columns that are their features.

    The table has a column ``geometry``, columns of bounding boxes such as ``bbox-0`` to ``bbox-3``,
    or napari's ``index``, ``shape-type``, ``vertex-index`` and ``axis-0``, ``axis-1``.
    """
    name = find(table, ["geometry"])
    if name is not None:
        return _add_geometries(outlines, table, name)
    if find(table, ["vertex-index"]) and find(table, ["shape-type"]):
        return _add_vertices(outlines, table)
    for corners, edge in _BOXES:
        names = [find(table, [corner]) for corner in corners]
        found = [name for name in names if name is not None]
        if len(found) == len(corners):
            return _add_boxes(outlines, table, found, edge)
    raise Refusal(
        "no coordinates",
        "a table of shapes needs a column 'geometry', or bbox-0 to bbox-3 as regionprops_table"
        f" returns them; this one has {column_list(table)}",
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
