"""Checks of the arrays of an item against its kind; an item that passes can be shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from dask_napari.model._bounds import AXES_LIMIT
from dask_napari.model._item import FEATURE, SHAPE_TYPES, AnyArray, Item
from dask_napari.model._item_meta import Calibration
from dask_napari.model._layer import PIXEL_KINDS
from dask_napari.model._refusal import Refusal

LENGTH_LIMIT: Final = 2**31 - 1
"""Elements along an axis of an array; the steps of a slider are such integers."""

_NUMBERS: Final = "iuf"
_COLUMNS: Final = "biufU"
_REAL: Final = frozenset({1, 2, 4, 8})
"""Sizes of the numbers that travel; a `longdouble` differs from machine to machine."""

_LEAST: Final = np.array([3, 4, 4, 2, 2])
_MOST: Final = np.array([np.iinfo(np.int64).max, 4, 4, 2, np.iinfo(np.int64).max])
"""Vertices of each of SHAPE_TYPES."""

_OWN: Final = {
    "shapes": frozenset({"offsets", "types"}),
    "tracks": frozenset({"graph"}),
    "surface": frozenset({"faces", "values"}),
}
"""Arrays besides features that items of a kind may have."""

FEATURE_TEXT: Final = 1000
"""Characters of a text among features: all rows of a layer take as much as its longest."""

FARTHEST: Final = 2.0**31
"""Pixels from the origin, and number of a track or frame. napari draws thumbnails pixel by pixel
and counts in whole numbers; it fails or hangs on coordinates beyond."""

_LENGTHS: Final = 1e-20, 1e20
"""Least and largest pixel in any unit, and largest translation: nanoseconds since 1970 have room.
napari divides the extent of all layers by the smallest pixel; infinity there stops all layers."""

_LAST_CHARACTER: Final = 0x10FFFF


def check(item: Item) -> Item:
    """Return an item whose arrays agree with its kind, with each other and with its axes.

    Raises Refusal if they do not; the reason holds nothing of the item.

    >>> import numpy as np
    >>> check(Item("a", "points", np.zeros((3, 2)))).kind
    'points'
    >>> check(Item("a", "points", np.zeros((3,))))
    Traceback (most recent call last):
    dask_napari.model._refusal.Refusal: coordinates of another shape
    """
    own = _OWN.get(item.kind, frozenset())
    for name, array in item.arrays.items():
        if not name.startswith(FEATURE) and name not in own:
            raise Refusal("an array that its kind does not have")
        if array.dtype.kind in _NUMBERS and array.dtype.itemsize not in _REAL:
            raise Refusal("numbers of another size")
    count, spatial = _CHECKS[item.kind](item)
    if item.arrays:
        _check_features(item, count)
    _check_axes(item, spatial)
    return item


def _check_features(item: Item, count: int | None) -> None:
    for name, column in item.features.items():
        if not name:
            raise Refusal("a feature without a name")
        if column.ndim != 1 or column.dtype.kind not in _COLUMNS:
            raise Refusal("features that are not a column")
        if column.dtype.kind == "U" and column.dtype.itemsize > 4 * FEATURE_TEXT:
            raise Refusal("features with texts that are too long")
        if column.dtype.kind == "U" and column.size and _beyond(column):
            raise Refusal("features with characters beyond Unicode")
        if count is None:
            count = len(column)
        if len(column) != count:
            raise Refusal("features of another length")


def _beyond(column: AnyArray) -> bool:
    """Return whether a text has a number beyond Unicode; Python fails to read it."""
    letters = np.ascontiguousarray(column).view(column.dtype.str[0].replace("|", "=") + "u4")
    return bool(letters.max() > _LAST_CHARACTER)


def _check_axes(item: Item, spatial: int) -> None:
    known = item.calibration
    for entry in (known.axes, known.scale, known.translate, known.units):
        if entry and len(entry) != spatial:
            raise Refusal("calibration of another number of axes")
    check_calibration(known)
    if item.kind not in PIXEL_KINDS or not (item.origin or item.array_shape):
        return
    if len(item.origin) != spatial or len(item.array_shape) not in (0, spatial):
        raise Refusal("a chunk of another number of axes")
    if min(item.origin) < 0 or min(item.array_shape, default=0) < 0:
        raise Refusal("a chunk at a negative place")
    if max(*item.origin, *item.array_shape) > LENGTH_LIMIT:
        raise Refusal("array that is too large")
    # The shape of the array may be unknown.
    ends = zip(item.origin, item.data.shape, item.array_shape, strict=False)
    if any(start + length > end for start, length, end in ends):
        raise Refusal("chunk outside of its array")


def check_calibration(known: Calibration) -> None:
    """Raise a Refusal if no viewer can draw pixels of these sizes, or at this place.

    >>> check_calibration(Calibration(scale=(1e-300, 1e300)))
    Traceback (most recent call last):
    dask_napari.model._refusal.Refusal: pixels of 1e-300 x 1e+300 cannot be drawn at 0: ...
    """
    if not all(known.scale) or not all(map(math.isfinite, (*known.scale, *known.translate))):
        raise Refusal("calibration that is not finite, or zero")
    least, most = _LENGTHS
    near = all(abs(number) <= most for number in (*known.scale, *known.translate))
    if not near or any(abs(number) < least for number in known.scale):
        sizes, places = (
            " x ".join(f"{number:g}" for number in numbers)
            for numbers in (known.scale or (1.0,), known.translate or (0.0,))
        )
        raise Refusal(
            "cannot be drawn: calibration",
            f"pixels of {sizes} cannot be drawn at {places}: give a scale from {least:g} to"
            f" {most:g}, and a translation up to {most:g}",
        )


def _pixels(item: Item) -> tuple[int | None, int]:
    data = item.data
    if not 2 <= data.ndim <= AXES_LIMIT or not data.size:
        raise Refusal("an image without pixels or axes")
    numbers = "iu" if item.kind == "labels" else _NUMBERS
    least = 4 if data.dtype.kind == "f" else 1
    if data.dtype.kind not in numbers or not least <= data.dtype.itemsize <= 8:
        raise Refusal("pixels of a type that cannot be drawn")
    if item.rgb and (item.kind != "image" or data.ndim < 3 or data.shape[-1] not in (3, 4)):
        raise Refusal("colour without a colour axis")
    if item.kind == "image":
        if item.arrays:
            raise Refusal("an array that its kind does not have")
        return 0, data.ndim - item.rgb
    index = item.arrays.get(FEATURE + "index")
    if (index is None) != (not item.arrays) or (index is not None and index.dtype.kind not in "iu"):
        raise Refusal("features of labels without their numbers")
    return None, data.ndim


def _coordinates(item: Item, ndim: int, least: int, most: int = AXES_LIMIT) -> None:
    data = item.data
    if item.rgb:
        raise Refusal("colour without a colour axis")
    if data.ndim != ndim or not least <= data.shape[-1] <= most:
        raise Refusal("coordinates of another shape")
    if data.dtype.kind != "f" or data.dtype.itemsize not in (4, 8):
        raise Refusal("coordinates that are not floating point numbers")
    if not reachable(data).all():
        raise Refusal("coordinates that are not finite, or too far away")


def reachable(data: AnyArray) -> npt.NDArray[np.bool_]:
    """Return which coordinates are finite and not beyond :data:`FARTHEST`.

    >>> reachable(np.array([0, -1e9, 1e10, np.nan])).tolist()
    [True, True, False, False]
    """
    # Of NaN, no comparison is true.
    near: npt.NDArray[np.bool_] = np.abs(data) <= FARTHEST
    return near


def _points(item: Item) -> tuple[int, int]:
    _coordinates(item, 2, 2)
    return len(item.data), item.data.shape[1]


def _shapes(item: Item) -> tuple[int, int]:
    _coordinates(item, 2, 2)
    offsets, types = item.arrays.get("offsets"), item.arrays.get("types")
    if offsets is None or types is None:
        raise Refusal("shapes without offsets or types")
    if any(a.ndim != 1 or a.dtype.kind not in "iu" for a in (offsets, types)):
        raise Refusal("offsets or types that are not whole numbers")
    if len(offsets) != len(types) + 1:
        raise Refusal("offsets or types of another length")
    if int(types.max(initial=0)) >= len(SHAPE_TYPES) or int(types.min(initial=0)) < 0:
        raise Refusal("shapes of an unknown type")
    if int(offsets.max()) > len(item.data) or int(offsets.min()) < 0:
        raise Refusal("offsets outside of the vertices")
    offsets = offsets.astype(np.int64)
    if offsets[0] != 0 or offsets[-1] != len(item.data):
        raise Refusal("offsets outside of the vertices")
    counts = np.diff(offsets)
    chosen = types.astype(np.intp)
    if (counts < _LEAST[chosen]).any() or (counts > _MOST[chosen]).any():
        raise Refusal("shapes of too few or too many vertices")
    return len(types), item.data.shape[1]


def _tracks(item: Item) -> tuple[int, int]:
    _coordinates(item, 2, 4, 5)
    numbers = item.data[:, :2]
    if not np.array_equal(numbers, np.floor(numbers)) or (numbers < 0).any():
        raise Refusal("tracks or times that are not whole numbers")
    graph = item.arrays.get("graph")
    if graph is not None:
        if graph.ndim != 2 or graph.shape[1] != 2 or graph.dtype.kind not in "iu":
            raise Refusal("a graph that is not a list of pairs")
        if not np.isin(graph, np.unique(numbers[:, 0])).all():
            raise Refusal("a graph of tracks that are not there")
    return len(item.data), item.data.shape[1] - 1


def _vectors(item: Item) -> tuple[int, int]:
    _coordinates(item, 3, 2)
    if item.data.shape[1] != 2:
        raise Refusal("coordinates of another shape")
    return len(item.data), item.data.shape[2]


def _surface(item: Item) -> tuple[int, int]:
    _coordinates(item, 2, 2)
    faces, values = item.arrays.get("faces"), item.arrays.get("values")
    if faces is None or faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise Refusal("faces that are not triangles")
    if faces.size and not 0 <= int(faces.min()) <= int(faces.max()) < len(item.data):
        raise Refusal("faces of vertices that are not there")
    if values is not None and (values.shape != (len(item.data),) or values.dtype.kind != "f"):
        raise Refusal("values that do not fit the vertices")
    if item.features:
        raise Refusal("an array that its kind does not have")
    return 0, item.data.shape[1]


_CHECKS: Final[dict[str, Callable[[Item], tuple[int | None, int]]]] = {
    "image": _pixels,
    "labels": _pixels,
    "points": _points,
    "shapes": _shapes,
    "tracks": _tracks,
    "vectors": _vectors,
    "surface": _surface,
}
