"""Positions on the sliders: their keys, and values that are found by them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dask_napari.canvas._axes import CanvasAxes
from dask_napari.catalog import ValueRange
from dask_napari.model import Coordinate, plain_coordinate

T = TypeVar("T")

AxisNames = tuple[str, ...]
PositionKey = tuple[AxisNames, tuple[Coordinate, ...]]
"""Position on the sliders in a form that can be compared: axis names in order of the alphabet, and
the coordinate on each."""


def position_key(position: Mapping[str, Any]) -> PositionKey:
    """Return the key of a position.

    >>> position_key({"well": "A01", "t": 3})
    (('t', 'well'), (3, 'A01'))
    """
    names = tuple(sorted(position))
    return names, tuple(plain_coordinate(name, position[name]) for name in names)


def split_position(
    stream: str,
    position: Mapping[str, T],
    modes: Mapping[str, str],
    names: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[str, dict[str, T], dict[str, T]]:
    """Split a position into the part that names a layer and the rest.

    ``names`` has, by axis, the names of coordinates (as text) for the layer's name.

    >>> names = {"channel": {"1": "DAPI"}}
    >>> split_position("raw", {"well": "A01", "channel": 1}, {"channel": "layer"}, names)
    ('raw [DAPI]', {'well': 'A01'}, {'channel': 1})
    """
    layers = {axis: at for axis, at in position.items() if modes.get(axis) == "layer"}
    if not layers:
        return stream, dict(position), {}
    rest = {axis: at for axis, at in position.items() if axis not in layers}
    known = names or {}
    called = [known.get(axis, {}).get(str(at), str(at)) for axis, at in layers.items()]
    return f"{stream} [{', '.join(called)}]", rest, layers


@dataclass(frozen=True, slots=True)
class PutResult:
    """Effect of putting one block on a canvas."""

    key: PositionKey
    grew: bool  # shape, number of axes or type of the canvas, or its axes
    replaced: bool  # an earlier block
    start: tuple[int, ...] = ()  # of the block in space
    shape: tuple[int, ...] = ()  # of the block in space
    before: ValueRange | None = None  # of the values of the block that was replaced


class PositionIndex(Generic[T]):
    """Values at positions on the sliders, found by an index on each slider.

    A value is seen all along the axes that its position does not name.

    The coordinates of all positions must be known to the axes.

    >>> axes = CanvasAxes()
    >>> values = PositionIndex(axes)
    >>> for t, value in ((0, "first"), (5, "second")):
    ...     grew = axes.admit({"t": t})
    ...     values.set(position_key({"t": t}), value)
    >>> values.set(((), ()), "always")
    >>> list(values.at([1]))
    ['second', 'always']
    """

    def __init__(self, axes: CanvasAxes) -> None:
        self._axes = axes
        self._values: dict[AxisNames, dict[tuple[Coordinate, ...], T]] = {}
        # Axis names, most specific first, with the slider number of each name.
        self._lookups: list[tuple[AxisNames, tuple[int, ...]]] = []
        self._structure = -1  # of the axes when the lookups were made

    def __repr__(self) -> str:
        counts = {" x ".join(names): len(values) for names, values in self._values.items()}
        return f"<{type(self).__name__} {counts}>"

    def __len__(self) -> int:
        return sum(map(len, self._values.values()))

    def get(self, key: PositionKey) -> T | None:
        """Return the value at a position, None if there is none."""
        return self._values.get(key[0], {}).get(key[1])

    def set(self, key: PositionKey, value: T) -> None:
        """Set the value at a position."""
        names, coordinates = key
        if names not in self._values:
            self._values[names] = {}
            self._structure = -1
        self._values[names][coordinates] = value

    def items(self) -> Iterator[tuple[PositionKey, T]]:
        """Yield all values with the keys of their positions."""
        for names, values in self._values.items():
            for coordinates, value in values.items():
                yield (names, coordinates), value

    def values(self) -> Iterator[T]:
        """Yield all values."""
        for values in self._values.values():
            yield from values.values()

    def at(self, indices: Sequence[float | None], free: Collection[str] = ()) -> Iterator[T]:
        """Yield the values that are seen, those of the most specific positions first.

        Between two steps the nearer one counts; None, and any index on an axis in ``free``, is all
        of an axis.
        """
        axes = self._axes
        if self._structure != axes.structure:
            numbers = {name: n for n, name in enumerate(axes.names)}
            most_specific_first = sorted(self._values, key=len, reverse=True)
            self._lookups = [(s, tuple(numbers[name] for name in s)) for s in most_specific_first]
            self._structure = axes.structure
        for names, sliders in self._lookups:
            values = self._values[names]
            coordinates: list[Coordinate] = []
            for name, slider in zip(names, sliders, strict=True):
                index = indices[slider]
                if index is None or name in free:
                    break
                axis, nearest = axes[name], round(index)
                if not 0 <= nearest < len(axis):
                    break
                coordinates.append(axis[nearest])
            if len(coordinates) == len(names):
                value = values.get(tuple(coordinates))
                if value is not None:
                    yield value
            else:
                for found, value in values.items():
                    if self.is_seen((names, found), indices, free):
                        yield value

    @property
    def names(self) -> list[AxisNames]:
        """Axis names of the positions, the most specific ones first."""
        return sorted(tuple(self._values), key=len, reverse=True)

    def under(self, coordinates: Mapping[str, Coordinate]) -> Iterator[tuple[PositionKey, T]]:
        """Yield keys and values at a coordinate of each slider, the most specific first.

        Nothing is changed by that, so that other threads may ask.
        """
        for names in self.names:
            if coordinates.keys() >= set(names):
                found = tuple(coordinates[name] for name in names)
                value = self._values[names].get(found)
                if value is not None:
                    yield (names, found), value

    def is_seen(
        self, key: PositionKey, indices: Sequence[float | None], free: Collection[str] = ()
    ) -> bool:
        """Return whether a position is seen; the parameters are those of :meth:`at`."""
        axes = self._axes
        for name, coordinate in zip(*key, strict=True):
            index = indices[axes.names.index(name)]
            if index is None or name in free:
                continue
            if axes[name].index(coordinate) != round(index):
                return False
        return True
