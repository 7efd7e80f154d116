"""Draft of another arrangement, in which items are laid out some at a time."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dask_napari.model import Item, Refusal

if TYPE_CHECKING:
    from dask_napari.viewer.layers._arrangement import Arrangement, Specs

BETWEEN_LOOKS: Final = 64
"""Items between looks at the clock; each takes some 50 us."""

TOO_MANY: Final = "too many layers"
"""Reason of a refusal, whose detail says how many there may be."""


class ArrangementDraft:
    """An arrangement that is not shown yet, and the items on their way into it."""

    def __init__(
        self,
        arrangement: Arrangement,
        items: list[Item],
        placed: Callable[[Item], Item],
        order: list[str],
        specs: Specs,
    ) -> None:
        self.arrangement = arrangement
        self._placed = placed
        self.laid: int = 0
        self._items = items
        self._order = order
        self._specs = specs

    def __repr__(self) -> str:
        return f"<ArrangementDraft: {self.laid} of {self.total} items in {self.arrangement}>"

    @property
    def total(self) -> int:
        """Number of items, laid out or not."""
        return len(self._items)

    def add(self, item: Item) -> None:
        """Take in an item that has come since."""
        self._items.append(item)

    def go_on(self, until: float) -> bool:
        """Lay items out until a time; return whether all are there. Raises Refusal."""
        while self.laid < len(self._items):
            item = self._placed(self._items[self.laid])
            try:
                self.arrangement.put(_reordered(item, self._order), self._specs.get(item.layer))
            except (Refusal, TypeError, ValueError) as error:
                raise self._refusal(item, error) from error
            self.laid += 1
            if not self.laid % BETWEEN_LOOKS and time.monotonic() > until:
                return False
        self.arrangement.newest = None
        return True

    def finished(self) -> Arrangement:
        """Lay out all items that are left; return the arrangement. Raises Refusal."""
        self.go_on(math.inf)
        return self.arrangement

    def _refusal(self, item: Item, error: Exception) -> Refusal:
        detail = f"an item of layer {item.name!r} would have no place: {error}"
        if isinstance(error, Refusal) and error.reason == TOO_MANY:
            modes, specs = self.arrangement.modes, self._specs
            items = map(self._placed, self._items)
            names = {modes.layer_name(each, specs.get(each.layer)) for each in items}
            detail = f"it would take {len(names)} layers, and {error.detail}"
        return Refusal("layout without a place for others", detail)


def _reordered(item: Item, order: list[str]) -> Item:
    """Return an item whose position has its axes in an order, those of it first."""
    position = item.position
    known = {axis: position[axis] for axis in order if axis in position}
    if list(known) == list(position)[: len(known)]:
        return item
    laid = copy.copy(item)
    laid.amend(position={**known, **position})
    return laid
