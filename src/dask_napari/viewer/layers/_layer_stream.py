"""What the layers of all kinds have in common: the napari layer, its state, its updates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dask_napari.canvas import CanvasAxes, Mosaic
from dask_napari.canvas.pixels import StoreArray
from dask_napari.model import Calibration, Item, LayerSpec
from dask_napari.viewer.layers._creation import made_with
from dask_napari.viewer.layers._layer_notes import LayerNotes

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


THUMBNAIL_INTERVAL: Final = 1.0
"""Seconds between thumbnails of a layer that changes: they cost as much as the canvas."""

REST: Final = 2.0
"""Times as long as a redraw took, a layer waits for the next: so redraws of what is large leave
the window two thirds of its time."""


class CannotShow(ValueError):
    """An item that has no place in the viewer; the text is the reason in the ledger."""


@dataclass(frozen=True, slots=True)
class LayerContext:
    """What all streams of a viewer share.

    Attributes
    ----------
    viewer : napari.Viewer
        Where layers are added.
    axes : CanvasAxes
        Sliders and spatial axes.
    mosaic : Mosaic
        Where tiles lie.
    hold : StoreArray
        Takes blocks into keeping.
    notes : LayerNotes
        What is said of how things are shown.
    """

    viewer: napari.viewer.Viewer
    axes: CanvasAxes
    mosaic: Mosaic
    hold: StoreArray
    notes: LayerNotes


@dataclass(frozen=True, slots=True)
class StreamStart:
    """What is known of a stream when it begins.

    Attributes
    ----------
    name : str
        Name of the napari layer.
    item : Item
        The first one; it says kind and calibration.
    spec : LayerSpec, optional
        What the tap says of the layer.
    options : dict of str to object
        Arguments for napari's ``add_<kind>``.
    """

    name: str
    item: Item
    spec: LayerSpec | None
    options: dict[str, Any]


class LayerStream:
    """A napari layer and what it shows; one subclass a group of kinds.

    Parameters
    ----------
    around : LayerContext
        What it shares with others.
    start : StreamStart
        What it begins with.
    """

    def __init__(self, around: LayerContext, start: StreamStart) -> None:
        item = start.item
        self.name = start.name
        self.viewer = around.viewer
        self.axes = around.axes
        self.mosaic = around.mosaic
        self.notes = around.notes
        self.kind = item.kind
        self.source = item.layer, item.part
        """Layer and part of the items, for those that are made again from what is here."""
        self.channel: dict[str, Any] = {}
        """Coordinates of all items on the axes that have one layer a value."""
        self.calibration: Calibration = item.calibration
        self.spec = start.spec
        self.options = start.options
        self.own_options = item.options
        """Those that came with the output, for streams that are made of this one's items."""
        self.layer: Layer | None = None
        self.grew = True
        """Whether the shape, the axes or the type of the canvas changed since the last update."""
        self.touched = False
        """Whether anything that is displayed changed since the last update."""
        self.thumbnail_due = False
        """Whether the thumbnail is not as it should be."""
        self._thumbnail_at = 0.0
        self._rest_until = 0.0
        self._version = -1
        self._structure = -1

    # -- for subclasses ----------------------------------------------------------------------

    def put(self, item: Item, position: Mapping[str, Any], steps: tuple[int, ...] | None) -> bool:
        """Lay an item on the canvas; true if an axis grew.

        ``position`` is the item's, without axes that have one layer a value; ``steps`` is where
        the viewer looks on the slider axes, None if that cannot be told.

        Raises
        ------
        CannotShow, TypeError, ValueError
            If it cannot be shown; nothing has changed then.
        """
        raise NotImplementedError

    def items(self) -> Iterator[Item]:
        """What was put, with all that is needed to put it elsewhere."""
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        """Number of axes of the napari layer."""
        raise NotImplementedError

    def add(self) -> None:
        """Make the napari layer, and :meth:`show` it."""
        raise NotImplementedError

    def made(self, make: Callable[[dict[str, Any]], Any]) -> Any:
        """Make a napari layer with the options that napari takes; say which ones it does not."""
        layer, refused = made_with(make, self.options)
        self._say_refused(refused)
        return layer

    def show(self, layer: Layer) -> None:
        """Put the napari layer into the list."""
        # First: what napari's window raises for a layer that is in its list already must not
        # have a new one made in the next tick.
        self.layer = layer
        self.viewer.add_layer(layer)

    def _say_refused(self, refused: Mapping[str, Exception]) -> None:
        for name, error in refused.items():
            self.notes.say(self.name, f"shown without the option {name!r}: {error}")
        self.options = {name: v for name, v in self.options.items() if name not in refused}

    def set_data(self) -> None:
        """Make napari ask for shape and content again, after the canvas has grown."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Draw again what is displayed; extent and highlight are as they were."""
        assert self.layer is not None
        self.layer.refresh(extent=False, highlight=False, thumbnail=False)

    def refresh_thumbnail(self) -> None:
        """Draw the thumbnail again."""
        assert self.layer is not None
        self.layer.refresh(extent=False, highlight=False, data_displayed=False)

    # -- what is the same for all ------------------------------------------------------------

    def update(self, now: float, *, force: bool = False) -> bool:
        """Bring the napari layer up to date; true if it was redrawn.

        ``force`` is for a picture of all there is: what has just been redrawn is redrawn again.
        """
        drawn = self._show(now, force)
        if self.thumbnail_due and (force or now - self._thumbnail_at >= THUMBNAIL_INTERVAL):
            self.thumbnail_due, self._thumbnail_at = False, now
            self.refresh_thumbnail()
        return drawn

    @property
    def must_update(self) -> bool:
        """Whether napari does not know yet what axes and sizes there are."""
        return self.layer is None or self.grew or self._version != self.axes.version

    def take_over(self, other: LayerStream) -> None:
        """Show in the napari layer of a stream that this one replaces; what the user set stays."""
        self.layer = other.layer

    def remove(self) -> None:
        """Take the napari layer away: nothing is on it any more."""
        if self.layer is not None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)

    def _show(self, now: float, force: bool) -> bool:
        if self.layer is not None and self.layer not in self.viewer.layers:
            return False  # the user has removed it; what comes is kept, but not shown
        if self.layer is None:
            self._structure = self.axes.structure
            active = self.viewer.layers.selection.active
            self.add()
            if active is not None:
                self.viewer.layers.selection.active = active
        elif self.must_update:
            self.set_data()
            if self._structure != self.axes.structure:
                self._structure = self.axes.structure
                self.layer.axis_labels = self.labels
                self.layer.units = self.units
            self.thumbnail_due = True
        elif self.touched and (force or now >= self._rest_until):
            began = time.monotonic()
            self.refresh()
            self._rest_until = now + REST * (time.monotonic() - began)
            self.thumbnail_due = True
        else:
            return False
        self.grew = self.touched = False
        self._version = self.axes.version
        return True

    def arguments(self) -> dict[str, Any]:
        """What is the same for napari's ``add_<kind>`` of all kinds."""
        return {
            "name": self.name,
            "axis_labels": self.labels,
            "units": self.units,
            "scale": self.spread(self.calibration.scale, 1.0),
            "translate": self.spread(self.calibration.translate, 0.0),
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the axes of the layer."""
        return self.axes.labels[: self.ndim]

    @property
    def units(self) -> tuple[str, ...]:
        """A unit for every axis: napari ignores all units if one layer has none."""
        return self.spread(self.calibration.units, "pixel")

    def spread(self, values: tuple[Any, ...], other: Any) -> tuple[Any, ...]:
        """Give the last axes their values and those before them a neutral one."""
        values = values[-self.ndim :] if values else ()
        return (other,) * (self.ndim - len(values)) + tuple(values)
