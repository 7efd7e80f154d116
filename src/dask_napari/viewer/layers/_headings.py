"""Names of the rows and columns of a plate, and of the well under the pointer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from vispy.scene.visuals import Markers, Text

from dask_napari.canvas import Mosaic
from dask_napari.viewer.napari_internals import ink, scene_of

if TYPE_CHECKING:
    import napari

NAME: Final = "plate"
"""Name of the headings in messages."""

TEXT_SIZE: Final = 9
"""Points on the screen, at any zoom."""

MARGIN: Final = 16.0
"""Pixels of the screen from its edge to headings whose side of the plate is out of sight."""

ROOM: Final = 18.0, 26.0
"""Pixels of the screen that a heading of a row and of a column needs; without, it is left out."""

WELL_COLOUR: Final = "#ffcc33"
"""Colour of the name of a well, which can be read on its picture in either theme."""

BOX: Final = 20.0
"""Pixels of the screen of the background of a heading."""

ABOVE: Final = 10**6
"""Order of drawing: above all layers, as napari's own overlays."""


class Headings:
    """Texts on the canvas, in no layer; beside the plate, or at the edge of the window within it.

    The well under the pointer has its name in its corner, and its row and its column are marked.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = viewer
        self._mosaic = Mosaic()
        self._shown: tuple[object, int] = (None, -1)
        self._step = (1, 1)
        self._text: Any = None
        self._well: Any = None
        self._boxes: Any = None
        """Background of headings, which may lie on a picture of any colour."""
        self._cell: tuple[Any, ...] = ()
        self._events = (
            viewer.scene.camera.events,
            viewer.canvas.events.size,
            viewer.dims.events.ndisplay,
        )

    def __repr__(self) -> str:
        return f"<Headings: {len(self._mosaic.headings)}>"

    @property
    def texts(self) -> list[str]:
        """Headings that are drawn, rows first."""
        is_drawn = self._text is not None and self._text.visible
        return list(self._text.text) if is_drawn else []

    @property
    def well(self) -> str:
        """Name of the well under the pointer, empty without one."""
        is_drawn = self._well is not None and self._well.visible
        return str(self._well.text) if is_drawn else ""

    def room(self) -> float:
        """Return the pixels of the screen that the headings need beside the plate."""
        is_drawn = self._mosaic.headings and self._viewer.dims.ndisplay == 2
        return MARGIN + BOX / 2 if is_drawn else 0.0

    def update(self, mosaic: Mosaic) -> None:
        """Show the headings of a mosaic."""
        if (mosaic, mosaic.version) == self._shown:
            return
        self._mosaic = mosaic
        headings = mosaic.headings
        if headings and self._text is None and (scene := scene_of(self._viewer)) is not None:
            self._make(scene)
        self._shown = mosaic, mosaic.version
        if self._text is not None:
            self._cell = ()
            self._well.visible = False
            self._step = (0, 0)
            self._place()

    def _make(self, scene: Any) -> None:
        self._boxes = Markers(scaling="fixed", parent=scene)
        self._boxes.order = ABOVE - 1
        self._boxes.set_gl_state("translucent", depth_test=False)
        look = {"font_size": TEXT_SIZE, "parent": scene}
        self._text = Text("", **look)
        self._well = Text(
            "", bold=True, anchor_x="left", anchor_y="bottom", color=WELL_COLOUR, **look
        )
        for part in (self._text, self._well):
            part.order = ABOVE
            part.set_gl_state("translucent", depth_test=False)
        for event in self._events:
            event.connect(self._place)
        self._viewer.events.theme.connect(self._colour)
        self._viewer.cursor.events.position.connect(self._follow)

    def close(self) -> None:
        """Take the texts away."""
        if self._text is None:
            return
        for event in self._events:
            event.disconnect(self._place)
        self._viewer.events.theme.disconnect(self._colour)
        self._viewer.cursor.events.position.disconnect(self._follow)
        self._text.parent = self._well.parent = self._boxes.parent = self._text = None
        self._shown = (None, -1)

    def _place(self, _: Any = None) -> None:
        """Put the texts where they can be seen, and leave out those that have no room."""
        headings = self._mosaic.headings
        self._text.visible = bool(headings) and self._viewer.dims.ndisplay == 2
        if not self._text.visible:
            self._well.visible = self._boxes.visible = False
            return
        camera, size = self._viewer.scene.camera, np.array(self._viewer.canvas.size)
        zoom = camera.zoom
        rows, columns = ([h for h in headings if (h.x < 0) == is_row] for is_row in (True, False))
        first = np.array(camera.center[-2:]) - size / 2 / zoom + MARGIN / zoom
        y, x = np.minimum(np.maximum(first, rows[0].x), self._mosaic.extent)
        pitch = _pitch([h.y for h in rows]) * zoom, _pitch([h.x for h in columns]) * zoom
        row_step, column_step = (
            max(1, math.ceil(room / each)) if each else 1
            for room, each in zip(ROOM, pitch, strict=True)
        )
        rows, columns = rows[::row_step], columns[::column_step]
        places = np.array([*((x, h.y, 0) for h in rows), *((h.x, y, 0) for h in columns)])
        self._text.pos = places
        is_within = x > rows[0].x, y > rows[0].x
        inside = [*(is_within[0] for _ in rows), *(is_within[1] for _ in columns)]
        self._boxes.visible = any(inside)
        if any(inside):
            paper = self._viewer.canvas.background_color
            self._boxes.set_data(
                places[inside], size=BOX, symbol="square", edge_width=0, face_color=paper
            )
        if (row_step, column_step) != self._step:
            self._step = row_step, column_step
            self._text.text = [h.text for h in (*rows, *columns)]
            self._colour()

    def _colour(self, event: Any = None) -> None:
        """Draw in a colour that can be read on the background, what is pointed at in another."""
        plain, marked = ink(self._viewer)
        if event is not None:
            self._place()  # the boxes have the colour of the background
        name = self.well
        row = name.rstrip("0123456789 _-").upper()
        column = name[len(row) :].strip(" _-").lstrip("0")
        colours = [marked if name and each in (row, column) else plain for each in self._text.text]
        self._text.color = np.array(colours)

    def _follow(self, event: Any) -> None:
        """Name the well under the pointer."""
        y, x = self._viewer.cursor.position[-2:]
        cells = self._mosaic.cells_at(y, x) if self._text.visible else []
        cell = cells[0][:1] if cells and self._mosaic.headings else ()
        if cell != self._cell:
            self._cell = cell
            self._well.visible = bool(cell)
            if cell:
                top, left = self._mosaic.offset(cell)
                self._well.text, self._well.pos = str(cell[0][1]), (left, top, 0)
            self._colour()


def _pitch(places: list[float]) -> float:
    return abs(places[1] - places[0]) if len(places) > 1 else 0.0
