"""Overlay of the states of tasks, at the places of their items, over mosaics and sliders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from vispy.scene.visuals import Line, Mesh

from dask_napari.canvas import Cell, Mosaic
from dask_napari.catalog import WITHOUT_ITEM, Catalogue, CatalogueEntry
from dask_napari.model import Coordinate, NoPlace
from dask_napari.viewer.layers._arrangement import Arrangement
from dask_napari.viewer.layers._headings import ABOVE
from dask_napari.viewer.layers._pixel_stream import PixelStream
from dask_napari.viewer.napari_internals import scene_of

if TYPE_CHECKING:
    import napari

INTERVAL: Final = 0.2
"""Seconds between looks at the catalogue; a person reads them."""

STATES: Final = ("expected", "computed", "running", "failed")
"""States that are drawn; of several tasks at a place, the last of these."""

COLOURS: Final = {
    "expected": (0.55, 0.55, 0.6, 0.9),
    "computed": (0.3, 0.65, 0.95, 1.0),
    "running": (0.3, 0.65, 0.95, 1.0),
    "failed": (0.9, 0.2, 0.2, 1.0),
}
"""Colours that stand out on bright and on dark pictures."""

INSET: Final = 0.04
"""Distance of a frame from the edge of its tile, as a share of it."""

DIMMED: Final = (0.5, 0.5, 0.5, 0.5)
"""Colour over the items of a run when the tasks of a newer one have begun."""

_FRAME: Final = ((0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 1, 0), (1, 0, 0, 0))
_LINES: Final = {
    "expected": (
        (0, 0.33, 0.33, 0),
        (0, 0.67, 0.67, 0),
        (0, 1, 1, 0),
        (0.33, 1, 1, 0.33),
        (0.67, 1, 1, 0.67),
    ),
    "computed": _FRAME,
    "running": _FRAME,
    "failed": (*_FRAME, (0, 0, 1, 1), (0, 1, 1, 0)),
}
"""Lines of each state in a tile: y and x of both ends, as shares of it."""

Place = tuple[tuple[str, ...], tuple[Coordinate, ...]]


class TaskOverlay:
    """Draw what waits hatched, what runs framed, and what failed with a red frame and a cross.

    One visual of lines, in no layer. Nothing is looked at while it is off.
    """

    def __init__(self, viewer: napari.viewer.Viewer, catalogue: Catalogue) -> None:
        self._viewer = viewer
        self._catalogue = catalogue
        self._visible = False
        self._lines: Any = None
        self._shade: Any = None
        self._at = 0.0
        self._state: tuple[object, ...] = ()
        self._layout: tuple[object, ...] = ()
        self._version = 0
        self._places: dict[Place, dict[CatalogueEntry, None]] = {}
        self._place_of: dict[CatalogueEntry, Place] = {}
        self._names: dict[tuple[str, ...], None] = {}  # of the sliders of places
        self.cells: dict[Cell, str] = {}
        """State of each tile that is drawn; without a mosaic there is one tile."""

    def __repr__(self) -> str:
        return f"<TaskOverlay of {len(self.cells)} tiles{'' if self._visible else ', off'}>"

    @property
    def visible(self) -> bool:
        """Return whether the overlay is drawn."""
        return self._visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._visible, self._state, self._at = visible, (), 0.0
        if not visible:
            self._layout = ()
            self._places, self._place_of, self.cells = {}, {}, {}
            for part in (self._lines, self._shade):
                if part is not None:
                    part.visible = False

    def close(self) -> None:
        """Take the lines away."""
        self.visible = False
        for part in (self._lines, self._shade):
            if part is not None:
                part.parent = None
        self._lines = self._shade = None

    def update(
        self, arrangement: Arrangement, steps: tuple[int, ...] | None, now: float, *, force: bool
    ) -> None:
        """Draw the states as they are at the present steps."""
        if not self._visible or steps is None or (now - self._at < INTERVAL and not force):
            return
        mosaic, axes = arrangement.context.mosaic, arrangement.context.axes
        flat = self._viewer.dims.ndisplay == 2
        state = self._catalogue.version, id(mosaic), mosaic.version, axes.version, steps, flat
        if state == self._state:
            return
        self._at, self._state = now, state
        self._gather(axes.names, (id(mosaic), axes.structure))
        known = axes.coordinates(steps)
        self.cells = self._seen(known, mosaic) if flat else {}
        self._draw(arrangement)

    # -- which ------------------------------------------------------------------------------

    def _gather(self, sliders: tuple[str, ...], layout: tuple[object, ...]) -> None:
        """Take in the entries that have changed, or all of them for another layout."""
        changed = self._catalogue.changes(self._version) if layout == self._layout else None
        self._layout, self._version = layout, self._catalogue.version
        if changed is None:
            self._places, self._place_of = {}, {}
        for entry in self._catalogue.entries() if changed is None else changed:
            former = self._place_of.pop(entry, None)
            if former is not None:
                del self._places[former][entry]
            if self._word(entry) in STATES:
                at = entry.meta.at
                names = tuple(axis for axis in sliders if axis in at)
                place = names, tuple(at[axis] for axis in names)
                self._names[names] = None
                self._places.setdefault(place, {})[entry] = None
                self._place_of[entry] = place

    def _word(self, entry: CatalogueEntry) -> str:
        """Return the last state of the task of an entry."""
        if entry.state in WITHOUT_ITEM:
            return entry.state
        status = self._catalogue.status(entry) if entry.state == "shown" else None
        return entry.state if status is None else status.state

    def _seen(self, known: Mapping[str, Coordinate], mosaic: Mosaic) -> dict[Cell, str]:
        """Return the state of each tile at a coordinate of each slider."""
        cells: dict[Cell, str] = {}
        for names in self._names:
            place = names, tuple(known.get(name, "") for name in names)
            for entry in self._places.get(place, ()):
                cell, word = mosaic.cell(entry.meta.at), self._word(entry)
                former = cells.get(cell)
                if former is None or STATES.index(word) > STATES.index(former):
                    cells[cell] = word
        return cells

    # -- drawing ----------------------------------------------------------------------------

    def _draw(self, arrangement: Arrangement) -> None:
        if self._lines is None and (scene := scene_of(self._viewer)) is not None:
            self._lines = Line(
                np.zeros((2, 2)), connect="segments", width=1, method="gl", parent=scene
            )
            self._shade = Mesh(parent=scene)
            for order, part in enumerate((self._shade, self._lines)):
                part.order = ABOVE - 2 + order
                part.set_gl_state("translucent", depth_test=False)
        if self._lines is None:
            return
        height, width = self._extent(arrangement)
        ends, colours = self._segments(arrangement.context.mosaic, (height, width))
        self._lines.visible = len(ends) > 0
        if len(ends):
            self._lines.set_data(pos=ends, color=colours)
        self._shade.visible = self._is_older(arrangement) and height > 0
        if self._shade.visible:
            corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
            faces = np.array([[0, 1, 2], [0, 2, 3]])
            self._shade.set_data(vertices=corners, faces=faces, color=DIMMED)

    def _extent(self, arrangement: Arrangement) -> tuple[float, float]:
        """Return height and width of the mosaic, or of the pictures without one."""
        mosaic = arrangement.context.mosaic
        if mosaic.axes:
            return mosaic.extent
        sizes = [
            (
                stream.canvas.space[-2] * stream.canvas.pixel[0],
                stream.canvas.space[-1] * stream.canvas.pixel[1],
            )
            for stream in arrangement.streams.values()
            if isinstance(stream, PixelStream)
        ]
        return max((y for y, _ in sizes), default=0.0), max((x for _, x in sizes), default=0.0)

    def _is_older(self, arrangement: Arrangement) -> bool:
        """Return whether what is shown is of a run before the newest one that has tasks."""
        newest = self._catalogue.newest_run
        return any(newest(stream.source[0]) > stream.run for stream in arrangement.streams.values())

    def _boxes(
        self, mosaic: Mosaic, extent: tuple[float, float]
    ) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
        """Yield state, place and size of each tile that has a place."""
        for cell, word in self.cells.items():
            try:
                y, x = mosaic.offset(cell)
            except (KeyError, ValueError, NoPlace):
                continue  # it is not known before something has come from there
            yield word, (y, x, *(mosaic.tile if mosaic.axes else extent))

    def _segments(
        self, mosaic: Mosaic, extent: tuple[float, float]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return x and y of the ends of all lines, and their colours."""
        boxes: dict[str, list[tuple[float, ...]]] = {}
        for word, box in self._boxes(mosaic, extent):
            boxes.setdefault(word, []).append(box)
        ends = [np.zeros((0, 2), np.float32)]
        colours = [np.zeros((0, 4), np.float32)]
        for word, known in boxes.items():
            corner, size = np.hsplit(np.array(known), 2)
            shares = INSET + (1 - 2 * INSET) * np.array(_LINES[word]).reshape(-1, 2)
            places = corner[:, None] + shares * size[:, None]
            ends.append(places.reshape(-1, 2)[:, ::-1].astype(np.float32))
            colours.append(np.tile(np.array(COLOURS[word], np.float32), (len(ends[-1]), 1)))
        return np.concatenate(ends), np.concatenate(colours)
