"""Memory that values keep alive: a view keeps the whole of its base, however little it shows."""

from __future__ import annotations

import gc
import mmap
import types
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

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
_BYTES: Final = frozenset({bytes, bytearray})
_PLAIN: Final = _BYTES | {np.ndarray}
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


def memory_of(array: npt.NDArray[Any]) -> list[Any]:
    """Return an array, the arrays that it is a view of, and last the owner of their memory.

    That is an array, or the buffer that it was made over.

    >>> stack = np.zeros((100, 64, 64), "u1")
    >>> memory_of(stack[3])[-1] is stack, memory_of(np.frombuffer(b"ab", "u1"))[1:]
    (True, [b'ab'])
    """
    chain: list[Any] = [array]
    # numpy's own getter: a subclass may have another, which is its author's code.
    owner = _base.__get__(array)
    while owner is not None:
        if type(owner) is memoryview:
            owner = owner.obj
            continue
        chain.append(owner)
        owner = _base.__get__(owner) if is_array_type(type(owner)) else None
    return chain


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
    chain = memory_of(array)
    owner = chain[-1]
    if type(owner) in _BYTES:
        return Held(len(owner), id(owner))
    last = owner if is_array_type(type(owner)) else chain[-2]
    return Held(_nbytes.__get__(last), id(owner))


def is_plain(array: object) -> bool:
    """Return whether a value is an array of numpy's own in memory that reads as it is.

    >>> is_plain(np.zeros(3)[1:]), is_plain(np.zeros(3, object)), is_plain([0.0])
    (True, False, False)
    """
    if type(array) is not np.ndarray or array.dtype.hasobject:
        return False
    return array.base is None or _PLAIN.issuperset(map(type, memory_of(array)))


def mapping_of(array: npt.NDArray[Any]) -> tuple[mmap.mmap, int] | None:
    """Return the mapping that an array is in and where in the file it begins; None if in memory."""
    *arrays, owner = memory_of(array)
    if not isinstance(owner, mmap.mmap):
        return None
    begins = [one.offset for one in arrays if isinstance(one, np.memmap)]
    return owner, begins[-1] - begins[-1] % mmap.ALLOCATIONGRANULARITY if begins else 0


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
        elif type(found) in _BYTES:
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
