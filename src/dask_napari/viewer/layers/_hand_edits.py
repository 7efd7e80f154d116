"""Edits by hand: points and shapes that the user adds, moves or deletes in a live layer."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from dask_napari.canvas import Cell, position_key
from dask_napari.model import (
    FEATURE,
    SHAPE_TYPES,
    Coordinate,
    Item,
    ItemMeta,
    Provenance,
    Refusal,
)
from dask_napari.viewer.napari_internals import is_being_edited

if TYPE_CHECKING:
    from napari.layers import Layer

    from dask_napari.viewer.layers._element_stream import ElementStream

Numbers = npt.NDArray[np.intp]

NEW: Final = -1
"""Number, in the canvas, of an element that the user has made since the last update."""

BY_HAND: Final[Provenance] = Provenance("by hand")


class HandMadeTile(NamedTuple):
    """Tile of elements that the user made, beside those of tasks at a position."""

    cell: Cell
    number: int


def cell_of(tile: Hashable) -> Cell:
    """Return the cell of the mosaic that a tile lies in."""
    return tile.cell if isinstance(tile, HandMadeTile) else cast(Cell, tile)


class HandMadeItem(Item):
    """Elements that the user made at one position, in one go."""

    __slots__ = ("number",)
    number: int


class HandEdits:
    """The user's edits of a layer of points or shapes, which become items of its stream.

    What the user adds is an item of its own, that later arrivals leave alone. An element that he
    moves is his from then on. One that he deletes, or has moved, is taken out of the item of its
    task, until that task sends another one.
    """

    _item_numbers: Iterator[int] = itertools.count()

    def __init__(self, stream: ElementStream) -> None:
        self._stream = stream
        self._layer: Layer | None = None
        self._numbers: Numbers = np.empty(0, np.intp)  # of the layer's elements in the canvas
        self._deleted: set[int] = set()
        self._sliders: list[tuple[str, tuple[Coordinate, ...]]] = []
        """Names and coordinates of the sliders by which the layer's elements lie."""
        self.is_dirty: bool = False
        self._is_loading = False

    def __repr__(self) -> str:
        return f"<HandEdits of {self._stream.name!r}, {len(self._deleted)} to delete>"

    @property
    def must_wait(self) -> bool:
        """Return whether the user is at it, so that the layer has to stay as it is."""
        layer = self._layer
        if layer is None or not is_being_edited(layer):
            return False
        return layer in self._stream.viewer.layers

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Take changes of the layer for the stream's, not the user's."""
        self._is_loading = True
        try:
            yield
        finally:
            self._is_loading = False

    def watch(self, layer: Layer, numbers: Numbers) -> None:
        """Follow the edits of a layer that has just been loaded with elements of the canvas."""
        self._numbers, self._deleted, self.is_dirty = numbers, set(), False
        self._sliders = [(axis.name, axis.coordinates) for axis in self._stream.axes]
        if layer is not self._layer:
            self._layer = layer
            layer.events.data.connect(self._note)

    def _note(self, event: Any) -> None:
        action = str(getattr(event, "action", ""))
        if self._is_loading or action not in ("added", "removed", "changed"):
            return
        if self._layer is not self._stream.layer:
            return
        count = len(event.value)
        at = np.asarray(event.data_indices or (), np.intp)
        if action == "added" or (action == "changed" and count != len(self._numbers)):
            missing = max(0, count - len(self._numbers))
            self._numbers = np.append(self._numbers, np.full(missing, NEW))
        elif len(at) and -count <= at.min() and at.max() < len(self._numbers):
            self._deleted.update(self._numbers[at].tolist())
            if action == "removed":
                self._numbers = np.delete(self._numbers, at)
            else:
                self._numbers = self._numbers.copy()
                self._numbers[at] = NEW
        self._numbers = self._numbers[:count]
        self.is_dirty = True

    def apply(self) -> Numbers:
        """Make items of the edits; return the numbers of the layer's elements in the canvas."""
        self.is_dirty = False
        self._delete()
        self._add()
        return self._numbers

    def _delete(self) -> None:
        """Take elements out of their items."""
        stream = self._stream
        rows = np.array(sorted(self._deleted - {NEW}), np.intp)
        self._deleted.clear()
        for key, tile, at in list(stream.canvas.places_of(rows)):
            item = stream.held[key, tile]
            keep = np.ones(len(item.arrays.get("types", item.data)), bool)
            keep[at] = False
            rest = picked(item, keep)
            stream.lay(rest, dict(zip(*key, strict=True)), tile)
            stream.enter(rest)

    def _add(self) -> None:
        """Make an item of the new elements at each position."""
        stream, layer, n = self._stream, self._layer, len(self._sliders)
        new = np.flatnonzero(self._numbers == NEW)
        if layer is None or not len(new):
            return
        self._numbers = self._numbers.copy()
        steps = np.array([np.atleast_2d(layer.data[at])[0, :n] for at in new]).round().astype(int)
        for step in np.unique(steps, axis=0):
            chosen = new[(steps == step).all(1)]
            sliders = {
                name: coordinates[min(max(index, 0), len(coordinates) - 1)]
                for (name, coordinates), index in zip(self._sliders, step, strict=True)
            }
            item = self._drawn(layer, chosen)
            item.amend(position={**sliders, **stream.channel})
            tile = HandMadeTile((), item.number)
            try:
                stream.lay(item, sliders, tile)
            except Refusal:  # of features; the elements are worth more
                item.arrays = {k: each for k, each in item.arrays.items() if FEATURE not in k}
                stream.lay(item, sliders, tile)
            stream.enter(item)
            self._numbers[chosen] = stream.canvas.numbers(position_key(sliders), tile)

    def _drawn(self, layer: Any, chosen: Numbers) -> HandMadeItem:
        """Return elements of a layer as an item, which is as deep as the others."""
        stream = self._stream
        depth = stream.canvas.n_spatial
        arrays: dict[str, Any] = {}
        if stream.kind == "shapes":
            vertices = [np.asarray(layer.data[at])[:, -depth:] for at in chosen]
            types = layer.shape_type
            arrays["types"] = np.array([SHAPE_TYPES.index(str(types[at])) for at in chosen])
            arrays["offsets"] = np.cumsum([0, *map(len, vertices)])
            data = np.concatenate(vertices)
        else:
            data = np.asarray(layer.data)[chosen][:, -depth:]
        for name, column in layer.features.iloc[chosen].items():
            values = column.to_numpy()
            arrays[f"{FEATURE}{name}"] = values if values.dtype.kind in "biuf" else text(values)
        calibration = replace(stream.calibration, axes=stream.axes.spatial[-depth:])
        name, part = stream.source
        meta = ItemMeta(name, stream.kind, {}, BY_HAND, calibration, part=part)
        item = HandMadeItem.of(meta, data, arrays)
        item.number, item.run = next(self._item_numbers), stream.run
        item.amend(origin=(item.number,))  # so that it takes no place of an item of a task
        return item


def text(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column of numbers and text as text: napari sorts the values that colours show."""
    texts = np.empty(len(column), object)  # not all of them of the length of the longest
    texts[:] = ["" if each is None or each != each else str(each) for each in column]
    return texts


def picked(item: Item, keep: npt.NDArray[np.bool_]) -> Item:
    """Return an item with some of its points or shapes.

    >>> picked(Item("spots", "points", np.eye(2)), np.array([False, True])).data.tolist()
    [[0.0, 1.0]]
    """
    result = copy.copy(item)
    result.arrays = {
        name: column[keep] for name, column in item.arrays.items() if name != "offsets"
    }
    if "offsets" in item.arrays:
        lengths: Any = np.diff(item.arrays["offsets"].astype(np.intp))
        result.arrays["offsets"] = np.cumsum([0, *lengths[keep]])
        keep = np.repeat(keep, lengths)
    result.data = item.data[keep]
    return result
