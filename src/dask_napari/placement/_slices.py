"""Positions with slices, which place a tile in a larger image."""

from __future__ import annotations

import operator
from collections.abc import Mapping

from dask_napari.model import plain_position
from dask_napari.placement._placements import Placement


def placement_of_slices(value: object) -> Placement:
    """Return the placement that a position describes, with slices for a tile of a larger image."""
    slices = (
        {axis: entry for axis, entry in value.items() if isinstance(entry, slice)}
        if isinstance(value, Mapping)
        else {}
    )
    if not slices:
        return Placement(plain_position(value))
    assert isinstance(value, Mapping)
    others = {axis: entry for axis, entry in value.items() if axis not in slices}
    ends = [_ends(axis, entry) for axis, entry in slices.items()]
    return Placement(
        plain_position(others) if others else {},
        tuple(start for start, _ in ends),
        tuple(stop for _, stop in ends),
        tuple(stop - start for start, stop in ends),
        leading=True,
    )


def _ends(axis: object, value: slice) -> tuple[int, int]:
    try:
        start, stop = operator.index(value.start or 0), operator.index(value.stop)
    except TypeError:
        start, stop = 0, 0
    if not 0 <= start < stop or value.step not in (None, 1):
        raise ValueError(
            f"{value!r} of axis {axis!r} is not a range of pixels; give slice(start, stop) in"
            " pixels of the whole image"
        )
    return start, stop
