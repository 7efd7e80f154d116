"""Positions: where an item belongs on the axes of its layer."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from dask_napari.model._coordinates import Coordinate

Position = Mapping[str, Coordinate]
"""Axis name -> coordinate, in the order in which the axes were named."""

ARRIVAL_AXIS = "item"
"""Axis of items that have no position: coordinates are task keys, ordered by arrival."""

TIMES: Final = frozenset({"t", "time", "frame", "timepoint", "tp"})
CHANNELS: Final = frozenset({"c", "ch", "channel", "channels", "wavelength"})
"""Names of axes that are time, or channels, to readers that know such axes; in small letters."""


def plain_position(position: object) -> dict[str, Coordinate]:
    """Return a position as plain numbers and text, fit for the wire.

    Dates and times become text.

    Raises ValueError or TypeError if it is not a mapping of axis to number or text.

    >>> plain_position({"well": "A01", "t": np.int64(3), "day": datetime.date(2024, 5, 1)})
    {'well': 'A01', 't': 3, 'day': '2024-05-01'}
    """
    if not isinstance(position, Mapping) or not position:
        raise TypeError(
            f"{position!r} is not a position; give a mapping such as {{'well': 'A01', 'field': 3}}"
        )
    found: dict[str, Coordinate] = {}
    for axis, value in position.items():
        if not isinstance(axis, str) or not axis:
            raise TypeError(f"axis {axis!r} is not a name")
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, datetime.date | datetime.time):
            value = value.isoformat()
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError(f"coordinate {value!r} of axis {axis!r} is neither a number nor text")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"coordinate {value!r} of axis {axis!r} is not finite")
        found[axis] = value
    return found
