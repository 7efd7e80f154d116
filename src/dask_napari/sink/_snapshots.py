"""Snapshots of values that tasks may go on writing to, and what values keep alive."""

from __future__ import annotations

import copy
from typing import Any, Final, TypeGuard

import numpy as np
from dask.sizeof import sizeof

from dask_napari.model import (
    AnyArray,
    Held,
    held_by,
    is_plain,
    is_small_part,
    memory_of,
    plain_size,
)

COPIED_AT_ONCE: Final = 256 << 10
"""Bytes of a view that is copied on the event loop rather than keep a large array alive: 10 us,
and 3 us for 64 KiB, after a task that made four times as much at least."""


def snapshot(value: Any) -> Any:
    """Return a value that later writes do not change: itself if it cannot be written, or a copy."""
    if type(value) is np.ndarray:
        return value if _is_constant(value) else value.copy()
    return copy.deepcopy(value)


def copied_nbytes(value: object) -> int:
    """Return how many bytes a snapshot of a value takes. Raises any error, and :class:`Refusal`.

    >>> copied_nbytes(np.broadcast_to(np.uint16(1), (100, 100)))
    20000
    """
    return plain_size(value.nbytes if isinstance(value, np.ndarray) else sizeof(value))


def held_output(value: object, known: object) -> tuple[object, Held]:
    """Return an output, or its copy if it is a little of a large array, and what it keeps alive.

    ``known`` is the size that Dask found. Raises :class:`Refusal` if that is none.
    """
    held = held_by(value, known)
    if held.owner and is_small_view(value, held) and value.nbytes <= COPIED_AT_ONCE:
        return value.copy(), Held(value.nbytes)
    return value, held


def is_small_view(value: object, held: Held) -> TypeGuard[AnyArray]:
    """Return whether a value is a plain array that had better be copied than keep its base."""
    if type(value) is not np.ndarray or value.base is None:
        return False
    return is_small_part(value.nbytes, held.nbytes) and is_plain(value)


def _is_constant(array: Any) -> bool:
    """Return whether nobody can write to an array's memory; a read-only view proves nothing."""
    return all(
        type(one) is bytes or (isinstance(one, np.ndarray) and not one.flags.writeable)
        for one in memory_of(array)
    )
