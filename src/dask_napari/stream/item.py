"""The item: one task output, ready to be sent, and the small vocabulary around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy.typing as npt

Kind = Literal["image", "labels", "points", "shapes", "tracks", "vectors", "surface"]
"""A napari layer type."""

Coordinate = int | float | str
"""Where an item lies on one axis."""

Position = Mapping[str, Coordinate]
"""Axis name -> coordinate, in the order in which the axes were named."""

AxisMode = Literal["slider", "layer", "mosaic"]
"""How an axis is laid out: a dims slider, one napari layer per value, or side by side in space."""

Order = Literal["row", "column", "snake", "column-snake", "stage"]
"""How the tiles of a mosaic follow each other: ``snake`` turns around at the end of each row (a
meander), ``stage`` takes each item's own translation."""

Sizes = Literal["pad", "separate"]
"""Images of different sizes: padded to the largest, or one layer a size."""

KINDS: tuple[str, ...] = get_args(Kind)
AXIS_MODES: tuple[str, ...] = get_args(AxisMode)
ORDERS: tuple[str, ...] = get_args(Order)
SIZES: tuple[str, ...] = get_args(Sizes)

FEATURE = "feature:"
"""What the names of the arrays that hold feature columns begin with."""

ARRIVAL_AXIS = "item"
"""Axis of items that have no position: coordinates are task keys, ordered by arrival."""


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


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where the pixels of an item lie in the world.

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

    axes: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    translate: tuple[float, ...] = ()
    units: tuple[str, ...] = ()


SHAPE_TYPES = ("polygon", "rectangle", "ellipse", "line", "path")
"""napari's, in the order in which an item numbers them."""

Slot = tuple[str, str, tuple[int, ...], frozenset[tuple[str, Coordinate]]]
"""Layer, part, origin and position: identity of the place that an item fills."""


def at_of(position: Position, whole: tuple[int, ...], key: str) -> Position:
    """Return a position; for an item without one, its task's key on :data:`ARRIVAL_AXIS`.

    Parameters
    ----------
    position : Position
        Where the item belongs, as far as that is known.
    whole : tuple of int
        Of the item; a chunk needs no position, it has an origin.
    key : str
        Key of the task.

    Examples
    --------
    >>> at_of({"t": 3}, (), "frame-1f"), at_of({}, (), "frame-1f")
    ({'t': 3}, {'item': 'frame-1f'})
    """
    return position if position or whole else {ARRIVAL_AXIS: key}


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
    def slot(self) -> Slot:
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


@dataclass(frozen=True, slots=True)
class Layout:
    """How the coordinates of one axis lie in space, and what they are called.

    Attributes
    ----------
    plate : int
        Wells of a plate that the coordinates name, such as ``"B03"``: 6, 12, 24, 48, 96, 384 or
        1536; 0 if they are none.
    rows, columns : int
        Size of a grid; 0 for as many as are needed.
    order : Order
        How the grid is filled.
    gutter : float
        Space between tiles, as a share of a tile.
    places : dict of str to tuple of float
        Where each coordinate (as text) lies: y and x, in world units.
    names : dict of str to str
        What a coordinate (as text) is called.
    colors : dict of str to str
        Colour of a coordinate (as text): a name that napari knows, or ``"#rrggbb"``.
    """

    plate: int = 0
    rows: int = 0
    columns: int = 0
    order: Order = "row"
    gutter: float = 0.0
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    colors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """What is known of a layer before its first item arrives.

    Attributes
    ----------
    name : str
        Layer name, as in :attr:`Item.layer`.
    kind : Kind
        The napari layer type.
    axes : dict of str to AxisMode
        Mode of each axis of the position, in slider order; axes not named are sliders.
    options : dict of str to object
        Keyword arguments for napari's ``add_<kind>``: text, numbers, flags and lists of them.
    layouts : dict of str to Layout
        More on axes that have more to say than their mode.
    sizes : {"pad", "separate"}
        Whether images of different sizes share a layer, or have one a size.
    fill : float
        What an image shows where there is nothing.

    Examples
    --------
    >>> LayerSpec("raw", "image", {"well": "slider", "channel": "layer"}).axes["channel"]
    'layer'
    """

    name: str
    kind: Kind
    axes: Mapping[str, AxisMode] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    sizes: Sizes = "pad"
    fill: float = 0.0
