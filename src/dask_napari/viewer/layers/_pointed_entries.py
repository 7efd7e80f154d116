"""Entries of the catalogue by where a pointer is: every pixel knows its task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from dask_napari.catalog import CatalogueEntry
from dask_napari.model import LayerSpec, contained
from dask_napari.viewer.layers._layer_stream import LayerStream
from dask_napari.viewer.layers._pointed_place import Pointer
from dask_napari.viewer.layers._shown_entries import ShownEntries
from dask_napari.viewer.layers._task_sentence import sentence, value_text

if TYPE_CHECKING:
    import napari
    from napari.components import LayerList
    from napari.layers import Layer

logger = logging.getLogger(__name__)


INTERVAL = 0.2
"""Seconds between looks at what is under a pointer that rests; a person reads them."""


class PointedEntry(NamedTuple):
    """An entry of the catalogue that a pointer is on, and what to say of it."""

    entry: CatalogueEntry
    value: str = ""
    layer_axes: Collection[str] = ()
    spec: LayerSpec | None = None


class PointedEntries:
    """Find the entries that a pointer is on, and say what they are.

    Napari asks from a thread of its own, while the main thread lays out what arrives. So nothing
    is changed here, and what cannot be found in the middle of a change is not said: napari asks
    again with the next move.
    """

    def __init__(
        self, shown: ShownEntries, streams: Callable[[], Mapping[str, LayerStream]]
    ) -> None:
        self._shown = shown
        self._streams = streams
        self._told = -1  # version of the catalogue that napari was last asked to look at
        self._told_at = 0.0

    def __repr__(self) -> str:
        return f"<PointedEntries of {len(self._streams())} streams>"

    def renew(self, viewer: napari.viewer.Viewer, now: float) -> None:
        """Have napari say anew what is at a pointer that rests, if anything has changed."""
        version = self._shown.catalogue.version
        if version == self._told or now - self._told_at < INTERVAL or not viewer.mouse_over_canvas:
            return
        self._told, self._told_at = version, now
        viewer.cursor.events.position(value=viewer.cursor.position)

    def stream_of(self, layer: Layer) -> LayerStream | None:
        """Return the stream that a napari layer shows, None for one of the user's own."""
        streams = list(self._streams().values())
        return next((each for each in streams if each.shows_on(layer)), None)

    def entry_at(self, layer: Layer, pointer: Pointer, value: Any = None) -> CatalogueEntry | None:
        """Return the topmost entry of a layer at a pointer, also one without an item.

        ``value`` is what napari says of the layer there; it tells elements apart.
        """
        stream = self.stream_of(layer)
        if stream is None:
            return None
        for place in stream.places_at(pointer, value):
            for source in dict.fromkeys((stream.source, (stream.source[0], ""))):
                entry = self._shown.entry_at(source, place.position, place.origin)
                if entry is not None and (place.has_item or entry.item is None):
                    return entry
        return None

    def sentence(self, layer: Layer, position: Any, where: Mapping[str, Any], more: str) -> str:
        """Return what is on a layer at a position, empty for nothing; it never raises.

        ``where`` is napari's view of it, ``more`` what napari says of the value.
        """
        with contained(lambda error: logger.debug("no sentence: %r", error), foreign=True):
            pointer = Pointer(position, where.get("view_direction"), where["dims_displayed"])
            if (found := self._on(layer, pointer)) is not None:
                entry, value, layer_axes, spec = found
                return sentence(
                    entry,
                    "; ".join(text for text in (value, more) if text),
                    layer_axes,
                    spec,
                    self._shown.catalogue.status(entry),
                    tells_run=self._shown.catalogue.has_runs(entry.meta.stream),
                )
        return ""

    def topmost(self, layers: LayerList, pointer: Pointer) -> PointedEntry | None:
        """Return the entry at a pointer, of the selected layer or else of the topmost one."""
        selected = layers.selection.active
        for layer in dict.fromkeys((selected, *reversed(layers))):
            if layer is not None and layer.visible:
                with contained(lambda error: logger.debug("no entry: %r", error), foreign=True):
                    if (found := self._on(layer, pointer)) is not None:
                        return found
        return None

    def _on(self, layer: Layer, pointer: Pointer) -> PointedEntry | None:
        """Return the entry of a layer at a pointer, and what napari says of it."""
        stream = self.stream_of(layer)
        if stream is None:
            return None
        value = layer.get_value(
            pointer.position,
            view_direction=pointer.view_direction,
            dims_displayed=None if pointer.displayed is None else list(pointer.displayed),
            world=True,
        )
        entry = self.entry_at(layer, pointer, value)
        if entry is None:
            return None
        kind = "labels" if layer is not stream.layer else stream.kind
        text = "" if entry.item is None else value_text(kind, value)
        return PointedEntry(entry, text, tuple(stream.channel), stream.spec)
