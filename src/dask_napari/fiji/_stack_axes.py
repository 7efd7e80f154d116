"""The axes of hyperstacks: channels, slices and frames, made of the axes of items."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dask_napari.model import (
    ARRIVAL_AXIS,
    CHANNELS,
    TIMES,
    Calibration,
    Coordinate,
    Item,
    LayerSpec,
    natural_key,
)

SLICES: Final = frozenset({"z", "slice", "depth", "plane"})
"""Names of axes that are slices, in small letters."""


class StackAxis:
    """Coordinates of one axis in the order of its slider: their natural one, or that of arrival.

    >>> frames = StackAxis(0)
    >>> [frames.add((t,)) for t in (2, 10, 1, 2)]
    [(0, 0), (1, 1), (2, 0), (0, None)]
    """

    def __init__(self, number: int, *, arrival: bool = False) -> None:
        self.number = number
        self._arrival = arrival
        self._numbers: dict[tuple[Coordinate, ...], int] = {}
        self._keys: list[list[Any]] = []

    def __repr__(self) -> str:
        return f"<StackAxis {self.number}: {len(self._numbers)} coordinates>"

    def __contains__(self, coordinates: object) -> bool:
        return coordinates in self._numbers

    def add(self, coordinates: tuple[Coordinate, ...]) -> tuple[int, int | None]:
        """Return the number of coordinates by arrival, and their index on the slider if new."""
        number = self._numbers.get(coordinates)
        if number is not None:
            return number, None
        number = self._numbers[coordinates] = len(self._numbers)
        if self._arrival:
            return number, number
        key = [natural_key(each) for each in coordinates]
        index = bisect.bisect(self._keys, key)
        self._keys.insert(index, key)
        return number, index


@dataclass(frozen=True)
class StackRoles:
    """Which axis of an item is which of a hyperstack; ``leading`` are those of its arrays."""

    channel: str
    slice: str
    frames: tuple[str, ...]
    leading: tuple[str, ...]

    @classmethod
    def of(cls, item: Item, spec: LayerSpec | None, dimensions: int) -> StackRoles:
        """Return the roles for an item whose arrays have so many axes in space.

        Channels are an axis of that name, else one whose values have layers of their own; slices
        are an axis of arrays before one of positions. All others are frames, times last, so that
        frames that follow each other in time are neighbours.

        >>> import numpy as np
        >>> item = Item("raw", "image", np.zeros((4, 5)), {"t": 3, "well": "A01", "channel": 1})
        >>> StackRoles.of(item, None, 2)
        StackRoles(channel='channel', slice='', frames=('well', 't'), leading=())
        """
        names = item.calibration.axes
        if len(names) != dimensions:
            names = (*(f"dim{n}" for n in range(dimensions, 3, -1)), "z", "y", "x")[-dimensions:]
        leading, axes = tuple(names[:-2]), [*item.at]
        # A name that an array's axis and the position share is two axes; the array's is renamed.
        leading = tuple(f"{name} of array" if name in axes else name for name in leading)
        every = [*leading, *axes]
        channel = next((name for name in every if name.casefold() in CHANNELS), "")
        modes = spec.axes if spec else {}
        channel = channel or next((name for name in axes if modes.get(name) == "layer"), "")
        slices = [name for name in leading if name.removesuffix(" of array").casefold() in SLICES]
        slices = slices or [name for name in axes if name.casefold() in SLICES]
        rest = [name for name in [*axes, *leading] if name != channel and name not in slices[:1]]
        frames = sorted(rest, key=lambda name: name.casefold() in TIMES)
        return cls(channel, slices[0] if slices else "", tuple(frames), leading)

    def place(
        self, item: Item, index: Sequence[int], frames: Sequence[str]
    ) -> tuple[Coordinate, Coordinate, tuple[Coordinate, ...]]:
        """Return channel, slice and frame of a plane, whose index in the item's array is given."""
        at = {**item.at, **dict(zip(self.leading, index, strict=True))}
        channel = at[self.channel] if self.channel else 0
        return channel, at[self.slice] if self.slice else 0, tuple(at[name] for name in frames)


class StackFamily:
    """Windows whose items have the same axes: they share slices and frames, and ROIs fit them."""

    def __init__(self, frames: tuple[str, ...], slices: int, first: int) -> None:
        self.frames = frames
        self.slices: StackAxis = StackAxis(slices)
        self.times: StackAxis = StackAxis(first, arrival=frames == (ARRIVAL_AXIS,))
        self.calibration: Calibration | None = None  # of the first image that has one
        self.early: list[Item] = []  # points and shapes that came before that image

    def __repr__(self) -> str:
        return f"<StackFamily {','.join(self.frames)}: {self.times}, {self.slices}>"
