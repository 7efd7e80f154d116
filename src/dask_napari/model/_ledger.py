"""The ledger: ``selected = shown + coalesced + dropped(reason) + pending``, always."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from dask_napari.model._bounds import Name, Natural
from dask_napari.model._html_table import html_table

REASONS_LIMIT: Final = 64
"""Reasons for which one publisher drops items of one layer; it has a dozen."""

REASON_LENGTH: Final = 200
"""Characters of a reason."""

MOST: Final = 2**60
"""Largest sum of counts. Hostile ones could add up to more than fits into a message."""

if TYPE_CHECKING:
    Drops = Counter[str]
else:  # bounds for what comes from a wire, where there are no counters
    Drops = Annotated[dict[Name, Natural], Meta(max_length=REASONS_LIMIT)]


class Tally(msgspec.Struct, array_like=True):
    """Counts of one layer, in items; those of a publisher, of a viewer or of both together.

    Attributes
    ----------
    selected : int
        Outputs that a tap chose; in a viewer's own counts, items that arrived.
    shown : int
        Items that reached the canvas.
    coalesced : int
        Items replaced by a newer one at the same position before they were shown.
    dropped : Counter of str
        Items given up, by reason.
    pending : int
        Items still on their way. Counted from the queues, never derived from the others, so
        that :attr:`balanced` can find a mistake.
    sent : int
        Items that a publisher has handed over; the viewer counts what becomes of them.

    Examples
    --------
    >>> Tally(selected=3, shown=2, pending=1).balanced
    True
    >>> Tally(selected=3, shown=2).balanced
    False
    """

    selected: Natural = 0
    shown: Natural = 0
    coalesced: Natural = 0
    dropped: Drops = {}  # type: ignore[assignment]
    pending: Natural = 0
    sent: Natural = 0

    def __post_init__(self) -> None:
        if type(self.dropped) is not Counter:
            found = self.dropped
            self.dropped = Counter.__new__(Counter)  # __init__ takes longer than all else here
            if found:
                self.dropped.update(found)

    @property
    def balanced(self) -> bool:
        """Return whether every selected output is accounted for."""
        ended = self.sent + self.shown + self.coalesced + self.dropped.total()
        return self.selected == ended + self.pending

    def drop(self, reason: str, number: int = 1) -> None:
        """Count items as given up; reasons beyond a few count as "other".

        >>> tally = Tally(selected=1)
        >>> tally.drop("queue-full")
        >>> tally.dropped, tally.balanced
        (Counter({'queue-full': 1}), True)
        """
        if reason not in self.dropped:
            # A user's exceptions may be called anything.
            reason = reason[:REASON_LENGTH].encode("utf-8", "replace").decode()
            if reason not in self.dropped and len(self.dropped) >= REASONS_LIMIT - 1:
                reason = "other"
        self.dropped[reason] += number

    def add(self, other: Tally) -> None:
        """Add other counts to these."""
        self._change(other, 1)

    def subtract(self, other: Tally) -> None:
        """Take back counts that were added."""
        self._change(other, -1)

    def _change(self, other: Tally, sign: int) -> None:
        self.selected += sign * other.selected
        self.shown += sign * other.shown
        self.coalesced += sign * other.coalesced
        self.pending += sign * other.pending
        self.sent += sign * other.sent
        for reason, number in other.dropped.items():
            self.dropped[reason] += sign * number
            if not self.dropped[reason]:
                del self.dropped[reason]

    def drop_pending(self, reason: str) -> None:
        """Count all that is pending as dropped."""
        if self.pending:
            self.drop(reason, self.pending)
            self.pending = 0

    def capped(self) -> Tally:
        """Return these counts with few reasons, the rarest summed up, and without huge numbers."""
        dropped = self.dropped
        if len(dropped) > REASONS_LIMIT:
            dropped = Counter(dict(dropped.most_common(REASONS_LIMIT - 1)))
            dropped["other"] += self.dropped.total() - dropped.total()
        return Tally(
            min(self.selected, MOST),
            min(self.shown, MOST),
            min(self.coalesced, MOST),
            Counter({reason: min(number, MOST) for reason, number in dropped.items()}),
        )

    def copy(self) -> Tally:
        """Return these counts as they are now."""
        tally = Tally(self.selected, self.shown, self.coalesced)
        tally.pending, tally.sent = self.pending, self.sent
        if self.dropped:
            tally.dropped.update(self.dropped)
        return tally

    def __add__(self, other: Tally) -> Tally:
        tally = self.copy()
        tally.add(other)
        return tally

    def __str__(self) -> str:
        reasons = ", ".join(f"{reason}: {n}" for reason, n in sorted(self.dropped.items()))
        return (
            f"{self.selected} selected = {self.shown} shown + {self.coalesced} coalesced"
            f" + {self.dropped.total()} dropped{f' ({reasons})' if reasons else ''}"
            f" + {self.pending} pending{f' + {self.sent} sent' if self.sent else ''}"
        )


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """Counts of one publisher at a viewer, by layer."""

    instance: str  # the viewer's name for the publisher: another one where counts began anew
    alive: bool  # whether more may come of it
    told: dict[str, Tally]  # the publisher's side, as of its last message
    arrived: dict[str, Tally]  # the viewer's side: `selected` are items that arrived


class Ledger:
    """Tallies per publisher and layer, or per layer alone.

    Parameters
    ----------
    tallies : mapping of (str, str) to Tally
        Counts by publisher and layer. A ledger by layer alone has none.
    layers : mapping of str to Tally, optional
        Sums over publishers, by layer; computed if not given.
    notes : iterable of str
        What people should know beside the counts, such as taps that match nothing.

    Examples
    --------
    >>> ledger = Ledger({("worker-1", "cells"): Tally(selected=2, shown=2)})
    >>> ledger["cells"].shown, ledger.total.selected, ledger.balanced
    (2, 2, True)

    A notebook shows it as a table.
    """

    def __init__(
        self,
        tallies: Mapping[tuple[str, str], Tally] | None = None,
        *,
        layers: Mapping[str, Tally] | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        self.notes: tuple[str, ...] = tuple(notes)
        self.tallies: dict[tuple[str, str], Tally] = dict(tallies or {})
        if layers is None:
            sums: dict[str, Tally] = {}
            for (_, layer), tally in self.tallies.items():
                sums.setdefault(layer, Tally()).add(tally)
            layers = sums
        self.layers = layers

    def __repr__(self) -> str:
        return f"<Ledger of {len(self.layers)} layers: {self.total}>"

    def __getitem__(self, layer: str) -> Tally:
        """Return the tally of one layer over all publishers, which one of them must know."""
        if layer not in self.layers:
            raise KeyError(f"no layer {layer!r} in the ledger; layers are {sorted(self.layers)}")
        return self.layers[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.layers))

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers

    @property
    def total(self) -> Tally:
        """Tally over all publishers and layers."""
        total = Tally()
        for tally in self.layers.values():
            total.add(tally)
        return total

    @property
    def balanced(self) -> bool:
        """Return whether every tally is balanced."""
        return all(tally.balanced for tally in (self.tallies or self.layers).values())

    def _repr_html_(self) -> str:
        titles = ("layer", "selected", "shown", "coalesced", "dropped", "pending")
        rows = []
        for layer in self:
            tally = self[layer]
            reasons = ", ".join(f"{reason}: {n}" for reason, n in sorted(tally.dropped.items()))
            counts = tally.selected, tally.shown, tally.coalesced, reasons or 0, tally.pending
            rows.append((layer, *counts))
        return html_table(titles, rows, self.notes)

    def __str__(self) -> str:
        """One line per layer and note, for people."""
        lines = [f"{layer}: {self[layer]}" for layer in self] or ["nothing selected yet"]
        return "\n".join([*lines, *self.notes])
