"""The entry of an item in the catalogue, and what is held of its arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from dask_napari.catalog._value_range import ValueRange
from dask_napari.model import TASK_STATES, Item, ItemMeta

State = Literal[
    "expected", "running", "computed", "failed", "shown", "hidden", "dropped", "withdrawn"
]
"""State of an entry. Without an item it is that of its task: waits, runs, has computed an output
that is on its way, or failed. With an item: on a layer, or kept without one since the user removed
that. Refused, or no longer in the catalogue."""

WITHOUT_ITEM: Final[frozenset[State]] = frozenset(TASK_STATES)
"""States of the entries of tasks whose item has not come."""

StreamKey = tuple[str, str]
"""Layer and part of the items of a stream."""


class ArrayHandle(Protocol):
    """Array in memory, or in a store from which it can be read back."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def get(self) -> npt.NDArray[Any]:
        """Return the array, which must not be written to."""


class HeldItem(Item):
    """Item whose pixels a store keeps; its ``data`` has their shape and type alone.

    Attributes
    ----------
    held : ArrayHandle
        The pixels.
    values : ValueRange, optional
        Range of their values, once that was measured: pixels on disk are not read again for that.
    """

    __slots__ = ("held", "values")
    held: ArrayHandle
    values: ValueRange | None

    @classmethod
    def kept(cls, item: Item, keep: Callable[[npt.NDArray[Any]], ArrayHandle]) -> Self:
        """Return an item with its pixels in a store."""
        held = keep(item.data)
        data = _outline(held.shape, held.dtype)
        # A dict of its own for each would be a tenth of an entry.
        kept = cls.of(item.meta, data, item.arrays or _NO_ARRAYS, item.publisher, item.seq)
        kept.run, kept.held, kept.values, kept.arrived = item.run, held, None, item.arrived
        return kept

    def loaded(self) -> Item:
        """Return the item with its pixels."""
        return Item.of(self.meta, self.held.get(), self.arrays, self.publisher, self.seq)


_NO_ARRAYS: Final[dict[str, npt.NDArray[Any]]] = {}


@lru_cache(1024)
def _outline(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return an array of a shape and type that takes no memory for elements."""
    return np.broadcast_to(np.zeros((), dtype), shape)


class CatalogueEntry:
    """The item of a stream at a place in a run, or the task that is to make it, and its state.

    Attributes
    ----------
    meta : ItemMeta
        Position, provenance and all else but the arrays.
    item : Item or None
        The item with its arrays; None if none are held.
    run : int
        Number of the run that it belongs to.
    state : State
        What became of it.
    reason : str
        Why it was dropped; empty otherwise.
    replaced : Counter of str, optional
        Items that the item has replaced and that count as it does, by publisher.
    """

    __slots__ = ("item", "meta", "reason", "replaced", "run", "state")

    def __init__(
        self, meta: ItemMeta, item: Item | None, run: int, state: State, reason: str = ""
    ) -> None:
        self.meta = meta
        self.item = item
        self.run = run
        self.state: State = state
        self.reason = reason
        self.replaced: Counter[str] | None = None

    def __repr__(self) -> str:
        state = f"{self.state} ({self.reason})" if self.reason else self.state
        return f"<CatalogueEntry {self.meta.name!r} at {self.meta.at}, run {self.run}: {state}>"
