"""Items to payload bytes and back; every declared shape is checked against the bytes present."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dask_napari.model import AXES_LIMIT, Item, Refusal, permitted
from dask_napari.stream.wire._codec import decode
from dask_napari.stream.wire.messages import ArrayHeader, ItemHeader

ALIGNMENT: Final = 64
"""Bytes; a cache line, and what the widest vector loads want."""

JOIN_BELOW: Final = 64 << 10
"""Bytes; smaller arrays of an inline batch share a frame: a frame costs more than their copy."""

DATA: Final = "data"
"""Name of the array that every item has."""

_DTYPE: Final = re.compile(r"[<>|=]?[biufcSU]\d{1,4}")
_DTYPES: Final = 256  # remembered: a few dozen are in use, and peers can make up many thousand


def aligned(nbytes: int) -> int:
    """Round up to the alignment.

    >>> aligned(1), aligned(64)
    (64, 64)
    """
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def arrays_of(item: Item) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield all arrays of an item with their names, the data first."""
    yield DATA, item.data
    yield from item.arrays.items()


def payload_size(items: Sequence[Item]) -> int:
    """Return the bytes that a slot needs for the items."""
    nbytes = 0
    for item in items:
        nbytes += aligned(item.data.nbytes)
        if item.arrays:
            nbytes += sum(aligned(array.nbytes) for array in item.arrays.values())
    return nbytes


def _copy_into(target: npt.NDArray[np.uint8], array: npt.NDArray[Any]) -> None:
    # copyto takes any strides and byte order and releases the GIL, so a large copy never stalls
    # the event loop of the worker (`memoryview[:] =` and `tobytes` hold it).
    np.copyto(target.view(array.dtype).reshape(array.shape), array)


def pack(items: Sequence[Item], target: npt.NDArray[np.uint8]) -> list[ItemHeader]:
    """Copy the arrays of the items into a slot of at least :func:`payload_size` bytes."""
    headers = []
    offset = 0
    for item in items:
        arrays = []
        for name, array in arrays_of(item):
            nbytes = array.nbytes
            if nbytes:
                _copy_into(target[offset : offset + nbytes], array)
            arrays.append(ArrayHeader(name, array.dtype.str, array.shape, offset, nbytes))
            offset += aligned(nbytes)
        headers.append(ItemHeader(item.seq, item.meta, arrays))
    return headers


Encode = Callable[[Item, npt.NDArray[Any]], tuple[str, npt.NDArray[np.uint8]]]
"""Gives the codec of an array and its bytes; the codec is empty if they are its own."""


def as_it_is(item: Item, array: npt.NDArray[Any]) -> tuple[str, npt.NDArray[np.uint8]]:
    """Return the bytes of an array, without a codec."""
    return "", np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def pack_frames(
    items: Sequence[Item], encode: Encode = as_it_is
) -> tuple[list[ItemHeader], list[npt.NDArray[np.uint8]]]:
    """Lay the arrays of the items out in payload frames.

    Large contiguous arrays become frames of their own without a copy; small ones share the
    first frame. The arrays must not change until the frames are sent.
    """
    frames: list[npt.NDArray[np.uint8]] = [np.empty(0, np.uint8)]
    small: list[npt.NDArray[np.uint8]] = []
    headers = []
    offset = 0
    for item in items:
        arrays = []
        for name, array in arrays_of(item):
            codec, data = encode(item, array)
            at = 0 if data.nbytes < JOIN_BELOW else len(frames)
            stored = data.nbytes if codec else 0
            place = 0 if at else offset, array.nbytes, at, codec, stored
            arrays.append(ArrayHeader(name, array.dtype.str, array.shape, *place))
            if at:
                frames.append(data)
            else:
                small.append(data)
                offset += aligned(data.nbytes)
        headers.append(ItemHeader(item.seq, item.meta, arrays))
    frames[0] = _joined(small, offset)
    return headers, frames


def _joined(parts: Sequence[npt.NDArray[np.uint8]], nbytes: int) -> npt.NDArray[np.uint8]:
    joint = np.empty(nbytes, np.uint8)
    offset = 0
    for part in parts:
        joint[offset : offset + part.nbytes] = part
        offset += aligned(part.nbytes)
    return joint


Allocate = Callable[[int], npt.NDArray[np.uint8]]
"""Makes memory for an array that is decoded."""


@functools.lru_cache(_DTYPES)
def _dtype(name: str) -> np.dtype[Any]:
    if not _DTYPE.fullmatch(name):
        raise Refusal("dtype that is not numeric or text")
    try:
        return np.dtype(name)
    except TypeError as error:
        raise Refusal("dtype that numpy does not know") from error


def _unpack_array(
    header: ArrayHeader, payload: Sequence[npt.NDArray[np.uint8]], allocate: Allocate | None
) -> npt.NDArray[Any]:
    dtype = _dtype(header.dtype)
    if len(header.shape) > AXES_LIMIT or min(header.shape, default=0) < 0:
        raise Refusal("impossible shape")
    if math.prod(header.shape) * dtype.itemsize != header.nbytes or not dtype.itemsize:
        raise Refusal("shape that does not fit the bytes")
    if not 0 <= header.frame < len(payload):
        raise Refusal("frame that is not there")
    buffer = payload[header.frame]
    if header.offset < 0 or not 0 <= header.taken <= buffer.nbytes - header.offset:
        raise Refusal("offset outside of the payload")
    part = buffer[header.offset : header.offset + header.taken]
    try:
        if header.codec:
            part = decode(header.codec, part, header.nbytes, allocate)
        return part.view(dtype).reshape(header.shape)
    except (ValueError, OverflowError) as error:
        raise Refusal("shape that numpy cannot have") from error


def unpack(
    header: ItemHeader,
    payload: Sequence[npt.NDArray[np.uint8]],
    publisher: str,
    allocate: Allocate | None = None,
) -> Item:
    """Rebuild an item as views of the payload, or of memory of its own where it was compressed.

    Raises Refusal if the declaration does not fit the bytes. Whether the arrays fit the kind is
    another question, for :func:`~dask_napari.model.check`.
    """
    arrays = {array.name: _unpack_array(array, payload, allocate) for array in header.arrays}
    data = arrays.pop(DATA, None)
    if data is None:
        raise Refusal("no data")
    meta = header.meta
    for coordinate in meta.position.values():
        if isinstance(coordinate, float) and not math.isfinite(coordinate):
            raise Refusal("coordinate that is not finite")
    item = Item.of(meta, data, arrays, publisher, header.seq)
    if meta.options:
        item.amend(options=permitted(meta.kind, meta.options))
    return item
