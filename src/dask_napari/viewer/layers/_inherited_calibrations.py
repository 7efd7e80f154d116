"""Calibrations of items that state none: those of the pictures on which they lie."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from msgspec.structs import replace

from dask_napari.catalog import Catalogue, StreamKey
from dask_napari.model import PIXEL_KINDS, Calibration, Item, Position, Reports

Shape = tuple[int, ...]

UNCALIBRATED: Final = "without a pixel size, beside pictures that have one: give scale= to its tap"
"""Note on a stream that lies on no picture."""


class _Picture:
    """Stream of calibrated images or labels: its shapes, its pixel size, and where tiles begin."""

    def __init__(self, item: Item) -> None:
        self.calibration: Calibration = item.calibration
        self.run: int = item.run
        """Run of the items that count, the newest."""
        self.shapes: set[Shape] = set()
        self.is_staged = False
        """Whether tiles begin at different places in the world."""
        self._axes = tuple(item.position)
        self._origins: dict[tuple[str, ...], dict[tuple[Any, ...], tuple[float, ...]]] = {}
        """Translations by the coordinates on some axes of a position; of staged pictures alone."""

    def __repr__(self) -> str:
        return f"<_Picture of {self.calibration.scale}: shapes {sorted(self.shapes)}>"

    def take(self, item: Item) -> None:
        """Take note of an item of the stream."""
        if item.run > self.run:  # what a new run says of its pixels counts alone
            self.run, self.calibration = item.run, item.calibration
            self.is_staged, self.shapes = False, set()
            self._origins.clear()
        elif item.run < self.run:
            return
        self.shapes.add(_shape(item))
        self.is_staged |= item.calibration.translate != self.calibration.translate
        for axes, origins in self._origins.items():
            _add(origins, axes, item)

    def at(self, position: Position, entered: Iterable[Item]) -> Calibration:
        """Return the calibration at a position; ``entered`` are all items of the stream."""
        if not self.is_staged:
            return self.calibration
        axes = tuple(axis for axis in self._axes if axis in position)
        origins = self._origins.get(axes)
        if origins is None:
            origins = self._origins[axes] = {}
            for item in entered:
                _add(origins, axes, item)
        place = tuple(position[axis] for axis in axes)
        return replace(self.calibration, translate=origins.get(place, self.calibration.translate))


class InheritedCalibrations:
    """Give items that state no pixel size the calibration of the picture on which they lie.

    A mask that a task returns as a plain array has the pixels of the picture of which it was made,
    and so have points, shapes and tracks, whose coordinates are in pixels. The picture is a stream
    of images or labels with a pixel size: of images of the mask's shape; for coordinates, with as
    many axes. Where pictures of several pixel sizes would do, none is chosen, and a note says so.
    A stream keeps the picture that it has.
    """

    def __init__(self, catalogue: Catalogue, reports: Reports) -> None:
        self._catalogue = catalogue
        self._reports = reports
        self._pictures: dict[StreamKey, _Picture] = {}
        self._chosen: dict[StreamKey, StreamKey] = {}
        self._without: dict[StreamKey, Item] = {}
        """First item of each stream that lies on no picture, without its data."""

    def __repr__(self) -> str:
        return f"<InheritedCalibrations of {len(self._pictures)} pictures: {self._chosen}>"

    def admit(self, item: Item) -> bool:
        """Take note of an item that is entered; return whether others are to be laid out anew.

        That is where it is of the first picture on which they lie.
        """
        if not _states_none(item.calibration):
            return item.kind in PIXEL_KINDS and bool(item.calibration.scale) and self._take(item)
        if item.stream not in self._chosen and item.stream not in self._without:
            empty = np.broadcast_to(np.uint8(0), item.data.shape)
            self._without[item.stream] = Item.of(item.meta, empty, {})
            self._tell(item)
        return False

    def applied(self, item: Item) -> Item:
        """Return an item as it is laid out: with the calibration of its picture, if it has one."""
        if not self._pictures or not _states_none(item.calibration):
            return item
        source = self._picture_of(item)
        if source is None:
            return item
        picture = self._pictures[source]
        entered = (each.item for each in self._catalogue.entries(source))
        known = picture.at(item.position, (each for each in entered if each is not None))
        laid = copy.copy(item)
        laid.amend(calibration=_fitted(known, item))
        return laid

    def _take(self, item: Item) -> bool:
        picture = self._pictures.get(item.stream)
        before = None
        if picture is None:
            picture = self._pictures[item.stream] = _Picture(item)
        else:
            before = picture.calibration.scale, picture.is_staged, _shape(item) in picture.shapes
        picture.take(item)
        now = picture.calibration.scale, picture.is_staged, _shape(item) in picture.shapes
        if now == before:
            return False
        found = [stream for stream, each in self._without.items() if self._picture_of(each)]
        for stream in found:
            del self._without[stream]
        if not found:
            for each in self._without.values():
                self._tell(each)
        is_changed = before is not None and now[:2] != before[:2]
        return bool(found) or (is_changed and item.stream in self._chosen.values())

    def _picture_of(self, item: Item) -> StreamKey | None:
        """Return the stream of the picture on which an item lies, which its stream keeps."""
        chosen = self._chosen.get(item.stream)
        if chosen is None:
            found = self._candidates(item)
            sizes = {self._pictures[stream].calibration.scale for stream in found}
            if len(sizes) != 1:
                return None
            self._chosen[item.stream] = chosen = found[0]
            self._reports.note(
                item.name, f"without a pixel size: drawn with that of {chosen[1] or chosen[0]!r}"
            )
        if item.kind in PIXEL_KINDS and _shape(item) not in self._pictures[chosen].shapes:
            return None
        return chosen

    def _candidates(self, item: Item) -> list[StreamKey]:
        pictures = {
            stream: picture
            for stream, picture in self._pictures.items()
            if stream != item.stream and self._catalogue.runs(stream)
        }
        if item.kind in PIXEL_KINDS:
            shape = _shape(item)
            return [stream for stream, picture in pictures.items() if shape in picture.shapes]
        ndim = item.data.shape[-1]
        # Beside coordinates, tracks have a number, and a time that the picture may have.
        counts = (ndim - 1, ndim - 2) if item.kind == "tracks" else (ndim,)
        return [
            stream
            for stream, picture in pictures.items()
            if len(picture.calibration.scale) in counts
        ]

    def _tell(self, item: Item) -> None:
        """Note that an item lies on no picture, if there are any."""
        found = self._candidates(item)
        if found:
            names = " and ".join(repr(part or layer) for layer, part in found[:2])
            text = f"without a pixel size, and {names} have different ones: give scale= to its tap"
            self._reports.note(item.name, text)
        elif self._pictures:
            self._reports.note(item.name, UNCALIBRATED)


def _states_none(known: Calibration) -> bool:
    return not (known.scale or known.translate or known.units)


def _shape(item: Item) -> Shape:
    """Return the shape of an image along its axes in space; of a chunk, that of its array."""
    return item.array_shape or item.data.shape[: item.data.ndim - item.rgb]


def _add(
    origins: dict[tuple[Any, ...], tuple[float, ...]], axes: tuple[str, ...], item: Item
) -> None:
    """Add the translation of an item, by its coordinates on some axes."""
    if all(axis in item.position for axis in axes):
        origins[tuple(item.position[axis] for axis in axes)] = item.calibration.translate


def _fitted(known: Calibration, item: Item) -> Calibration:
    """Return the calibration of a picture for an item on it, whose axes keep their names."""
    ndim = len(known.scale)
    if item.kind == "tracks" and item.data.shape[-1] - 1 > ndim:
        known = Calibration(
            ("t", *known.axes) if known.axes else (),
            (1.0, *known.scale),
            (0.0, *known.translate) if known.translate else (),
            ("pixel", *known.units) if known.units else (),
        )
    return replace(known, axes=item.calibration.axes or known.axes)
