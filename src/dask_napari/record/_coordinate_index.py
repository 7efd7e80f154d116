"""Coordinates along one axis of an array, and the index of each."""

from __future__ import annotations

from typing import Any, Final

from dask_napari.model import ARRIVAL_AXIS, Coordinate, natural_key

FREE_LIMIT: Final = 256
"""Indices that may stay free below a whole number that is its own index."""


class CoordinateIndex:
    """Index of coordinates on one position axis or several, kept while a record grows.

    A whole number is its own index where that leaves few indices free, so that frames are in order
    although they arrive in another; everything else comes next. Closing the record sorts the rest.

    Examples
    --------
    >>> frames, wells = CoordinateIndex(("t",)), CoordinateIndex(("well",))
    >>> [frames.add((t,)) for t in (2, 0, 1)], [wells.add((w,)) for w in ("A2", "A1")]
    ([2, 0, 1], [0, 1])
    >>> wells.order()
    [1, 0]
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._by_arrival = names == (ARRIVAL_AXIS,)
        self._indices: dict[tuple[Coordinate, ...], int] = {}
        self._coordinates: dict[int, tuple[Coordinate, ...]] = {}
        self._next = 0

    def __repr__(self) -> str:
        return f"<CoordinateIndex {','.join(self.names)}: {len(self._indices)}>"

    def add(self, coordinates: tuple[Coordinate, ...]) -> int:
        """Return the index of coordinates, a new one if need be."""
        index = self._indices.get(coordinates)
        if index is None:
            index, value = self._next, coordinates[0]
            if isinstance(value, int) and len(coordinates) == 1 and not self._by_arrival:
                most = 2 * len(self._indices) + FREE_LIMIT
                index = value if 0 <= value < most and value not in self._coordinates else index
            self.set(coordinates, index)
        return index

    def set(self, coordinates: tuple[Coordinate, ...], index: int) -> None:
        """Take over the index of coordinates from a journal."""
        self._indices[coordinates] = index
        self._coordinates[index] = coordinates
        self._next = max(self._next, index + 1)

    def order(self) -> list[int]:
        """Return the indices in the natural order of their coordinates, or that of arrival."""
        if self._by_arrival:
            return sorted(self._coordinates)
        keys = {index: [*map(natural_key, at)] for index, at in self._coordinates.items()}
        return sorted(keys, key=keys.__getitem__)

    def values(self) -> list[Any]:
        """Return coordinates by index, None where one is free; lists where an axis is several."""
        found = map(self._coordinates.get, range(self._next))
        return [each and (list(each) if len(self.names) != 1 else each[0]) for each in found]
