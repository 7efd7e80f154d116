"""Tables of shapes: of geometries, of bounding boxes, and napari's own."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dask_napari.coerce import _coordinate_columns, _geometries
from dask_napari.coerce._features import as_column
from dask_napari.coerce._outlines import Outlines, box
from dask_napari.coerce._tables import Table
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
"""Names of the corners of a bounding box, and what lies between them and the edge."""


def add_table(outlines: Outlines, table: Table) -> Table:
    """Add the shapes of a table; return the columns that are their features."""
    name = _coordinate_columns.find(table, ["geometry"])
    if name is not None:
        return _add_geometries(outlines, table, name)
    if _coordinate_columns.find(table, ["vertex-index"]) and _coordinate_columns.find(
        table, ["shape-type"]
    ):
        return _add_vertices(outlines, table)
    for corners, edge in _BOXES:
        names = [_coordinate_columns.find(table, [corner]) for corner in corners]
        found = [name for name in names if name is not None]
        if len(found) == len(corners):
            return _add_boxes(outlines, table, found, edge)
    raise Refusal(
        "no coordinates",
        "a table of shapes needs a column 'geometry', or bbox-0 to bbox-3 as regionprops_table"
        f" returns them; this one has {', '.join(map(repr, list(table)[:8]))}",
    )


def _add_geometries(outlines: Outlines, table: Table, name: str) -> Table:
    for value in as_column(name, table[name], "shapes"):
        if value is None:
            outlines.begin()
        elif not _geometries.is_geometry(value):
            raise Refusal(
                "shapes", f"column {name!r} holds a {type(value).__name__}, which is no geometry"
            )
        else:
            _geometries.add_geometry(outlines, value)
    return _coordinate_columns.without(table, [name])


def _add_boxes(outlines: Outlines, table: Table, names: list[str], edge: float) -> Table:
    for row in _coordinate_columns.stack(table, names, "bounding boxes") - edge:
        outlines.begin()
        outlines.add(box(row[:2], row[2:]), "rectangle")
    return _coordinate_columns.without(table, names)


def _add_vertices(outlines: Outlines, table: Table) -> Table:
    axes = _coordinate_columns.axis_columns(table)
    data = _coordinate_columns.stack(table, list(axes.values()), "vertices")
    index = _coordinate_columns.find(table, ["index"])
    if index is None or not axes:
        raise Refusal("no coordinates", "a table of vertices needs index and axis-0 ...")
    numbers = _coordinate_columns.stack(table, [index], "vertices")[:, 0]
    named = _coordinate_columns.find(table, ["shape-type"])
    types: Any = as_column("shape-type", table[named or ""], "vertices")
    for number in np.unique(numbers):
        rows = np.flatnonzero(numbers == number)
        outlines.begin()
        outlines.add(data[rows], str(types[rows[0]]))
    return {}
