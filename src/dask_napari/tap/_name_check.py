"""Checks of names before a computation: where a tap will place the tasks that have them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dask_napari.model import Layout, NoPlace, Position, is_well, well
from dask_napari.placement import Matcher, Placement
from dask_napari.tap._placement_rule import PlacementRule

SAMPLES: Final = 3
"""Names that are shown of each finding; people look at a few."""


@dataclass(frozen=True)
class NameCheck:
    """Places that names will fill, as :meth:`Tap.check` finds them; its text tells all of it.

    Attributes
    ----------
    count : int
        Number of names.
    places : dict of Position to names
        Names at each place, in the order in which they were given: pairs of a position and the
        names there.
    missed : tuple of str
        Names in which no position is found.
    wells : tuple of str
        Texts that are read as a well, and name none of the plate.
    unknown : bool
        True if positions come from a function or from the outputs.
    """

    count: int
    places: tuple[tuple[Position, tuple[str, ...]], ...] = ()
    missed: tuple[str, ...] = ()
    wells: tuple[str, ...] = ()
    unknown: bool = False

    @property
    def collisions(self) -> tuple[tuple[Position, tuple[str, ...]], ...]:
        """Places that several names fill: their outputs replace each other."""
        return tuple(entry for entry in self.places if len(entry[1]) > 1)

    @property
    def warning(self) -> str:
        """Text on what is amiss; empty if nothing is."""
        return "; ".join((*self._collided(), *self._odd_wells()))

    def __str__(self) -> str:
        if self.unknown:
            return f"{self.count} names, whose tasks tell their places only when they have run"
        placed = self.count - len(self.missed)
        lines = [f"{placed} of {self.count} names fill {_places(self.places)}"]
        for position, names in self.places[:SAMPLES]:
            lines.append(f"{names[0]!r} at {dict(position)}")
        if self.missed:
            lines.append(f"no position in {_some(self.missed)}")
        return "\n".join((*lines, *self._collided(), *self._odd_wells()))

    def _collided(self) -> Iterator[str]:
        if self.collisions:
            names = sum(len(names) for _, names in self.collisions)
            position, first = self.collisions[0]
            yield (
                f"{names} names fill {_places(self.collisions)}, and their outputs will replace"
                f" each other: {_some(first)} are all at {dict(position)}; give at= a pattern that"
                " reads what tells them apart"
            )

    def _odd_wells(self) -> Iterator[str]:
        if self.wells:
            yield f"read as a well: {_some(self.wells)}, of which a plate has none"


def check_names(
    rule: PlacementRule, names: Iterable[str], layouts: Mapping[str, Layout]
) -> NameCheck:
    """Return where names will lie. Raises ValueError if a pattern matches none of them."""
    names = list(dict.fromkeys(names))
    at = rule.at
    if not isinstance(at, Matcher | Placement):
        return NameCheck(len(names), unknown=True)
    if isinstance(at, Matcher):
        at.check(names)
    places: dict[object, tuple[Position, list[str]]] = {}
    missed, wells = [], []
    for name in names:
        position = at.match(name) if isinstance(at, Matcher) else at.position
        if position is None:
            missed.append(name)
            continue
        places.setdefault(frozenset(position.items()), (position, []))[1].append(name)
        wells += [str(entry) for axis, entry in position.items() if _is_odd(axis, entry, layouts)]
    return NameCheck(
        len(names),
        tuple((position, tuple(found)) for position, found in places.values()),
        tuple(missed),
        tuple(dict.fromkeys(wells)),
    )


def _is_odd(axis: str, coordinate: object, layouts: Mapping[str, Layout]) -> bool:
    plate = layouts[axis].plate if axis in layouts else 0
    if not plate:
        return axis == "well" and isinstance(coordinate, str) and not is_well(coordinate)
    try:
        well(str(coordinate), plate)
    except NoPlace:
        return True
    return False


def _places(places: tuple[object, ...]) -> str:
    return f"{len(places)} place" + "s" * (len(places) != 1)


def _some(names: Iterable[str]) -> str:
    """Return the first names, for a sentence."""
    names = list(names)
    more = f" and {len(names) - SAMPLES} more" if len(names) > SAMPLES else ""
    return ", ".join(map(repr, itertools.islice(names, SAMPLES))) + more
