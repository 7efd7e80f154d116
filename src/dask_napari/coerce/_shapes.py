"""Shapes: polygons, rectangles, ellipses, lines and paths, in all forms that describe them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from dask_napari.coerce import _geometries, _imagej_rois
from dask_napari.coerce._features import features_of
from dask_napari.coerce._host_arrays import coordinates, is_array, to_host
from dask_napari.coerce._layer_arrays import CoercionContext, LayerArrays
from dask_napari.coerce._outlines import Outlines, Rings, not_a_shape
from dask_napari.coerce._output_kind import OutputKind, has_coordinates
from dask_napari.coerce._points import made_of_rows
from dask_napari.coerce._regions import are_regions, common_ndim, measured, outline, regions_of
from dask_napari.coerce._shape_tables import add_table
from dask_napari.coerce._tables import (
    Table,
    are_records,
    is_columns,
    is_frame,
    is_record,
    rows_to_table,
    table_of,
)
from dask_napari.model import AnyArray, Refusal

MOST_AXES: Final = 5
"""Axes that vertices have in practice; arrays of more have the vertices on the last axis."""


def shapes(value: object, context: CoercionContext) -> list[LayerArrays]:
    """Make shapes; points among them become a second layer.

    A shape is vertices ``(v, D)``, ``(vertices, "polygon")``, a mapping, a geometry of shapely or
    GeoJSON, a ROI of roifile or a result of ``find_contours`` or ``regionprops``. Shapes come
    alone, in a list, or as a table with a column ``geometry`` or of bounding boxes.
    """
    outlines = Outlines(context)
    table: Table | None = None
    value = _by_hierarchy(value)
    if are_regions(value):
        table = _add_regions(outlines, value)
    elif _is_table(value):
        table = add_table(outlines, table_of(value) or {}, context.columns)
    else:
        types = context.meta.get("shape_type", "")
        if _is_typed_list(value):
            value, types = value  # type: ignore[misc]
        found = _elements(value)
        for element, shape_type in zip(found, _types(types, len(found)), strict=True):
            with outlines.element():
                _add(outlines, element, shape_type)
    return _made(outlines, table, context)


def _is_single(value: Mapping[Any, Any]) -> bool:
    fields = {"type", "vertices", "data", "coordinates", "coords"}
    return bool(fields & value.keys()) or has_coordinates(value)


SHAPES: Final = OutputKind(
    shapes, are_several=lambda values: all(map(is_frame, values)), is_single=_is_single
)


def _is_table(value: Any) -> bool:
    """Return whether a value is a table, and not a shape or a list of shapes."""
    if is_frame(value):
        return True
    if isinstance(value, list):
        return are_records(value) and not any(map(_is_shape, value))
    return (is_columns(value) or is_record(value)) and not _is_shape(value)


def _is_shape(value: object) -> bool:
    """Return whether a value is one shape; otherwise it may be a list of them."""
    if isinstance(value, Mapping):
        return _geometries.is_geometry(value) or _vertices_key(value) is not None
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str):
        return True
    return _geometries.is_geometry(value) or _imagej_rois.is_roi(value)


def _is_typed_list(value: object) -> bool:
    """Return whether a value is a pair of a list of vertices and the type of all, or of each."""
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    data, types = value
    if isinstance(types, list | tuple | np.ndarray):
        return len(types) > 0 and all(isinstance(name, str) for name in types)
    return isinstance(types, str) and not _is_vertices(data)


def _is_vertices(value: object) -> bool:
    """Return whether a value is the vertices of one shape: rows of numbers."""
    if is_array(value):
        return getattr(value, "ndim", 1) == 2 and not _holds_objects(value)
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(_is_row(row) for row in value)


def _holds_objects(value: object) -> bool:
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    return isinstance(kind, str) and kind == "O"


def _is_row(value: object) -> bool:
    if is_array(value):
        return getattr(value, "ndim", 0) == 1 and not _holds_objects(value)
    scalar = int | float | np.number
    return isinstance(value, list | tuple) and all(isinstance(number, scalar) for number in value)


def _elements(value: Any) -> Sequence[Any]:
    if _is_shape(value):
        return _geometries.elements(value) if _geometries.is_geometry(value) else [value]
    if _is_vertices(value) or _is_opencv_contour(value):
        return [value] if len(value) else []
    if _is_row(value) and 2 <= len(value) <= 4:
        return [value]  # one point
    if isinstance(value, list | tuple):
        return [each for entry in value for each in _of_collection(entry)]
    if is_array(value):
        data = to_host(value)
        if data.dtype.kind == "O":
            return list(data.ravel())
        if data.ndim == 3 and data.shape[1] == 2 and data.shape[2] > MOST_AXES:
            data = data.transpose(0, 2, 1)  # (n, 2, rays), as StarDist has its outlines
        if data.ndim == 3 or data.size == 0:
            return list(data) if data.size else []
    raise not_a_shape(value)


def _of_collection(value: Any) -> list[Any]:
    """Return the features of a collection in a list, or a list of the value itself."""
    return _geometries.elements(value) if _geometries.is_geometry(value) else [value]


def _types(given: Any, count: int) -> Sequence[str]:
    if isinstance(given, str) or given is None:
        return [given or ""] * count
    if not isinstance(given, list | tuple | np.ndarray):
        raise Refusal(
            "shape type", f"shape types in a {type(given).__name__}; give text, or a list"
        )
    found = [str(name) for name in given]
    if len(found) != count:
        raise Refusal("shape type", f"{len(found)} shape types for {count} shapes")
    return found


def _vertices_key(value: Mapping[str, Any]) -> str | None:
    return next((k for k in ("vertices", "data", "coordinates", "coords") if k in value), None)


def _add(outlines: Outlines, value: Any, shape_type: str) -> None:
    if isinstance(value, Rings):
        outlines.add_rings(value.rings)
    elif _geometries.is_geometry(value):
        _geometries.add_geometry(outlines, value)
    elif _imagej_rois.is_roi(value):
        _imagej_rois.add_roi(outlines, value)
    elif isinstance(value, Mapping):
        key = _vertices_key(value)
        if key is None:
            raise not_a_shape(value)
        names = ("type", "shape_type", "shape-type")
        shape_type = next((str(value[name]) for name in names if name in value), shape_type)
        outlines.describe({k: v for k, v in value.items() if k != key and k not in names})
        outlines.add(value[key], shape_type)
    elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str):
        outlines.add(value[0], value[1])
    elif is_array(value) or isinstance(value, list | tuple):
        outlines.add(*_contour(value, shape_type))
    else:
        raise not_a_shape(value)


def _is_opencv_contour(value: object) -> bool:
    """Return whether a value is one contour of OpenCV, whole numbers of shape (n, 1, 2)."""
    if not is_array(value):
        return False
    shape, dtype = getattr(value, "shape", ()), getattr(value, "dtype", None)
    return tuple(shape)[1:] == (1, 2) and getattr(dtype, "kind", "") in ("i", "f")


def _by_hierarchy(value: Any) -> Any:
    """Return the contours of what ``cv2.findContours`` returns, with their holes.

    That is ``(contours, hierarchy)`` or ``(image, contours, hierarchy)``; the hierarchy has four
    whole numbers a contour, the last one that of the contour around it, or -1.
    """
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        return value
    contours, hierarchy = value[-2:]
    if not isinstance(contours, list | tuple) or not all(map(_is_opencv_contour, contours)):
        return value
    if hierarchy is None:
        return contours
    shape = tuple(getattr(hierarchy, "shape", ()))
    if not is_array(hierarchy) or shape != (1, len(contours), 4):
        return value
    around = to_host(hierarchy)[0, :, 3].tolist()
    if any(outer == number for number, outer in enumerate(around)):
        return contours  # no hierarchy of OpenCV's
    holes: dict[int, list[Any]] = {}
    for number, outer in enumerate(around):
        if _depth(around, number) % 2:
            holes.setdefault(outer, []).append(contours[number])
    return [
        Rings([_contour(ring, "")[0] for ring in (contour, *holes[number])])
        if number in holes
        else contour
        for number, contour in enumerate(contours)
        if _depth(around, number) % 2 == 0
    ]


def _depth(around: list[int], number: int) -> int:
    """Return how many contours are around one, as a hierarchy of OpenCV tells."""
    depth = 0
    while 0 <= (number := around[number]) < len(around) and depth < len(around):
        depth += 1
    return depth


def _contour(value: Any, shape_type: str) -> tuple[Any, str]:
    """Return vertices as y and x; contours of OpenCV, of shape (n, 1, 2), are x and y."""
    data = coordinates(value, "vertices")
    if data.ndim == 3 and data.shape[1:] == (1, 2):
        return data[:, 0, ::-1], shape_type or ("polygon" if len(data) >= 3 else "")
    return data, shape_type


def _add_regions(outlines: Outlines, value: Any) -> Table:
    regions = regions_of(value)
    if common_ndim(regions) != 2:
        raise Refusal(
            "dimensions",
            "regions of an image of more than two axes have no outlines; tap them as"
            " kind='points' for their centres",
        )
    for region in regions:
        found = outline(region)
        with outlines.element():
            if found:
                outlines.add_rings(found)
            else:
                outlines.leave_out("no outline")
    return measured(regions)


def _made(outlines: Outlines, table: Table | None, context: CoercionContext) -> list[LayerArrays]:
    found = outlines.finish()
    ndim = context.empty_ndim if found is None else found
    arrays = features_of(table, len(outlines.rows), "shapes", context.note)
    if any(outlines.rows):
        arrays |= features_of(
            rows_to_table(outlines.rows), len(outlines.rows), "shapes", context.note
        )
    if context.features is not None:
        arrays |= features_of(context.features, len(outlines.rows), "shapes", context.note)
    counts = [len(v) for v in outlines.vertices]
    made = LayerArrays(
        "shapes",
        _joined(outlines.vertices, ndim),
        {
            "offsets": np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
            "types": np.array(outlines.types, np.uint8),
            **{name: column[outlines.sources] for name, column in arrays.items()},
        },
        ndim,
    )
    if not outlines.points:
        return [made]
    rows = np.repeat(outlines.point_sources, [len(p) for p in outlines.points])
    columns = {name: column[rows] for name, column in arrays.items()}
    points = made_of_rows(
        "points", _joined(outlines.points, ndim), (), replace(context, features=None), None
    )
    points.arrays, points.suffix = columns, "points"
    return [made, points]


def _joined(parts: list[AnyArray], ndim: int) -> AnyArray:
    return np.concatenate(parts) if parts else np.empty((0, ndim), np.float64)
