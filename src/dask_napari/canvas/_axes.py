"""The axes that all canvases of one viewer share, so that their sliders line up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from dask_napari.canvas._sorted_keys import SortedKeys
from dask_napari.model import SPATIAL, Coordinate, Refusal, natural_key, plain_coordinate

MOST_AXES: Final = 14
"""Sliders and axes in space together. Whenever a layer comes or grows, napari looks several times
at the 2ⁿ corners of each: 40 ms for 14 axes, 3 s and a gigabyte for 20."""


def spatial_names(count: int) -> tuple[str, ...]:
    """Return the usual names of spatial axes.

    >>> spatial_names(2), spatial_names(4)
    (('y', 'x'), ('dim4', 'z', 'y', 'x'))
    """
    extra = tuple(f"dim{count - n}" for n in range(max(0, count - len(SPATIAL))))
    return (*extra, *SPATIAL[max(0, len(SPATIAL) - count) :])


def common_shape(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape in which both fit, aligned at their last axes."""
    ndim = max(len(one), len(other))
    return tuple(map(max, (1,) * (ndim - len(one)) + one, (1,) * (ndim - len(other)) + other))


class CanvasAxis:
    """Coordinates known on one axis, in the order in which a slider shows them.

    With ``arrival`` that is the order in which they came, else their natural order.

    >>> well = CanvasAxis("well")
    >>> [well.add(name) for name in ("A2", "A10", "A1", "A2")]
    [False, False, True, None]
    >>> well.coordinates, well.index("A10")
    (('A1', 'A2', 'A10'), 2)
    """

    def __init__(self, name: str, *, arrival: bool = False) -> None:
        self.name = name
        self.arrival = arrival
        self._known: dict[Coordinate, int] = {}  # number of arrival by coordinate
        # In slider order: keys, which end in their coordinates; else the coordinates themselves.
        self._keys = SortedKeys()
        self._arrived: list[Coordinate] = []

    def add(self, coordinate: Coordinate) -> bool | None:
        """Make a coordinate known; return whether it comes before others, None if it was known."""
        if coordinate in self._known:
            return None
        self._known[coordinate] = len(self._known)
        if self.arrival:
            self._arrived.append(coordinate)
            return False
        return self._keys.add(natural_key(coordinate))

    def index(self, coordinate: Coordinate) -> int:
        """Return the index of a coordinate on the slider."""
        try:
            number = self._known[coordinate]
        except KeyError:
            raise KeyError(f"no {coordinate!r} on axis {self.name!r}") from None
        return number if self.arrival else self._keys.index(natural_key(coordinate))

    def arrival_number(self, coordinate: Coordinate) -> int:
        """Return the number of a coordinate in the order of arrival, which never changes.

        A coordinate that is unknown yet gets the next number.
        """
        return self._known.get(coordinate, len(self._known))

    def ranks(self) -> list[int]:
        """Return the index of each coordinate, in the order of arrival.

        >>> well = CanvasAxis("well")
        >>> [well.add(name) for name in ("A2", "A10", "A1")], well.ranks()
        ([False, False, True], [1, 2, 0])
        """
        ranks = [0] * len(self)
        for index, coordinate in enumerate(self.coordinates):
            ranks[self._known[coordinate]] = index
        return ranks

    def canonical(self, coordinate: Any) -> Coordinate:
        """Return a coordinate as a plain number or text."""
        return plain_coordinate(self.name, coordinate)

    @property
    def coordinates(self) -> tuple[Coordinate, ...]:
        """All coordinates in slider order."""
        return tuple(self._arrived if self.arrival else (key[-1] for key in self._keys))

    def __getitem__(self, index: int) -> Coordinate:
        coordinate: Coordinate = self._arrived[index] if self.arrival else self._keys[index][-1]
        return coordinate

    def __contains__(self, coordinate: object) -> bool:
        return coordinate in self._known

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return f"<CanvasAxis {self.name!r}: {len(self)} coordinates>"


class CanvasAxes:
    """Slider axes and spatial axes shared by the canvases of one viewer.

    The array axes of every canvas are the sliders, in :attr:`names` order, followed by the
    spatial axes. An axis that turns up late goes to the front, which is where napari puts new
    dimensions too.

    Coordinates of the ``arrival`` axes stay in the order of arrival.

    >>> axes = CanvasAxes()
    >>> axes.admit({"well": "A01", "field": 3})
    True
    >>> axes.admit({"t": 0, "well": "A01"})
    True
    >>> axes.names, axes.admit({"well": "A01"})
    (('t', 'well', 'field'), False)
    """

    def __init__(self, arrival: Iterable[str] = ("item",)) -> None:
        self._arrival = frozenset(arrival)
        self._axes: dict[str, CanvasAxis] = {}
        self.names: tuple[str, ...] = ()
        self.spatial: tuple[str, ...] = ()
        self.extent: tuple[int, ...] = ()  # size of the space that holds all blocks
        self.structure: int = 0  # grows whenever an axis is added, in space or as a slider
        self.version: int = 0  # grows whenever anything is added, coordinates too
        self.shifts: int = (
            0  # grows whenever a coordinate comes before others: they get another index
        )

    def check(self, position: Mapping[str, Any], n_spatial: int) -> None:
        """Raise a Refusal if a position and axes in space would make too many axes."""
        if position.keys() <= self._axes.keys() and n_spatial <= len(self.spatial):
            return
        sliders, space = len({*self.names, *position}), max(n_spatial, len(self.spatial))
        if sliders + space > MOST_AXES:
            raise Refusal(
                "too many axes",
                f"{sliders} sliders and {space} axes in space, of which this item has {n_spatial};"
                f" at most {MOST_AXES} together. Are rows and columns in another order?",
            )

    def admit(self, position: Mapping[str, Any], order: Sequence[str] = ()) -> bool:
        """Make the coordinates of a position known; return whether anything was new.

        ``order`` ranks axes not seen before, as sliders.
        """
        clean = {name: plain_coordinate(name, value) for name, value in position.items()}
        fresh = [name for name in clean if name not in self._axes]
        if fresh:
            rank = {name: n for n, name in enumerate(order)}
            fresh.sort(key=lambda name: rank.get(name, len(rank)))  # stable: else as named
            for name in fresh:
                self._axes[name] = CanvasAxis(name, arrival=name in self._arrival)
            self.names = (*fresh, *self.names)
            self.structure += 1
        grew = False
        for name, value in clean.items():
            is_before = self._axes[name].add(value)
            grew |= is_before is not None
            self.shifts += bool(is_before)
        self.version += grew
        return grew

    def admit_space(self, shape: Sequence[int], names: Sequence[str] = ()) -> bool:
        """Make room for blocks of a shape; return whether the common space grew.

        Canvases with fewer spatial axes than another one are repeated along those they lack.
        """
        labels = tuple(names) if len(names) == len(shape) else spatial_names(len(shape))
        grew = False
        if len(shape) > len(self.spatial):
            self.spatial = (*labels[: len(shape) - len(self.spatial)], *self.spatial)
            self.structure += 1
            grew = True
        # A block that brings names gives them to axes that had only the default ones.
        if names and labels != self.spatial[-len(labels) :]:
            old = spatial_names(len(self.spatial))
            at = len(self.spatial) - len(labels)
            if self.spatial[at:] == old[at:]:
                self.spatial = (*self.spatial[:at], *labels)
                grew = True
        extent = common_shape(self.extent, tuple(shape))
        grew |= extent != self.extent
        self.extent = extent
        self.version += grew
        return grew

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of coordinates on each slider."""
        return tuple(len(self._axes[name]) for name in self.names)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all axes: sliders, then space."""
        return (*self.names, *self.spatial)

    def coordinates(self, indices: Sequence[int]) -> dict[str, Coordinate]:
        """Return the coordinate at an index of each slider."""
        return {
            name: self._axes[name][index] for name, index in zip(self.names, indices, strict=True)
        }

    def __getitem__(self, name: str) -> CanvasAxis:
        return self._axes[name]

    def __iter__(self) -> Iterator[CanvasAxis]:
        return (self._axes[name] for name in self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._axes

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        sliders = ", ".join(f"{axis.name}: {len(axis)}" for axis in self)
        return f"<CanvasAxes {sliders}; {' '.join(self.spatial)} {self.extent}>"
