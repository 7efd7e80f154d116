"""Geometries of shapely and GeoJSON. Their coordinates are x, y; ours y, x."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from dask_napari.coerce._host_arrays import coordinates
from dask_napari.coerce._outlines import Outlines
from dask_napari.model import AnyArray, Refusal

MAX_DEPTH: Final = 8
"""Nested collections that are followed."""

_TYPES: Final = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "LinearRing", "Polygon"}
    | {"MultiPolygon", "GeometryCollection"}
)


def is_geometry(value: object) -> bool:
    """Return whether a value is a geometry of shapely or another library that speaks GeoJSON.

    >>> is_geometry({"type": "Point", "coordinates": [1, 2]}), is_geometry({"type": "polygon"})
    (True, False)
    """
    if isinstance(value, type):
        return False
    if _type_of(value) in _TYPES:
        return True
    if isinstance(value, Mapping):
        return _type_of(value) in ("Feature", "FeatureCollection")
    return hasattr(value, "__geo_interface__")


def _type_of(value: Any) -> str:
    """Return the type that a geometry says it has; a series of them answers by a series."""
    given = value.get("type") if isinstance(value, Mapping) else getattr(value, "geom_type", None)
    return given if isinstance(given, str) else ""


def is_collection(value: object) -> bool:
    """Return whether a value is a series or an array of geometries, such as those of geopandas."""
    if isinstance(value, type | list | tuple | Mapping):
        return False
    kind = getattr(getattr(value, "dtype", None), "name", None)
    return isinstance(kind, str) and kind == "geometry"


def elements(value: Any) -> list[Any]:
    """Return the features of a GeoJSON collection, or a list of the geometry itself."""
    if not isinstance(value, Mapping) and _type_of(value) not in _TYPES:
        value = value.__geo_interface__
    if not isinstance(value, Mapping) or _type_of(value) != "FeatureCollection":
        return [value]
    features = value.get("features")
    if not isinstance(features, list | tuple | None):
        raise Refusal("shapes", f"features in a {type(features).__name__}; give a list of them")
    return list(features or ())


def add_geometry(outlines: Outlines, value: Any) -> None:
    """Add a geometry as an element of its own, of one shape or several."""
    row: Mapping[str, Any] = {}
    if isinstance(value, Mapping) and _type_of(value) == "Feature":
        properties, value = value.get("properties"), value.get("geometry")
        row = properties if isinstance(properties, Mapping) else {}
    outlines.describe(row)
    if value is None:
        outlines.leave_out("no geometry")
        return
    present = len(outlines.vertices) + len(outlines.points)
    try:
        add_outlines(outlines, value)
        if len(outlines.vertices) + len(outlines.points) == present:
            outlines.leave_out("no vertices")
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(
            "shapes", f"a geometry cannot be read: {type(error).__name__}: {error}"
        ) from error


def add_outlines(outlines: Outlines, value: Any, depth: int = 0) -> None:
    """Add the outlines of a geometry to the present element."""
    if depth > MAX_DEPTH:
        raise Refusal("shapes", f"collections of geometries more than {MAX_DEPTH} deep")
    kind = _type_of(value)
    if kind == "GeometryCollection" or kind.startswith("Multi"):
        for part in _parts(value):
            add_outlines(outlines, part, depth + 1)
    elif kind in ("Point", "LineString", "LinearRing", "Polygon"):
        rings = _rings(value, kind)
        if len(rings) > 1 and len(rings[0]) >= 3:
            outlines.add_rings(rings)
        elif rings and len(rings[0]):
            names = {"Point": "point", "LineString": "path"}
            name = (
                "line"
                if kind == "LineString" and len(rings[0]) == 2
                else names.get(kind, "polygon")
            )
            outlines.add(rings[0], name)
    else:
        raise Refusal("shapes", f"geometries of type {str(kind)[:40]!r} are unknown")


def _parts(value: Any) -> list[Any]:
    if not isinstance(value, Mapping):
        return list(value.geoms)
    if value["type"] == "GeometryCollection":
        return list(value.get("geometries") or ())
    single = value["type"].removeprefix("Multi")
    return [{"type": single, "coordinates": part} for part in value.get("coordinates") or ()]


def _rings(value: Any, kind: str) -> list[AnyArray]:
    """Return the rings of a simple geometry, the exterior first, as y and x."""
    if isinstance(value, Mapping):
        given = value.get("coordinates")
        found = [] if given is None else given if kind == "Polygon" else [given]
    elif value.is_empty:
        found = []
    elif kind == "Polygon":
        found = [ring.coords for ring in (value.exterior, *value.interiors)]
    else:
        found = [value.coords]
    return [np.atleast_2d(coordinates(_plain(ring), "vertices"))[:, ::-1] for ring in found]


def _plain(ring: Any) -> Any:
    return ring if isinstance(ring, list | tuple) else np.asarray(ring)
