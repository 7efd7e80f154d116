"""Regions of a labelled image, as ``skimage.measure.regionprops`` returns them."""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np

from dask_napari.coerce._tables import Table
from dask_napari.model import AnyArray, Refusal
from dask_napari.placement import loaded_class

MEASURED: Final = (
    "label",
    "area",
    "equivalent_diameter_area",
    "extent",
    "intensity_mean",
    "intensity_min",
    "intensity_max",
)
"""Properties that become features: scalars that take a few tens of microseconds a region. Those of
moments and hulls take up to milliseconds, beside the tasks; ``regionprops_table`` gives them."""


def is_region(value: object) -> bool:
    """Return whether a value is scikit-image's ``RegionProperties``."""
    for module in ("skimage.measure._regionprops", "skimage.measure"):
        kind = loaded_class(module, "RegionProperties")
        if kind is not None:
            return isinstance(value, kind)
    return False


def are_regions(value: object) -> bool:
    """Return whether a value is one region or a list of at least one.

    >>> from skimage.measure import regionprops
    >>> are_regions(regionprops(np.eye(3, dtype=int))), are_regions([])
    (True, False)
    """
    if isinstance(value, list | tuple):
        return bool(value) and all(map(is_region, value))
    return is_region(value)


def regions_of(value: Any) -> list[Any]:
    """Return copies of regions, which compute nothing in the task's own objects.

    Regions keep what was asked of them, and a task that sends them on at this moment must not
    see them change.
    """
    return [_own(region) for region in (value if isinstance(value, list | tuple) else [value])]


def _own(region: Any) -> Any:
    own = object.__new__(type(region))
    own.__dict__.update(region.__dict__)
    own.__dict__["_cache"] = dict(region.__dict__.get("_cache", {}))
    own.__dict__["_cache_active"] = True
    return own


def centres(value: Any) -> tuple[AnyArray, Table]:
    """Return the centroids of regions and their features."""
    regions = regions_of(value)
    common_ndim(regions)
    pixels = [np.mean(region.coords, axis=0) for region in regions]
    return np.array(pixels, np.float64), measured(regions)


def common_ndim(regions: list[Any]) -> int:
    """Return the number of axes that all regions have; refuse differing ones."""
    found = {len(region.slice) for region in regions}
    if len(found) != 1:
        raise Refusal("dimensions", f"regions of images of {sorted(found)} axes in one output")
    return found.pop()


def measured(regions: list[Any]) -> Table:
    """Return the features of regions: the scalars of :data:`MEASURED` that all of them have."""
    table: Table = {}
    for name in MEASURED:
        try:
            column = [getattr(region, name) for region in regions]
        except (AttributeError, NotImplementedError, ValueError):
            continue  # of another dimension, or without an intensity image
        if all(np.ndim(entry) == 0 for entry in column):
            table[name] = [entry.item() if hasattr(entry, "item") else entry for entry in column]
    return table


def outline(region: Any) -> list[AnyArray]:
    """Return the rings of a region, y and x: of all its pieces and holes; empty if it has none.

    They run half a pixel outside of the centres of the outermost pixels, along the edge that a
    viewer draws.
    """
    find_contours = getattr(sys.modules.get("skimage.measure"), "find_contours", None)
    image = region.image
    if find_contours is None or image.ndim != 2:
        return []
    found = find_contours(np.pad(image, 1).astype(np.float32), 0.5)
    corner = [part.start - 1 for part in region.slice]
    moved = np.asarray(getattr(region, "_offset", 0)) + corner
    return [ring + moved for ring in sorted(found, key=len, reverse=True)]
