"""The napari layers: one per stream, made once and updated, never made again."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dask_napari.canvas import Axes, Canvas, Change, split
from dask_napari.stream.item import ARRIVAL_AXIS, Calibration, Item, LayerSpec
from dask_napari.viewer.contrast import RunningContrast

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

SHOWN_KINDS: Final = ("image", "labels")

CHANNEL_COLORMAPS: Final = ("cyan", "magenta", "yellow", "green", "red", "blue")
"""For the layers of one stream in turn; they add up to white in pairs, as in OME's viewers."""

THUMBNAIL_INTERVAL: Final = 1.0
"""Seconds between thumbnails of a layer that changes: they cost as much as the canvas."""


class CannotShow(ValueError):
    """An item that has no place in the viewer; the text is the reason in the ledger."""


@dataclass
class Stream:
    """A canvas with the layer that shows it."""

    canvas: Canvas
    kind: str
    calibration: Calibration
    layer: Layer | None = None
    contrast: RunningContrast = field(default_factory=RunningContrast)
    options: dict[str, Any] = field(default_factory=dict)
    grew: bool = True
    touched: bool = False
    thumbnail_due: bool = False
    thumbnail_at: float = 0.0
    version: int = -1
    structure: int = -1


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
        if item.kind not in SHOWN_KINDS:
            raise CannotShow(f"kind {item.kind} is not shown yet")
        modes = spec.axes if spec else {}
        position = item.position or {ARRIVAL_AXIS: item.provenance.key}
        name, sliders, channels = split(item.layer, position, modes)
        stream = self.streams.get(name)
        fresh = stream is None
        if stream is None:
            colour = item.data.shape[-1] if item.rgb else 0
            canvas = Canvas(self.axes, labels=item.kind == "labels", colour=colour)
            options = dict(spec.options) if spec else {}
            if channels and item.kind == "image" and not item.rgb:
                colours = self._colours.setdefault(item.layer, itertools.cycle(CHANNEL_COLORMAPS))
                options = {"colormap": next(colours), "blending": "additive", **options}
            fixed = "contrast_limits" in options or item.rgb
            stream = Stream(
                canvas,
                item.kind,
                item.calibration,
                contrast=RunningContrast(fixed=fixed or item.kind == "labels"),
                options=options,
            )
        if stream.kind != item.kind:
            raise CannotShow(f"{item.kind} on a layer of {stream.kind}")
        if item.rgb != bool(stream.canvas.colour):
            raise CannotShow("colour and grey images on one layer")
        change = stream.canvas.put(
            sliders, item.data, order=tuple(modes), names=item.calibration.axes
        )
        stream.contrast.observe(item.data)
        if fresh:
            self.streams[name] = stream
        stream.grew |= change.grew
        stream.touched |= self._displays(stream, change)
        self.newest = sliders, change.grew

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

    def _displays(self, stream: Stream, change: Change) -> bool:
        """Whether a change is to be seen at the present position of the sliders."""
        steps, offset = self.steps(), self.offset
        if stream.layer is None or steps is None or offset is None:
            return True
        if any(offset <= axis < offset + len(steps) for axis in self.viewer.dims.displayed):
            return True  # a slider axis is shown in space
        return stream.canvas.place_at(steps) == change.place

    def update(self, now: float) -> bool:
        """Bring the layers up to date, each at most once; return whether any was redrawn."""
        drawn = False
        for name, stream in self.streams.items():
            if stream.layer is None:
                self._add(name, stream)
                drawn = True
            elif stream.layer not in self.viewer.layers:
                continue  # the user has removed it; what comes is kept, but not shown
            elif stream.grew or stream.version != self.axes.version:
                self._grow(stream)
                drawn = True
            elif stream.touched and stream.layer is not None:
                # Only what is displayed has changed: extent and highlight are as they were.
                stream.layer.refresh(extent=False, highlight=False, thumbnail=False)
                stream.thumbnail_due = True
                drawn = True
            assert stream.layer is not None
            if stream.thumbnail_due and now - stream.thumbnail_at >= THUMBNAIL_INTERVAL:
                stream.thumbnail_due, stream.thumbnail_at = False, now
                stream.layer.refresh(extent=False, highlight=False, data_displayed=False)
            if stream.kind == "image" and not stream.contrast.fixed:
                stream.contrast.apply(stream.layer)
            stream.grew = stream.touched = False
            stream.version = self.axes.version
        return drawn

    def _grow(self, stream: Stream) -> None:
        assert stream.layer is not None
        # Setting the same data makes napari ask for shape and dtype again; it copies nothing.
        stream.layer.data = stream.layer.data
        if stream.structure != self.axes.structure:
            stream.structure = self.axes.structure
            stream.layer.axis_labels = self._labels(stream)
            stream.layer.units = self._units(stream)
        stream.thumbnail_due = True

    def _add(self, name: str, stream: Stream) -> None:
        options: dict[str, Any] = {
            "name": name,
            "axis_labels": self._labels(stream),
            "units": self._units(stream),
            "scale": self._spread(stream, stream.calibration.scale, 1.0),
            "translate": self._spread(stream, stream.calibration.translate, 0.0),
            "multiscale": False,
        }
        if stream.kind == "image":
            options["rgb"] = bool(stream.canvas.colour)
            if not stream.canvas.colour:
                options["contrast_limits"] = stream.contrast.limits
        stream.structure = self.axes.structure
        options |= stream.options
        active = self.viewer.layers.selection.active
        add = self.viewer.add_labels if stream.kind == "labels" else self.viewer.add_image
        stream.layer = add(stream.canvas, **options)
        if stream.kind == "image":
            stream.contrast.attach(stream.layer)
            self._below_labels(stream.layer)
        if active is not None:
            self.viewer.layers.selection.active = active

    def _below_labels(self, layer: Layer) -> None:
        """Move a new image under the labels, where these can be seen; the rest stays."""
        layers = self.viewer.layers
        ours = {id(s.layer) for s in self.streams.values() if s.kind == "labels"}
        first = next((n for n, other in enumerate(layers) if id(other) in ours), None)
        if first is not None:
            layers.move(layers.index(layer), first)

    def _labels(self, stream: Stream) -> tuple[str, ...]:
        return self.axes.labels[: self._ndim(stream)]

    def _ndim(self, stream: Stream) -> int:
        return stream.canvas.ndim - bool(stream.canvas.colour)

    def _units(self, stream: Stream) -> tuple[str, ...]:
        # On every layer and axis: napari ignores all units if one layer has none.
        return self._spread(stream, stream.calibration.units, "pixel")

    def _spread(self, stream: Stream, values: tuple[Any, ...], other: Any) -> tuple[Any, ...]:
        """Give the last axes their values and those before them a neutral one."""
        ndim = self._ndim(stream)
        values = values[-ndim:] if values else ()
        return (other,) * (ndim - len(values)) + tuple(values)
