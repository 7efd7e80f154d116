"""Layers of a viewer: one per stream, made once and updated, never made again."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Container, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from dask_napari.canvas import CanvasAxes, Mosaic, World, WorldSpan
from dask_napari.canvas.pixels import PaintableArray, storable
from dask_napari.catalog import (
    ArrayHandle,
    Catalogue,
    HeldItem,
    State,
)
from dask_napari.model import (
    PIXEL_KINDS,
    TASK_STATES,
    Item,
    LayerSpec,
    Reports,
    SharedPlaces,
    reason_of,
)
from dask_napari.viewer.layers._arrangement import Arrangement
from dask_napari.viewer.layers._headings import Headings
from dask_napari.viewer.layers._inherited_calibrations import InheritedCalibrations
from dask_napari.viewer.layers._layer_stream import LayerContext
from dask_napari.viewer.layers._layouts import Layouts
from dask_napari.viewer.layers._pointed_entries import PointedEntries
from dask_napari.viewer.layers._shown_entries import ShownEntries
from dask_napari.viewer.layers._task_overlay import TaskOverlay
from dask_napari.viewer.layers._world_frame import WorldFrame
from dask_napari.viewer.storage import BlockStore

if TYPE_CHECKING:
    import napari


logger = logging.getLogger(__name__)


class Layers(Layouts):
    """Put items on canvases and keep the layers of a napari viewer up to date.

    Without a store, all images and labels stay in memory.
    """

    def __init__(self, viewer: napari.viewer.Viewer, store: BlockStore | None = None) -> None:
        self.store: BlockStore = BlockStore() if store is None else store
        catalogue, reports = Catalogue(), Reports(logger)
        shown_entries = ShownEntries(catalogue, InheritedCalibrations(catalogue, reports))
        self.pointed: PointedEntries = PointedEntries(shown_entries, lambda: self.streams)
        context = LayerContext(
            viewer,
            CanvasAxes(),
            Mosaic(),
            World(self._spans),
            self.store.hold,
            reports,
            self._enter,
            self.pointed.sentence,
            {},
        )
        super().__init__(viewer, shown_entries, context)
        self._frame = WorldFrame()
        self._shared = SharedPlaces(self.reports)
        self._waiting: tuple[Item, Item] | None = None
        """Item that waits for a layout, as it came and as it is kept."""
        self.overlay: TaskOverlay = TaskOverlay(viewer, self.catalogue)
        """States of tasks over the pictures, if the user wants to see them."""
        self._undrawn: list[Item] = []  # laid out since the last update
        self._reserved: tuple[Arrangement | None, int] = None, 0
        """Arrangement and version of the catalogue whose tasks have room in the mosaic."""

    def items_of(self, name: str, kind: str) -> Iterator[Item] | None:
        """Return all items behind a napari layer; None if it is not live."""
        for stream in self.streams.values():
            if stream.layer is not None and (stream.layer.name, stream.kind) == (name, kind):
                return self._items_on({stream.name})
        return None

    @property
    def source_names(self) -> list[str]:
        """Names of layers as taps have them, or of their parts, before axes add to them."""
        sources = (stream.source for stream in self.streams.values())
        return list(dict.fromkeys(part or name for name, part in sources))

    def items_from(self, source: str) -> Iterator[Item]:
        """Return all items of one of :attr:`source_names`, over all of its napari layers."""
        alike = (s for s in self.streams.values() if (s.source[1] or s.source[0]) == source)
        return self._items_on({stream.name for stream in alike})

    def fill_of(self, item: Item) -> float:
        """Return the value that images of an item's layer have where there is none."""
        spec = self._specs.get(item.layer)
        return spec.fill if spec is not None and item.kind == "image" else 0.0

    def _items_on(self, names: Container[str]) -> Iterator[Item]:
        """Yield the items on layers, where they are laid out, with calibrations as stated."""
        for entry in chain.from_iterable(self._entries_of(names).values()):
            if entry.item is not None:
                item = copy.copy(self.shown_entries.placed(entry.item))
                item.amend(calibration=self._frame.stated(item.calibration))
                yield item

    @property
    def newest(self) -> tuple[Mapping[str, Any], bool] | None:
        """Position of the last item on the sliders, and whether it made an axis grow."""
        return self._arrangement.newest

    def put(self, item: Item, spec: LayerSpec | None) -> State | None:
        """Enter an item into the catalogue, and lay it on its canvas; return its state.

        An item of a layer that the user has removed is hidden. Items that cannot be shown raise
        a Refusal, TypeError or ValueError, and change nothing on the screen. None is returned for
        an item that asks for another layout of very many: it has to be put again, until that
        is there.
        """
        given = item
        frame = self._frame.extended(item.calibration)
        calibration = frame.drawn(item.calibration)
        if is_drawn_otherwise := calibration is not item.calibration:
            difference = frame.difference(item.calibration)
            item = copy.copy(item)
            item.amend(calibration=calibration)
        try:
            if self._waiting is not None and self._waiting[0] is given:
                item = self._waiting[1]
            elif item.kind in PIXEL_KINDS:
                item = HeldItem.kept(item, partial(self._keep, labels=item.kind == "labels"))
            state = self._lay(item, spec)
        except Exception as error:
            self._waiting = None
            self.catalogue.drop(item, reason_of(error))
            raise
        self._waiting = (given, item) if state is None else None
        if state is None:
            return None
        if is_drawn_otherwise:
            self.reports.note(item.name, difference)
        self._frame = frame
        self.shown_entries.admit(item)
        self._undrawn.append(item)
        former = self.catalogue.find(item.meta, item.run)
        if former is not None and former.item is not None:
            keys = item.provenance.key, former.meta.provenance.key
            self._shared.add(item.name, item.place, *keys)
        self.catalogue.put(item, state)
        if self.shown_entries.calibrations.admit(item):
            self._chosen()  # others lie on this one: all is laid out anew
        elif self._choice is not None:
            self._choice.add(item, state)
        return state

    def _enter(self, item: Item) -> None:
        """Enter elements that the user has made or changed, which are laid out already."""
        entered = self.shown_entries.entered(item)
        self.catalogue.put(entered, is_edited=True)
        if self._choice is not None:
            self._choice.add(entered, "shown")
        if self._asked is not None:
            self._asked[1].add(entered)

    def _keep(self, data: npt.NDArray[Any], *, labels: bool) -> ArrayHandle:
        held = self.store.hold(storable(data, labels=labels))
        return PaintableArray(held) if labels else held

    def _lay(self, item: Item, spec: LayerSpec | None) -> State | None:
        """Lay an item on its canvas, unless it is hidden or of a run that is not shown.

        Return its state, None while what it asks for is laid out.
        """
        present, shown = self._arrangement, self.shown_entries
        placed = shown.placed(item)
        known = self._specs.get(item.layer, spec)
        is_retapped = known is not spec and _layout_of(known) != _layout_of(spec)
        modes = present.modes
        if is_retapped:
            others = [each for name, each in self._specs.items() if name != item.layer]
            modes = modes.retapped(known, [*others, spec])
        modes = modes.extended(placed.position, spec, present.context.mosaic, self._coordinates)
        space = present.space_with(placed)
        if not shown.in_run(item) or shown.is_removed(item):
            present.emptied(modes, space).put(placed, spec)  # so that it can be shown later
            self._specs.setdefault(item.layer, spec)
            return "shown" if not shown.in_run(item) else "hidden"
        is_in_place = (modes, space) == (present.modes, present.space) and not is_retapped
        if is_in_place and not shown.starts_run(item):
            present.put(placed, spec, self._seen_steps())
            self._specs[item.layer] = spec
            return "shown"
        # First on its own, which is cheap: a bad item must not have all others laid out anew.
        other = present.emptied(modes, space)
        other.put(placed, spec)
        if present.streams:
            rearranged = self._rearranged(modes, space, item, spec)
            if rearranged is None:
                return None
            other = rearranged
            other.put(placed, spec)
            if shown.starts_run(item):
                note = f"run {item.run} is shown now; the dock has the runs before"
                self.reports.note(item.layer, note)
        self._specs[item.layer] = spec
        self._adopt(other, starts=item.stream if shown.starts_run(item) else None)
        return "shown"

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

    @property
    def headings(self) -> Headings:
        """Names beside a plate."""
        return self._redraw.headings

    def update(self, now: float, *, force: bool = False) -> bool:
        """Bring the layers up to date, each at most once; return whether any was redrawn.

        With ``force`` all of them at once, however long that takes.
        """
        self.go_on(now, force=force)
        self._reserve()
        drawn = self._redraw.update(self._arrangement, now, force=force)
        self.pointed.renew(self.viewer, now)
        self._redraw.attempt("states of tasks", now, force, partial(self._draw_states, now, force))
        if self._undrawn:
            at = time.time()  # one float for all of them
            for item in self._undrawn:
                item.drawn = at
            self._undrawn.clear()
        if not self.in_progress[0]:
            self._former = None
        return drawn

    def _reserve(self) -> None:
        """Make room in the mosaic for the items of tasks, once an item tells how large tiles are.

        So tiles stay where they are when others come.
        """
        catalogue, mosaic = self.catalogue, self.mosaic
        if not mosaic.axes or mosaic.tile == (0.0, 0.0):
            return
        arrangement, version = self._reserved
        changed = catalogue.changes(version) if arrangement is self._arrangement else None
        self._reserved = self._arrangement, catalogue.version
        for entry in catalogue.tasks() if changed is None else changed:
            if entry.state in TASK_STATES:
                mosaic.reserve(entry.meta.position)

    def _draw_states(self, now: float, force: bool) -> bool:
        self.overlay.update(self._arrangement, self.steps(), now, force=force)
        return False

    def close(self) -> None:
        """Write and draw no more; the layers stay as they are."""
        self._redraw.close()
        self.overlay.close()
        self.store.close()


def _layout_of(spec: LayerSpec | None) -> tuple[object, ...]:
    """Return what a description of a layer says of where items lie."""
    if spec is None:
        return {}, {}, "pad"
    return {axis: m for axis, m in spec.axes.items() if m != "slider"}, spec.layouts, spec.sizes
