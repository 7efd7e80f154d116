"""Outlines: the shapes of an output as napari's vertices, and the points among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from typing import Any, Final

import numpy as np

from dask_napari.coerce._host_arrays import coordinates
from dask_napari.coerce._layer_arrays import CoercionContext
from dask_napari.model import SHAPE_TYPES, AnyArray, Refusal, reachable

_VERTICES: Final = {"polygon": 3, "rectangle": 4, "ellipse": 4, "line": 2, "path": 2}
"""Least number of vertices of each type; those of :data:`_FIXED` are exact."""

_FIXED: Final = frozenset({"rectangle", "ellipse", "line"})


class Outlines:
    """Shapes and points in the order in which they were found.

    ``vertices`` has an array ``(v, D)`` a shape, ``types`` its index in ``SHAPE_TYPES``,
    ``sources`` the number of its element of the output; ``points`` has an array ``(n, D)`` an
    element that is points; ``rows``, the features of each element. Elements that cannot be shown
    are left out, and counted by the reason.
    """

    def __init__(self, context: CoercionContext) -> None:
        self.context = context
        self.vertices: list[AnyArray] = []
        self.types: list[int] = []
        self.sources: list[int] = []
        self.points: list[AnyArray] = []
        self.point_sources: list[int] = []
        self.rows: list[Mapping[str, Any]] = []
        self._left_out: Counter[str] = Counter()
        self._failures: dict[str, Refusal] = {}

    @contextmanager
    def element(self) -> Iterator[None]:
        """Add the next element of the output; if it is refused, it is left out."""
        self.rows.append({})
        lists: list[list[Any]] = [self.vertices, self.types, self.sources]
        lists += [self.points, self.point_sources]
        lengths = list(map(len, lists))
        try:
            yield
        except Refusal as error:
            for entries, length in zip(lists, lengths, strict=True):
                del entries[length:]
            self.leave_out(error.reason)
            self._failures.setdefault(error.reason, error)

    def leave_out(self, reason: str) -> None:
        """Count a shape that is not shown."""
        self._left_out[reason] += 1

    def finish(self) -> int | None:
        """Return the number of coordinates of all shapes, None without any; tell what is missing.

        Shapes of another number of coordinates than most have are left out. Raises
        :class:`Refusal` if no element can be shown.
        """
        ndims = Counter(part.shape[1] for part in (*self.vertices, *self.points))
        if not ndims and self._failures:
            raise next(iter(self._failures.values()))
        ndim = max(ndims, key=lambda n: ndims[n]) if ndims else None
        if len(ndims) > 1:
            self._keep(ndim)
        for reason, count in self._left_out.items():
            detail = str(self._failures.get(reason, ""))
            self.context.leave_out("shapes", count, max(len(self.rows), count), reason, detail)
        return ndim

    def _keep(self, ndim: int | None) -> None:
        kept = [part.shape[1] == ndim for part in self.vertices]
        of_points = [part.shape[1] == ndim for part in self.points]
        self._left_out["dimensions"] += kept.count(False) + of_points.count(False)
        self.vertices = list(compress(self.vertices, kept))
        self.types = list(compress(self.types, kept))
        self.sources = list(compress(self.sources, kept))
        self.points = list(compress(self.points, of_points))
        self.point_sources = list(compress(self.point_sources, of_points))

    def describe(self, row: Mapping[str, Any]) -> None:
        """Give the present element its features."""
        self.rows[-1] = row

    def add_rings(self, rings: Sequence[AnyArray]) -> None:
        """Add a polygon with holes, or in pieces, to the present element; the exterior comes first.

        napari fills where an odd number of rings are around, and draws no edge that runs to and
        fro, as those between rings do here.
        """
        first, *others = map(_open_ring, rings)
        others = [ring for ring in others if len(ring) >= 3 and ring.shape[1] == first.shape[1]]
        if not others:
            self.add(first, "polygon")
            return
        start = first[:1]
        path = np.concatenate(
            [first, *(part for ring in others for part in (start, ring, ring[:1]))]
        )
        path = np.concatenate([path, start])
        repeated = (path[1:] == path[:-1]).all(axis=1)
        self.add(path[np.concatenate([[True], ~repeated])], "polygon")

    def add(self, vertices: object, shape_type: str = "") -> None:
        """Add vertices ``(v, D)`` to the present element; without a type, it is guessed."""
        data = coordinates(vertices, "vertices")
        if data.ndim == 1 and 2 <= len(data) <= 4:
            data = data[np.newaxis]
        if data.ndim != 2 or (len(data) and not 2 <= data.shape[1] <= 32):
            raise Refusal(
                "dimensions",
                f"vertices of a shape need shape (v, D); these have shape {data.shape}",
            )
        if not len(data):
            self.leave_out("no vertices")
            return
        shape_type = _type_name(shape_type) or guessed_type(data)
        if shape_type != "point":
            data = _fitted(data, shape_type)
        if not reachable(data).all():
            self.leave_out("a vertex that is not finite, or beyond 2**31")
        elif shape_type == "point":
            self.points.append(data)
            self.point_sources.append(len(self.rows) - 1)
        else:
            self.vertices.append(data)
            self.types.append(SHAPE_TYPES.index(shape_type))
            self.sources.append(len(self.rows) - 1)


@dataclass(frozen=True, slots=True)
class Rings:
    """Rings of one polygon, the exterior first."""

    rings: list[AnyArray]


def _open_ring(ring: AnyArray) -> AnyArray:
    """Return the vertices of a ring, the first one once."""
    return ring[:-1] if len(ring) > 1 and np.array_equal(ring[0], ring[-1]) else ring


def _type_name(given: object) -> str:
    name = str(given or "").strip().lower()
    name = {"points": "point", "polyline": "path", "linestring": "path", "oval": "ellipse"}.get(
        name, name
    )
    if name in ("", "point", *SHAPE_TYPES):
        return name
    raise Refusal(
        "shape type",
        f"shape type {given!r} is unknown; give one of {', '.join(SHAPE_TYPES)}, point",
    )


def guessed_type(data: AnyArray) -> str:
    """Return the type that the vertices of a shape suggest.

    One vertex is a point, two are a line. More are a polygon, unless they are a contour that
    does not close, as ``skimage.measure.find_contours`` returns at the border of an image.

    >>> contour = np.array([[0.0, 0.5], [0.5, 1.0], [1.0, 1.5]])
    >>> guessed_type(contour), guessed_type(np.eye(3, 2))
    ('path', 'polygon')
    """
    if len(data) < 3:
        return ("point", "line")[len(data) - 1]
    if np.array_equal(data[0], data[-1]):
        return "polygon" if len(data) > 3 else "path"
    return "path" if _is_contour(data) else "polygon"


def _is_contour(data: AnyArray) -> bool:
    """Return whether vertices are those of marching squares: on pixel edges, one step apart."""
    if data.shape[1] != 2:
        return False
    whole = data == np.floor(data)
    if whole.all() or not whole.any(axis=1).all():
        return False
    return bool((np.abs(np.diff(data, axis=0)) <= 1).all())


def _fitted(data: AnyArray, shape_type: str) -> AnyArray:
    """Return vertices in the number that napari expects of their type."""
    if shape_type == "polygon" and len(data) > 3 and np.array_equal(data[0], data[-1]):
        data = data[:-1]
    if shape_type == "rectangle" and len(data) == 5 and np.array_equal(data[0], data[-1]):
        data = data[:-1]
    if len(data) == 2 and shape_type in ("rectangle", "ellipse"):
        if shape_type == "ellipse":  # centre and radii, as napari reads it
            centre, radii = data
            data = np.stack([centre - radii, centre + radii])
        data = box(data[0], data[1])
    needed = _VERTICES[shape_type]
    if len(data) < needed or (shape_type in _FIXED and len(data) > needed):
        raise Refusal(
            "vertices",
            f"a {shape_type} needs {'' if shape_type in _FIXED else 'at least '}"
            f"{needed} vertices, and has {len(data)}",
        )
    return data


def box(low: AnyArray, high: AnyArray) -> AnyArray:
    """Return the corners of a box in the last two axes, in napari's order."""
    corners = np.stack([low, low, low, low])
    corners[1:3, -1] = high[-1]
    corners[2:4, -2] = high[-2]
    return corners


def not_a_shape(value: object) -> Refusal:
    """Return the refusal of an element that cannot be shown as a shape."""
    return Refusal(
        "not shapes",
        f"a {type(value).__name__} cannot be shown as a shape; return vertices (v, D), (vertices,"
        " 'polygon'), shapely geometries, ImageJ ROIs of roifile, or what find_contours or"
        " regionprops return",
    )
