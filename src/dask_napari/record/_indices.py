"""Coordinates of one axis of an array, and the index that each has there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from dask_napari.model import ARRIVAL_AXIS, Coordinate, natural_key

IndexPlace = tuple[Coordinate, ...]
"""Coordinates on the axes that one axis of an array stands for, mostly a single one."""

AHEAD: Final = 256
"""Indices that may stay free below a whole number that is its own index."""


class Indices:
    """Give coordinates an index that they keep while a record grows.

    A whole number is its own index where that leaves few indices free, so that frames are in order
    although they arrive in another; everything else comes next. What that leaves unsorted or free
    is put right when the record is closed; see :meth:`sorted`.

    Parameters
    ----------
    names : tuple of str
        The axes of positions that this axis stands for.

    Examples
    --------
    >>> frames, wells = Indices(("t",)), Indices(("well",))
    >>> [frames.add((t,)) for t in (2, 0, 1)], [wells.add((w,)) for w in ("A2", "A1")]
    ([2, 0, 1], [0, 1])
    >>> wells.sorted()
    {1: 0, 0: 1}
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._indices: dict[IndexPlace, int] = {}
        self._places: dict[int, IndexPlace] = {}
        self._next = 0

    def add(self, place: IndexPlace) -> int:
        """The index of coordinates, a new one if need be."""
        index = self._indices.get(place)
        if index is None:
            index = self._free(place)
            self.set(place, index)
        return index

    def set(self, place: IndexPlace, index: int) -> None:
        """Coordinates whose index is known, from a journal."""
        self._indices[place] = index
        self._places[index] = place
        self._next = max(self._next, index + 1)

    def _free(self, place: IndexPlace) -> int:
        value = place[0]
        own = len(place) == 1 and isinstance(value, int) and self.names != (ARRIVAL_AXIS,)
        if own and 0 <= value < 2 * len(self._indices) + AHEAD and value not in self._places:  # type: ignore[operator]
            return int(value)
        return self._next

    def sorted(self) -> dict[int, int]:
        """The index of now -> the one in natural order, without gaps.

        Places without a position stay in the order of arrival.
        """
        if self.names == (ARRIVAL_AXIS,):
            return {index: turn for turn, index in enumerate(sorted(self._places))}
        order = sorted(self._places, key=lambda index: _key(self._places[index]))
        return {index: turn for turn, index in enumerate(order)}

    @property
    def coordinates(self) -> list[Any]:
        """Coordinates by index, None where an index is free; lists where an axis is several."""
        found: list[Any] = [None] * self._next
        for index, place in self._places.items():
            found[index] = list(place) if len(self.names) != 1 else place[0]
        return found

    def items(self) -> Iterable[tuple[IndexPlace, int]]:
        """Coordinates and the index of each."""
        return self._indices.items()

    def __len__(self) -> int:
        return self._next


def _key(place: IndexPlace) -> tuple[Any, ...]:
    return tuple(map(natural_key, place))


def spacing(coordinates: list[Any]) -> tuple[float, float] | None:
    """Step and first value of numbers that are evenly spaced, None if they are not.

    Examples
    --------
    >>> spacing([2.0, 4.0, 6.0]), spacing([0, 1, 3]), spacing(["A", "B"])
    ((2.0, 2.0), None, None)
    """
    if not coordinates or not all(type(value) in (int, float) for value in coordinates):
        return None
    first = float(coordinates[0])
    if len(coordinates) == 1:
        return 1.0, first
    step = (float(coordinates[-1]) - first) / (len(coordinates) - 1)
    small = abs(step) * 1e-6
    even = all(abs(first + n * step - at) <= small for n, at in enumerate(coordinates))
    return (step, first) if even and step > 0 else None
