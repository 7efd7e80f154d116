"""Items of the regions of interest that a pipeline saves: shapes, points and masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from dask_napari.model import AnyArray, Coordinate, Item, Kind, Refusal
from dask_napari.openhcs._component_axes import plain_text
from dask_napari.openhcs._saved_items import SavedFields, made_items

SUFFIXES: Final[Mapping[str, str]] = {"shapes": "ROIs", "points": "points", "labels": "masks"}
"""Words that the names of layers end with, by kind; the first two are those of OpenHCS."""

_YX: Final = ("y", "x")

_PLANES: Final = "plane"
"""Axis of planes for which the pipeline names no component."""


def roi_items(
    rois: Sequence[Any],
    source: str,
    position: Mapping[str, Coordinate],
    key: str,
    fields: SavedFields,
) -> Iterator[tuple[Kind, Item]]:
    """Yield the items of regions of interest, by kind and plane. Raises :class:`Refusal`.

    Regions that are points make points, masks make labels, and all others make shapes. Their
    measurements are features.
    """
    groups: dict[tuple[Kind, tuple[tuple[str, Coordinate], ...]], list[Any]] = {}
    for number, roi in enumerate(rois):
        plane = tuple(_plane(roi.metadata, fields).items())
        features = _features(roi.metadata)
        for shape in roi.shapes:
            kind, element = _element(shape, features, number)
            if kind == "labels":
                element = (*element, roi.metadata.get("spatial_origin_yx") or fields.origin)
            groups.setdefault((kind, plane), []).append(element)
    if not groups:
        # What an earlier pass found there must go.
        groups[("shapes", ())] = []
    for (kind, plane), elements in groups.items():
        value: object = elements
        if kind == "labels":
            value = _labels(elements, fields)
        elif kind == "points":
            value = _points(elements)
        layer = f"{source} {SUFFIXES[kind]}"
        where = {**position, **dict(plane)}
        for item in made_items(value, kind, layer, where, key, fields.calibration(2)):
            yield kind, item


def _element(shape: Any, features: Mapping[str, Any], number: int) -> tuple[Kind, Any]:
    """Return the kind and the element that a shape of theirs is."""
    match plain_text(shape.shape_type):
        case "polygon":
            return "shapes", {**features, "type": "polygon", "vertices": shape.coordinates}
        case "polyline":
            return "shapes", {**features, "type": "path", "vertices": shape.coordinates}
        case "ellipse":
            y, x, height, width = shape.center_y, shape.center_x, shape.radius_y, shape.radius_x
            corners = [(-1, -1), (-1, 1), (1, 1), (1, -1)]
            vertices = np.array([(y + a * height, x + b * width) for a, b in corners], float)
            return "shapes", {**features, "type": "ellipse", "vertices": vertices}
        case "point":
            return "points", {**features, "y": float(shape.y), "x": float(shape.x)}
        case "mask":
            label = features.get("label")
            return "labels", (label if isinstance(label, int) and label > 0 else number + 1, shape)
        case other:
            raise Refusal("shape type", f"a region of type {other!r} cannot be shown")


def _features(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measurements of a region as features: numbers and text."""
    found: dict[str, Any] = {}
    for name, value in metadata.items():
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, int | float | str | bool):
            found[name] = value
        elif name == "centroid" and len(value) == 2:
            found["centroid_y"], found["centroid_x"] = map(float, value)
    return found


def _plane(metadata: Mapping[str, Any], fields: SavedFields) -> dict[str, Coordinate]:
    """Return the position of the plane of a stack in which a region lies."""
    indices = tuple(metadata.get("plane_indices") or ())
    if fields.planes is not None and len(indices) == 1:
        component, values = fields.planes
        if not 0 <= indices[0] < len(values):
            raise Refusal(
                "planes", f"a region in plane {indices[0]} of {len(values)} of {component!r}"
            )
        return {component: values[indices[0]]}
    if len(indices) == 1:
        return {_PLANES: int(indices[0])}
    return {f"{_PLANES} {axis}": int(index) for axis, index in enumerate(indices)}


def _points(elements: Sequence[Mapping[str, Any]]) -> tuple[AnyArray, dict[str, Any], str]:
    """Return points as layer data; a measurement that some lack is NaN there, or empty text."""
    names = dict.fromkeys(name for element in elements for name in element if name not in _YX)
    features: dict[str, list[Any]] = {}
    for name in names:
        column = [element.get(name) for element in elements]
        fill: Any = "" if any(isinstance(value, str) for value in column) else np.nan
        features[name] = [fill if value is None else value for value in column]
    data = np.array([[element[axis] for axis in _YX] for element in elements], float)
    return data, {"features": features}, "points"


def _labels(elements: Sequence[tuple[int, Any, Any]], fields: SavedFields) -> AnyArray:
    """Return masks as labels, over one another in their order."""
    placed = []
    for label, shape, origin in elements:
        y0, x0, y1, x1 = map(int, shape.bbox)
        # A mask is that of the box, or of the image, which may be a part of its source.
        of_box = shape.mask.shape == (y1 - y0, x1 - x0)
        y, x = (y0, x0) if of_box else map(int, origin or (0, 0))
        if min(y, x) < 0:
            raise Refusal("mask", f"a mask whose box {shape.bbox} begins before the image")
        placed.append((label, shape.mask, y, x))
    height = max(y + mask.shape[0] for _, mask, y, _ in placed)
    width = max(x + mask.shape[1] for _, mask, _, x in placed)
    if fields.shape is not None:
        height, width = max(height, fields.shape[0]), max(width, fields.shape[1])
    labels = np.zeros((height, width), np.int64)
    for label, mask, y, x in placed:
        labels[y : y + mask.shape[0], x : x + mask.shape[1]][mask] = label
    return labels
