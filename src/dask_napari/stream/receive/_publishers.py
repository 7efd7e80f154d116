"""The publishers that a receiver has met, what they say of their items, and their layers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from dask_napari.model import LayerSpec, Ledger, Tally, permitted
from dask_napari.stream.receive._board import Board
from dask_napari.stream.receive._peers import KnownPublisher, PeerInfo
from dask_napari.stream.wire import Limits, Rejected
from dask_napari.stream.wire import messages as wire

MOST: Final = 2**60
"""Of anything that is counted; hostile counts that add up to more would not fit into a message."""

BEYOND: Final = "(layers without counts)"
"""Where items are counted as dropped whose layer there was no room for."""


class Publishers:
    """All publishers over all of their connections; safe for threads.

    Parameters
    ----------
    limits : Limits
        How much is kept.
    board : Board
        Knows what became of the items that arrived.

    Attributes
    ----------
    lock : threading.RLock
        Held while both sides of the ledger change.
    """

    def __init__(self, limits: Limits, board: Board) -> None:
        self.lock = threading.RLock()
        self._limits = limits
        self._board = board
        self._sources: dict[str, KnownPublisher] = {}
        self._layers: dict[str, LayerSpec] = {}
        self._sizes: dict[str, int] = {}
        self._tallies = 0
        self._ended: dict[str, Tally] = {}

    def __iter__(self) -> Iterator[KnownPublisher]:
        return iter(list(self._sources.values()))

    def arrive(self, name: str, host: str) -> KnownPublisher:
        """Return the source of a publisher that connects.

        Raises
        ------
        Rejected
            If too many are known already.
        """
        with self.lock:
            source = self._sources.get(name)
            if source is None:
                self._make_room()
                source = self._sources[name] = KnownPublisher(name)
            source.host, source.alive, source.transport = host, True, "inline"
            return source

    def _make_room(self) -> None:
        """Forget the oldest of those that have ended, if there are too many."""
        full = len(self._sources) >= self._limits.sources
        ended = [source for source in self._sources.values() if not source.alive]
        if full:
            self._add_up(ended)
        elif len(ended) > self._limits.ended:
            self._add_up(ended[: len(ended) // 2 + 1])  # not at each that comes: it takes a while
        if len(self._sources) >= self._limits.sources:
            raise Rejected("too many publishers")

    def _add_up(self, sources: list[KnownPublisher]) -> None:
        """Forget publishers, but for the sums of their counts.

        One that comes back all the same is told that it is not known, and starts over.
        """
        for name, here in self._board.retire({source.name for source in sources}).items():
            source = self._sources.pop(name)
            for layer in source.counts.keys() | here.keys():
                tally = source.tally(layer, here.get(layer, Tally()))
                self._ended[layer] = _capped(self._ended.get(layer, Tally()) + tally)
        self._tallies = sum(len(s.layers) for s in self._sources.values()) + len(self._ended)

    def admit(self, source: KnownPublisher, layers: Iterable[str]) -> frozenset[str]:
        """Make layers of a source known; return those for whose counts there is no room."""
        fresh = {layer for layer in layers if layer not in source.layers}
        if not fresh:
            return frozenset()
        with self.lock:
            if self._tallies + len(fresh) > self._limits.tallies:
                self._add_up([s for s in self._sources.values() if not s.alive])
            room = max(0, self._limits.tallies - self._tallies)
            known = set(sorted(fresh)[:room])
            self._tallies += len(known)
            source.layers |= known
            return frozenset(fresh - known)

    def count(self, source: KnownPublisher, counts: list[wire.Count]) -> None:
        """Take over a publisher's side of the ledger, as far as there is room for its layers."""
        beyond = self.admit(source, (count.layer for count in counts))
        with self.lock:
            source.counts.update((c.layer, c) for c in counts if c.layer not in beyond)

    def complain(self, source: KnownPublisher, troubles: list[wire.Trouble]) -> None:
        """Remember a publisher's errors, the last ones of a few causes."""
        with self.lock:
            for trouble in troubles:
                cause = trouble.layer, trouble.reason
                source.troubles.pop(cause, None)
                source.troubles[cause] = trouble
            while len(source.troubles) > wire.TROUBLES_LIMIT:
                del source.troubles[next(iter(source.troubles))]

    def declare(self, layers: list[LayerSpec]) -> None:
        """Take over what taps say of their layers.

        Raises
        ------
        Rejected
            If there are too many; those that are known are brought up to date.
        """
        refused = ""
        with self.lock:
            for layer in layers:
                size = len(msgspec.msgpack.encode(layer))
                total = sum(self._sizes.values()) - self._sizes.get(layer.name, 0) + size
                known = layer.name in self._layers
                full = len(self._layers) >= self._limits.layers and not known
                if full or total > self._limits.specs:
                    refused = "too many layers"
                    continue
                options = permitted(layer.kind, layer.options)
                if len(options) < len(layer.options):
                    refused = refused or "option that a layer may not have"
                self._sizes[layer.name] = size
                self._layers[layer.name] = replace(layer, options=options)
        if refused:
            raise Rejected(refused)

    def layers(self) -> dict[str, LayerSpec]:
        """Layers declared by taps so far."""
        with self.lock:
            return dict(self._layers)

    def infos(self) -> list[PeerInfo]:
        """The publishers as the dock shows them."""
        with self.lock:
            return [
                PeerInfo(s.name, s.host, s.transport, s.alive, s.items, s.nbytes)
                for s in self._sources.values()
            ]

    def troubles(self) -> list[tuple[str, wire.Trouble]]:
        """Errors of all publishers, with their names."""
        with self.lock:
            return [(s.name, t) for s in self._sources.values() for t in s.troubles.values()]

    def ledger(self) -> Ledger:
        """The ledger of all publishers, both sides; those added up go by an empty name."""
        with self.lock:
            here = self._board.tallies()
            keys = {*here, *((s.name, layer) for s in self._sources.values() for layer in s.counts)}
            nothing = Tally()
            return Ledger(
                {("", layer): tally + Tally() for layer, tally in self._ended.items()}
                | {
                    (name, layer): source.tally(layer, here.get((name, layer), nothing))
                    for name, layer in sorted(keys)
                    if (source := self._sources.get(name))
                }
            )


def _capped(tally: Tally) -> Tally:
    """The same with few reasons, of the rarest ones only the number, and no count too large."""
    dropped = tally.dropped
    if len(dropped) > wire.REASONS_LIMIT:
        dropped = Counter(dict(dropped.most_common(wire.REASONS_LIMIT - 1)))
        dropped["other"] += tally.dropped.total() - dropped.total()
    return Tally(
        min(tally.selected, MOST),
        min(tally.shown, MOST),
        min(tally.coalesced, MOST),
        Counter({reason: min(number, MOST) for reason, number in dropped.items()}),
    )
