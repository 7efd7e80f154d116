"""Items that cannot be sent or that a receiver would refuse, found before they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import numpy.typing as npt

from dask_napari.model import (
    AXES_LIMIT,
    NAME_LIMIT,
    TASK_KEY_LIMIT,
    Item,
    LayerSpec,
    Refusal,
    Reports,
    contain,
)
from dask_napari.stream.wire import arrays_of, payload_size
from dask_napari.stream.wire import messages as wire

ITEM_LIMIT: Final = 60 << 10
"""Bytes of an item's header: 64 of them, and the counts, make a header within its limit."""

DTYPES: Final = "biufcSU"
"""Kinds of types that travel: numbers and text."""

LEAST, MOST = -(2**63), 2**53
"""Whole numbers between them have room in any field of a message."""

GROUP_BYTES: Final = wire.HEADER_LIMIT // 4
"""Bytes of layers that are declared together; a receiver takes no more than 64 KiB of one."""

_layers = msgspec.msgpack.Decoder(LayerSpec)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(wire.ItemHeader)


def unsendable(reason: str, layer: str, key: str = "") -> Refusal:
    """Return the refusal of an output that cannot travel."""
    detail = f"the output does not fit into a message ({reason})"
    return Refusal(reason, detail, layer=layer, key=key)


def oversize(item: Item, frame: int) -> str:
    """Return why an item does not fit into a message, its frame included; empty if it does."""
    if _plain(item, frame):
        return ""
    arrays = list(arrays_of(item))
    if payload_size([item]) > frame:
        return "too large"
    if any(array.dtype.kind not in DTYPES for _, array in arrays):
        return "dtype"
    axes = max(len(item.position), *(array.ndim for _, array in arrays))
    if len(arrays) > wire.ARRAYS_LIMIT or axes > AXES_LIMIT:
        return "too many axes or columns"
    names = list(_names(item))
    key = item.provenance.key
    if len(key) > TASK_KEY_LIMIT or any(len(name) > NAME_LIMIT for name in names):
        return "name too long"
    return _unreadable(item, arrays)


def _unreadable(item: Item, arrays: Iterable[tuple[str, npt.NDArray[Any]]]) -> str:
    """Return why the receiver could not read an item's header, found by reading it here."""
    headers = [wire.ArrayHeader(n, a.dtype.str, a.shape, 0, a.nbytes) for n, a in arrays]
    try:
        header = _encoder.encode(wire.ItemHeader(item.seq, item.meta, headers))
        if len(header) > ITEM_LIMIT:
            return "name too long"
        _decoder.decode(header)
    except UnicodeEncodeError:  # parts of a file's name that is not UTF-8
        return "name that is not Unicode"
    except Exception as error:
        contain(error, foreign=True)  # users' own types
        return "value that cannot be sent"
    return ""


def _plain(item: Item, frame: int) -> bool:
    """Return whether an item obviously fits, as nearly all do: all in it is short and plain."""
    meta, array = item.meta, item.data
    if item.arrays or meta.options:
        return False
    if array.nbytes > frame or array.ndim > AXES_LIMIT or array.dtype.kind not in "biuf":
        return False
    position, provenance, known = meta.position, meta.provenance, meta.calibration
    texts = [provenance.key, provenance.worker, meta.layer, *position, *known.axes, *known.units]
    for value in position.values():
        if type(value) is str:
            texts.append(value)
        elif type(value) is not float and not (type(value) is int and LEAST < value < MOST):
            return False
    text = "".join(texts)
    if len(position) > AXES_LIMIT or len(text) > NAME_LIMIT or not text.isascii():
        return False
    if known.scale or known.translate:
        numbers = (*known.scale, *known.translate)
        if len(numbers) > AXES_LIMIT or any(type(number) is not float for number in numbers):
            return False
    if meta.origin or meta.array_shape:
        pixels = (*meta.origin, *meta.array_shape)
        if len(pixels) > AXES_LIMIT or not 0 <= min(pixels) <= max(pixels) < MOST:
            return False
    return 0 <= provenance.run_id < MOST


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


def declarations(layers: Iterable[LayerSpec], reports: Reports) -> Iterator[list[LayerSpec]]:
    """Yield layers in groups that fit into a message; report those that cannot travel."""
    group: list[LayerSpec] = []
    size = 0
    for layer in layers:
        try:
            encoded = _encoder.encode(layer)
            _layers.decode(encoded)
            if len(encoded) > GROUP_BYTES:
                raise ValueError(f"{len(encoded)} bytes of options; {GROUP_BYTES} at most")
        except Exception as error:  # the others are declared all the same
            reports.error("layer", error, layer=layer.name)
            contain(error, foreign=True)  # options are users' values
            continue
        if group and size + len(encoded) > GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(layer)
        size += len(encoded)
    if group:
        yield group
