"""The item: one task output, ready to be sent, and the small vocabulary around it."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final, Self

import msgspec
import numpy.typing as npt

from dask_napari.model._item_meta import Calibration, ItemMeta, PlaceKey, Provenance
from dask_napari.model._layer import Kind
from dask_napari.model._position import Position

FEATURE = "feature:"
"""Prefix of the names of arrays that hold feature columns."""

SHAPE_TYPES = ("polygon", "rectangle", "ellipse", "line", "path")
"""napari's, in the order in which an item numbers them."""

_NO_TASK: Final = Provenance()
_UNKNOWN: Final = Calibration()


def _of_meta(name: str) -> Any:
    """Return a property that reads a field of the metadata, documented at :class:`ItemMeta`."""
    return property(attrgetter(f"meta.{name}"), doc=f"See :attr:`ItemMeta.{name}`.")


class Item:
    """One task output on its way to the canvas: metadata and arrays.

    Parameters
    ----------
    layer : str
        Name of the stream of items that it belongs to; a napari layer name.
    kind : Kind
        The napari layer type.
    data : numpy.ndarray
        Pixels for images and labels. Coordinates in pixels for the others: points ``(n, D)``,
        vertices of all shapes ``(v, D)``, tracks ``(n, 1 + D)`` with the track's number first,
        vectors ``(n, 2, D)`` as start and projection, vertices of a surface ``(v, D)``.
    arrays : dict of str to numpy.ndarray
        Further arrays that belong to the item. Feature columns are ``"feature:<name>"``, one
        element a point, shape, row of a track or vector, and for labels one a label with
        ``"feature:index"`` naming it. Shapes have ``"offsets"`` ``(n + 1,)`` of where in the
        vertices each begins and ``"types"`` ``(n,)``, indices into :data:`SHAPE_TYPES`; tracks
        may have ``"graph"`` ``(e, 2)`` of child and parent; surfaces have ``"faces"`` ``(f, 3)``
        and may have ``"values"`` ``(v,)``.
    publisher : str
        Name of the publisher that sent it; set by the receiver.
    seq : int
        Number of the item in the publisher's stream, from 1; set when it is queued.
    run : int
        Number of the run that it belongs to, from 1; set by the receiver.
    position, provenance, calibration, rgb, origin, array_shape, part, options
        See :class:`ItemMeta`.

    Attributes
    ----------
    meta : ItemMeta
        All but the arrays; change it by :meth:`amend`.
    arrived, drawn : float
        Seconds since the epoch at which the viewer received it and drew it, 0.0 if it did not;
        set by the receiver and the viewer.
    source : tuple, optional
        The outbox's entry that it was made of, and which part of that; stays with the publisher.

    Examples
    --------
    >>> import numpy as np
    >>> item = Item("cells", "labels", np.zeros((4, 5), "uint8"), {"well": "A01"})
    >>> item.nbytes, item.position
    (20, {'well': 'A01'})
    >>> item
    <Item 'cells' labels uint8 (4, 5) at {'well': 'A01'}>
    """

    __slots__ = ("arrays", "arrived", "data", "drawn", "meta", "publisher", "run", "seq", "source")

    layer: str = _of_meta("layer")
    kind: Kind = _of_meta("kind")
    position: Position = _of_meta("position")
    provenance: Provenance = _of_meta("provenance")
    calibration: Calibration = _of_meta("calibration")
    rgb: bool = _of_meta("rgb")
    origin: tuple[int, ...] = _of_meta("origin")
    array_shape: tuple[int, ...] = _of_meta("array_shape")
    part: str = _of_meta("part")
    options: dict[str, Any] = _of_meta("options")
    stream: tuple[str, str] = _of_meta("stream")
    name: str = _of_meta("name")
    at: Position = _of_meta("at")
    place: PlaceKey = _of_meta("place")

    def __init__(
        self,
        layer: str,
        kind: Kind,
        data: npt.NDArray[Any],
        position: Position | None = None,
        provenance: Provenance = _NO_TASK,
        calibration: Calibration = _UNKNOWN,
        rgb: bool = False,
        arrays: dict[str, npt.NDArray[Any]] | None = None,
        origin: tuple[int, ...] = (),
        array_shape: tuple[int, ...] = (),
        part: str = "",
        options: dict[str, Any] | None = None,
        publisher: str = "",
        seq: int = 0,
        run: int = 1,
    ) -> None:
        self.meta: ItemMeta = ItemMeta(
            layer,
            kind,
            dict(position) if position else {},
            provenance,
            calibration,
            rgb,
            origin,
            array_shape,
            part,
            options or {},
        )
        self.data: npt.NDArray[Any] = data
        self.arrays: dict[str, npt.NDArray[Any]] = {} if arrays is None else arrays
        self.publisher: str = publisher
        self.seq: int = seq
        self.run: int = run
        self.source: Any = None
        self.arrived: float = 0.0
        self.drawn: float = 0.0

    @classmethod
    def of(
        cls,
        meta: ItemMeta,
        data: npt.NDArray[Any],
        arrays: dict[str, npt.NDArray[Any]],
        publisher: str = "",
        seq: int = 0,
    ) -> Self:
        """Return an item of existing metadata; the other arguments are those of the class."""
        item = cls.__new__(cls)
        item.meta, item.data, item.arrays = meta, data, arrays
        item.publisher, item.seq, item.run, item.source = publisher, seq, 1, None
        item.arrived = item.drawn = 0.0
        return item

    def amend(self, **fields: Any) -> None:
        """Replace fields of the metadata.

        >>> import numpy as np
        >>> item = Item("cells", "labels", np.zeros((4, 5), "uint8"))
        >>> item.amend(part="nuclei")
        >>> item.name
        'nuclei'
        """
        self.meta = msgspec.structs.replace(self.meta, **fields)

    def loaded(self) -> Item:
        """Return the item with its elements; those of some items are read when they are needed."""
        return self

    def __repr__(self) -> str:
        meta, data = self.meta, self.data
        return f"<Item {meta.name!r} {meta.kind} {data.dtype} {data.shape} at {meta.at}>"

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
    def features(self) -> dict[str, npt.NDArray[Any]]:
        """The feature columns, by their own names."""
        return {
            name.removeprefix(FEATURE): column
            for name, column in self.arrays.items()
            if name.startswith(FEATURE)
        }


AnyArray = npt.NDArray[Any]
