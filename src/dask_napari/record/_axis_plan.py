"""How an image lies in an array of OME-Zarr, which has time, one further axis, and space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dask_napari.model import SPATIAL, Item

TIMES: Final = frozenset({"t", "time", "frame", "timepoint", "tp"})
CHANNELS: Final = frozenset({"c", "ch", "channel", "channels", "wavelength"})

AxisType = Literal["time", "channel", "space", ""]


@dataclass(frozen=True, slots=True)
class PlanAxis:
    """One axis of the array.

    Attributes
    ----------
    name : str
        What it is called.
    type : str
        Its type in OME-Zarr, empty for one of its own.
    own : int
        Which axis of the item's data it is; -1 if it is made of positions.
    names : tuple of str
        The axes of positions that it is made of.
    """

    name: str
    type: AxisType
    own: int = -1
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the axes of an image and of its position go.

    Attributes
    ----------
    axes : tuple of PlanAxis
        Of the array, in its order.
    split : tuple of str
        Axes of the position that have an array for each of their values.
    """

    axes: tuple[PlanAxis, ...]
    split: tuple[str, ...] = ()


def own_names(item: Item) -> tuple[str, ...]:
    """Names of the axes of an image, without that of colours."""
    ndim = item.data.ndim - item.rgb
    if len(item.calibration.axes) == ndim:
        return item.calibration.axes
    extra = tuple(f"dim{ndim - turn}" for turn in range(max(0, ndim - len(SPATIAL))))
    return (*extra, *SPATIAL[len(SPATIAL) - min(ndim, len(SPATIAL)) :])


def plan_of(item: Item, order: Sequence[str] = ()) -> Plan | None:
    """Return how an image lies in an array of OME-Zarr, None if it cannot.

    Such an array has at most one axis of time, one of channels or of a kind of its own, and two or
    three in space, in this order. Several axes of positions become one, whose coordinates are
    tuples. Where that place is taken, by channels or colours, there is an array for each value.

    Parameters
    ----------
    item : Item
        An image or labels.
    order : sequence of str
        The axes of its position in the order that several of them have in one; as the item names
        them if it is not given.

    Examples
    --------
    >>> import numpy as np
    >>> plan = plan_of(Item("raw", "image", np.zeros((4, 5)), {"well": "A01", "t": 3, "field": 1}))
    >>> [axis.name for axis in plan.axes], plan.split
    (['t', 'well,field', 'y', 'x'], ())
    """
    names = own_names(item)
    own = _own_axes(item, names)
    if own is None:
        return None
    time, further, space = own
    at = list(order or item.at)
    taken = {axis.name for axis in (*space, *filter(None, (time, further)))}
    times = [name for name in at if name.casefold() in TIMES]
    if time is None and times and times[0] not in taken:
        time = PlanAxis(times[0], "time", names=(times[0],))
        at.remove(times[0])
    channels = [name for name in at if name.casefold() in CHANNELS]
    rest = [name for name in at if name not in channels]
    split: list[str] = []
    if further is not None:
        split = at
    elif rest:
        further = PlanAxis(",".join(rest), "", names=tuple(rest))
        split = channels
    elif channels:
        further = PlanAxis(channels[0], "channel", names=(channels[0],))
        split = channels[1:]
    axes = tuple(axis for axis in (time, further, *space) if axis is not None)
    if len({axis.name for axis in axes}) != len(axes):
        return None
    return Plan(axes, tuple(split))


Own = tuple[PlanAxis | None, PlanAxis | None, list[PlanAxis]]


def _own_axes(item: Item, names: tuple[str, ...]) -> Own | None:
    """Axes of the data itself: time, channels or colours, space."""
    time: PlanAxis | None = None
    further = PlanAxis("c", "channel", item.data.ndim - 1) if item.rgb else None
    ndim = len(names)
    space = [PlanAxis(names[own], "space", own) for own in (ndim - 2, ndim - 1)]
    for own in reversed(range(ndim - 2)):
        name = names[own]
        if name.casefold() in TIMES and time is None:
            time = PlanAxis(name, "time", own)
        elif name.casefold() in CHANNELS and further is None:
            further = PlanAxis(name, "channel", own)
        elif len(space) == 2 and own == ndim - 3:
            space.insert(0, PlanAxis(name, "space", own))
        elif further is None:
            further = PlanAxis(name, "", own)
        else:
            return None
    return time, further, space
