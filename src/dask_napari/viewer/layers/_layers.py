"""Layers of a viewer: one per stream, made once and updated, never made again."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dask_napari.canvas import CanvasAxes
from dask_napari.model import (
    ARRIVAL_AXIS,
    PIXEL_KINDS,
    AxisMode,
    Coordinate,
    Item,
    LayerSpec,
    Refusal,
    Reports,
    contain,
)
from dask_napari.viewer.camera import CameraFit
from dask_napari.viewer.layers._axis_modes import Modes
from dask_napari.viewer.layers._headings import Headings
from dask_napari.viewer.layers._layer_stream import LayerContext, LayerStream, StreamStart
from dask_napari.viewer.layers._pixel_stream import PixelStream
from dask_napari.viewer.layers._points_stream import PointsStream
from dask_napari.viewer.layers._shapes_stream import ShapesStream
from dask_napari.viewer.layers._surface_stream import SurfaceStream
from dask_napari.viewer.layers._tracks_stream import TracksStream
from dask_napari.viewer.layers._vectors_stream import VectorsStream
from dask_napari.viewer.storage import BlockStore

if TYPE_CHECKING:
    import napari


logger = logging.getLogger(__name__)

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

MOST_AXES: Final = 14
"""Sliders and axes in space together. Whenever a layer comes or grows, napari looks several times
at the 2ⁿ corners of each: 40 ms for 14 axes, 3 s and a gigabyte for 20."""

STACK: Final = ("image", "surface", "labels", "shapes", "vectors", "tracks", "points")
"""Kinds from the bottom to the top of the layer list: what is small lies on what is large."""

REDRAW_BUDGET: Final = 0.015
"""Seconds of a tick after which layers that only have something to redraw wait for the next: the
stall is that of one layer, however many there are."""

CHANNEL_COLORMAPS: Final = ("cyan", "magenta", "yellow", "green", "red", "blue")
"""For the layers of one stream in turn; they add up to white in pairs, as in OME's viewers."""


class Layers:
    """Put items on canvases and keep the napari layers up to date.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers live.
    store : BlockStore, optional
        Keeps images and labels; all in memory if not given.
    """

    def __init__(self, viewer: napari.viewer.Viewer, store: BlockStore | None = None) -> None:
        self.viewer = viewer
        self.store: BlockStore = BlockStore() if store is None else store
        self.reports: Reports = Reports(logger)
        self.modes: Modes = Modes()
        self.axes: CanvasAxes = CanvasAxes(arrival=(ARRIVAL_AXIS,))
        self.streams: dict[str, LayerStream] = {}
        self.newest: tuple[Mapping[str, Any], bool] | None = None
        """Position of the last item on the sliders, and whether it made an axis grow."""
        self._known: dict[str, None] = {}
        self._space: tuple[str, ...] = ()
        """Axes that arrays have and that are no sliders, though elements have them too."""
        self._colours: dict[str, itertools.cycle[str]] = {}
        self._headings = Headings(viewer)
        self._fit = CameraFit(viewer)
        self._turn = 0

    def __repr__(self) -> str:
        return f"<Layers: {len(self.streams)} streams, axes {self.axes.labels}>"

    def put(self, item: Item, spec: LayerSpec | None) -> None:
        """Lay an item on its canvas.

        Raises
        ------
        Refusal, TypeError, ValueError
            If it cannot be shown; nothing has changed then.
        """
        fresh = spec is not None and self.modes.declare(spec)
        fresh |= self._leave_space(item)
        if self.modes.learn(item.position) or fresh:
            self._relayout()
        stream, position = self._stream(item, spec)
        grew = stream.put(item, position, self._seen_steps())
        self.streams[stream.name] = stream
        self._known.update(dict.fromkeys(item.position))
        mosaic = self.modes.mosaic.axes
        self.newest = {axis: at for axis, at in position.items() if axis not in mosaic}, grew

    def _leave_space(self, item: Item) -> bool:
        """Keep an axis of an array out of the sliders; return whether columns had made it one."""
        names = item.calibration.axes if item.kind in PIXEL_KINDS else ()
        taken = {name for name in names[:-2] if name in self.axes}
        if not taken or taken & {*self._known, *item.position}:
            return False
        self._space = names
        return True

    def _stream(
        self, item: Item, spec: LayerSpec | None
    ) -> tuple[LayerStream, dict[str, Coordinate]]:
        """Return the stream of an item, a new one if need be, and the item's position on it."""
        if item.kind not in STREAMS:
            raise Refusal(f"kind {item.kind} is not shown yet")
        position = item.at
        name, rest, channel = self.modes.divide(item, position, spec)
        stream = self.streams.get(name)
        space = item.data.ndim - item.rgb if item.kind in PIXEL_KINDS else item.data.shape[-1]
        sliders = len({*self.axes.names, *rest})
        if sliders + max(space, len(self.axes.spatial)) > MOST_AXES:
            raise Refusal("too many axes")
        if stream is None:
            if len(self.streams) >= MOST_LAYERS:
                raise Refusal("too many layers")
            said = {**item.options, **(spec.options if spec else {})}
            if "colormap" in said:
                channel.pop("colormap", None)
            elif channel.get("colormap", "") is None:
                colours = self._colours.setdefault(item.name, itertools.cycle(CHANNEL_COLORMAPS))
                channel["colormap"] = next(colours)
            around = LayerContext(
                self.viewer, self.axes, self.modes.mosaic, self.store.hold, self.reports
            )
            stream = STREAMS[item.kind](around, StreamStart(name, item, spec, {**channel, **said}))
            stream.channel = {axis: at for axis, at in position.items() if axis not in rest}
        if stream.kind != item.kind:
            raise Refusal(f"{item.kind} on a layer of {stream.kind}")
        return stream, rest

    # -- modes -------------------------------------------------------------------------------

    @property
    def position_axes(self) -> tuple[str, ...]:
        """Return the axes of the positions of all items so far, whatever their modes."""
        return tuple(self._known)

    def mode(self, axis: str) -> AxisMode:
        """Return the mode of an axis, on some layer at least."""
        if axis in self.modes.mosaic.axes:
            return "mosaic"
        in_names = any(axis in stream.channel for stream in self.streams.values())
        return "layer" if in_names else "slider"

    def choose(self, axis: str, mode: AxisMode) -> None:
        """Show an axis another way from now on; nothing is sent or copied for that."""
        coordinates = {
            item.position[axis]
            for stream in self.streams.values()
            for item in stream.items()
            if axis in item.position
        }
        self.modes.choose(axis, mode, coordinates)
        self._relayout()

    def _relayout(self) -> None:
        """Lay all items out again by the present modes."""
        old, self.streams = self.streams, {}
        arrivals = self.axes[ARRIVAL_AXIS].coordinates if ARRIVAL_AXIS in self.axes else ()
        self.modes.restart()
        self.axes = CanvasAxes(arrival=(ARRIVAL_AXIS,))
        if self._space:
            self.axes.admit_space((1,) * len(self._space), self._space)
        self.newest = None
        for at in arrivals:  # the one axis on which the order is known to us alone
            self.axes.admit({ARRIVAL_AXIS: at})
        known = (*self._known, ARRIVAL_AXIS)  # so that axes come in the order in which they came
        for stream in list(old.values()):
            for item in stream.items():
                item.amend(position={a: item.position[a] for a in known if a in item.position})
                try:
                    fresh, position = self._stream(item, stream.spec)
                    fresh.put(item, position, None)
                except (Refusal, TypeError, ValueError) as error:
                    # A well outside of the plate, say. It is counted as shown; it was.
                    logger.warning("an item of %s is not shown any more: %s", stream.name, error)
                    continue
                if fresh.name not in self.streams and fresh.name in old:
                    fresh.take_over(old[fresh.name])
                self.streams[fresh.name] = fresh
        for name in old.keys() - self.streams.keys():
            old[name].remove()
        if old:  # what there is lies somewhere else now, and would be out of sight
            self._fit.start()

    # -- where the viewer looks --------------------------------------------------------------

    @property
    def offset(self) -> int | None:
        """Return the number of leading dimensions that are not ours; None while some of ours miss.

        A layer of the user's own may have more dimensions, and with all layers removed napari
        falls back to two.
        """
        offset = int(self.viewer.dims.ndim) - len(self.axes.labels)
        return offset if offset >= 0 else None

    def steps(self) -> tuple[int, ...] | None:
        """Return the index of each slider that the viewer shows; None if some sliders miss."""
        offset = self.offset
        if offset is None:
            return None
        steps = self.viewer.dims.current_step[offset : offset + len(self.axes)]
        return tuple(min(step, size - 1) for step, size in zip(steps, self.axes.shape, strict=True))

    def _seen_steps(self) -> tuple[int, ...] | None:
        """Return :meth:`steps`; None if a slider axis is shown in space, so that more is seen."""
        steps, offset = self.steps(), self.offset
        if steps is None or offset is None:
            return None
        displayed = self.viewer.dims.displayed
        return None if any(offset <= axis < offset + len(steps) for axis in displayed) else steps

    # -- the layers --------------------------------------------------------------------------

    def update(self, now: float, *, force: bool = False) -> bool:
        """Bring the layers up to date, each at most once; return whether any was redrawn."""
        drawn = False
        if not self.viewer.layers:
            self._fit.start()
        end = time.monotonic() + REDRAW_BUDGET
        for stream in self._in_turn():
            if drawn and not force and not stream.must_update and time.monotonic() > end:
                continue
            try:
                drawn |= self._update(stream, now, force)
            except Exception as error:
                # One layer that cannot be drawn must not keep the others from it.
                self.reports.error(
                    "cannot be drawn", error, layer=stream.name, traceback=True, level=logging.ERROR
                )
                contain(error)
        unit = next((stream.units[-1] for stream in self.streams.values()), "pixel")
        self._headings.update(self.modes.mosaic, unit)
        self._fit.update(drawn)
        return drawn

    def _in_turn(self) -> list[LayerStream]:
        """Return the streams: new and grown ones first, then each of the others first in turn."""
        self._turn += 1
        streams = list(self.streams.values())
        first = self._turn % max(1, len(streams))
        turn = streams[first:] + streams[:first]
        urgent = [stream for stream in streams if stream.must_update]
        return urgent + [stream for stream in turn if not stream.must_update]

    def _update(self, stream: LayerStream, now: float, force: bool) -> bool:
        fresh = stream.layer is None
        drawn = stream.update(now, force=force)
        if fresh:
            self._stack(stream)
        return drawn

    def _stack(self, stream: LayerStream) -> None:
        """Move a new layer under those of ours whose kinds belong above it."""
        layers = self.viewer.layers
        above = STACK[STACK.index(stream.kind) + 1 :]
        ours = {id(other.layer) for other in self.streams.values() if other.kind in above}
        first = next((n for n, other in enumerate(layers) if id(other) in ours), None)
        if first is not None:
            layers.move(layers.index(stream.layer), first)
