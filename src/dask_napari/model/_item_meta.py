"""Metadata of an item: all of it but its arrays."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from dask_napari.model._bounds import (
    AXES_LIMIT,
    TASK_KEY_LIMIT,
    Name,
    Names,
    Numbers,
    PlainValue,
    Shape,
)
from dask_napari.model._coordinates import Coordinate
from dask_napari.model._layer import Kind
from dask_napari.model._position import ARRIVAL_AXIS, Position


class Calibration(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Place of an item's pixels in the world.

    The tuples describe the *spatial* axes of the array, in array order (an RGB axis has no
    entry). An empty tuple means "not known".

    Attributes
    ----------
    axes : tuple of str
        Names, for instance ``("z", "y", "x")``.
    scale : tuple of float
        Pixel size along each axis, in ``units``.
    translate : tuple of float
        World coordinate of the centre of pixel 0, in ``units``.
    units : tuple of str
        Unit names that napari (pint) understands, for instance ``"micrometer"``.
    """

    axes: Names = ()
    scale: Numbers = ()
    translate: Numbers = ()
    units: Names = ()


class Provenance(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Which task made an item, where and when.

    Attributes
    ----------
    key : str
        Dask key of the task, as text.
    worker : str
        Address of the Dask worker that ran it.
    run_id : int
        Dask's number of the attempt to run the task, from 1; it tells a recomputation from the
        first run. 0 if it has not run.
    start, stop : float
        Seconds since the epoch at which the task began and ended, 0.0 if unknown.
    """

    key: Annotated[str, Meta(max_length=TASK_KEY_LIMIT)] = ""
    worker: Name = ""
    run_id: int = 0
    start: float = 0.0
    stop: float = 0.0


PlaceKey = tuple[str, str, tuple[int, ...], frozenset[tuple[str, Coordinate]]]
"""Layer, part, origin and position: identity of the place that an item fills."""


class ItemMeta(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of an item but its arrays, as items, messages and journals carry it.

    A mapping with names where it is written, without the fields that have their defaults: that
    takes no longer than a list by position, and a journal can be read by people.

    Attributes
    ----------
    layer : str
        Name of the stream of items that it belongs to; a napari layer name.
    kind : Kind
        The napari layer type.
    position : dict of str to Coordinate
        Where on the axes it belongs; empty means "in the order of arrival".
    provenance : Provenance
        The task that made it.
    calibration : Calibration
        Scale, translation and units of the data.
    rgb : bool
        Whether the last axis of the data is colour (3 or 4 long).
    origin : tuple of int
        Index of the first element of the data in the array that it is a chunk of, one a spatial
        axis; empty for what is no chunk. Only for images and labels.
    array_shape : tuple of int
        Shape of that array, as far as it is known; empty otherwise.
    part : str
        Name of the napari layer, where an output has several parts; the layer's otherwise.
    options : dict of str to object
        Arguments of the napari layer that came with the output; those of the tap win.

    Examples
    --------
    >>> meta = ItemMeta("cells", "labels", {"well": "A01"}, Provenance("segment-1f"))
    >>> msgspec.json.decode(msgspec.json.encode(meta), type=ItemMeta) == meta
    True
    """

    layer: Name
    kind: Kind
    position: Annotated[dict[Name, int | float | Name], Meta(max_length=AXES_LIMIT)] = {}
    provenance: Provenance = Provenance()
    calibration: Calibration = Calibration()
    rgb: bool = False
    origin: Shape = ()
    array_shape: Shape = ()
    part: Name = ""
    options: dict[Name, PlainValue] = {}

    @property
    def stream(self) -> tuple[str, str]:
        """Layer and part: identity of the stream of items that it belongs to."""
        return self.layer, self.part

    @property
    def name(self) -> str:
        """Name of the napari layer, before axes in mode ``layer`` add to it."""
        return self.part or self.layer

    @property
    def at(self) -> Position:
        """The position; without one, the task's key on :data:`ARRIVAL_AXIS`.

        A chunk needs no position, since it has an origin.
        """
        if self.position or self.array_shape:
            return self.position
        return {ARRIVAL_AXIS: self.provenance.key}

    @property
    def place(self) -> PlaceKey:
        """Hashable identity of the place that the item fills; a newer item there replaces it.

        Items without a position are told apart by their task key, so that a recomputed task
        replaces its own output and no other.
        """
        return self.layer, self.part, self.origin, frozenset(self.at.items())
