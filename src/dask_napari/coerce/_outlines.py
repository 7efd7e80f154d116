"""Outlines gathered from an output: every shape as napari's vertices, points apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from dask_napari.coerce._coerced import Hints
from dask_napari.coerce._host_arrays import coordinates
from dask_napari.model import SHAPE_TYPES, AnyArray, Refusal, reachable

LEAST: Final = {"polygon": 3, "rectangle": 4, "ellipse": 4, "line": 2, "path": 2}
"""Vertices of each type; rectangles, ellipses and lines have neither more nor less."""

EXACT: Final = frozenset({"rectangle", "ellipse", "line"})


class Outlines:
    """Shapes and points in the order in which they were found.

    Parameters
    ----------
    hints : Hints
        What is known besides.

    Attributes
    ----------
    vertices : list of ndarray
        One array ``(v, D)`` a shape.
    types : list of int
        Index of each in ``SHAPE_TYPES``.
    sources : list of int
        Which element of the output each came from.
    points : list of ndarray
        One array ``(n, D)`` for each element that is points.
    point_sources : list of int
        Which element of the output each came from.
    rows : list of mapping
        What each element of the output says of itself.
    """

    def __init__(self, hints: Hints) -> None:
        self.hints = hints
        self.vertices: list[AnyArray] = []
        self.types: list[int] = []
        self.sources: list[int] = []
        self.points: list[AnyArray] = []
        self.point_sources: list[int] = []
        self.rows: list[Mapping[str, Any]] = []

    def begin(self, row: Mapping[str, Any] | None = None) -> None:
        """Go on to the next element of the output."""
        self.rows.append(row or {})

    def add(self, vertices: object, shape_type: str = "") -> None:
        """Add a shape of the present element."""
        data = coordinates(vertices, "vertices")
        if data.ndim == 1 and 2 <= len(data) <= 4:
            data = data[np.newaxis]
        if data.ndim != 2 or (len(data) and not 2 <= data.shape[1] <= 32):
            raise Refusal(
                "dimensions", f"vertices of a shape need shape (v, D), and came with {data.shape}"
            )
        if not len(data):
            self.hints.note("shapes without vertices are left out")
            return
        shape_type = _type_name(shape_type) or guess(data)
        if shape_type != "point":
            data = _fitted(data, shape_type)
        if not reachable(data).all():
            self.hints.note(
                "shapes with a vertex that is not finite, or beyond 2**31, are left out",
            )
        elif shape_type == "point":
            self.points.append(data)
            self.point_sources.append(len(self.rows) - 1)
        else:
            self.vertices.append(data)
            self.types.append(SHAPE_TYPES.index(shape_type))
            self.sources.append(len(self.rows) - 1)


def _type_name(given: object) -> str:
    name = str(given or "").strip().lower()
    name = {"points": "point", "polyline": "path", "linestring": "path", "oval": "ellipse"}.get(
        name, name
    )
    if name in ("", "point", *SHAPE_TYPES):
        return name
    raise Refusal("shape type", f"shape type {given!r} is none of {', '.join(SHAPE_TYPES)}, point")


def guess(data: AnyArray) -> str:
    """Return the type of a shape of which only the vertices are known.

    One vertex is a point, two are a line. More are a polygon, unless they are a contour that
    does not close, as ``skimage.measure.find_contours`` returns at the border of an image.

    Examples
    --------
    >>> guess(np.array([[0.0, 0.5], [0.5, 1.0], [1.0, 1.5]])), guess(np.eye(3, 2))
    ('path', 'polygon')
    """
    if len(data) < 3:
        return ("point", "line")[len(data) - 1]
    if np.array_equal(data[0], data[-1]):
        return "polygon" if len(data) > 3 else "path"
    return "path" if _is_contour(data) else "polygon"


def _is_contour(data: AnyArray) -> bool:
    """Whether vertices lie on the lines between pixels, one step apart: marching squares."""
    if data.shape[1] != 2:
        return False
    whole = data == np.floor(data)
    if whole.all() or not whole.any(axis=1).all():
        return False
    return bool((np.abs(np.diff(data, axis=0)) <= 1).all())


def _fitted(data: AnyArray, shape_type: str) -> AnyArray:
    """Return vertices in the number that napari wants of their type."""
    if shape_type == "polygon" and len(data) > 3 and np.array_equal(data[0], data[-1]):
        data = data[:-1]
    if shape_type == "rectangle" and len(data) == 5 and np.array_equal(data[0], data[-1]):
        data = data[:-1]
    if len(data) == 2 and shape_type in ("rectangle", "ellipse"):
        if shape_type == "ellipse":  # centre and radii, as napari reads it
            centre, radii = data
            data = np.stack([centre - radii, centre + radii])
        data = box(data[0], data[1])
    if len(data) < LEAST[shape_type] or (shape_type in EXACT and len(data) != LEAST[shape_type]):
        raise Refusal(
            "vertices",
            f"a {shape_type} needs {'' if shape_type in EXACT else 'at least '}"
            f"{LEAST[shape_type]} vertices, and came with {len(data)}",
        )
    return data


def box(low: AnyArray, high: AnyArray) -> AnyArray:
    """Return the corners of a box in the last two axes, in napari's order.

    Examples
    --------
    >>> box(np.array([0, 0]), np.array([2, 3])).tolist()
    [[0, 0], [0, 3], [2, 3], [2, 0]]
    """
    corners = np.stack([low, low, low, low])
    corners[1:3, -1] = high[-1]
    corners[2:4, -2] = high[-2]
    return corners


def refuse_shape(value: object) -> Refusal:
    """Return the refusal of an element that is no shape."""
    return Refusal(
        "not shapes",
        f"a {type(value).__name__} is no shape; return vertices (v, D), (vertices, 'polygon'),"
        " shapely geometries, ImageJ ROIs of roifile, or what find_contours or regionprops return",
    )
