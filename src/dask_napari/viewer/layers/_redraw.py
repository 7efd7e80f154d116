"""Redraw of the layers: a few a tick, each at most once, whatever one of them does."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from dask_napari.model import Reports, contain
from dask_napari.viewer.camera import CameraFit
from dask_napari.viewer.layers._arrangement import Arrangement
from dask_napari.viewer.layers._headings import NAME as HEADINGS
from dask_napari.viewer.layers._headings import Headings
from dask_napari.viewer.layers._layer_stream import LayerStream
from dask_napari.viewer.napari_internals import LayerBatch, make_controls_on_demand
from dask_napari.viewer.napari_shortcuts import make_layers_cheaper

if TYPE_CHECKING:
    import napari


STACK: Final = ("image", "surface", "labels", "shapes", "vectors", "tracks", "points")
"""Kinds from the bottom to the top of the layer list: what is small lies on what is large."""

BUDGET: Final = 0.015
"""Seconds of a tick after which layers that are to be redrawn wait for the next."""

BATCH_BUDGET: Final = 0.040
"""Seconds of a tick after which layers that are to be made or removed wait for the next: napari
takes 20 ms or more for one. The stall is that of one or two layers, however many there are."""

MANY: Final = 4
"""Layers to make or remove of which napari draws all at once, when they are done."""

RETRY: Final = 3.0
"""Seconds after which a layer that could not be drawn is tried again; an attempt may take long."""


class Redraw:
    """Make, redraw and remove napari layers until they show an arrangement."""

    def __init__(self, viewer: napari.viewer.Viewer, reports: Reports) -> None:
        self.headings: Headings = Headings(viewer)
        self.fit: CameraFit = CameraFit(viewer, self.headings.room)
        """Keeps what is laid out in sight, until the user looks elsewhere."""
        self._viewer = viewer
        self._reports = reports
        self._gone: list[LayerStream] = []
        """Streams whose napari layers are to be removed."""
        self._retry_at: dict[str, float] = {}
        make_controls_on_demand(viewer)
        make_layers_cheaper()
        self._batch = LayerBatch(viewer)
        self._turn = 0

    def __repr__(self) -> str:
        return f"<Redraw: {len(self._gone)} layers to remove>"

    def let_go(self, streams: Iterable[LayerStream]) -> None:
        """Remove the layers of streams from the next update on."""
        self._gone += streams

    def progress(self, arrangement: Arrangement) -> tuple[int, int]:
        """Return how many layers have to be made or removed still, and how many there are."""
        streams = arrangement.streams.values()
        to_make = sum(stream.layer is None for stream in streams)
        return to_make + len(self._gone), len(streams) + len(self._gone)

    def update(self, arrangement: Arrangement, now: float, *, force: bool = False) -> bool:
        """Bring the layers up to date, as far as the budget goes; return whether any was redrawn.

        With ``force`` all of them, whatever that takes.
        """
        drawn = False
        if not self._viewer.layers:
            self.fit.start()
        left = self.progress(arrangement)[0]
        if left >= MANY:
            self._batch.begin()
        began = time.monotonic()
        until = math.inf if force else began + BATCH_BUDGET
        self.attempt("layers without items", now, force, partial(self._remove_gone, until))
        for stream in self._in_turn(arrangement):
            is_new = stream.layer is None
            may_wait = is_new or not stream.must_update
            took = time.monotonic() - began
            if drawn and not force and may_wait and took > (BATCH_BUDGET if is_new else BUDGET):
                continue
            draw = partial(self._update, stream, arrangement, now, force)
            drawn |= self.attempt(stream.name, now, force, draw)
        self.attempt(HEADINGS, now, force, partial(self._update_headings, arrangement))
        if self.progress(arrangement)[0] in (0, left):  # done, or what is left cannot be drawn
            self._batch.end()
        self.fit.update(drawn)
        return drawn

    def close(self) -> None:
        """Leave the viewer as it is."""
        self._batch.end()
        self.headings.close()

    def attempt(self, name: str, now: float, force: bool, draw: Callable[[], bool]) -> bool:
        """Draw something, or try so again later: it must not keep the rest from being drawn."""
        if now < self._retry_at.get(name, 0.0) and not force:
            return False
        try:
            drawn = draw()
        except Exception as error:
            self._retry_at[name] = now + RETRY
            self._reports.error(
                "cannot be drawn", error, layer=name, traceback=True, level=logging.ERROR
            )
            contain(error)
            return False
        self._retry_at.pop(name, None)
        return drawn

    def _remove_gone(self, until: float) -> bool:
        while self._gone:
            self._gone[-1].remove()
            self._gone.pop()
            if time.monotonic() > until:
                break
        return False

    def _in_turn(self, arrangement: Arrangement) -> list[LayerStream]:
        """Return the streams: new and grown ones first, then each of the others first in turn."""
        self._turn += 1
        streams = list(arrangement.streams.values())
        first = self._turn % max(1, len(streams))
        turn = streams[first:] + streams[:first]
        urgent = [stream for stream in streams if stream.must_update]
        return urgent + [stream for stream in turn if not stream.must_update]

    def _update(
        self, stream: LayerStream, arrangement: Arrangement, now: float, force: bool
    ) -> bool:
        fresh = stream.layer is None
        drawn = stream.update(now, force=force)
        if fresh:
            self._stack(stream, arrangement)
        return drawn

    def _stack(self, stream: LayerStream, arrangement: Arrangement) -> None:
        """Move a new layer under those of ours whose kinds belong above it."""
        layers, streams = self._viewer.layers, arrangement.streams.values()
        above = STACK[STACK.index(stream.kind) + 1 :]
        ours = {id(other.layer) for other in streams if other.kind in above}
        first = next((n for n, other in enumerate(layers) if id(other) in ours), None)
        if first is not None:
            layers.move(layers.index(stream.layer), first)

    def _update_headings(self, arrangement: Arrangement) -> bool:
        self.headings.update(arrangement.context.mosaic)
        return False
