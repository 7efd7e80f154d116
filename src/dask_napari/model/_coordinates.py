"""The order of coordinates on an axis: numbers by size, text the way people read it."""

from __future__ import annotations

import math
import re
from typing import Any

from dask_napari.model._refusal import Refusal

_NUMBER = re.compile(r"([0-9]+)")


def plain_coordinate(axis: str, value: Any) -> Coordinate:
    """Return a number, numpy's too, or text as a plain coordinate of ``axis``.

    Raises Refusal otherwise: not-a-number equals nothing and could never be found again.

    >>> plain_coordinate("field", 3), plain_coordinate("well", "A01")
    (3, 'A01')
    """
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float):
        raise Refusal(
            "coordinates",
            f"coordinate {value!r} on axis {axis!r} is a {type(value).__name__};"
            " coordinates are int, float or str",
        )
    if math.isnan(value):
        raise Refusal("coordinates", f"coordinate on axis {axis!r} is nan, which has no order")
    return value


def natural_key(value: Coordinate) -> tuple[Any, ...]:
    """Return the sort key of a coordinate: numbers first, then text, its numbers read as numbers.

    >>> sorted(["A10", "B1", "A2", 7, "A1", 2.5], key=natural_key)
    [2.5, 7, 'A1', 'A2', 'A10', 'B1']
    """
    if not isinstance(value, str):
        return (0, value)
    parts = _NUMBER.split(value.casefold())
    # Text and numbers alternate, starting with text, so that parts compare with their like.
    parts[1::2] = [int(part) for part in parts[1::2]]
    # The raw text last: "A1" and "A01" are two coordinates and need one order.
    return (1, parts, value)


SPATIAL = ("z", "y", "x")
"""Names of the last axes of a block where nobody named them."""

Coordinate = int | float | str
"""Where an item lies on one axis."""
