"""One axis of the mosaic: its coordinates, and where each lies in the cell around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from dask_napari.canvas._axes import CanvasAxis
from dask_napari.model import PLATES, Coordinate, Layout, NoPlace, row_name, well, well_name

YX = tuple[float, float]
"""Lengths or a place along y and along x."""

Cell = tuple[tuple[str, Coordinate], ...]
"""Axis and coordinate of a tile, in the order of the mosaic's axes."""

RoundUp = Callable[[YX], YX]
"""Rounds lengths up to pixels that all canvases share."""

MOST_RESERVED: Final = 10_000
"""Coordinates up to which more get room before their tiles come: a grid of a hundred by a hundred.
Of a larger one, nobody can see the places that are free."""

HEADING_GAP: Final = 0.03
"""From the plate to the middle of its headings, as a share of it: some 20 pixels where all of a
plate is in view, and the text is 15 high."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A name beside a row or a column of the mosaic; ``y`` and ``x`` in world units."""

    text: str
    y: float
    x: float


class MosaicAxis:
    """Coordinates of one axis of a mosaic, in a grid or at places of their own."""

    def __init__(self, name: str, layout: Layout) -> None:
        self.layout = layout
        self.known = CanvasAxis(name)
        self._wells: dict[tuple[int, int], Coordinate] = {}  # of a plate, by row and column
        # By the cell around them, the coordinates that have places of their own.
        self._places: dict[Cell, dict[Coordinate, YX]] = {}
        self._corners: dict[Cell, tuple[YX, YX]] = {}  # lowest and highest of these
        self._spread: YX = (0.0, 0.0)  # from the lowest to the highest, at most
        self._inner: YX = (0.0, 0.0)  # size of one cell
        self._pitch: YX = (0.0, 0.0)  # from one cell to the next
        self.extent: YX = (0.0, 0.0)

    def __repr__(self) -> str:
        grid = "places" if self.by_places else "{} x {}".format(*self.grid)
        return f"<MosaicAxis {self.known.name!r}: {len(self.known)} coordinates, {grid}>"

    def check(self, coordinate: Coordinate) -> None:
        """Raise a NoPlace if the layout has no place for a coordinate."""
        if self.layout.plate:
            well(coordinate, self.layout.plate)
        elif self.layout.places and str(coordinate) not in self.layout.places:
            raise NoPlace(f"no place is known for this {self.known.name}")

    def add(self, outer: Cell, coordinate: Coordinate, stage: YX | None) -> bool:
        """Add a coordinate of the cell around it; true if others may lie elsewhere now."""
        # A plate, and numbers in a grid that is given, have their places from the start.
        base = self.base
        changed = False
        if self.known.add(coordinate) is not None:
            if self.layout.plate:
                self._wells[well(coordinate, self.layout.plate)] = coordinate
            else:
                changed = self.base is None or self.base != base
        if self.by_places:
            place = self._place(coordinate, stage)
            places = self._places.setdefault(outer, {})
            old = places.get(coordinate)
            changed |= old != place
            places[coordinate] = place
            if old is None:
                self._corners[outer] = self._corners_with(outer, place)
            elif old != place:
                y, x = zip(*places.values(), strict=True)
                self._corners[outer] = (min(y), min(x)), (max(y), max(x))
        return changed

    def _place(self, coordinate: Coordinate, stage: YX | None) -> YX:
        return self.layout.places.get(str(coordinate)) or stage or (0.0, 0.0)

    def _corners_with(self, outer: Cell, place: YX) -> tuple[YX, YX]:
        """Return the corners around the places in a cell and one more."""
        low, high = self._corners.get(outer, (place, place))
        return (
            (min(low[0], place[0]), min(low[1], place[1])),
            (max(high[0], place[0]), max(high[1], place[1])),
        )

    def resize(self, inner: YX, round_up: RoundUp) -> None:
        """Work out the extent, from the size of one cell."""
        self._inner = inner
        if self.by_places:
            self._spread = _largest(map(_difference, self._corners.values()))
            self.extent = _sum(self._spread, inner, round_up)
        else:
            gap = self._gap(inner, round_up)
            self._pitch = inner[0] + gap[0], inner[1] + gap[1]
            self.extent = self._grid_extent(self.grid, inner, gap)

    def extent_with(
        self, outer: Cell, added: tuple[Coordinate, YX | None] | None, inner: YX, round_up: RoundUp
    ) -> YX:
        """Return the extent as it would be with one more coordinate and its stage, if any."""
        if self.by_places:
            spread = self._spread
            if added is not None:
                corners = self._corners_with(outer, self._place(*added))
                spread = _largest((spread, _difference(corners)))
            return _sum(spread, inner, round_up)
        new = added is not None and added[0] not in self.known
        grid = self._grid_of(len(self.known) + new)
        return self._grid_extent(grid, inner, self._gap(inner, round_up))

    def _gap(self, inner: YX, round_up: RoundUp) -> YX:
        gutter = self.layout.gutter
        return round_up((gutter * inner[0], gutter * inner[1]))

    @staticmethod
    def _grid_extent(grid: tuple[int, int], inner: YX, gap: YX) -> YX:
        (rows, columns), (y, x) = grid, gap
        return rows * (inner[0] + y) - y, columns * (inner[1] + x) - x

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._grid_of(len(self.known))

    def _grid_of(self, count: int) -> tuple[int, int]:
        layout, count = self.layout, max(1, count)
        if layout.plate:
            return PLATES[layout.plate]
        rows, columns = layout.rows, layout.columns
        if not columns:
            columns = math.ceil(count / rows) if rows else math.ceil(math.sqrt(count))
        return max(rows, math.ceil(count / columns)), columns

    @property
    def base(self) -> int | None:
        """First number of coordinates that number a grid: 1 for fields 1 to 9 of 3 x 3.

        Such coordinates keep their place when others come late. None if they are of another kind.
        """
        size = self.layout.rows * self.layout.columns
        if not size:
            return None
        base = 0 if 0 in self.known else 1
        numbered = all(
            isinstance(at, int) and 0 <= at - base < size for at in self.known.coordinates
        )
        return base if numbered else None

    def grid_place(self, at: Coordinate) -> tuple[int, int]:
        """Return row and column of a coordinate."""
        if self.layout.plate:
            return well(at, self.layout.plate)
        rows, columns = self.grid
        base = self.base
        number = at - base if base is not None and isinstance(at, int) else self.known.index(at)
        order = self.layout.order
        if order in ("column", "column-snake"):
            column, row = divmod(number, rows)
            return (rows - 1 - row if order == "column-snake" and column % 2 else row), column
        row, column = divmod(number, columns)
        return row, (columns - 1 - column if order == "snake" and row % 2 else column)

    @property
    def by_places(self) -> bool:
        """True if tiles or the layout state the places of the coordinates."""
        return self.layout.order == "stage" or bool(self.layout.places)

    @property
    def may_reserve(self) -> bool:
        """True if coordinates may have room before their tiles come."""
        return self.layout.order != "stage" and len(self.known) < MOST_RESERVED

    def offset(self, outer: Cell, at: Coordinate) -> YX:
        """Return the place of a coordinate in the cell around it."""
        if self.by_places:
            return _difference((self._corners[outer][0], self._places[outer][at]))
        row, column = self.grid_place(at)
        return row * self._pitch[0], column * self._pitch[1]

    def coordinates_at(
        self, outer: Cell, y: float, x: float
    ) -> list[tuple[Coordinate, float, float]]:
        """Return the coordinates at a place in the cell around them, and the place in each."""
        height, width = self._inner
        if self.by_places:
            places = self._places.get(outer, {})
            corner = self._corners.get(outer, ((0.0, 0.0), (0.0, 0.0)))[0]
            offsets = [(at, _difference((corner, place))) for at, place in list(places.items())]
        else:
            row, column = (int(at // pitch) for at, pitch in zip((y, x), self._pitch, strict=True))
            at = self._coordinate(row, column)
            offsets = [] if at is None else [(at, (row * self._pitch[0], column * self._pitch[1]))]
        return [
            (at, y - dy, x - dx)
            for at, (dy, dx) in reversed(offsets)
            if 0 <= y - dy < height and 0 <= x - dx < width
        ]

    def _coordinate(self, row: int, column: int) -> Coordinate | None:
        """Return the coordinate at a place in the grid, None if it has none."""
        rows, columns = self.grid
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        if self.layout.plate:
            known = self._wells.get((row, column))
            return well_name(row, column, like=str(self.known[0])) if known is None else known
        order = self.layout.order
        if order in ("column", "column-snake"):
            turned = order == "column-snake" and column % 2
            number = column * rows + (rows - 1 - row if turned else row)
        else:
            turned = order == "snake" and row % 2
            number = row * columns + (columns - 1 - column if turned else column)
        if (base := self.base) is not None:
            return base + number
        return self.known[number] if number < len(self.known) else None

    def headings(self) -> list[Heading]:
        """Return the names of the rows and columns of a plate, centred beside them."""
        if not self.layout.plate or not len(self.known):
            return []
        rows, columns = self.grid
        (height, width), (dy, dx) = self._inner, self._pitch
        away = -HEADING_GAP * max(self.extent)
        beside_rows = [Heading(row_name(row), row * dy + height / 2, away) for row in range(rows)]
        return beside_rows + [
            Heading(str(column + 1), away, column * dx + width / 2) for column in range(columns)
        ]


def _difference(ends: tuple[YX, YX]) -> YX:
    (y, x), (other_y, other_x) = ends
    return other_y - y, other_x - x


def _largest(lengths: Iterable[YX]) -> YX:
    y, x = zip(*lengths, strict=True)
    return max(y), max(x)


def _sum(one: YX, other: YX, round_up: RoundUp) -> YX:
    return round_up((one[0] + other[0], one[1] + other[1]))
