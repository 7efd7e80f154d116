"""Rates at which the items of each layer find their end."""

from __future__ import annotations

from collections.abc import Callable

from dask_napari.model import Ledger, Pace


class ItemRates:
    """Measure how many items of each layer are shown, coalesced or dropped in a second."""

    def __init__(self, sums: Callable[[], Ledger]) -> None:
        self._sums = sums
        self._paces: dict[str, Pace] = {}

    def __repr__(self) -> str:
        return f"<ItemRates of {len(self._paces)} layers>"

    def look(self, now: float) -> None:
        """Take note of the counts."""
        for layer, tally in self._sums().layers.items():
            pace = self._paces.setdefault(layer, Pace())
            pace.take(tally.shown + tally.coalesced + tally.dropped.total(), now)

    def rates(self) -> dict[str, float]:
        """Return the rates, in items a second."""
        return {layer: pace.rate for layer, pace in self._paces.items()}
