"""The mosaic: places of tiles in space, such as wells on a plate and fields in a well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Final

from dask_napari.canvas._mosaic_axis import YX, Cell, Heading, MosaicAxis
from dask_napari.model import Coordinate, Layout, NoPlace, Refusal, plain_coordinate

FARTHEST: Final = 1e15
"""World units of the largest tile and the most distant place; beyond, floats run out of digits
for pixels, and sums end in infinity."""


class Mosaic:
    """Places of tiles in world units; shared by all canvases of a viewer.

    Axes are nested in the order in which they were set: the fields of a well lie in the well.
    All tiles have the room of the largest one.

    >>> mosaic = Mosaic()
    >>> mosaic.set("well", Layout(plate=96))
    >>> cell = mosaic.cell({"well": "B03", "t": 5})
    >>> cell, mosaic.admit(cell, (10.0, 20.0), (1.0, 1.0))
    ((('well', 'B03'),), True)
    >>> mosaic.offset(cell), mosaic.extent
    ((10.0, 40.0), (80.0, 240.0))
    """

    def __init__(self) -> None:
        self.version: int = 0  # grows whenever tiles may have moved
        self._axes: dict[str, MosaicAxis] = {}
        self._tile: YX = (0.0, 0.0)
        self._pixel: YX = (0.0, 0.0)
        self._sized = -1
        self._extent: YX = (0.0, 0.0)

    def __repr__(self) -> str:
        return f"<Mosaic {list(self._axes.values())}>"

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes that are laid out, the outermost first."""
        return tuple(self._axes)

    def set(self, name: str, layout: Layout) -> None:
        """Lay an axis out; a plate goes outside of all others."""
        self._axes[name] = MosaicAxis(name, layout)
        self._axes = dict(sorted(self._axes.items(), key=lambda item: not item[1].layout.plate))
        self.version += 1

    def suits(self, name: str, coordinate: Coordinate) -> bool:
        """Return whether a coordinate fits the layout of an axis that has others already."""
        axis = self._axes[name]
        if not axis.layout.plate or not len(axis.known):
            return len(axis.known) > 0
        try:
            axis.check(coordinate)
        except NoPlace:
            return False
        return True

    def coordinates(self, name: str) -> tuple[Coordinate, ...]:
        """Return the coordinates so far of an axis that is laid out."""
        return self._axes[name].known.coordinates

    def cell(self, position: Mapping[str, Coordinate]) -> Cell:
        """Return the part of a position that is laid out."""
        return tuple((name, position[name]) for name in self._axes if name in position)

    def admit(self, cell: Cell, size: YX, pixel: YX, stage: YX | None = None) -> bool:
        """Make room for a tile; true if others may lie elsewhere now.

        ``size`` and ``pixel`` are height and width in world units; ``stage`` is the place that the
        tile states itself. A tile without a place raises NoPlace, and changes nothing.
        """
        for name, coordinate in cell:
            self._axes[name].check(coordinate)
        if not all(abs(length) <= FARTHEST for length in (*size, *pixel, *(stage or ()))):
            raise NoPlace("a place too far away")
        changed = False
        for n, (name, coordinate) in enumerate(cell):
            changed |= self._axes[name].add(cell[:n], coordinate, stage)
        larger, coarser = _largest(self._tile, size), _largest(self._pixel, pixel)
        changed |= larger != self._tile or coarser != self._pixel
        self._tile, self._pixel = larger, coarser
        self.version += changed
        return changed

    def reserve(self, position: Mapping[str, Coordinate]) -> bool:
        """Make room for a tile that has not come; true if others may lie elsewhere now.

        Nothing is reserved where only the tile can tell its place, where the layout has none for
        it, or where there are very many already.
        """
        cell = self.cell(position)
        try:
            for name, coordinate in cell:
                self._axes[name].check(plain_coordinate(name, coordinate))
        except Refusal:
            return False
        if not all(self._axes[name].may_reserve for name, _ in cell):
            return False
        changed = False
        for n, (name, coordinate) in enumerate(cell):
            changed |= self._axes[name].add(cell[:n], coordinate, None)
        self.version += changed
        return changed

    def frame(self, position: Mapping[str, Coordinate]) -> tuple[float, float, float, float] | None:
        """Return where the tile of a position is, or will be: y, x, height and width.

        None if it is not laid out, or no room is reserved for it.

        >>> mosaic = Mosaic()
        >>> mosaic.set("well", Layout(plate=96))
        >>> mosaic.admit(mosaic.cell({"well": "A01"}), (10.0, 20.0), (1.0, 1.0))
        True
        >>> mosaic.frame({"well": "B03", "t": 0}), mosaic.frame({"t": 0})
        ((10.0, 40.0, 10.0, 20.0), None)
        """
        cell = self.cell(position)
        if not cell or self._tile == (0.0, 0.0):
            return None
        try:
            return (*self.offset(cell), *self._tile)
        except (KeyError, ValueError, Refusal):
            return None

    def extent_with(self, cell: Cell, size: YX, pixel: YX, stage: YX | None = None) -> YX:
        """Return the extent as :meth:`admit` would make it."""
        self._update_sizes()
        coarser = _largest(self._pixel, pixel)
        round_up = partial(_round_up, pixel=coarser)
        extent = round_up(_largest(self._tile, size))
        at = {name: turn for turn, (name, _) in enumerate(cell)}
        for name, axis in reversed(self._axes.items()):
            if name in at:
                outer, coordinate = cell[: at[name]], cell[at[name]][1]
                extent = axis.extent_with(outer, (coordinate, stage), extent, round_up)
            elif len(axis.known):
                extent = axis.extent_with((), None, extent, round_up)
        return extent

    def _update_sizes(self) -> None:
        """Work out the size of all cells, from the tiles outwards."""
        if self._sized == self.version:
            return
        self._sized = self.version
        round_up = partial(_round_up, pixel=self._pixel)
        size = round_up(self._tile)
        for axis in reversed(self._axes.values()):
            if len(axis.known):
                axis.resize(size, round_up)
                size = axis.extent
        self._extent = size

    def offset(self, cell: Cell) -> YX:
        """Return where a tile begins."""
        self._update_sizes()
        y = x = 0.0
        for n, (name, coordinate) in enumerate(cell):
            dy, dx = self._axes[name].offset(cell[:n], coordinate)
            y, x = y + dy, x + dx
        return y, x

    def cells_at(self, y: float, x: float) -> list[Cell]:
        """Return the cells around a place in the mosaic, whether their tiles have come or not.

        It is the sizes of the last look that count. Nothing is changed, so that other threads may
        ask.

        >>> mosaic = Mosaic()
        >>> mosaic.set("well", Layout(plate=96, gutter=0.5))
        >>> mosaic.admit(mosaic.cell({"well": "B03"}), (10.0, 20.0), (1.0, 1.0)), mosaic.extent
        (True, (115.0, 350.0))
        >>> mosaic.cells_at(16.0, 31.0), mosaic.cells_at(12.0, 31.0)
        ([(('well', 'B02'),)], [])
        """
        found: list[tuple[Cell, float, float]] = [((), y, x)]
        for name, axis in list(self._axes.items()):
            if len(axis.known):
                found = [
                    ((*cell, (name, at)), inner_y, inner_x)
                    for cell, outer_y, outer_x in found
                    for at, inner_y, inner_x in axis.coordinates_at(cell, outer_y, outer_x)
                ]
        return [cell for cell, _, _ in found]

    @property
    def tile(self) -> YX:
        """Height and width of the largest tile."""
        return self._tile

    @property
    def by_stage(self) -> bool:
        """True if the tiles of any axis state their own places."""
        return any(axis.layout.order == "stage" for axis in self._axes.values())

    @property
    def extent(self) -> YX:
        """Height and width of the mosaic; 0 before the first tile."""
        self._update_sizes()
        return self._extent

    @property
    def headings(self) -> list[Heading]:
        """Names of the rows and columns of a plate, centred beside them."""
        self._update_sizes()
        return [heading for axis in self._axes.values() for heading in axis.headings()]


def _largest(one: YX, other: YX) -> YX:
    return max(one[0], other[0]), max(one[1], other[1])


def _round_up(size: YX, pixel: YX) -> YX:
    """Round up to whole pixels of the coarsest canvas, so that all agree where tiles begin."""
    y, x = (
        math.ceil(round(length / each, 6)) * each if each else length
        for length, each in zip(size, pixel, strict=True)
    )
    return y, x
