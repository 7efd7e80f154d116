"""Shortcuts in napari: what it does for each layer that comes or goes, and need not do.

They save time alone. Each is taken as a whole or not at all, so that a napari that is made
otherwise does without it.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import Any

from napari.utils.events import EventEmitter


class _OnDemand:
    """Attribute that makes its value when it is first asked for, if it was set to a ``partial``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<_OnDemand {self._name}>"

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self._name] = value

    def __get__(self, instance: Any, owner: type) -> Any:
        value = instance.__dict__[self._name]
        if isinstance(value, functools.partial):
            value = instance.__dict__[self._name] = value()
        return value


def _made_later(method: Callable[..., None], *classes: str) -> Callable[..., None]:
    """Return a method that sets ``partial``s where it would make objects of some classes."""
    where: dict[str, Any] = method.__globals__  # type: ignore[attr-defined]
    for name in classes:
        where[name]  # a KeyError in a napari that has none

    @functools.wraps(method)
    def make(*args: Any, **options: Any) -> None:
        now = {name: where[name] for name in classes}
        where.update({name: functools.partial(functools.partial, now[name]) for name in classes})
        try:
            method(*args, **options)
        finally:
            where.update(now)

    return make


_takes: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
"""Whether methods, functions and the calls of emitters take an event."""


def _once_a_function(check: Callable[[Any], Any]) -> Callable[[Any], bool]:
    """Return a check of whether a callback takes an event, which goes for all of its function."""

    @functools.wraps(check)
    def takes_event(callback: Callable[..., Any]) -> bool:
        function = getattr(callback, "__func__", callback)
        key = type(callback) if isinstance(callback, EventEmitter) else function
        if key is not type(callback) and not isinstance(function, FunctionType):
            return bool(check(callback))
        found = _takes.get(key)
        if found is None:
            found = _takes[key] = bool(check(callback))
        return found

    return takes_event


def _if_needed(adapt: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a method of a viewer that adapts its dims to its layers, if either has changed."""

    @functools.wraps(adapt)
    def _on_layers_change(viewer: Any) -> None:
        if getattr(viewer.layers, "_adapted", None) != _world_of(viewer):
            adapt(viewer)
            viewer.layers._adapted = _world_of(viewer)

    return _on_layers_change


def _world_of(viewer: Any) -> tuple[Any, ...]:
    """Return all that a viewer makes its dims of, and the dims."""
    layers, dims = viewer.layers, viewer.dims
    extents = (layer.extent for layer in layers)
    spans = {(e.world.tobytes(), e.step.tobytes(), e.units) for e in extents}
    labels = (layers.axis_labels, all(layer._has_default_axis_labels() for layer in layers))
    units = (layers._units, dims.units)
    return spans, labels, units, dims.range, dims.axis_labels, len(viewer.cursor.position)


def _if_other(change: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Return a method that changes the state of a button, if it is in another one."""

    @functools.wraps(change)
    def change_state(button: Any, state: Any) -> None:
        if button.property("creation_state") != getattr(state, "value", state):
            change(button, state)

    return change_state


@functools.cache
def make_layers_cheaper() -> None:
    """Take all shortcuts that fit this napari, once."""
    for shorten in (_nodes_when_needed, _signatures_once, _dims_when_changed, _buttons_if_changed):
        with contextlib.suppress(ImportError, AttributeError, KeyError):
            shorten()


def _nodes_when_needed() -> None:
    """Make no nodes for images in space and in tiles before one is shown so, which few are.

    ``get_node`` takes them from ``_volume_node`` and ``_tiledimage_node``.
    """
    from napari._vispy.layers.image import ImageLayerNode
    from napari._vispy.layers.labels import LabelLayerNode

    init = _made_later(ImageLayerNode.__init__, "TiledImageNode", "VolumeNode")
    setup = _made_later(LabelLayerNode._setup_nodes, "VolumeNode")
    ImageLayerNode.__init__ = init
    ImageLayerNode._tiledimage_node = _OnDemand("_tiledimage_node")
    ImageLayerNode._volume_node = _OnDemand("_volume_node")
    LabelLayerNode._setup_nodes = setup
    LabelLayerNode._volume_node = _OnDemand("_volume_node")


def _signatures_once() -> None:
    """Inspect the signature of a function once, of the hundred callbacks of each layer."""
    from napari.components import layerlist

    EventEmitter._check_signature = staticmethod(_once_a_function(EventEmitter._check_signature))
    layerlist.cmp = functools.lru_cache(256)(layerlist.cmp)


def _dims_when_changed() -> None:
    """Adapt the sliders to all layers only if these reach farther or less far than before."""
    from napari.components import ViewerModel

    ViewerModel._on_layers_change = _if_needed(ViewerModel._on_layers_change)


def _buttons_if_changed() -> None:
    """Have Qt style the three buttons of new layers anew only if they look otherwise."""
    from napari._qt.widgets.qt_viewer_buttons import QtViewerPushButton

    change = _if_other(QtViewerPushButton._change_selection_state)
    QtViewerPushButton._change_selection_state = change
