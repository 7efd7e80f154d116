"""Entries of one run of a stream, and how many of them are in each state."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dask_napari.catalog._entry import CatalogueEntry, State

Place = tuple[Any, ...]
"""Identity of a place in a stream."""


class RunEntries:
    """Entries of one run of a stream by place, and their numbers by state.

    >>> RunEntries()
    <RunEntries: {}>
    """

    __slots__ = ("counts", "places")

    def __init__(self) -> None:
        self.places: dict[Place, CatalogueEntry] = {}
        self.counts: Counter[State] = Counter()

    def __repr__(self) -> str:
        return f"<RunEntries: {dict(self.counts)}>"

    @property
    def holds_items(self) -> bool:
        """True if any entry holds an item."""
        return bool(self.counts["shown"] or self.counts["hidden"])
