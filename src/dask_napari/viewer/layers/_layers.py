"""Layers of a viewer: one per stream, made once and updated, never made again."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dask_napari.canvas import CanvasAxes, Mosaic, World, WorldSpan
from dask_napari.model import AxisMode, Item, LayerSpec, Refusal, Reports, contain
from dask_napari.viewer.camera import CameraFit
from dask_napari.viewer.layers._arrangement import Arrangement
from dask_napari.viewer.layers._axis_modes import Modes
from dask_napari.viewer.layers._headings import NAME as HEADINGS
from dask_napari.viewer.layers._headings import Headings
from dask_napari.viewer.layers._layer_stream import LayerContext, LayerStream
from dask_napari.viewer.layers._world_frame import WorldFrame
from dask_napari.viewer.storage import BlockStore

if TYPE_CHECKING:
    import napari


logger = logging.getLogger(__name__)

STACK: Final = ("image", "surface", "labels", "shapes", "vectors", "tracks", "points")
"""Kinds from the bottom to the top of the layer list: what is small lies on what is large."""

REDRAW_BUDGET: Final = 0.015
"""Seconds of a tick after which layers that only have something to redraw wait for the next: the
stall is that of one layer, however many there are."""

RETRY: Final = 3.0
"""Seconds after which a layer that could not be drawn is tried again; an attempt may take long."""


class Layers:
    """Put items on canvases and keep the layers of a napari viewer up to date.

    Without a store, all images and labels stay in memory.
    """

    def __init__(self, viewer: napari.viewer.Viewer, store: BlockStore | None = None) -> None:
        self.viewer = viewer
        self.store: BlockStore = BlockStore() if store is None else store
        self.reports: Reports = Reports(logger)
        context = LayerContext(
            viewer, CanvasAxes(), Mosaic(), World(self._spans), self.store.hold, self.reports
        )
        self._frame = WorldFrame()
        self._arrangement = Arrangement(Modes(), context)
        self._misfits: dict[str, tuple[Modes, Refusal]] = {}
        """By layer, modes that its tap asks for and that have no place for other items."""
        self._gone: list[LayerStream] = []
        """Streams whose napari layers are to be removed."""
        self._retry_at: dict[str, float] = {}
        self._headings = Headings(viewer)
        self._fit = CameraFit(viewer)
        self._turn = 0

    def __repr__(self) -> str:
        return f"<Layers: {self._arrangement}>"

    @property
    def axes(self) -> CanvasAxes:
        """Axes of all canvases."""
        return self._arrangement.context.axes

    @property
    def streams(self) -> Mapping[str, LayerStream]:
        """Streams by the names of their layers."""
        return self._arrangement.streams

    def items_of(self, name: str, kind: str) -> Iterator[Item] | None:
        """Return all items behind a napari layer; None if it is not live."""
        for stream in self.streams.values():
            if stream.layer is not None and (stream.layer.name, stream.kind) == (name, kind):
                return stream.items()
        return None

    @property
    def source_names(self) -> list[str]:
        """Names of layers as taps have them, or of their parts, before axes add to them."""
        sources = (stream.source for stream in self.streams.values())
        return list(dict.fromkeys(part or name for name, part in sources))

    def items_from(self, source: str) -> Iterator[Item]:
        """Return all items of one of :attr:`source_names`, over all of its napari layers."""
        for stream in self.streams.values():
            name, part = stream.source
            if (part or name) == source:
                yield from stream.items()

    @property
    def newest(self) -> tuple[Mapping[str, Any], bool] | None:
        """Position of the last item on the sliders, and whether it made an axis grow."""
        return self._arrangement.newest

    def put(self, item: Item, spec: LayerSpec | None) -> None:
        """Lay an item on its canvas.

        Items that cannot be shown raise a Refusal, TypeError or ValueError, and change nothing.
        """
        frame = self._frame.extended(item.calibration)
        calibration = frame.drawn(item.calibration)
        if calibration is item.calibration:
            self._put(item, spec)
        else:
            drawn = copy.copy(item)
            drawn.amend(calibration=calibration)
            self._put(drawn, spec)
            self.reports.note(item.name, frame.difference(item.calibration))
        self._frame = frame

    def _put(self, item: Item, spec: LayerSpec | None) -> None:
        present = self._arrangement
        modes, space = present.modes_with(item, spec), present.space_with(item)
        if modes == present.modes and space == present.space:
            present.put(item, spec, self._seen_steps())
            return
        # First on its own, which is cheap: a bad item must not have all others laid out anew.
        other = present.emptied(modes, space)
        other.put(item, spec)
        if present.streams:
            other = self._rearranged(modes, space, item.layer)
            other.put(item, spec)
        self._adopt(other)

    def _rearranged(self, modes: Modes, space: tuple[str, ...], layer: str) -> Arrangement:
        """Return the items laid out by modes that an item of a layer asks for."""
        known = self._misfits.get(layer)
        if known is not None and known[0] == modes:
            raise Refusal(known[1].reason, known[1].detail)
        try:
            return self._arrangement.rearranged(modes, space)
        except Refusal as error:
            self._misfits[layer] = modes, error
            raise

    def _adopt(self, other: Arrangement) -> None:
        """Show another arrangement from the next update on."""
        old, self._arrangement = self._arrangement, other
        self._misfits.clear()
        kept = {id(stream.layer) for stream in other.streams.values()}
        self._gone += [each for each in old.streams.values() if id(each.layer) not in kept]
        if old.streams:  # what there is lies somewhere else now, and would be out of sight
            self._fit.start()

    # -- modes -------------------------------------------------------------------------------

    @property
    def position_axes(self) -> tuple[str, ...]:
        """Return the axes of the positions of all items so far, whatever their modes."""
        return tuple(self._arrangement.position_axes)

    def mode(self, axis: str) -> AxisMode:
        """Return the mode of an axis, on some layer at least."""
        return self._arrangement.mode(axis)

    def choose(self, axis: str, mode: AxisMode) -> None:
        """Show an axis another way from now on; nothing is sent or copied for that.

        If items would have no place, the axis stays as it is, and the viewer says so.
        """
        present = self._arrangement
        modes = present.modes.choose(axis, mode, present.coordinates)
        try:
            self._adopt(present.rearranged(modes, present.space))
        except Refusal as error:
            self.reports.error(f"axis {axis!r} stays a {self.mode(axis)}", error)

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

    def _spans(self) -> Iterator[list[WorldSpan]]:
        """Yield how far each layer of napari reaches, the user's own too."""
        for layer in self.viewer.layers:
            extent = layer.extent
            yield [
                WorldSpan(low, high, step)
                for low, high, step in zip(*extent.world, extent.step, strict=True)
                if low <= high  # a layer without elements has no place
            ]

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
        self._attempt("layers without items", now, force, self._remove_gone)
        end = time.monotonic() + REDRAW_BUDGET
        for stream in self._in_turn():
            if drawn and not force and not stream.must_update and time.monotonic() > end:
                continue
            draw = partial(self._update, stream, now, force)
            drawn |= self._attempt(stream.name, now, force, draw)
        self._attempt(HEADINGS, now, force, self._update_headings)
        self._fit.update(drawn)
        return drawn

    def _attempt(self, name: str, now: float, force: bool, draw: Callable[[], bool]) -> bool:
        """Draw something, or try so again later: it must not keep the rest from being drawn."""
        if now < self._retry_at.get(name, 0.0) and not force:
            return False
        try:
            drawn = draw()
        except Exception as error:
            self._retry_at[name] = now + RETRY
            self.reports.error(
                "cannot be drawn", error, layer=name, traceback=True, level=logging.ERROR
            )
            contain(error)
            return False
        self._retry_at.pop(name, None)
        return drawn

    def _remove_gone(self) -> bool:
        while self._gone:
            self._gone[-1].remove()
            self._gone.pop()
        return False

    def _update_headings(self) -> bool:
        unit = next((stream.units[-1] for stream in self.streams.values()), "pixel")
        self._headings.update(self._arrangement.context.mosaic, unit)
        return False

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
