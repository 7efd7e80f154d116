"""Points and shapes as ROIs of ImageJ, plane by plane."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from dask_napari.model import SHAPE_TYPES, AnyArray, Item

POLYGON, RECTANGLE, OVAL, POLYLINE, POINTS = range(5)
"""Types of ROIs, as the plugin numbers them."""

CORNER: Final = 0.5
"""In ImageJ an area begins at the corner of a pixel, in napari pixels have their centre at whole
numbers. Lines and points go by the centres in both."""

_CURVE: Final = 64
"""Vertices of an ellipse that is turned, which is a polygon in ImageJ."""

Vertices = tuple[int, AnyArray]
"""Type of a ROI and its vertices, as x and y."""


def rois_of(
    item: Item, scale: AnyArray, translate: AnyArray
) -> tuple[dict[tuple[int, ...], list[Vertices]], int]:
    """Return the ROIs of points or shapes by plane, and how many shapes lie in no one plane.

    A plane is the index along the leading axes of the coordinates, which are ``scale`` times
    their own plus ``translate`` in pixels of the image.

    >>> spots = Item("spots", "points", np.array([[0.0, 2, 3], [1, 4, 5], [0, 6, 7]]))
    >>> found, left_out = rois_of(spots, np.ones(2), np.zeros(2))
    >>> {plane: rois[0][1].tolist() for plane, rois in found.items()}, left_out
    ({(0,): [[3.0, 2.0], [7.0, 6.0]], (1,): [[5.0, 4.0]]}, 0)
    """
    planes: dict[tuple[int, ...], list[Vertices]] = {}
    left_out = 0
    for kind, vertices in _elements(item):
        indices = np.rint(vertices[:, :-2]).astype(int)
        if kind != POINTS and (indices != indices[:1]).any():
            left_out += 1
            continue
        flat = (vertices[:, -2:] * scale + translate)[:, ::-1]
        # Whole planes at a time: points of one plane are one ROI.
        different, which = np.unique(indices, axis=0, return_inverse=True)
        for number, plane in enumerate(different):
            roi = _roi(kind, flat[which.reshape(-1) == number])
            planes.setdefault(tuple(map(int, plane)), []).append(roi)
    return planes, left_out


def _elements(item: Item) -> Iterator[Vertices]:
    """Yield the points of an item as one element, or each of its shapes, by napari's types."""
    if item.kind == "points":
        if len(item.data):
            yield POINTS, item.data
        return
    kinds = {"polygon": POLYGON, "rectangle": RECTANGLE, "ellipse": OVAL}
    offsets = item.arrays["offsets"].astype(np.int64)
    for number, kind in enumerate(item.arrays["types"]):
        vertices = item.data[offsets[number] : offsets[number + 1]]
        yield kinds.get(SHAPE_TYPES[int(kind)], POLYLINE), vertices


def _roi(kind: int, vertices: AnyArray) -> Vertices:
    """Return a ROI; a box that is turned is a polygon."""
    if kind in (POINTS, POLYLINE):
        return kind, vertices
    vertices = vertices + CORNER
    if kind == POLYGON:
        return kind, vertices
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    if all(np.isclose(vertex, (low, high)).any(axis=0).all() for vertex in vertices):
        return kind, np.array([low, high])
    if kind == RECTANGLE:
        return POLYGON, vertices
    angles = np.linspace(0, 2 * np.pi, _CURVE, endpoint=False)[:, None]
    centre = vertices.mean(axis=0)
    axes = (vertices[1] - vertices[0]) / 2, (vertices[3] - vertices[0]) / 2
    return POLYGON, centre + np.cos(angles) * axes[0] + np.sin(angles) * axes[1]


def encode_rois(rois: list[Vertices]) -> AnyArray:
    """Return ROIs as the plugin reads them: type, number of vertices, and these, in 32 bits."""
    parts = []
    for kind, vertices in rois:
        parts.append(np.array([kind, len(vertices)], "<i4").view(np.uint8))
        parts.append(vertices.astype("<f4").reshape(-1).view(np.uint8))
    return np.concatenate(parts)
