"""Shapes: polygons, rectangles, ellipses, lines and paths, from whatever describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dask_napari.coerce import _geometries, _imagej_rois
from dask_napari.coerce._coerced import Coerced, Hints
from dask_napari.coerce._features import features_of, rows_to_table
from dask_napari.coerce._host_arrays import coordinates, is_array, to_host
from dask_napari.coerce._outlines import Outlines, refuse_shape
from dask_napari.coerce._points import rows_made
from dask_napari.coerce._regions import are_regions, measured, outline, regions_of, same_axes
from dask_napari.coerce._shape_tables import add_table
from dask_napari.coerce._tables import Table, is_columns, is_frame, table_of
from dask_napari.model import AnyArray, Refusal


def shapes(value: object, hints: Hints) -> list[Coerced]:
    """Make shapes, and of what is a point among them points, which are a second item.

    Examples
    --------
    >>> (made,) = shapes([([[0, 0], [2, 3]], "rectangle")], Hints())
    >>> made.data.tolist(), made.arrays["offsets"].tolist()
    ([[0.0, 0.0], [0.0, 3.0], [2.0, 3.0], [2.0, 0.0]], [0, 4])
    """
    outlines = Outlines(hints)
    table: Table | None = None
    if are_regions(value):
        table = _add_regions(outlines, value)
    elif is_frame(value) or (is_columns(value) and not _is_shape(value)):
        table = add_table(outlines, table_of(value) or {})
    else:
        types = hints.given.get("shape_type", "")
        if _is_typed_list(value):
            value, types = value  # type: ignore[misc]
        found = _elements(value)
        for element, shape_type in zip(found, _types(types, len(found)), strict=True):
            _add(outlines, element, shape_type)
    return _made(outlines, table, hints)


def _is_shape(value: object) -> bool:
    """Whether a value is one shape in itself, not a list of them."""
    if isinstance(value, Mapping):
        return _geometries.is_geometry(value) or _vertices_key(value) is not None
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str):
        return True
    return _geometries.is_geometry(value) or _imagej_rois.is_roi(value)


def _is_typed_list(value: object) -> bool:
    """Whether a value is a list of vertices with the type of all, or of each, behind it."""
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    data, types = value
    if isinstance(types, list | tuple | np.ndarray):
        return len(types) > 0 and all(isinstance(name, str) for name in types)
    return isinstance(types, str) and not _is_vertices(data)


def _is_vertices(value: object) -> bool:
    """Whether a value is the vertices of one shape: rows of numbers."""
    if is_array(value):
        return getattr(value, "ndim", 1) == 2 and getattr(value, "dtype", None) != np.dtype(object)
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(_is_row(row) for row in value)


def _is_row(value: object) -> bool:
    if is_array(value):
        return getattr(value, "ndim", 0) == 1
    scalar = int | float | np.number
    return isinstance(value, list | tuple) and all(isinstance(number, scalar) for number in value)


def _elements(value: Any) -> Sequence[Any]:
    if _is_shape(value):
        return _geometries.elements(value) if _geometries.is_geometry(value) else [value]
    if _is_vertices(value):
        return [value] if len(value) else []
    if isinstance(value, list | tuple):
        return value
    if is_array(value):
        data = to_host(value)
        if data.dtype.kind == "O":
            return list(data.ravel())
        if data.ndim == 3 or data.size == 0:
            return list(data) if data.size else []
    raise refuse_shape(value)


def _types(given: Any, count: int) -> Sequence[str]:
    if isinstance(given, str) or given is None:
        return [given or ""] * count
    found = [str(name) for name in given]
    if len(found) != count:
        raise Refusal("shape type", f"{len(found)} shape types for {count} shapes")
    return found


def _vertices_key(value: Mapping[str, Any]) -> str | None:
    return next((k for k in ("vertices", "data", "coordinates", "coords") if k in value), None)


def _add(outlines: Outlines, value: Any, shape_type: str) -> None:
    if _geometries.is_geometry(value):
        _geometries.add_geometry(outlines, value)
    elif _imagej_rois.is_roi(value):
        _imagej_rois.add_roi(outlines, value)
    elif isinstance(value, Mapping):
        key = _vertices_key(value)
        if key is None:
            raise refuse_shape(value)
        names = ("type", "shape_type", "shape-type")
        said = next((str(value[name]) for name in names if name in value), shape_type)
        outlines.begin({k: v for k, v in value.items() if k != key and k not in names})
        outlines.add(value[key], said)
    elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str):
        outlines.begin()
        outlines.add(value[0], value[1])
    elif is_array(value) or isinstance(value, list | tuple):
        outlines.begin()
        outlines.add(*_contour(value, shape_type))
    else:
        raise refuse_shape(value)


def _contour(value: Any, shape_type: str) -> tuple[Any, str]:
    """Return vertices as y and x: OpenCV's contours, of shape (n, 1, 2), are x and y."""
    data = coordinates(value, "vertices")
    if data.ndim == 3 and data.shape[1:] == (1, 2):
        return data[:, 0, ::-1], shape_type or ("polygon" if len(data) >= 3 else "")
    return data, shape_type


def _add_regions(outlines: Outlines, value: Any) -> Table:
    regions = regions_of(value)
    if same_axes(regions) != 2:
        raise Refusal(
            "dimensions",
            "regions of an image of more than two axes have no outlines; tap them as"
            " kind='points' for their centres",
        )
    for region in regions:
        outlines.begin()
        found = outline(region)
        if found is not None:
            outlines.add(found, "polygon")
    return measured(regions)


def _made(outlines: Outlines, table: Table | None, hints: Hints) -> list[Coerced]:
    ndims = {v.shape[1] for v in (*outlines.vertices, *outlines.points)}
    if len(ndims) > 1:
        raise Refusal("dimensions", f"shapes of {sorted(ndims)} coordinates together")
    ndim = ndims.pop() if ndims else hints.ndim
    arrays = features_of(table, len(outlines.rows), "shapes")
    if any(outlines.rows):
        arrays |= features_of(rows_to_table(outlines.rows), len(outlines.rows), "shapes")
    if hints.features is not None:
        arrays |= features_of(hints.features, len(outlines.rows), "shapes")
    counts = [len(v) for v in outlines.vertices]
    made = Coerced(
        "shapes",
        _joined(outlines.vertices, ndim),
        {
            "offsets": np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
            "types": np.array(outlines.types, np.uint8),
            **{name: column[outlines.sources] for name, column in _indexed(arrays)},
        },
        ndim,
    )
    if not outlines.points:
        return [made]
    rows = np.repeat(outlines.point_sources, [len(p) for p in outlines.points])
    columns = {name: column[rows] for name, column in arrays.items()}
    points = rows_made("points", _joined(outlines.points, ndim), (), hints.without_features(), None)
    points.arrays, points.beside = columns, "points"
    return [made, points]


def _indexed(arrays: dict[str, AnyArray]) -> list[tuple[str, AnyArray]]:
    return [(name, np.asarray(column)) for name, column in arrays.items()]


def _joined(parts: list[AnyArray], ndim: int) -> AnyArray:
    return np.concatenate(parts) if parts else np.empty((0, ndim), np.float64)
