"""Arrangement: the streams of a viewer, laid out by one set of modes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from dask_napari.canvas import CanvasAxes, World
from dask_napari.model import (
    ARRIVAL_AXIS,
    PIXEL_KINDS,
    AxisMode,
    Coordinate,
    Item,
    LayerSpec,
    Refusal,
)
from dask_napari.viewer.layers._arrangement_draft import TOO_MANY, ArrangementDraft
from dask_napari.viewer.layers._axis_modes import Modes
from dask_napari.viewer.layers._layer_stream import LayerContext, LayerStream, StreamStart
from dask_napari.viewer.layers._pixel_stream import PixelStream
from dask_napari.viewer.layers._points_stream import PointsStream
from dask_napari.viewer.layers._shapes_stream import ShapesStream
from dask_napari.viewer.layers._surface_stream import SurfaceStream
from dask_napari.viewer.layers._tracks_stream import TracksStream
from dask_napari.viewer.layers._vectors_stream import VectorsStream

STREAMS: Final[dict[str, type[LayerStream]]] = {
    "image": PixelStream,
    "labels": PixelStream,
    "points": PointsStream,
    "shapes": ShapesStream,
    "surface": SurfaceStream,
    "tracks": TracksStream,
    "vectors": VectorsStream,
}
"""Class of the stream of each kind: the one place that knows all of them."""

MOST_LAYERS: Final = 256
"""Layers that are made; napari's list and its drawing take seconds for more."""

Specs = Mapping[str, LayerSpec | None]
"""Descriptions of the layers by the taps."""

CHANNEL_COLORMAPS: Final = ("cyan", "magenta", "yellow", "green", "red", "blue")
"""For the layers of one stream in turn; they add up to white in pairs, as in OME's viewers."""


class Arrangement:
    """Items on canvases, laid out by one set of modes on axes and a mosaic of their own.

    An item that is refused leaves no trace. An item that asks for other modes, and a user who
    chooses some, get another arrangement, which is laid out beside this one: this one is never
    changed for it, and stays if any item has no place in the other. Napari learns of either in
    the next update only.
    """

    def __init__(self, modes: Modes, context: LayerContext, space: tuple[str, ...] = ()) -> None:
        self.modes = modes
        self.context: LayerContext = replace(
            context,
            axes=CanvasAxes(arrival=(ARRIVAL_AXIS,)),
            mosaic=modes.mosaic(),
            world=World(context.world.outside),
        )
        self.space = space
        """Axes that arrays have and that are no sliders, though elements have them too."""
        if space:
            self.context.axes.admit_space((1,) * len(space), space)
        self.streams: dict[str, LayerStream] = {}
        self.position_axes: dict[str, None] = {}
        """Axes of the positions of all items so far, whatever their modes."""
        self.newest: tuple[Mapping[str, Any], bool] | None = None
        """Position of the last item on the sliders, and whether it made an axis grow."""
        self._before: Mapping[str, LayerStream] = {}
        self.waiting: dict[str, LayerStream] = {}
        """Streams of the run before, whose layers are empty until this run fills them."""

    def __repr__(self) -> str:
        return f"<Arrangement: {len(self.streams)} streams, axes {self.context.axes.labels}>"

    def put(self, item: Item, spec: LayerSpec | None, steps: tuple[int, ...] | None = None) -> None:
        """Lay an item on its canvas; ``steps`` is where the viewer looks, None if unknown.

        Items that cannot be shown raise a Refusal, TypeError or ValueError, and change nothing.
        """
        stream, position = self._stream(item, spec)
        grew = stream.put(item, position, steps)
        self.streams[stream.name] = stream
        if self.waiting:
            self.waiting.pop(stream.name, None)
        self.position_axes.update(dict.fromkeys(item.position))
        mosaic = self.context.mosaic.axes
        self.newest = {axis: at for axis, at in position.items() if axis not in mosaic}, grew

    def _stream(
        self, item: Item, spec: LayerSpec | None
    ) -> tuple[LayerStream, dict[str, Coordinate]]:
        """Return the stream of an item, a new one if need be, and the item's position on it."""
        if item.kind not in STREAMS:
            raise Refusal(f"kind {item.kind} is not shown yet")
        position = item.at
        name, rest, channel = self.modes.divide(item, position, spec)
        stream = self.streams.get(name)
        if stream is None:
            if len(self.streams) >= MOST_LAYERS:
                raise Refusal(TOO_MANY, f"{MOST_LAYERS} are the most")
            said = {**item.options, **(spec.options if spec else {})}
            if "colormap" in said:
                channel.pop("colormap", None)
            elif channel.get("colormap", "") is None:
                channel["colormap"] = self._next_colormap(item)
            look = self.context.looks.get((name, item.kind), {})
            start = StreamStart(name, item, spec, {**channel, **said, **look})
            stream = STREAMS[item.kind](self.context, start)
            stream.channel = {axis: at for axis, at in position.items() if axis not in rest}
            before = self._before.get(name) or self.waiting.get(name)
            if type(before) is type(stream) and before.kind == item.kind:
                stream.take_over(before)
        if stream.kind != item.kind:
            raise Refusal(f"{item.kind} on a layer of {stream.kind}")
        return stream, rest

    def _next_colormap(self, item: Item) -> str:
        """Return the colormap that the fewest layers of an item's stream have."""
        alike = (stream for stream in self.streams.values() if stream.source == item.stream)
        used = [_colormap(stream) for stream in alike]
        return min(CHANNEL_COLORMAPS, key=used.count)

    # -- other arrangements ------------------------------------------------------------------

    def space_with(self, item: Item) -> tuple[str, ...]:
        """Return the axes that have to stay out of the sliders once an item is there."""
        names = item.calibration.axes if item.kind in PIXEL_KINDS else ()
        taken = {name for name in names[:-2] if name in self.context.axes}
        if not taken or taken & {*self.position_axes, *item.position}:
            return self.space
        return names

    def emptied(self, modes: Modes, space: tuple[str, ...]) -> Arrangement:
        """Return an arrangement by other modes, without any items."""
        return Arrangement(modes, self.context, space)

    def draft(
        self,
        modes: Modes,
        space: tuple[str, ...],
        items: list[Item],
        placed: Callable[[Item], Item],
        specs: Specs,
    ) -> ArrangementDraft:
        """Begin to lay out items, as they are ``placed``, by other modes.

        Each keeps its layer if it can.
        """
        other = self.emptied(modes, space)
        other._before = {**self.waiting, **self.streams}
        if ARRIVAL_AXIS in self.context.axes and modes.mode(ARRIVAL_AXIS, None) == "slider":
            living = {item.at.get(ARRIVAL_AXIS) for item in items}
            # Their order is known to the axis alone.
            for at in self.context.axes[ARRIVAL_AXIS].coordinates:
                if at in living:
                    other.context.axes.admit({ARRIVAL_AXIS: at})
        # So that axes come in the order in which they came here.
        axes = {axis for item in items for axis in item.position}
        axes.update(*(placed(item).position for item in items[:1]))
        order = [axis for axis in self.position_axes if axis in axes]
        other.position_axes = dict.fromkeys(order)
        return ArrangementDraft(other, items, placed, order, specs)

    def settle(self) -> None:
        """Take note that the layers of the arrangement before are shown or gone."""
        self._before = {}

    def mode(self, axis: str) -> AxisMode:
        """Return the mode of an axis, on some layer at least."""
        if axis in self.context.mosaic.axes:
            return "mosaic"
        in_names = any(axis in stream.channel for stream in self.streams.values())
        return "layer" if in_names else "slider"


def _colormap(stream: LayerStream) -> str | None:
    """Return the name of the colormap of a stream's layer, which the user may have changed."""
    colormap = getattr(stream.layer, "colormap", stream.options.get("colormap"))
    return getattr(colormap, "name", colormap)
