"""The publishers that a receiver has met, what they say of their items, and their layers."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

import msgspec

from dask_napari.stream import messages as wire
from dask_napari.stream.board import Board
from dask_napari.stream.item import LayerSpec
from dask_napari.stream.ledger import Ledger, Tally
from dask_napari.stream.limits import Limits, Rejected
from dask_napari.stream.options import permitted
from dask_napari.stream.peer import PeerInfo, Source


class Sources:
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
        self._sources: dict[str, Source] = {}
        self._layers: dict[str, LayerSpec] = {}
        self._sizes: dict[str, int] = {}
        self._tallies = 0

    def __iter__(self) -> Iterator[Source]:
        return iter(list(self._sources.values()))

    def arrive(self, name: str, host: str) -> Source:
        """Return the source of a publisher that connects.

        Raises
        ------
        Rejected
            If too many are known already.
        """
        with self.lock:
            source = self._sources.get(name)
            if source is None:
                if len(self._sources) >= self._limits.sources:
                    self._make_room()
                source = self._sources[name] = Source(name)
            source.host, source.alive, source.transport = host, True, "inline"
            return source

    def _make_room(self) -> None:
        """Forget those that are gone and have left nothing to account for."""
        idle = [s.name for s in self._sources.values() if not (s.alive or s.layers or s.items)]
        for name in idle:
            del self._sources[name]
        if not idle:
            raise Rejected("too many publishers")

    def admit(self, source: Source, layers: Iterable[str]) -> None:
        """Make layers of a source known, all or none.

        Raises
        ------
        Rejected
            If too many counts would have to be kept.
        """
        fresh = {layer for layer in layers if layer not in source.layers}
        if not fresh:
            return
        with self.lock:
            if self._tallies + len(fresh) > self._limits.tallies:
                raise Rejected("too many layers")
            self._tallies += len(fresh)
            source.layers |= fresh

    def count(self, source: Source, counts: list[wire.Count]) -> None:
        """Take over a publisher's side of the ledger.

        Raises
        ------
        Rejected
            If too many counts would have to be kept.
        """
        self.admit(source, (count.layer for count in counts))
        with self.lock:
            source.counts.update((count.layer, count) for count in counts)

    def complain(self, source: Source, troubles: list[wire.Trouble]) -> None:
        """Remember a publisher's errors, the last ones of a few causes."""
        with self.lock:
            for trouble in troubles:
                cause = trouble.layer, trouble.reason
                source.troubles.pop(cause, None)
                source.troubles[cause] = trouble
            while len(source.troubles) > wire.TROUBLES_LIMIT:
                del source.troubles[next(iter(source.troubles))]

    def declare(self, layers: list[wire.LayerHeader]) -> None:
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
                self._layers[layer.name] = LayerSpec(
                    layer.name,
                    layer.kind,
                    layer.axes,
                    options,
                    layer.layouts,
                    layer.sizes,
                    layer.fill,
                )
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
        """The ledger of all publishers, both sides."""
        with self.lock:
            here = self._board.tallies()
            keys = {*here, *((s.name, layer) for s in self._sources.values() for layer in s.counts)}
            nothing = Tally()
            return Ledger(
                {
                    (name, layer): source.tally(layer, here.get((name, layer), nothing))
                    for name, layer in sorted(keys)
                    if (source := self._sources.get(name))
                }
            )
