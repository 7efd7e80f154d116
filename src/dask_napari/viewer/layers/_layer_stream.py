"""Base of the streams of all kinds: the napari layer, its state, its updates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dask_napari.canvas import CanvasAxes, Mosaic, World, WorldSpan, check_pixels
from dask_napari.canvas.pixels import StoreArray
from dask_napari.model import Calibration, Conversion, Item, LayerSpec, Reports
from dask_napari.viewer.layers._contrast import Contrast
from dask_napari.viewer.layers._creation import make_layer
from dask_napari.viewer.layers._pointed_place import PointedPlaces, Pointer
from dask_napari.viewer.napari_internals import (
    is_unit,
    selection_kept,
    show_name_plainly,
    tell_tasks,
)

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


THUMBNAIL_INTERVAL: Final = 1.0
"""Seconds between thumbnails of a layer that changes: they cost as much as the canvas."""

REST: Final = 2.0
"""Times as long as a redraw took, a layer waits for the next: so redraws of what is large leave
the window two thirds of its time."""


GEOMETRY: Final = frozenset({"affine", "rotate", "shear"})
"""Options that change where a layer lies."""


@dataclass(frozen=True, slots=True)
class LayerContext:
    """Objects that all streams of a viewer share."""

    viewer: napari.viewer.Viewer
    axes: CanvasAxes
    mosaic: Mosaic
    world: World
    hold: StoreArray
    reports: Reports
    enter: Callable[[Item], None]
    """Enters an item that the user has made or changed into the catalogue."""
    sentence: Callable[..., str]
    """Says what is on a napari layer at a position, and which task made it."""
    looks: dict[tuple[str, str], dict[str, Any]]
    """How layers looked that are gone, by name and kind: layers come and go with runs and modes."""


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Name of a layer, its first item, its tap's description, and arguments for napari."""

    name: str
    item: Item
    spec: LayerSpec | None
    options: dict[str, Any]


class LayerStream:
    """Napari layer and the canvas that it shows; one subclass a group of kinds."""

    set_by_user: ClassVar[tuple[str, ...]] = ()
    """Attributes that hold settings of the user, which go with the napari layer."""
    look: ClassVar[tuple[str, ...]] = ("blending", "opacity", "visible")
    """Attributes of the napari layer that the user may have set, for a layer in its place."""
    contrast: Contrast | None = None
    """Limits of contrast, of layers that have some."""

    def __init__(self, context: LayerContext, start: StreamStart) -> None:
        item = start.item
        self.name = start.name
        self.viewer = context.viewer
        self.axes = context.axes
        self.mosaic = context.mosaic
        self.world = context.world
        self.reports = context.reports
        self.kind = item.kind
        self.enter = context.enter
        self._sentence = context.sentence
        self.run = item.run
        """Run of the last item."""
        self.source = item.stream
        """Layer and part of the items."""
        self.channel: dict[str, Any] = {}
        """Coordinates of all items on the axes that have one layer a value."""
        self.calibration: Calibration = item.calibration
        check_pixels(() if self._staged else item.calibration.translate, item.calibration.scale)
        self.spec = start.spec
        self.options = start.options
        self.layer: Layer | None = None
        self.grew = True
        """Whether the shape, the axes or the type of the canvas changed since the last update."""
        self.touched = False
        """Whether anything in view has changed since the last update."""
        self.thumbnail_due = False
        """Whether the thumbnail is not as it should be."""
        self._thumbnail_at = 0.0
        self._rest_until = 0.0
        self._version: tuple[int, int, int] = (-1, -1, -1)
        self._structure = -1

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} of {self.kind}, axes {self.axes.labels}>"

    # -- for subclasses ----------------------------------------------------------------------

    def put(self, item: Item, position: Mapping[str, Any], steps: tuple[int, ...] | None) -> bool:
        """Lay an item on the canvas; return whether an axis grew.

        ``position`` is the item's, without axes that have one layer a value; ``steps`` is where
        the viewer looks on the slider axes, None if that cannot be told. Items that cannot be
        shown raise a Refusal, TypeError or ValueError, and change nothing.
        """
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        """Number of axes of the napari layer."""
        raise NotImplementedError

    def add(self) -> None:
        """Make the napari layer, and :meth:`show` it."""
        raise NotImplementedError

    def made(self, make: Callable[[dict[str, Any]], Any]) -> Any:
        """Make a napari layer with the options that napari takes, and note the others."""
        layer, refused = make_layer(partial(self._drawable, make), self.options)
        for name, error in refused.items():
            self.reports.note(self.name, Conversion.OPTION.format(name=name, why=error))
        self.options = {name: v for name, v in self.options.items() if name not in refused}
        return layer

    def _drawable(self, make: Callable[[dict[str, Any]], Any], options: dict[str, Any]) -> Any:
        """Make a napari layer, or raise a Refusal if options move it too far from the others."""
        layer = make(options)
        if GEOMETRY & options.keys():
            extent = layer.extent
            ends = zip(*extent.world, extent.step, strict=True)
            self.world.check([WorldSpan(low, high, step) for low, high, step in ends])
        return layer

    def show(self, layer: Layer) -> None:
        """Put the napari layer into the list."""
        self.tell_tasks(layer)
        try:
            self.viewer.add_layer(layer)
        finally:
            # The window may raise for a layer that is in the list already: that one stays, while
            # one that is not is made anew in the next attempt.
            if layer in self.viewer.layers:
                self.layer = layer

    def tell_tasks(self, layer: Layer) -> None:
        """Have a napari layer tell its name, and at the pointer its tasks."""
        show_name_plainly(layer)
        tell_tasks(layer, partial(self._sentence, layer))

    def set_data(self) -> None:
        """Make napari ask for shape and content again, after the canvas has grown."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Redraw the layer; its extent and highlight are as they were."""
        assert self.layer is not None
        self.layer.refresh(extent=False, highlight=False, thumbnail=False)

    def refresh_thumbnail(self) -> None:
        """Draw the thumbnail again."""
        assert self.layer is not None
        self.layer.refresh(extent=False, highlight=False, data_displayed=False)

    def places_at(self, pointer: Pointer, value: Any = None) -> PointedPlaces:
        """Yield the places of items that a pointer may be on, the topmost first.

        ``value`` is what napari says of the layer there. Nothing is changed, since napari asks in
        a thread of its own.
        """
        raise NotImplementedError

    # -- common to all kinds -----------------------------------------------------------------

    def shows_on(self, layer: Layer) -> bool:
        """Return whether a napari layer is the stream's."""
        return layer is self.layer

    def update(self, now: float, *, force: bool = False) -> bool:
        """Bring the napari layer up to date; return whether it was redrawn.

        With ``force``, for screenshots, layers that have just been redrawn are not spared.
        """
        drawn = self._show(now, force)
        if self.thumbnail_due and (force or now - self._thumbnail_at >= THUMBNAIL_INTERVAL):
            self.thumbnail_due, self._thumbnail_at = False, now
            self.refresh_thumbnail()
        return drawn

    @property
    def must_update(self) -> bool:
        """Return whether napari has to learn new axes or sizes."""
        return self.layer is None or self.grew or self._version != self._common

    @property
    def _common(self) -> tuple[int, int, int]:
        """Versions of what all layers have in common."""
        return self.axes.version, self.world.version, self.mosaic.version

    def admit(self, spans: Sequence[WorldSpan]) -> bool:
        """Make room for the layer in the world; return whether that grew."""
        return self.world.admit(spans) and self.axes.admit_space(self.world.lengths)

    def span(self, axis: int, first: float, last: float) -> WorldSpan:
        """Return the span of pixels of the layer on one of its axes, which counts from the last."""
        scale, translate = self.calibration.scale, self.calibration.translate
        size = scale[-1 - axis] if axis < len(scale) else 1.0
        start = translate[-1 - axis] if axis < len(translate) and not self._staged else 0.0
        low, high = sorted((start + first * size, start + last * size))
        units = self.calibration.units
        unit = units[-1 - axis] if axis < len(units) and is_unit(units[-1 - axis]) else "pixel"
        return WorldSpan(low, high, abs(size), unit)

    @property
    def _staged(self) -> bool:
        """Return whether the translation of each item is where its tile lies in the mosaic."""
        return self.mosaic.by_stage

    def take_over(self, other: LayerStream) -> None:
        """Show in the napari layer of another stream, and keep what the user has set there.

        That other stream may stay after all: nothing of it, or of its layer, is changed here.
        """
        for name in ("layer", *self.set_by_user):
            setattr(self, name, getattr(other, name))

    @property
    def appearance(self) -> dict[str, Any]:
        """Arguments for a napari layer that is to look like that of the stream."""
        layer = self.layer
        names = ("name", *self.look) if layer is not None else ()
        return {name: getattr(layer, name) for name in names if hasattr(layer, name)}

    def take_edits(self) -> None:
        """Enter what the user has done on the napari layer since the last update."""

    def clear(self) -> bool:
        """Empty the napari layer for the next run to fill it; return whether it can be."""
        return False

    def remove(self) -> None:
        """Remove the napari layer, which is empty now."""
        if self.layer is not None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)

    def _show(self, now: float, force: bool) -> bool:
        if self.layer is not None and self.layer not in self.viewer.layers:
            return False  # the user has removed it; what comes is kept, but not shown
        structure = self.axes.structure
        if self.layer is None:
            with selection_kept(self.viewer.layers):
                self.add()
        elif self.must_update:
            self.set_data()
            if self._structure != structure:
                arguments = self.arguments()
                for name in ("axis_labels", "units", "scale", "translate"):
                    if tuple(getattr(self.layer, name)) != arguments[name]:
                        setattr(self.layer, name, arguments[name])
            self.thumbnail_due = True
        elif self.touched and (force or now >= self._rest_until):
            began = time.monotonic()
            self.refresh()
            self._rest_until = now + REST * (time.monotonic() - began)
            self.thumbnail_due = True
        else:
            return False
        self.grew = self.touched = False
        self._version, self._structure = self._common, structure
        return True

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that napari's layers of all kinds have."""
        return {
            "name": self.name,
            "axis_labels": self.labels,
            "units": self.units,
            "scale": self.spread(self.calibration.scale, 1.0),
            "translate": self.spread(() if self._staged else self.calibration.translate, 0.0),
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the axes of the layer."""
        return self.axes.labels[: self.ndim]

    @property
    def units(self) -> tuple[str, ...]:
        """A unit for every axis: napari ignores all units if one layer has none."""
        units = self.calibration.units
        for unit in units:
            if not is_unit(unit):
                self.reports.note(self.name, Conversion.UNIT.format(unit=unit[:40]))
        known = tuple(unit if is_unit(unit) else "pixel" for unit in units)
        return self.spread(known, "pixel")

    def spread(self, values: tuple[Any, ...], other: Any) -> tuple[Any, ...]:
        """Give the last axes their values and those before them a neutral one."""
        values = values[-self.ndim :] if values else ()
        return (other,) * (self.ndim - len(values)) + tuple(values)
