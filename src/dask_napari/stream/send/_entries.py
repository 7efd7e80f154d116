"""Entries of the outbox: outputs before they are items, and items as they are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dask_napari.model import Item, Policy, Refusal, is_plain


class Entry(Protocol):
    """Output that becomes items on the publisher's thread.

    Work is put off to that thread, so that putting costs the event loop next to nothing.
    """

    layer: str
    policy: Policy

    @property
    def nbytes(self) -> int:
        """Bytes that letting go of the value would free; 0 once forgotten."""

    @property
    def owner(self) -> int:
        """Identity of the owner of the memory, which several may hold; 0 if none share it."""

    @property
    def foreign(self) -> bool:
        """True if place or items take code of others or a disk, which may hang."""

    def place(self) -> Hashable:
        """Return the identity of the place that the output fills. Raises :class:`Refusal`."""

    def items(self) -> Sequence[Item | Refusal]:
        """Make an item of each part of the output, or a refusal. Raises :class:`Refusal`."""

    def forget(self) -> bool:
        """Let go of the value; return false, and keep it, if it cannot be found again."""


@dataclass(slots=True)
class ItemEntry:
    """Entry of an item that needs no work."""

    value: Item
    policy: Policy = "latest"
    layer: str = field(init=False)
    nbytes: int = field(init=False)
    owner: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.layer = self.value.layer
        self.nbytes = self.value.nbytes

    @property
    def foreign(self) -> bool:
        """True if the item is in a file, whose disk may hang."""
        item = self.value
        if not is_plain(item.data):
            return True
        return bool(item.arrays) and not all(map(is_plain, item.arrays.values()))

    def place(self) -> Hashable:
        """Return the identity of the place that the item fills."""
        return self.value.place

    def items(self) -> Sequence[Item]:
        """Return the item."""
        return (self.value,)

    def forget(self) -> bool:
        """Return false: nobody else has the item."""
        return False


def key_of(entry: Entry) -> object:
    """Return the key of the task whose output an entry is; empty if there is none."""
    return getattr(entry, "key", "")
