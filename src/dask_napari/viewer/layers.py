"""The napari layers: one per stream, made once and updated, never made again."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dask_napari.canvas import Axes, split
from dask_napari.stream.item import ARRIVAL_AXIS, Item, LayerSpec
from dask_napari.viewer.pixels import PixelStream
from dask_napari.viewer.stream import CannotShow, Stream

if TYPE_CHECKING:
    import napari

STREAMS: Final[dict[str, type[Stream]]] = {"image": PixelStream, "labels": PixelStream}
"""What shows the items of each kind."""

STACK: Final = ("image", "surface", "labels", "shapes", "vectors", "tracks", "points")
"""Kinds from the bottom to the top of the layer list: what is small lies on what is large."""

CHANNEL_COLORMAPS: Final = ("cyan", "magenta", "yellow", "green", "red", "blue")
"""For the layers of one stream in turn; they add up to white in pairs, as in OME's viewers."""


class Layers:
    """Put items on canvases and keep the napari layers up to date.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers live.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.viewer = viewer
        self.axes = Axes(arrival=(ARRIVAL_AXIS,))
        self.streams: dict[str, Stream] = {}
        self.newest: tuple[Mapping[str, Any], bool] | None = None
        """Position of the last item, and whether it made an axis grow."""
        self._colours: dict[str, itertools.cycle[str]] = {}

    def put(self, item: Item, spec: LayerSpec | None) -> None:
        """Lay an item on its canvas.

        Raises
        ------
        CannotShow, TypeError, ValueError
            If it cannot be shown; nothing has changed then.
        """
        if item.kind not in STREAMS:
            raise CannotShow(f"kind {item.kind} is not shown yet")
        modes = spec.axes if spec else {}
        position = item.position or {ARRIVAL_AXIS: item.provenance.key}
        name, sliders, channels = split(item.name, position, modes)
        stream = self.streams.get(name)
        if stream is None:
            options = {**item.options, **(spec.options if spec else {})}
            if channels and item.kind == "image" and not item.rgb:
                colours = self._colours.setdefault(item.name, itertools.cycle(CHANNEL_COLORMAPS))
                options = {"colormap": next(colours), "blending": "additive", **options}
            stream = STREAMS[item.kind](name, self.viewer, self.axes, item, spec, options)
        if stream.kind != item.kind:
            raise CannotShow(f"{item.kind} on a layer of {stream.kind}")
        grew = stream.put(item, sliders, self._seen_steps())
        self.streams[name] = stream
        self.newest = sliders, grew

    @property
    def offset(self) -> int | None:
        """Dimensions of the viewer before ours; None while it does not have all of ours.

        A layer of the user's own may have more dimensions, and with all layers removed napari
        falls back to two.
        """
        offset = int(self.viewer.dims.ndim) - len(self.axes.labels)
        return offset if offset >= 0 else None

    def steps(self) -> tuple[int, ...] | None:
        """Index of each slider axis that is looked at, None if they are not all there."""
        offset = self.offset
        if offset is None:
            return None
        steps = self.viewer.dims.current_step[offset : offset + len(self.axes)]
        return tuple(min(step, size - 1) for step, size in zip(steps, self.axes.shape, strict=True))

    def _seen_steps(self) -> tuple[int, ...] | None:
        """The same; None too if a slider axis is shown in space, so that more is seen."""
        steps, offset = self.steps(), self.offset
        if steps is None or offset is None:
            return None
        displayed = self.viewer.dims.displayed
        return None if any(offset <= axis < offset + len(steps) for axis in displayed) else steps

    def update(self, now: float) -> bool:
        """Bring the layers up to date, each at most once; return whether any was redrawn."""
        drawn = False
        for stream in self.streams.values():
            fresh = stream.layer is None
            drawn |= stream.update(now)
            if fresh:
                self._stack(stream)
        return drawn

    def _stack(self, stream: Stream) -> None:
        """Move a new layer under ours of kinds that belong above it; the rest stays."""
        layers = self.viewer.layers
        above = STACK[STACK.index(stream.kind) + 1 :]
        ours = {id(other.layer) for other in self.streams.values() if other.kind in above}
        first = next((n for n, other in enumerate(layers) if id(other) in ours), None)
        if first is not None:
            layers.move(layers.index(stream.layer), first)
