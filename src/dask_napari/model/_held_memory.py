"""Memory that values keep alive: a view keeps the whole of its base, however little it shows."""

from __future__ import annotations

import gc
import types
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from dask_napari.model._item import Item
from dask_napari.model._refusal import Refusal

MOST_BYTES: Final = 2**53
"""Bytes; larger sizes are lies, and sums of a thousand of these still fit into 64 bits."""

SMALL_BASE: Final = 1 << 20
"""Bytes of a base that a view may keep alive whatever its own size: to copy saves little."""

VISITS: Final = 100
"""Objects looked at in search of arrays; a DataArray has some 30, and 100 take some 50 us."""

MOST_CONTENTS: Final = 100
"""Entries of a container that is looked into; Dask estimates longer ones by samples."""

_OPAQUE: Final = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
"""Types that refer to much that does not belong to a value."""

_LEAVES: Final = frozenset({str, int, float, bool, type(None), complex, np.dtype})
_SIZED: Final = (bytes, bytearray)
_base: Any = np.ndarray.base  # type: ignore[attr-defined, unused-ignore]
_nbytes: Any = np.ndarray.nbytes


class Held(NamedTuple):
    """Bytes that letting go of a value would free, and the identity of the memory's owner.

    The owner is 0 if there are several, or none that other values could share.
    """

    nbytes: int
    owner: int = 0


def is_array_type(kind: type) -> bool:
    """Return whether a type is numpy's; not asked of a value, whose ``__class__`` may be code."""
    return issubclass(kind, np.ndarray)


def held_by_array(array: npt.NDArray[Any]) -> Held:
    """Return what an array keeps alive: the memory of the array or buffer that it is a view of.

    >>> stack = np.zeros((100, 64, 64), "u1")
    >>> held_by_array(stack[3, :8, :8]).nbytes
    409600
    >>> held_by_array(np.broadcast_to(np.zeros(1, "u2"), (100, 100))).nbytes
    2
    """
    if type(array) is np.ndarray and array.base is None:
        return Held(array.nbytes)
    # numpy's own getters: a subclass may have others, which are its author's code.
    owner: Any = _base.__get__(array)
    while is_array_type(type(owner)):
        array, owner = owner, _base.__get__(owner)
    if owner is None:
        return Held(_nbytes.__get__(array), id(array))
    if type(owner) is memoryview:
        owner = owner.obj
        if is_array_type(type(owner)):
            held = held_by_array(owner)
            return Held(held.nbytes, held.owner or id(owner))
    if type(owner) in _SIZED:
        return Held(len(owner), id(owner))
    return Held(_nbytes.__get__(array), id(owner))


def in_memory(item: Item) -> bool:
    """Return whether all arrays of an item are in plain memory, not in a file that may hang."""
    if not is_plain(item.data):
        return False
    return not item.arrays or all(map(is_plain, item.arrays.values()))


def is_plain(array: object) -> bool:
    """Return whether a value is an array of numpy's own in memory that reads as it is.

    >>> is_plain(np.zeros(3)[1:]), is_plain(np.zeros(3, object)), is_plain([0.0])
    (True, False, False)
    """
    if type(array) is not np.ndarray or array.dtype.hasobject:
        return False
    if array.base is None:
        return True
    owner: Any = array
    while type(owner) is np.ndarray:
        owner = owner.base
    if type(owner) is memoryview:
        owner = owner.obj
    return owner is None or type(owner) in _SIZED


def held_by(value: object, known: object = 0) -> Held:
    """Return what a value of any type keeps alive, without running any code of its author.

    Arrays and bytes are found in containers, data frames and wrappers, each owner counted once.
    ``known`` is a size that others have found, Dask for instance, which counts where it is larger.
    Raises :class:`Refusal` if it is none.

    >>> held_by({"crop": np.zeros((1000, 1000), "u1")[:5, :5]}, 25)
    Held(nbytes=1000000, owner=0)
    """
    if type(value) is np.ndarray and not value.dtype.hasobject:
        return held_by_array(value)
    owners: dict[int, int] = {}
    seen, waiting, visits = {id(value)}, [value], 0
    while waiting and visits < VISITS:
        visits += 1
        found = waiting.pop()
        if is_array_type(type(found)):
            nbytes, owner = held_by_array(found)  # type: ignore[arg-type]
            owners[owner or id(found)] = nbytes
        elif type(found) in _SIZED:
            owners[id(found)] = len(found)  # type: ignore[arg-type]
        inner = gc.get_referents(found)
        if len(inner) <= MOST_CONTENTS:
            kept = [one for one in inner if type(one) not in _LEAVES and id(one) not in seen]
            seen.update(map(id, kept))
            waiting += [one for one in kept if not issubclass(type(one), _OPAQUE)]
    return Held(max(plain_size(known), min(sum(owners.values()), MOST_BYTES)))


def plain_size(number: object) -> int:
    """Return a size that other people's code has told as a plain int with a bound.

    >>> plain_size(np.float64(12.0)), plain_size(1 << 80) == MOST_BYTES
    (12, True)
    >>> plain_size(float("nan"))
    Traceback (most recent call last):
    ...
    dask_napari.model._refusal.Refusal: a size of nan is not a number of bytes
    """
    if type(number) is int and 0 <= number <= MOST_BYTES:
        return number
    try:
        size = int(number)  # type: ignore[call-overload]
        if type(size) is int and size >= 0:
            return min(size, MOST_BYTES)
    except Exception:
        pass  # users' code; below
    try:
        told = repr(number)[:50]
    except Exception:
        told = type(number).__name__
    raise Refusal("size unknown", f"a size of {told} is not a number of bytes")


def is_small_part(nbytes: int, held: int) -> bool:
    """Return whether values of so many bytes keep so much alive that a copy is better."""
    return held > SMALL_BASE and held > 2 * nbytes


def release_bases(items: Iterable[Item]) -> None:
    """Copy arrays of the items of one output that are in files, or a small part of their base.

    All that they show of a base together counts.
    """
    items = [item for item in items if item.arrays or item.data.base is not None]
    if not items:
        return  # as nearly always
    parts: dict[int, int] = {}
    views: list[tuple[Item, str, Held]] = []
    for item in items:
        for name, array in (("", item.data), *item.arrays.items()):
            if array.base is not None:
                held = held_by_array(array)
                if held.nbytes > SMALL_BASE or not is_plain(array):
                    parts[held.owner] = parts.get(held.owner, 0) + array.nbytes
                    views.append((item, name, held))
    for item, name, held in views:
        array = item.arrays[name] if name else item.data
        if is_small_part(parts[held.owner], held.nbytes) or not is_plain(array):
            if name:
                item.arrays[name] = array.copy()
            else:
                item.data = array.copy()
