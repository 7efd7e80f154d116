"""Shapes: polygons and their like, or labels where there are too many."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from dask_napari import config
from dask_napari.canvas.elements import Block, Rows
from dask_napari.model import SHAPE_TYPES, Conversion, Item
from dask_napari.viewer.layers._element_stream import ElementStream, features
from dask_napari.viewer.layers._layer_stream import LayerContext, StreamStart
from dask_napari.viewer.layers._pointed_place import PointedPlaces, Pointer
from dask_napari.viewer.layers._polygon_crossings import fills_quickly
from dask_napari.viewer.layers._shapes_raster import TYPE, VERTICES, Raster
from dask_napari.viewer.napari_internals import Elements, Shapes, current_color

if TYPE_CHECKING:
    from napari.layers import Layer

POLYGON: Final = SHAPE_TYPES.index("polygon")

DRAW_BUDGET: Final = 0.012
"""Seconds of a tick for drawing shapes into labels."""


class ShapesStream(ElementStream):
    """Shapes. More than ``max_shapes`` in one view are drawn into a labels layer instead.

    The limit is the tap's option ``max_shapes``, or ``max-shapes`` of the configuration.
    """

    editable: ClassVar[bool] = True
    may_be_empty: ClassVar[bool] = True
    colours: ClassVar[tuple[str, ...]] = ("face", "edge")
    set_by_user: ClassVar[tuple[str, ...]] = (*ElementStream.set_by_user, "raster")

    def __init__(self, context: LayerContext, start: StreamStart) -> None:
        options = dict(start.options)
        self.max_shapes = int(options.pop("max_shapes", config.get("max-shapes")))
        super().__init__(context, replace(start, options=options))
        self.raster: Raster | None = None
        self._crossing: set[bytes] = set()
        """Vertices of polygons that napari cannot fill, or would take too long to fill."""

    @property
    def large(self) -> bool:
        """Return whether the layer holds only the elements in view."""
        return super().large or self.canvas.size > self.max_shapes

    def block(self, item: Item) -> Block:
        """Return the elements of an item."""
        offsets, types = (item.arrays[name].astype(np.intp) for name in ("offsets", "types"))
        axes = item.calibration.axes
        inner = self.canvas.spatial_columns(axes, item.data.shape[1])
        vertices = np.empty(len(types), object)
        inside = item.data[:, inner].astype(np.float64)
        firsts = offsets[:-1]
        inside -= np.repeat(inside[firsts], np.diff(offsets), axis=0)
        for turn, (start, stop) in enumerate(zip(firsts, offsets[1:], strict=True)):
            vertices[turn] = inside[start:stop]
            if types[turn] == POLYGON and not fills_quickly(inside[start:stop, -2:]):
                self._crossing.add(vertices[turn].tobytes())
                self.reports.note(self.name, Conversion.TANGLED)
        columns = {**item.features, TYPE: types, VERTICES: vertices}
        return Block(item.data[firsts], axes, columns)

    # -- the napari layer --------------------------------------------------------------------

    def places_at(self, pointer: Pointer, value: Any = None) -> PointedPlaces:
        """Yield the places of items that a pointer may be on, the topmost first."""
        if self.raster is not None and self.raster.is_in_use:
            # Its pixels are numbers of shapes, and of its own layer.
            value = (self.raster.value_at(pointer) - 1, None)
        yield from super().places_at(pointer, value)

    def shows_on(self, layer: Layer) -> bool:
        """Return whether a napari layer is the stream's."""
        return super().shows_on(layer) or (self.raster is not None and layer is self.raster.layer)

    def element_index(self, value: Any) -> int | None:
        """Return the index, in the layer, of the element that napari names; None for none."""
        return None if value is None or value[0] is None else int(value[0])

    def make(self, rows: Rows, arguments: dict[str, Any]) -> Elements:
        """Make the napari layer."""
        many = self._rasterise(rows)
        shapes, types = ([], []) if many else self._shapes(rows)
        # Without shapes its columns are still there, so that colours can stand for them.
        table = {name: column[: len(shapes)] for name, column in features(rows).items()}
        if shapes:
            arguments = {**arguments, "shape_type": types}
        try:
            return Shapes(shapes, ndim=self.ndim, features=table, **arguments)
        except RuntimeError:
            if many or not self._find_crossing(rows):
                raise
        shapes, arguments["shape_type"] = self._shapes(rows)
        return Shapes(shapes, ndim=self.ndim, features=table, **arguments)

    def looks(self, layer: Any) -> dict[str, npt.NDArray[Any]]:
        """Return the looks of each shape, by the attribute for new shapes."""
        return {f"current_{name}": values for name, values, _ in self._looks(layer)}

    def complete(self) -> tuple[Any, dict[str, Any]] | None:
        """Return data and arguments of all elements; None if the layer holds them."""
        if not self.large or self.layer is None:
            return None
        rows = self.canvas.all_rows()
        shapes, types = self._shapes(rows)
        table = features(rows)
        looks = {name: new for name, _, new in self._looks(self.layer)}
        more = {"shape_type": types, "z_index": 0, "features": table, "properties": table}
        return shapes, {**looks, **more}

    def load(self, rows: Rows, kept: int) -> None:
        """Give the napari layer its elements; the first ``kept`` are those it has."""
        layer = self.layer
        assert isinstance(layer, Shapes)
        many = self._rasterise(rows)
        table = features(rows)
        if many:
            if layer.nshapes:
                layer.data = []
                layer.features = {name: column[:0] for name, column in table.items()}
            layer.widen(self.ndim)
            return
        try:
            self._fill(layer, rows, kept)
        except RuntimeError:
            if not self._find_crossing(rows):
                raise
            self._fill(layer, rows, 0)
        layer.features = table
        if "colormap" in (modes := self._modes(layer)) or "cycle" in modes:
            layer.refresh_colors()

    def _fill(self, layer: Shapes, rows: Rows, kept: int) -> None:
        """Give the layer all shapes, or those that it does not have."""
        if kept and kept == layer.nshapes:
            self._append(layer, rows, kept)
        else:
            looks = {
                name: self.carried(values, rows, new)
                for name, values, new in self._looks(layer)
                if len(values)
            }
            layer.widen(rows.coordinates.shape[1])
            if layer.nshapes:
                layer.data = []
            shapes, types = self._shapes(rows)
            if shapes:
                layer.add(shapes, shape_type=types, z_index=[0] * len(shapes), **looks)

    def _append(self, layer: Shapes, rows: Rows, kept: int) -> None:
        shapes, types = self._shapes(rows, kept)
        if not shapes:
            return
        looks = {
            name: values[0]
            for name, values, _ in self._looks(layer)
            if len(values) and (values == values[0]).all()
        }
        layer.add(shapes, shape_type=types, z_index=[0] * len(shapes), **looks)

    @staticmethod
    def _modes(layer: Shapes) -> list[str]:
        return [str(layer.face_color_mode), str(layer.edge_color_mode)]

    def _looks(self, layer: Shapes) -> list[tuple[str, npt.NDArray[Any], Any]]:
        """Return the looks of each shape, and those that new ones get."""
        looks = [("edge_width", np.asarray(layer.edge_width, float), layer.current_edge_width)]
        colors = {"face_color": current_color(layer, "face")}
        colors["edge_color"] = current_color(layer, "edge")
        for (name, new), mode in zip(colors.items(), self._modes(layer), strict=True):
            if mode == "direct":
                looks.append((name, np.asarray(getattr(layer, name)), new))
        return looks

    def _shapes(self, rows: Rows, start: int = 0) -> tuple[list[npt.NDArray[Any]], list[str]]:
        """Return shapes as napari wants them, from some row on."""
        shapes = []
        types = [SHAPE_TYPES[number] for number in rows.columns[TYPE][start:]]
        vertices = rows.columns[VERTICES][start:]
        for turn, (anchor, inside) in enumerate(
            zip(rows.coordinates[start:], vertices, strict=True)
        ):
            if self._crossing and types[turn] == "polygon" and inside.tobytes() in self._crossing:
                types[turn] = "path"
                inside = np.concatenate((inside, inside[:1]))
            shape = np.tile(anchor, (len(inside), 1))
            shape[:, len(anchor) - inside.shape[1] :] += inside
            shapes.append(shape)
        return shapes, types

    def _find_crossing(self, rows: Rows) -> bool:
        """Find the polygons that napari does not fill; return whether there are new ones.

        Without a compiled triangulation, it raises for some that cross themselves.
        """
        known = len(self._crossing)
        shapes, types = self._shapes(rows)
        for shape, kind, inside in zip(shapes, types, rows.columns[VERTICES], strict=True):
            if kind != "polygon" or (key := inside.tobytes()) in self._crossing:
                continue
            try:
                Shapes([shape], shape_type=kind)
            except Exception:
                self._crossing.add(key)
        if len(self._crossing) == known:
            return False
        self.reports.note(self.name, Conversion.CROSSING)
        return True

    # -- too many of them --------------------------------------------------------------------

    def _rasterise(self, rows: Rows) -> bool:
        """Draw the shapes into labels if they are too many; return whether they are."""
        many = self.large and len(rows) > self.max_shapes
        if many and self.raster is None:
            self.raster = Raster(f"{self.name} (rasterised)", self.viewer)
            self.reports.note(self.name, Conversion.MANY_SHAPES.format(limit=self.max_shapes))
        if self.raster is not None:
            if many:
                self.raster.show(rows, features(rows), self, self._crossing)
            else:
                self.raster.clear()
        return many

    def update(self, now: float, *, force: bool = False) -> bool:
        """Bring the napari layer up to date; return whether it was redrawn."""
        drawn = super().update(now, force=force)
        if self.raster is not None and self.raster.pending:
            self.raster.draw(float("inf") if force else time.monotonic() + DRAW_BUDGET)
            drawn = True
        return drawn

    def remove(self) -> None:
        """Remove the napari layers, which are empty now."""
        super().remove()
        if self.raster is not None:
            self.raster.remove()
