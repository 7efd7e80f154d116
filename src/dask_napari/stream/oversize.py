"""Items that cannot be sent or that a receiver would refuse, found before they are sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from dask_napari.stream import messages as wire
from dask_napari.stream.batch import arrays_of
from dask_napari.stream.item import Item

ITEM_LIMIT: Final = 60 << 10
"""Bytes of an item's header: 64 of them, and the counts, make a header within its limit."""

ARRAY_BYTES: Final = 64
"""Bytes of an array's header, without its name."""

UTF8: Final = 4
"""Bytes that a character takes at most."""


def oversize(item: Item, frame: int) -> str:
    """Return why an item is too large for the wire, empty if it is not.

    Parameters
    ----------
    item : Item
        What is to be sent.
    frame : int
        Bytes of the largest frame that the receiver takes.

    Examples
    --------
    >>> import numpy as np
    >>> item = Item("cells", "labels", np.zeros((4, 5), "uint8"), {"well": "A01"})
    >>> oversize(item, frame=64), oversize(item, frame=8)
    ('', 'too large')
    """
    if _plain(item, frame):
        return ""
    arrays = list(arrays_of(item))
    if any(array.nbytes > frame for _, array in arrays):
        return "too large"
    if len(arrays) > wire.ARRAYS_LIMIT or len(item.position) > wire.AXES_LIMIT:
        return "too many axes or columns"
    names = list(_names(item))
    key = item.provenance.key
    if len(key) > wire.KEY_LIMIT or any(len(name) > wire.NAME_LIMIT for name in names):
        return "name too long"
    try:
        "".join((key, *names)).encode()
    except UnicodeEncodeError:  # parts of a file's name that is not UTF-8
        return "name that is not Unicode"
    size = UTF8 * (len(key) + sum(map(len, names))) + ARRAY_BYTES * len(arrays)
    if size > ITEM_LIMIT and len(msgspec.msgpack.encode([key, names])) > ITEM_LIMIT // 2:
        return "name too long"
    return ""


def _plain(item: Item, frame: int) -> bool:
    """Whether one look shows that an item fits, as nearly all do: all of its text is short."""
    position = item.position
    if item.arrays or len(position) > wire.AXES_LIMIT or item.data.nbytes > frame:
        return False
    texts = [value for value in position.values() if type(value) is str]
    made, known = item.provenance, item.calibration
    text = "".join(
        (made.key, made.worker, item.layer, *position, *texts, *known.axes, *known.units)
    )
    return len(text) <= wire.NAME_LIMIT and text.isascii()


def _names(item: Item) -> Iterator[str]:
    yield item.layer
    yield item.provenance.worker
    yield from item.arrays
    yield from item.calibration.axes
    yield from item.calibration.units
    coordinate: Any
    for axis, coordinate in item.position.items():
        yield axis
        if isinstance(coordinate, str):
            yield coordinate
