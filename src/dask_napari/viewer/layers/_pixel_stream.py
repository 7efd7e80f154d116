"""Images and labels: a canvas behind one napari layer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from operator import add
from typing import Any, ClassVar, Final

import numpy as np
from napari.layers import Image, Labels

from dask_napari.canvas import CanvasAxes, PutResult, WorldSpan
from dask_napari.canvas.pixels import Canvas, LazyArray
from dask_napari.catalog import HeldItem, ValueRange
from dask_napari.model import Conversion, Item, Refusal
from dask_napari.viewer.layers._contrast import Contrast
from dask_napari.viewer.layers._label_features import LabelFeatures
from dask_napari.viewer.layers._layer_stream import LayerContext, LayerStream, StreamStart
from dask_napari.viewer.layers._pointed_place import PointedPlace, PointedPlaces, Pointer
from dask_napari.viewer.layers._recent_ranges import RecentRanges, value_range
from dask_napari.viewer.napari_internals import forget_strokes, keep_no_level, shown_plane

logger = logging.getLogger(__name__)

PAINTED: Final = "painted by hand"
"""Entry of a layer's metadata with the positions of the items that the user has painted on."""


def is_live(layer: Any) -> bool:
    """Return whether a layer of images or labels shows a canvas, and no data of the user's own."""
    return isinstance(layer.data[0] if layer.multiscale else layer.data, LazyArray)


class PixelStream(LayerStream):
    """Images or labels."""

    set_by_user: ClassVar[tuple[str, ...]] = ("contrast",)
    look: ClassVar[tuple[str, ...]] = (*LayerStream.look, "colormap", "gamma", "interpolation2d")

    def __init__(self, context: LayerContext, start: StreamStart) -> None:
        super().__init__(context, start)
        item = start.item
        scale = self.calibration.scale or (1.0, 1.0)
        self.canvas = Canvas(
            self.axes,
            labels=item.kind == "labels",
            colour=item.data.shape[-1] if item.rgb else 0,
            fill=start.spec.fill if start.spec else 0.0,
            mosaic=self.mosaic,
            pixel=(abs(scale[-2]), abs(scale[-1])),
            store=context.hold,
        )
        if item.kind == "image" and not item.rgb:
            mode = start.spec.contrast if start.spec else "running"
            self.contrast = Contrast(mode, by_hand="contrast_limits" in start.options)
        self.ranges: RecentRanges = RecentRanges(
            self.canvas.values_at, start.spec.fill if start.spec else 0.0
        )
        self.features = LabelFeatures(self.viewer, self.axes) if item.kind == "labels" else None
        self._given: tuple[object, ...] = ()  # shape and type that napari knows
        self._laid_out = self.mosaic.version
        self._n_painted = 0
        self._painted_at: tuple[object, ...] = ()  # the axes by which napari undoes paint

    def take_over(self, other: LayerStream) -> None:
        """Show in the napari layer of another stream, and keep what the user has set there."""
        super().take_over(other)
        before = other.features if isinstance(other, PixelStream) else None
        if self.features is not None and before is not None:
            self.features.on_layer = before.on_layer

    @property
    def appearance(self) -> dict[str, Any]:
        """Arguments for a napari layer that is to look like that of the stream."""
        look = super().appearance
        if self.layer is not None and self.contrast is not None and self.contrast.by_hand:
            look["contrast_limits"] = tuple(self.layer.contrast_limits)
        return look

    def put(self, item: Item, position: Mapping[str, Any], steps: tuple[int, ...] | None) -> bool:
        """Lay an item on the canvas; return whether an axis grew."""
        if item.rgb != bool(self.canvas.colour):
            raise Refusal("colour and grey images on one layer")
        stage = item.calibration.translate[-2:]
        dtype = None if self.canvas.is_empty else self.canvas.dtype
        values = self._measure(item)
        table = item.features if self.features is not None else {}
        if self.features is not None:
            self.features.check(table)
        place = (stage[0], stage[1]) if len(stage) == 2 else None
        spans = self._spans(item, position, place)
        self.world.check(spans)
        result = self.canvas.put(
            position,
            item.held if isinstance(item, HeldItem) else item.data,
            origin=item.origin,
            array_shape=item.array_shape,
            order=tuple(self.spec.axes) if self.spec else (),
            names=item.calibration.axes,
            stage=place,
            values=values,
        )
        if dtype is not None and dtype != self.canvas.dtype:
            types = dtype, item.data.dtype, self.canvas.dtype
            logger.info("layer %r: %s and %s are shown as %s", self.name, *types)
        self.ranges.extend(result.key, values, result.before)
        grew = self.admit(spans) or result.grew
        if self.features is not None:
            cell = self.mosaic.cell(position)
            self.features.put(result.key, (cell, item.origin), table)
        self.grew |= grew
        # Steps of before are no indices of axes that have grown; what has is drawn anew anyhow.
        unseen = self.layer is None or grew
        if unseen or steps is None or self.canvas.is_seen(result.key, steps):
            self.touched |= self._in_view(result)
            self.thumbnail_due |= self.layer is not None
        return grew

    def places_at(self, pointer: Pointer, value: Any = None) -> PointedPlaces:
        """Yield the places of items that a pointer may be on, the topmost first."""
        assert self.layer is not None
        pixel = pointer.on(self.layer)
        if pixel is None or len(pixel) != len(self.axes.labels):
            return
        sliders = pointer.sliders(self.axes, pixel)
        point = tuple(round(at) for at in pixel[len(self.axes) :])
        for position, origin in self.canvas.places_at(sliders, point):
            position |= self.channel
            yield PointedPlace(position, origin)
            if not any(origin):  # a canvas does not tell a first chunk from what is no chunk
                yield PointedPlace(position)
        for position, origin in self.canvas.rooms_at(sliders, point):
            yield PointedPlace({**position, **self.channel}, origin, has_item=False)

    def _spans(
        self, item: Item, position: Mapping[str, Any], stage: tuple[float, float] | None
    ) -> list[WorldSpan]:
        """Return how far the layer reaches in space once an item is there."""
        shape = item.data.shape[:-1] if item.rgb else item.data.shape
        ends = item.array_shape or tuple(map(add, item.origin or (0,) * len(shape), shape))
        cell = self.mosaic.cell(position)
        if cell:
            pixel = self.canvas.pixel
            size = ends[-2] * pixel[0], ends[-1] * pixel[1]
            y, x = self.mosaic.extent_with(cell, size, pixel, stage)
            lengths = (*ends[:-2], y / pixel[0], x / pixel[1])
        else:
            lengths = ends
        count = len(lengths)
        return [self.span(count - 1 - n, 0, length - 1) for n, length in enumerate(lengths)]

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that napari's layers of all kinds have.

        Along axes in space that the layer lacks, it is repeated as far as the others reach.
        """
        arguments = super().arguments()
        scale, translate = list(arguments["scale"]), list(arguments["translate"])
        for axis, span in self._repeats():
            scale[-1 - axis], translate[-1 - axis] = span.step, span.low
        return {**arguments, "scale": tuple(scale), "translate": tuple(translate)}

    @property
    def units(self) -> tuple[str, ...]:
        """A unit for every axis."""
        units = list(super().units)
        for axis, span in self._repeats():
            units[-1 - axis] = span.unit
        return tuple(units)

    def _repeats(self) -> Iterator[tuple[int, WorldSpan]]:
        """Yield the axes in space that the layer lacks, counted from the last, and their spans."""
        for axis in range(len(self.canvas.space), len(self.axes.spatial)):
            if (span := self.world.span(axis)) is not None:
                yield axis, span

    def _measure(self, item: Item) -> ValueRange | None:
        """Return the range of an item; pixels in a store are read once for that."""
        if self.contrast is None:
            return None
        if not isinstance(item, HeldItem):
            return value_range(item.data)
        if item.values is None:
            item.values = value_range(item.held.get())
        return item.values

    def _in_view(self, result: PutResult) -> bool:
        """Return whether a change may be on the screen."""
        layer, displayed = self.layer, tuple(self.viewer.dims.displayed)
        last = self.viewer.dims.ndim - 1
        if layer is None or not layer.multiscale or sorted(displayed) != [last - 1, last]:
            return True
        # Only a part of a large image is on the screen, and drawn.
        corners, level = layer.corner_pixels, layer.data_level
        return all(
            at <= (end + 1) << level and at + length >= first << level
            for at, length, first, end in zip(
                result.start[-2:], result.shape[-2:], *corners[:, -2:], strict=True
            )
        )

    @property
    def ndim(self) -> int:
        """Return the number of axes of the napari layer."""
        return self.canvas.ndim - bool(self.canvas.colour)

    def add(self) -> None:
        """Make the napari layer."""
        levels = self.canvas.levels
        options = {**self.arguments(), "multiscale": len(levels) > 1}
        state = self._state
        data = levels if len(levels) > 1 else self.canvas
        if self.kind == "labels":
            layer = self.made(lambda more: Labels(data, **{**options, **more}))
            keep_no_level(layer)
            self._given = state
            self._painted_at = (self.axes.structure, self.axes.shifts, self.mosaic.version)
            self.show(layer)
            return
        options["rgb"] = bool(self.canvas.colour)
        if self.contrast is not None:
            options["contrast_limits"] = self.ranges.limits
        layer = self.made(lambda more: Image(data, **{**options, **more}))
        keep_no_level(layer)
        layer.editable = False
        self._given = state
        if self.contrast is not None:
            self.contrast.attach(layer, shown_plane)
        self.show(layer)

    def clear(self) -> bool:
        """Empty the napari layer for the next run to fill it; return whether it can be."""
        if self.layer is None or self.layer not in self.viewer.layers or not is_live(self.layer):
            return False
        colour = self.canvas.colour
        empty = Canvas(CanvasAxes(), labels=self.kind == "labels", colour=colour)
        shape = (1, 1, colour) if colour else (1, 1)
        empty.put({}, np.zeros(shape, self.canvas.dtype))
        if self.kind == "labels":
            forget_strokes(self.layer)
        self.layer.multiscale = False
        self.layer.data = empty
        return True

    @property
    def _state(self) -> tuple[object, ...]:
        return id(self.canvas), self.canvas.shape, self.canvas.dtype, self.world.version

    def set_data(self) -> None:
        """Make napari ask for shape and type again; it copies nothing."""
        assert self.layer is not None
        # Other layers may have moved the tiles of this one, whose shape can stay.
        moved, self._laid_out = self._laid_out != self.mosaic.version, self.mosaic.version
        if self.kind == "labels":
            axes = (self.axes.structure, self.axes.shifts, self.mosaic.version)
            if axes != self._painted_at:
                forget_strokes(self.layer)  # their pixels are elsewhere now
            self._painted_at = axes
        if self._state == self._given:
            if self.touched or moved:
                self.refresh()
            return
        levels = self.canvas.levels
        if len(levels) > 1:
            self._set_levels(levels)
        else:
            self.layer.multiscale = False
            self.layer.data = self.canvas
        scale = self.arguments()
        for name in ("scale", "translate"):
            if tuple(getattr(self.layer, name)) != scale[name]:
                setattr(self.layer, name, scale[name])
        self._given = self._state

    def _set_levels(self, levels: list[Any]) -> None:
        """Give napari a pyramid, also where the layer had none, or other axes."""
        layer = self.layer
        assert layer is not None
        if layer.ndim != self.ndim or not layer.multiscale:
            # napari asks `multiscale` of a layer at each look, so that it may change; but which
            # pixels are in view it keeps, for as many axes as there were. The way round that is
            # data that has the axes and no pyramid.
            layer.multiscale = False
            colour = (self.canvas.colour,) if self.canvas.colour else ()
            layer.data = np.zeros((1,) * self.ndim + colour, self.canvas.dtype)
            corners = np.zeros((2, self.ndim), int)
            corners[1, -2:] = np.array(levels[-1].shape[: self.ndim])[-2:] - 1
            layer.corner_pixels = corners
            layer.multiscale = True
            layer.editable = False
        layer.data = levels

    def update(self, now: float, *, force: bool = False) -> bool:
        """Bring the napari layer up to date; return whether it was redrawn."""
        if self.layer is not None and not is_live(self.layer):
            self.reports.note(
                self.name,
                "its data were replaced: that layer is yours, and another one shows what arrives",
            )
            self.layer = None
        drawn = super().update(now, force=force)
        if self.layer is not None and self.contrast is not None:
            self.contrast.follow(self.ranges)
        if self._n_painted != self.canvas.n_painted:
            self._mark_paint()
        if self.layer is not None and self.features is not None:
            self.features.apply(self.layer)
            if self.features.ambiguous:
                self.reports.note(self.name, Conversion.AMBIGUOUS_LABELS)
        return drawn

    def _mark_paint(self) -> None:
        """Say where the user has painted, in the layer's metadata and to the viewer."""
        self._n_painted, self.thumbnail_due = self.canvas.n_painted, True
        painted = self.canvas.painted()
        if self.layer is not None:
            self.layer.metadata = {**self.layer.metadata, PAINTED: painted}
        if painted:
            self.reports.note(
                self.name,
                "painted by hand: the paint stays over what arrives, until Clear paint in the menu"
                " Layers > Annotate takes it away",
            )
