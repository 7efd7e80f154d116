"""The ledger: ``selected = shown + coalesced + dropped(reason) + pending``, always."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts of one layer of one publisher, in items.

    Attributes
    ----------
    selected : int
        Outputs that a tap chose.
    shown : int
        Items that reached the canvas.
    coalesced : int
        Items replaced by a newer one at the same position before they were shown.
    dropped : Counter of str
        Items given up, by reason.
    pending : int
        Items still on their way. Counted from the queues, never derived from the others, so
        that :attr:`balanced` can find a mistake.

    Examples
    --------
    >>> Tally(selected=3, shown=2, pending=1).balanced
    True
    >>> Tally(selected=3, shown=2).balanced
    False
    """

    selected: int = 0
    shown: int = 0
    coalesced: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    pending: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every selected output is accounted for."""
        accounted = self.shown + self.coalesced + self.dropped.total() + self.pending
        return self.selected == accounted

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.selected + other.selected,
            self.shown + other.shown,
            self.coalesced + other.coalesced,
            self.dropped + other.dropped,
            self.pending + other.pending,
        )


@dataclass(slots=True)
class Ledger:
    """Tallies per publisher and layer.

    Examples
    --------
    >>> ledger = Ledger({("worker-1", "cells"): Tally(selected=2, shown=2)})
    >>> ledger["cells"].shown, ledger.total.selected, ledger.balanced
    (2, 2, True)
    """

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def __getitem__(self, layer: str) -> Tally:
        """Tally of one layer over all publishers.

        Raises
        ------
        KeyError
            If no publisher knows the layer.
        """
        found = [tally for (_, name), tally in self.tallies.items() if name == layer]
        if not found:
            raise KeyError(f"no layer {layer!r} in the ledger; layers are {sorted(self.layers)}")
        return sum(found, Tally())

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.layers))

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers

    @property
    def layers(self) -> set[str]:
        """Names of the layers that anything was selected for."""
        return {layer for _, layer in self.tallies}

    @property
    def total(self) -> Tally:
        """Tally over all publishers and layers."""
        return sum(self.tallies.values(), Tally())

    @property
    def balanced(self) -> bool:
        """Whether every tally is balanced."""
        return all(tally.balanced for tally in self.tallies.values())

    def __str__(self) -> str:
        """One line per layer, for people."""
        lines = []
        for layer in self:
            tally = self[layer]
            dropped = ", ".join(f"{reason}: {n}" for reason, n in sorted(tally.dropped.items()))
            lines.append(
                f"{layer}: {tally.selected} selected = {tally.shown} shown"
                f" + {tally.coalesced} coalesced + {tally.dropped.total()} dropped"
                f"{f' ({dropped})' if dropped else ''} + {tally.pending} pending"
            )
        return "\n".join(lines) or "nothing selected yet"
