"""Shapes drawn into a labels layer, where they are too many for a layer of shapes."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.canvas.elements import Rows
from dask_napari.model import SHAPE_TYPES
from dask_napari.viewer.layers._element_stream import MAX_REST, PATIENCE, PRIVATE
from dask_napari.viewer.layers._shape_drawing import draw_shape

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

    from dask_napari.viewer.layers._element_stream import ElementStream
    from dask_napari.viewer.layers._pointed_place import Pointer


TYPE: Final = PRIVATE + "type"
VERTICES: Final = PRIVATE + "vertices"
"""Columns of what a shape is, and of where its vertices are as seen from the first."""

MAX_PIXELS: Final = 1 << 22
"""Pixels of the labels that stand for shapes; larger views are drawn coarser. napari takes 20 ms
to show as many, and half a second for 16 times as many, in which the window answers nothing."""

BATCH: Final = 16
"""Small shapes between looks at the clock; each takes some 50 us."""

REFRESH: Final = 0.2
"""Least seconds between looks at labels that are being drawn; each takes as long as 500 shapes,
or much longer on a busy host."""


class Raster:
    """A labels layer in the pixel grid of the images, with the shapes of one view.

    It has the axes in the plane only, so that napari shows it at all steps of the sliders; it is
    drawn again when one moves.
    """

    def __init__(self, name: str, viewer: napari.viewer.Viewer) -> None:
        self.name = name
        self.viewer = viewer
        self.layer: Labels | None = None
        self.pixels = np.zeros((1, 1), np.int32)
        self._origin = np.zeros(2)
        self._step = 1
        self._rows: Rows | None = None
        self._source = np.empty(0, np.intp)
        self._state: tuple[Any, ...] = ()
        self._drawn = 0
        self._drawing: Iterator[None] = iter(())
        """The rest of the shapes that are drawn now."""
        self._refresh_at = 0.0

    def __repr__(self) -> str:
        return f"<Raster {self.name!r} {self.pixels.shape}, {self._drawn} drawn>"

    @property
    def pending(self) -> bool:
        """Return whether some shapes are not drawn yet."""
        return self._rows is not None and self._drawn < len(self._rows)

    def show(
        self,
        rows: Rows,
        table: dict[str, npt.NDArray[Any]],
        stream: ElementStream,
        outlines: Collection[bytes] = (),
    ) -> None:
        """Take the shapes of a view; they are drawn bit by bit.

        ``outlines`` has the vertices of polygons that are not filled.
        """
        canvas = stream.canvas
        state = canvas, canvas.generation, canvas.numbering
        done = self._source[: self._drawn]
        grown = state == self._state and np.array_equal(rows.source[: len(done)], done)
        self._rows, self._source, self._state = rows, rows.source, state
        low, high = _reach(rows, rows.columns[VERTICES])
        extent = np.asarray(stream.axes.extent[-2:], float)
        low, high = np.minimum(low, 0), np.maximum(high, extent - 1)
        if not self._fit(low, high) or not grown:
            self.pixels[:] = 0
            self._drawn = 0
        self._drawing = self._draw(rows, outlines)
        self._place(stream, {**table, "index": np.arange(1, len(rows) + 1)})

    def _fit(self, low: npt.NDArray[Any], high: npt.NDArray[Any]) -> bool:
        """Make the grid large enough; return false if it was made anew."""
        low, high = np.floor(low), np.floor(high) + 1
        size = np.asarray(self.pixels.shape) * self._step
        if (low >= self._origin).all() and (high <= self._origin + size).all():
            return True
        if self._drawn:  # a view that grows will grow again
            high = np.maximum(high, self._origin + size)
            low = np.minimum(low, self._origin)
        extent = np.maximum(high - low, 1)
        step = max(1, math.ceil(math.sqrt(extent[0] * extent[1] / MAX_PIXELS)))
        shape = tuple(math.ceil(length / step) for length in extent)
        self.pixels = np.zeros(shape, np.int32)
        self._origin, self._step = low, step
        return False

    def _place(self, stream: ElementStream, table: dict[str, npt.NDArray[Any]]) -> None:
        """Bring the layer in line with the grid."""
        scale = np.asarray((1.0, 1.0, *stream.calibration.scale)[-2:])
        translate = np.asarray((0.0, 0.0, *stream.calibration.translate)[-2:])
        # Pixels are around their coordinates: a coarse one begins half a fine one before its own.
        middle = self._origin + (self._step - 1) / 2
        place = {"scale": scale * self._step, "translate": translate + middle * scale}
        if self.layer is None:
            self.layer = self.viewer.add_labels(
                self.pixels,
                name=self.name,
                features=table,
                axis_labels=stream.axes.labels[-2:],
                units=stream.units[-2:],
                opacity=0.5,
                **place,
            )
            stream.tell_tasks(self.layer)
            layers = self.viewer.layers
            if stream.layer in layers:
                layers.move(layers.index(self.layer), layers.index(stream.layer))
            return
        if self.layer.data is not self.pixels:
            self.layer.data = self.pixels
        self.layer.scale, self.layer.translate = place["scale"], place["translate"]
        self.layer.features = table

    @property
    def is_in_use(self) -> bool:
        """Return whether it has the shapes of the view."""
        return self._rows is not None

    def value_at(self, pointer: Pointer) -> int:
        """Return the number that is drawn at a pointer, 0 for none."""
        place = None if self.layer is None else pointer.on(self.layer)
        if place is None:
            return 0
        row, column = (round(at) for at in place[-2:])
        height, width = self.pixels.shape
        return int(self.pixels[row, column]) if 0 <= row < height and 0 <= column < width else 0

    def clear(self) -> None:
        """Show no shapes."""
        if self._rows is None:
            return
        self._rows, self._source, self._drawn = None, np.empty(0, np.intp), 0
        self._drawing = iter(())
        self.pixels[:] = 0
        assert self.layer is not None
        self.layer.features = {}
        self.layer.refresh(extent=False)

    def remove(self) -> None:
        """Take the layer away."""
        if self.layer is not None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)

    def draw(self, deadline: float) -> None:
        """Draw shapes until a time, or all of them."""
        if self._rows is None or self.layer is None:
            return
        for _ in self._drawing:
            if time.monotonic() >= deadline:
                break
        now = time.monotonic()
        if not self.pending or now >= self._refresh_at:
            self.layer.refresh(extent=False, highlight=False, thumbnail=not self.pending)
            took = time.monotonic() - now
            self._refresh_at = now + min(max(REFRESH, PATIENCE * took), MAX_REST)

    def _draw(self, rows: Rows, outlines: Collection[bytes]) -> Iterator[None]:
        """Draw the shapes that are not drawn yet; yields whenever the time may be up."""
        places, types = rows.columns[VERTICES], rows.columns[TYPE]
        for row in range(self._drawn, len(rows)):
            anchor = (rows.coordinates[row, -2:] - self._origin) / self._step
            vertices, kind = anchor + places[row][:, -2:] / self._step, SHAPE_TYPES[types[row]]
            if outlines and kind == "polygon" and places[row].tobytes() in outlines:
                vertices, kind = np.concatenate((vertices, vertices[:1])), "path"
            yield from draw_shape(self.pixels, vertices, kind, row + 1)
            self._drawn = row + 1
            if not row % BATCH:
                yield


def _reach(
    rows: Rows, vertices: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the lowest and the highest coordinates in the plane."""
    if not len(rows):
        return np.zeros(2), np.zeros(2)
    counts = np.fromiter(map(len, vertices), np.intp, len(vertices))
    joined = np.concatenate([each[:, -2:] for each in vertices])
    joined += np.repeat(rows.coordinates[:, -2:], counts, axis=0)
    return joined.min(0), joined.max(0)
