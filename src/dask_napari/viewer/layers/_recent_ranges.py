"""Ranges of the values of images, from samples, and the range that suits recent ones."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas import PositionKey
from dask_napari.catalog import ValueRange

TAILS: Final = (0.005, 0.998)
"""Shares of the values below the robust low and high, so that a few hot or dead pixels do not
decide for all."""

SAMPLE: Final = 4096
"""Values looked at of a block; enough for the shares, and some 60 us whatever the block's size."""

RECENT: Final = 256
"""Places on the sliders that count; at 30 pictures a second, those of the last seconds."""

FEW: Final = 1 / 8
"""Share of the places that may be left out as outliers."""

REACH: Final = 3.0
"""Spreads beyond the middle of all places at which one is an outlier, such as a flash: that of
the values in a place, or of places among each other, if it is larger."""

_LARGEST: Final = 1e38
"""Graphics cards have single precision, and the difference of two limits must be finite there."""


def value_range(block: npt.NDArray[Any]) -> ValueRange | None:
    """Return the range of a sample of a block; None if the block has no finite values.

    >>> value_range(np.arange(1000.0).reshape(20, 50))
    ValueRange(low=4.0, high=998.0, least=0.0, most=999.0)
    """
    sample = block[_steps(block.shape)].flatten()  # a copy, which is put in order
    if sample.dtype.kind == "f":
        sample = sample[np.isfinite(sample)]
    elif sample.dtype.kind == "b":
        sample = sample.view(np.uint8)
    last = sample.size - 1
    if last < 0:
        return None
    ranks = 0, math.floor(TAILS[0] * last), math.ceil(TAILS[1] * last), last
    sample.partition(sorted(set(ranks)))
    least, low, high, most = (
        float(max(-_LARGEST, min(_LARGEST, float(sample[rank])))) for rank in ranks
    )
    return ValueRange(low, high, least, most)


def _steps(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the strides of a sample that is spread over a block.

    Axes that are shorter than their share of the sample leave the rest to longer ones.
    """
    steps = [slice(None)] * len(shape)
    room = float(SAMPLE)
    for turn, axis in enumerate(sorted(range(len(shape)), key=shape.__getitem__)):
        most = max(1, round(room ** (1 / (len(shape) - turn))))
        step = -(-shape[axis] // most) or 1
        steps[axis] = slice(step // 2 if shape[axis] > step else 0, None, step)
        room /= max(1, -(-shape[axis] // step))
    return tuple(steps)


class RecentRanges:
    """Ranges of the values at the places that were put last, and limits that suit them.

    ``measure`` measures a place again after a part of its pixels was replaced.

    >>> recent = RecentRanges()
    >>> for t in range(9):
    ...     recent.extend((('t',), (t,)), value_range(np.array([10 * t, 900])))
    >>> recent.extend((('t',), (9,)), value_range(np.array([0, 60000])))  # a flash
    >>> recent.limits, recent.seen
    ((0.0, 900.0), (0.0, 60000.0))
    """

    def __init__(
        self, measure: Callable[[PositionKey], ValueRange | None] | None = None, fill: float = 0.0
    ) -> None:
        self._measure = measure
        self._fill = fill
        self._places: OrderedDict[PositionKey, ValueRange] = OrderedDict()
        self._stale: set[PositionKey] = set()
        self._first: PositionKey | None = None
        self._of_first: ValueRange | None = None
        self._seen = np.inf, -np.inf
        self._limits: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return f"<RecentRanges of {len(self._places)} places: {self.limits}, seen {self.seen}>"

    def extend(
        self, place: PositionKey, new: ValueRange | None, old: ValueRange | None = None
    ) -> None:
        """Take a block at a place into account; ``old`` is the range of the one it replaces."""
        if new is None:
            return
        self._limits = None
        self._seen = min(self._seen[0], new.least), max(self._seen[1], new.most)
        known = self._places.pop(place, None)
        if known is not None and old is not None and _touches(known, old):
            self._stale.add(place)
        self._places[place] = new if known is None else known.union(new)
        if self._of_first is None:
            self._first = place
        if place == self._first:
            self._of_first = self._places[place]
        if len(self._places) > RECENT:
            self._stale.discard(self._places.popitem(last=False)[0])

    @property
    def seen(self) -> tuple[float, float]:
        """Least and largest value of all samples, and what the limits add for them to show."""
        low, high = self.limits
        return min(self._seen[0], low), max(self._seen[1], high)

    @property
    def first(self) -> tuple[float, float]:
        """Limits that suit the place that came first."""
        self._catch_up()
        return visible([] if self._of_first is None else [self._of_first], self._fill)

    @property
    def limits(self) -> tuple[float, float]:
        """Limits that suit the places, without those few that are far from all others."""
        self._catch_up()
        if self._limits is None:
            self._limits = visible(self._usual(), self._fill)
        return self._limits

    def _catch_up(self) -> None:
        for place in self._stale:
            measured = self._measure(place) if self._measure else None
            if measured is not None:
                self._places[place] = measured
                if place == self._first:
                    self._of_first = measured
            self._limits = None
        self._stale.clear()

    def _usual(self) -> list[ValueRange]:
        """Return the ranges of the places without outliers."""
        ranges = list(self._places.values())
        count = len(ranges)
        if count < 4:
            return ranges
        lows, highs = sorted(r.low for r in ranges), sorted(r.high for r in ranges)
        low, high = lows[count // 2], highs[count // 2]
        own = high - low if high > low else abs(high)  # flat places differ from black
        among = max(each[3 * count // 4] - each[count // 4] for each in (lows, highs))
        spread = REACH * max(own, among)
        low, high = low - spread, high + spread
        if lows[0] >= low and highs[-1] <= high:
            return ranges
        usual = [each for each in ranges if each.low >= low and each.high <= high]
        return usual if count - len(usual) <= max(1, FEW * count) else ranges


def _touches(known: ValueRange, old: ValueRange) -> bool:
    """Return whether a range may end where it does for an old one within."""
    return (
        old.low <= known.low
        or old.high >= known.high
        or old.least <= known.least
        or old.most >= known.most
    )


def visible(ranges: Sequence[ValueRange], fill: float = 0.0) -> tuple[float, float]:
    """Return limits within which the values of some places can be told from black.

    The limits of places that are flat include 0, and what an image shows where it is empty.

    >>> visible([ValueRange(7, 7, 7, 7)]), visible([ValueRange(0, 0, 0, 3000)])
    ((0.0, 7.0), (0.0, 3000.0))
    """
    if not ranges:
        return 0.0, 1.0
    lows, highs, leasts, mosts = zip(*ranges, strict=True)
    low, high = float(min(lows)), float(max(highs))
    if leasts == mosts:
        low, high = min(0.0, fill, low), max(0.0, fill, high)
        if max(highs) < 0:
            low *= 2  # grey: what equals the low limit is black
    elif low == high:
        low, high = float(min(leasts)), float(max(mosts))
    return low, high if high > low else low + 1
