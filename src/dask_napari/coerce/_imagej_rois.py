"""ROIs of ImageJ, as the library roifile reads them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dask_napari.coerce._outlines import Outlines, box
from dask_napari.model import AnyArray, Refusal
from dask_napari.placement import loaded_class

_OPEN: Final = frozenset({"LINE", "FREELINE", "POLYLINE", "ANGLE"})

_CORNER: Final = 0.5
"""In ImageJ an area begins at the corner of a pixel, in napari pixels have their centre at whole
numbers. Lines and points go by the centres in both."""


def is_roi(value: object) -> bool:
    """Return whether a value is a ROI of roifile."""
    kind = loaded_class("roifile", "ImagejRoi")
    return kind is not None and isinstance(value, kind)


def add_roi(outlines: Outlines, roi: Any) -> None:
    """Add a ROI as an element of its own, with its name and its place in a stack as features."""
    outlines.describe(_features(roi))
    try:
        name = roi.roitype.name
        if name in ("RECT", "OVAL") and not roi.composite:
            outlines.add(_box(roi), "rectangle" if name == "RECT" else "ellipse")
            return
        found = [np.asarray(c, np.float64)[:, ::-1] for c in roi.coordinates(multi=True)]
    except (NotImplementedError, RuntimeError, IndexError) as error:
        raise Refusal("roi", f"ROI {roi.name!r} cannot be read: {error}") from error
    if roi.composite:  # ImageJ fills where an odd number of paths are around, as napari does
        if rings := [vertices - _CORNER for vertices in found if len(vertices) >= 3]:
            outlines.add_rings(rings)
        else:
            outlines.leave_out("no vertices")
        return
    for vertices in filter(len, found):
        if name == "POINT":
            outlines.add(vertices, "point")
        elif name in _OPEN:
            outlines.add(vertices, "line" if len(vertices) == 2 else "path")
        elif len(vertices) >= 3:
            outlines.add(vertices - _CORNER, "polygon")
        else:
            outlines.add(vertices - _CORNER)


def _box(roi: Any) -> AnyArray:
    if roi.subpixelrect:
        low = np.array([roi.yd, roi.xd])
        high = low + np.array([roi.heightd, roi.widthd])
    else:
        low = np.array([roi.top, roi.left], np.float64)
        high = np.array([roi.bottom, roi.right], np.float64)
    return box(low - _CORNER, high - _CORNER)


def _features(roi: Any) -> dict[str, Any]:
    """Return the features of a ROI; its place in a stack counts from 0, as in napari."""
    row: dict[str, Any] = {"name": roi.name or None}
    for axis in ("c", "z", "t"):
        place = int(getattr(roi, f"{axis}_position"))
        if place > 0:
            row[axis] = place - 1
    if not row.keys() & {"c", "z", "t"} and roi.position > 0:
        row["position"] = int(roi.position) - 1
    if roi.group:
        row["group"] = int(roi.group)
    return row
