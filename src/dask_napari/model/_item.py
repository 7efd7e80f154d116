"""The item: one task output, ready to be sent, and the small vocabulary around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from dask_napari.model._calibration import Calibration
from dask_napari.model._coordinates import Coordinate
from dask_napari.model._layer import Kind
from dask_napari.model._position import Position, at_of

FEATURE = "feature:"
"""What the names of the arrays that hold feature columns begin with."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which task made an item, where and when.

    Attributes
    ----------
    key : str
        Dask key of the task, as text.
    worker : str
        Address of the Dask worker that ran it.
    run_id : int
        Dask's run id; it tells a recomputation from the first run.
    start, stop : float
        Seconds since the epoch at which the task began and ended, 0.0 if unknown.
    """

    key: str = ""
    worker: str = ""
    run_id: int = 0
    start: float = 0.0
    stop: float = 0.0


SHAPE_TYPES = ("polygon", "rectangle", "ellipse", "line", "path")
"""napari's, in the order in which an item numbers them."""

PlaceKey = tuple[str, str, tuple[int, ...], frozenset[tuple[str, Coordinate]]]
"""Layer, part, origin and position: identity of the place that an item fills."""


@dataclass(slots=True)
class Item:
    """One task output on its way to the canvas.

    Attributes
    ----------
    layer : str
        Name of the stream of items that it belongs to; a napari layer name.
    kind : Kind
        The napari layer type.
    data : numpy.ndarray
        Pixels for images and labels. Coordinates in pixels for the others: points ``(n, D)``,
        vertices of all shapes ``(v, D)``, tracks ``(n, 1 + D)`` with the track's number first,
        vectors ``(n, 2, D)`` as start and projection, vertices of a surface ``(v, D)``.
    position : Position
        Where on the axes it belongs; empty means "in the order of arrival".
    provenance : Provenance
        The task that made it.
    calibration : Calibration
        Scale, translation and units of ``data``.
    rgb : bool
        Whether the last axis of ``data`` is colour (3 or 4 long).
    arrays : dict of str to numpy.ndarray
        Further arrays that belong to the item. Feature columns are ``"feature:<name>"``, one
        element a point, shape, row of a track or vector, and for labels one a label with
        ``"feature:index"`` naming it. Shapes have ``"offsets"`` ``(n + 1,)`` of where in the
        vertices each begins and ``"types"`` ``(n,)``, indices into :data:`SHAPE_TYPES`; tracks
        may have ``"graph"`` ``(e, 2)`` of child and parent; surfaces have ``"faces"`` ``(f, 3)``
        and may have ``"values"`` ``(v,)``.
    origin : tuple of int
        Index of the first element of ``data`` in the array that it is a chunk of, one a spatial
        axis; empty for what is no chunk. Only for images and labels.
    whole : tuple of int
        Shape of that array, as far as it is known; empty otherwise.
    part : str
        Name of the napari layer, where an output has several parts; the layer's otherwise.
    options : dict of str to object
        Arguments of the napari layer that came with the output; those of the tap win.
    publisher : str
        Name of the publisher that sent it; set by the receiver.
    seq : int
        Number of the item in the publisher's stream, from 1; set when it is queued.
    source : tuple, optional
        The outbox's entry that it was made of, and which part of that; stays with the publisher.

    Examples
    --------
    >>> import numpy as np
    >>> item = Item("cells", "labels", np.zeros((4, 5), "uint8"), {"well": "A01"})
    >>> item.nbytes
    20
    """

    layer: str
    kind: Kind
    data: npt.NDArray[Any]
    position: Position = field(default_factory=dict)
    provenance: Provenance = Provenance()
    calibration: Calibration = Calibration()
    rgb: bool = False
    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    origin: tuple[int, ...] = ()
    whole: tuple[int, ...] = ()
    part: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    publisher: str = ""
    seq: int = 0
    source: Any = field(default=None, repr=False, compare=False)

    @property
    def nbytes(self) -> int:
        """Bytes that the item takes on the wire.

        ``ndarray.nbytes`` would do for data, but it is asked of broadcast views too: the sum
        of shape times item size is what will be copied.
        """
        if not self.arrays:  # asked several times of each item, so this is worth a line
            return self.data.nbytes
        return self.data.nbytes + sum(array.nbytes for array in self.arrays.values())

    @property
    def name(self) -> str:
        """Name of the napari layer, before axes in mode ``layer`` add to it."""
        return self.part or self.layer

    @property
    def at(self) -> Position:
        """The position; without one, its task is its place."""
        return at_of(self.position, self.whole, self.provenance.key)

    @property
    def slot(self) -> PlaceKey:
        """Hashable identity of the place it fills: two items with one slot replace each other.

        Items without a position are told apart by their task key, so that a recomputed task
        replaces its own output and no other. A chunk needs no position: it has an origin.
        """
        return self.layer, self.part, self.origin, frozenset(self.at.items())

    @property
    def features(self) -> dict[str, npt.NDArray[Any]]:
        """The feature columns, by their own names."""
        return {
            name.removeprefix(FEATURE): column
            for name, column in self.arrays.items()
            if name.startswith(FEATURE)
        }


AnyArray = npt.NDArray[Any]
