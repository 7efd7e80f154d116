"""Commands of napari's menu *Layers*, for the layers that are selected.

napari fills in the arguments by their types, which have to be there when it asks.
"""

from __future__ import annotations

from copy import deepcopy

from napari.components import LayerList
from napari.layers import Layer

from dask_napari.canvas.pixels import LazyArray


def freeze(layers: LayerList) -> None:
    """Add a copy of each selected layer that can be edited, and that nothing arrives on."""
    for layer in list(layers.selection):
        data, state, kind = layer.as_layer_data_tuple()
        if kind == "labels" and state["multiscale"]:
            data, state["multiscale"] = data[0], False  # napari paints on one level only
        state["name"] = f"{layer.name} (frozen)"
        layers.insert(layers.index(layer) + 1, Layer.create(deepcopy(data), state, kind))


def clear_paint(layers: LayerList) -> None:
    """Show selected live labels as the tasks made them."""
    for layer in layers.selection:
        if isinstance(layer.data, LazyArray):
            layer.data.source.clear_paint()
            layer.refresh()
