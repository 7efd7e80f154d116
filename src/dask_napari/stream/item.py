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

AxisMode = Literal["slider", "layer"]
"""How an axis is laid out: a dims slider, or one napari layer per value."""

KINDS: tuple[str, ...] = get_args(Kind)
AXIS_MODES: tuple[str, ...] = get_args(AxisMode)

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
        Pixels for images and labels, coordinates for the other kinds.
    position : Position
        Where on the axes it belongs; empty means "in the order of arrival".
    provenance : Provenance
        The task that made it.
    calibration : Calibration
        Scale, translation and units of ``data``.
    rgb : bool
        Whether the last axis of ``data`` is colour (3 or 4 long).
    arrays : dict of str to numpy.ndarray
        Further arrays that belong to the item, for instance feature columns.
    publisher : str
        Name of the publisher that sent it; set by the receiver.
    seq : int
        Number of the item in the publisher's stream, from 1; set when it is queued.

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
    publisher: str = ""
    seq: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes that the item takes on the wire.

        ``ndarray.nbytes`` would do for data, but it is asked of broadcast views too: the sum
        of shape times item size is what will be copied.
        """
        return self.data.nbytes + sum(array.nbytes for array in self.arrays.values())

    @property
    def slot(self) -> tuple[str, frozenset[tuple[str, Coordinate]]]:
        """Hashable identity of the place it fills: two items with one slot replace each other.

        Items without a position are told apart by their task key, so that a recomputed task
        replaces its own output and no other.
        """
        where = self.position or {ARRIVAL_AXIS: self.provenance.key}
        return self.layer, frozenset(where.items())


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

    Examples
    --------
    >>> LayerSpec("raw", "image", {"well": "slider", "channel": "layer"}).axes["channel"]
    'layer'
    """

    name: str
    kind: Kind
    axes: Mapping[str, AxisMode] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
