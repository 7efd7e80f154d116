"""The mosaic: where tiles lie in space, wells on a plate and fields in a well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from dask_napari.canvas._axes import CanvasAxis
from dask_napari.model import PLATES, Coordinate, NoPlace, row_name, well

Pair = tuple[float, float]
"""Along y and along x."""

Cell = tuple[tuple[str, Coordinate], ...]
"""Axis and coordinate of a tile, in the order of the mosaic's axes."""


HEADING_GAP: Final = 0.03
"""From the plate to the middle of its headings, as a share of it: some 20 pixels where all of a
plate is in view, and the text is 15 high."""


class TileLayout(Protocol):
    """How one axis is laid out; :class:`dask_napari.model._layer.Layout` says what each means."""

    @property
    def plate(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def columns(self) -> int: ...
    @property
    def order(self) -> str: ...
    @property
    def gutter(self) -> float: ...
    @property
    def places(self) -> Mapping[str, Pair]: ...


@dataclass(frozen=True, slots=True)
class Heading:
    """A name beside a row or a column of the mosaic; ``y`` and ``x`` in world units."""

    text: str
    y: float
    x: float


class _Level:
    """One axis of a mosaic: its coordinates, and its grid once the tiles' size is known."""

    def __init__(self, axis: str, layout: TileLayout) -> None:
        self.layout = layout
        self.known = CanvasAxis(axis)
        self.stage: dict[Cell, dict[Coordinate, Pair]] = {}
        self.inner: Pair = (0.0, 0.0)
        self.pitch: Pair = (0.0, 0.0)
        self.extent: Pair = (0.0, 0.0)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns."""
        layout, count = self.layout, max(1, len(self.known))
        if layout.plate:
            return PLATES[layout.plate]
        rows, columns = layout.rows, layout.columns
        if not columns:
            columns = math.ceil(count / rows) if rows else math.ceil(math.sqrt(count))
        return max(rows, math.ceil(count / columns)), columns

    @property
    def base(self) -> int | None:
        """First of coordinates that say their turn: 1 for fields 1 to 9 of a grid of 3 x 3.

        They keep their place when others come late. None if they are not of that kind.
        """
        size = self.layout.rows * self.layout.columns
        if not size:
            return None
        base = 0 if 0 in self.known else 1
        numbered = all(
            isinstance(at, int) and 0 <= at - base < size for at in self.known.coordinates
        )
        return base if numbered else None

    def place(self, at: Coordinate) -> tuple[int, int]:
        """Row and column of a coordinate."""
        if self.layout.plate:
            return well(at, self.layout.plate)
        rows, columns = self.grid
        base = self.base
        turn = at - base if base is not None and isinstance(at, int) else self.known.index(at)
        order = self.layout.order
        if order in ("column", "column-snake"):
            column, row = divmod(turn, rows)
            return (rows - 1 - row if order == "column-snake" and column % 2 else row), column
        row, column = divmod(turn, columns)
        return row, (columns - 1 - column if order == "snake" and row % 2 else column)

    @property
    def by_stage(self) -> bool:
        """Whether places are told, not counted."""
        return self.layout.order == "stage" or bool(self.layout.places)

    def offset(self, outer: Cell, at: Coordinate) -> Pair:
        """Where a coordinate lies in what is outside of it."""
        if self.by_stage:
            places = self.stage[outer]
            y, x = places[at]
            return y - min(p[0] for p in places.values()), x - min(p[1] for p in places.values())
        row, column = self.place(at)
        return row * self.pitch[0], column * self.pitch[1]


class Mosaic:
    """Where tiles lie, in world units; shared by all canvases of a viewer.

    Axes are nested in the order in which they were set: the fields of a well lie in the well.
    All tiles have the room of the largest one.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> grid = dict(rows=0, columns=0, order="row", gutter=0.0, places={})
    >>> mosaic = Mosaic()
    >>> mosaic.set("well", SimpleNamespace(plate=96, **grid))
    >>> cell = mosaic.cell({"well": "B03", "t": 5})
    >>> cell, mosaic.admit(cell, (10.0, 20.0), (1.0, 1.0))
    ((('well', 'B03'),), True)
    >>> mosaic.offset(cell), mosaic.extent
    ((10.0, 40.0), (80.0, 240.0))
    """

    def __init__(self) -> None:
        self.version = 0
        """Grows whenever a tile may lie somewhere else than before."""
        self._levels: dict[str, _Level] = {}
        self._tile: Pair = (0.0, 0.0)
        self._pixel: Pair = (0.0, 0.0)
        self._measured = -1
        self._extent: Pair = (0.0, 0.0)

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes that are laid out, the outermost first."""
        return tuple(self._levels)

    def set(self, axis: str, layout: TileLayout) -> None:
        """Lay an axis out; a plate goes outside of all others."""
        self._levels[axis] = _Level(axis, layout)
        ordered = sorted(self._levels.items(), key=lambda pair: not pair[1].layout.plate)
        self._levels = dict(ordered)
        self.version += 1

    def suits(self, axis: str, at: Coordinate) -> bool:
        """Whether the layout of an axis is fit for a coordinate; before the first none is."""
        level = self._levels[axis]
        if not level.layout.plate or not len(level.known):
            return len(level.known) > 0
        try:
            well(at, level.layout.plate)
        except NoPlace:
            return False
        return True

    def coordinates(self, axis: str) -> tuple[Coordinate, ...]:
        """Coordinates so far of an axis that is laid out."""
        return self._levels[axis].known.coordinates

    def cell(self, position: Mapping[str, Coordinate]) -> Cell:
        """The part of a position that is laid out."""
        return tuple((axis, position[axis]) for axis in self._levels if axis in position)

    def admit(self, cell: Cell, size: Pair, pixel: Pair, stage: Pair | None = None) -> bool:
        """Make room for a tile; true if others may lie elsewhere now.

        Parameters
        ----------
        cell : tuple of (axis, coordinate)
            Which tile.
        size, pixel : tuple of float
            Height and width of the tile and of its pixels, in world units.
        stage : tuple of float, optional
            Where the tile is by its own account.

        Raises
        ------
        NoPlace
            If it has none; nothing has changed then.
        """
        for axis, at in cell:
            layout = self._levels[axis].layout
            if layout.plate:
                well(at, layout.plate)
            elif layout.places and str(at) not in layout.places:
                raise NoPlace(f"no place is known for this {axis}")
        changed = False
        for turn, (axis, at) in enumerate(cell):
            level = self._levels[axis]
            # A plate, and numbers in a grid that is given, have their places from the start.
            base = level.base
            if level.known.add(at) is not None and not level.layout.plate:
                changed |= level.base is None or level.base != base
            if level.by_stage:
                there = level.layout.places.get(str(at)) or stage or (0.0, 0.0)
                places = level.stage.setdefault(cell[:turn], {})
                changed |= places.get(at) != there
                places[at] = there
        larger = max(self._tile[0], size[0]), max(self._tile[1], size[1])
        coarser = max(self._pixel[0], pixel[0]), max(self._pixel[1], pixel[1])
        changed |= larger != self._tile or coarser != self._pixel
        self._tile, self._pixel = larger, coarser
        self.version += changed
        return changed

    def _measure(self) -> None:
        if self._measured == self.version:
            return
        self._measured = self.version
        inner = self._whole(self._tile)
        for level in reversed(self._levels.values()):
            if not len(level.known):
                continue
            level.inner = inner
            if level.by_stage:
                offsets = [
                    level.offset(outer, at)
                    for outer, places in level.stage.items()
                    for at in places
                ]
                level.extent = self._whole(
                    (
                        max(y for y, _ in offsets) + inner[0],
                        max(x for _, x in offsets) + inner[1],
                    )
                )
            else:
                gutter = level.layout.gutter
                gap = self._whole((gutter * inner[0], gutter * inner[1]))
                level.pitch = inner[0] + gap[0], inner[1] + gap[1]
                rows, columns = level.grid
                level.extent = rows * level.pitch[0] - gap[0], columns * level.pitch[1] - gap[1]
            inner = level.extent
        self._extent = inner

    def _whole(self, size: Pair) -> Pair:
        """Round up to whole pixels of the coarsest canvas, so that all agree where tiles begin."""
        y, x = (
            math.ceil(round(length / pixel, 6)) * pixel if pixel else length
            for length, pixel in zip(size, self._pixel, strict=True)
        )
        return y, x

    def offset(self, cell: Cell) -> Pair:
        """Where a tile begins."""
        self._measure()
        y = x = 0.0
        for turn, (axis, at) in enumerate(cell):
            dy, dx = self._levels[axis].offset(cell[:turn], at)
            y, x = y + dy, x + dx
        return y, x

    @property
    def by_stage(self) -> bool:
        """Whether any axis is laid out by where its tiles are by their own account."""
        return any(level.layout.order == "stage" for level in self._levels.values())

    @property
    def extent(self) -> Pair:
        """Height and width of the whole; 0 before the first tile."""
        self._measure()
        return self._extent

    @property
    def headings(self) -> list[Heading]:
        """Names of the rows and columns of a plate, centred beside them."""
        self._measure()
        found = []
        for level in self._levels.values():
            if level.layout.plate and len(level.known):
                rows, columns = level.grid
                (height, width), (dy, dx) = level.inner, level.pitch
                away = -HEADING_GAP * max(level.extent)
                found += [
                    Heading(row_name(row), row * dy + height / 2, away) for row in range(rows)
                ]
                found += [
                    Heading(str(column + 1), away, column * dx + width / 2)
                    for column in range(columns)
                ]
        return found
