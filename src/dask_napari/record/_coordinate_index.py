"""Coordinates along one axis of an array, and the index of each."""

from __future__ import annotations

from typing import Any, Final

from dask_napari.model import ARRIVAL_AXIS, Coordinate, natural_key

Coordinates = tuple[Coordinate, ...]
"""Coordinates on the position axes that one axis of an array stands for, mostly a single one."""

FREE_LIMIT: Final = 256
"""Indices that may stay free below a whole number that is its own index."""


class CoordinateIndex:
    """Index of coordinates, which they keep while a record grows.

    A whole number is its own index where that leaves few indices free, so that frames are in order
    although they arrive in another; everything else comes next. Closing the record sorts the rest,
    see :meth:`order`.

    Parameters
    ----------
    names : tuple of str
        The axes of positions that this axis stands for.

    Examples
    --------
    >>> frames, wells = CoordinateIndex(("t",)), CoordinateIndex(("well",))
    >>> [frames.add((t,)) for t in (2, 0, 1)], [wells.add((w,)) for w in ("A2", "A1")]
    ([2, 0, 1], [0, 1])
    >>> wells.order()
    {1: 0, 0: 1}
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._indices: dict[Coordinates, int] = {}
        self._coordinates: dict[int, Coordinates] = {}
        self._next = 0

    def __repr__(self) -> str:
        return f"<CoordinateIndex {','.join(self.names)}: {len(self._indices)}>"

    def add(self, coordinates: Coordinates) -> int:
        """Return the index of coordinates, a new one if need be."""
        index = self._indices.get(coordinates)
        if index is None:
            index = self._free(coordinates)
            self.set(coordinates, index)
        return index

    def set(self, coordinates: Coordinates, index: int) -> None:
        """Take over the index of coordinates from a journal."""
        self._indices[coordinates] = index
        self._coordinates[index] = coordinates
        self._next = max(self._next, index + 1)

    def _free(self, coordinates: Coordinates) -> int:
        value, most = coordinates[0], 2 * len(self._indices) + FREE_LIMIT
        number = len(coordinates) == 1 and isinstance(value, int) and self.names != (ARRIVAL_AXIS,)
        if number and 0 <= value < most and value not in self._coordinates:  # type: ignore[operator]
            return int(value)
        return self._next

    def order(self) -> dict[int, int]:
        """Return the index of each in natural order, without gaps, by the index of now.

        Items without a position stay in the order of arrival.
        """

        def key(index: int) -> tuple[Any, ...]:
            return tuple(map(natural_key, self._coordinates[index]))

        found = sorted(self._coordinates, key=None if self.names == (ARRIVAL_AXIS,) else key)
        return {index: turn for turn, index in enumerate(found)}

    def values(self) -> list[Any]:
        """Return coordinates by index, None where one is free; lists where an axis is several."""
        found = map(self._coordinates.get, range(self._next))
        return [each and (list(each) if len(self.names) != 1 else each[0]) for each in found]
