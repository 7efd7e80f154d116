"""The publishers that a receiver has met, what they say of their items, and their layers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from dask_napari.model import (
    Counts,
    Item,
    LayerSpec,
    Ledger,
    Refusal,
    Report,
    Tally,
    permitted,
    unmatched,
)
from dask_napari.stream.receive._board import ENDED, Board
from dask_napari.stream.receive._peers import KnownPublisher, PeerInfo
from dask_napari.stream.receive._runs import Runs
from dask_napari.stream.wire import Limits, Rejected

BEYOND: Final = "(layers without counts)"
"""Where items are counted as dropped whose layer there was no room for."""

_NOTHING: Final = Tally()


class Publishers:
    """All publishers over all of their connections; safe for threads.

    Both sides of the ledger change with :attr:`lock` held.
    """

    def __init__(self, limits: Limits, board: Board) -> None:
        self.lock: threading.RLock = threading.RLock()
        self._limits = limits
        self._board = board
        self._known: dict[str, KnownPublisher] = {}
        self._layers: dict[str, LayerSpec] = {}
        self._sizes: dict[str, int] = {}
        self._runs = Runs(limits.publishers)
        self._tallies = 0
        self._ended: dict[str, Tally] = {}
        self._sums: dict[str, Tally] = {}  # the publishers' sides by layer, kept up to date

    def __repr__(self) -> str:
        return f"<Publishers: {len(self._known)} known, {len(self._layers)} layers declared>"

    def __iter__(self) -> Iterator[KnownPublisher]:
        return iter(list(self._known.values()))

    def begin_run(self) -> int:
        """Count the items that arrive from now on to a new run; return its number."""
        with self.lock:
            return self._runs.begin()

    @property
    def runs(self) -> Runs:
        """Runs that are filled; to be used under :attr:`lock`."""
        return self._runs

    def run_of(self, group: str) -> int:
        """Return the number of the run that a group of publishers fills."""
        with self.lock:
            return self._runs.number(group)

    def arrive(self, name: str, host: str, group: str = "") -> KnownPublisher:
        """Return the record of a publisher that connects, or raise :class:`Rejected`: too many."""
        with self.lock:
            publisher = self._known.get(name)
            if publisher is None:
                self._make_room()
                publisher = self._known[name] = KnownPublisher(name)
            publisher.host, publisher.group, publisher.transport = host, group, "inline"
            self._change(publisher, {}, alive=True)
            return publisher

    def lose(self, publisher: KnownPublisher) -> None:
        """Give a publisher up, unless it comes again; what it still held counts as lost."""
        with self.lock:
            self._change(publisher, {}, alive=False)

    def _change(
        self, publisher: KnownPublisher, counts: Mapping[str, Tally], *, alive: bool
    ) -> None:
        """Replace counts of a publisher or its state, and keep the sums right."""
        changed = counts.keys() if alive == publisher.alive else counts.keys() | publisher.counts
        for layer in changed & publisher.counts.keys():
            self._sums[layer].subtract(publisher.side(layer))
        publisher.alive = alive
        for layer, tally in counts.items():
            publisher.selected += tally.selected - publisher.counts.get(layer, _NOTHING).selected
        publisher.counts.update(counts)
        publisher.uncounted.difference_update(counts)
        for layer in changed:
            self._sums.setdefault(layer, Tally()).add(publisher.side(layer))

    def _make_room(self) -> None:
        """Forget the oldest of those that have ended, if there are too many."""
        full = len(self._known) >= self._limits.publishers
        ended = [publisher for publisher in self._known.values() if not publisher.alive]
        if full:
            self._add_up(ended)
        elif len(ended) > self._limits.ended:
            self._add_up(ended[: len(ended) // 2 + 1])  # not at each that comes: it takes a while
        if len(self._known) >= self._limits.publishers:
            raise Rejected("too many publishers")

    def _add_up(self, ended: list[KnownPublisher]) -> None:
        """Forget publishers, but for the sums of their counts.

        One that comes back all the same is told that it is not known, and starts over.
        """
        for name, arrived in self._board.retire({each.name for each in ended}).items():
            publisher = self._known.pop(name)
            for layer in publisher.counts.keys() | arrived.keys():
                # What became of the items that arrived, the board goes on counting.
                side = Tally(arrived[layer].selected) if layer in arrived else Tally()
                if layer in publisher.counts:
                    side = publisher.side(layer)
                    self._sums[layer].subtract(side)
                self._ended[layer] = (self._ended.get(layer, _NOTHING) + side).capped()
        self._tallies = sum(len(each.layers) for each in self) + len(self._ended)

    def admit(self, publisher: KnownPublisher, layers: Iterable[str]) -> frozenset[str]:
        """Make layers of a publisher known; return those whose counts have no room."""
        fresh = {layer for layer in layers if layer not in publisher.layers}
        if not fresh:
            return frozenset()
        with self.lock:
            if self._tallies + len(fresh) > self._limits.tallies:
                self._add_up([each for each in self if not each.alive])
            room = max(0, self._limits.tallies - self._tallies)
            known = set(sorted(fresh)[:room])
            self._tallies += len(known)
            publisher.layers |= known
            return frozenset(fresh - known)

    def count(self, publisher: KnownPublisher, counts: Mapping[str, Tally]) -> None:
        """Take over a publisher's side of the ledger, as far as there is room for its layers."""
        beyond = self.admit(publisher, counts)
        with self.lock:
            kept = {layer: tally for layer, tally in counts.items() if layer not in beyond}
            self._change(publisher, kept, alive=publisher.alive)

    def receive(
        self,
        publisher: KnownPublisher,
        outputs: Sequence[Item | Refusal],
        counts: Mapping[str, Tally],
    ) -> Counter[str]:
        """Put items on the board, and take over the counts that came with them.

        Return the number of outputs that are not on the board, by reason.
        """
        rejected: Counter[str] = Counter()
        now = time.time()  # one float for all of them
        beyond = self.admit(publisher, {output.layer for output in outputs})
        # Both sides of the ledger change together, so that nobody reads one without the other.
        with self.lock:
            run = self._runs.number(publisher.group)
            for output in outputs:
                layer = BEYOND if output.layer in beyond else output.layer
                if layer not in publisher.counts:
                    publisher.uncounted.add(layer)
                if layer is BEYOND:
                    rejected["too many layers"] += 1
                    self._board.reject(publisher.name, BEYOND, "too many layers")
                elif isinstance(output, Item):
                    output.run, output.arrived = run, now
                    self._board.put(output)
                else:
                    rejected[output.reason] += 1
                    self._board.reject(publisher.name, layer, f"malformed: {output.reason}")
            publisher.items += len(outputs)
            self.count(publisher, counts)
        return rejected

    def declare(self, layers: list[LayerSpec]) -> None:
        """Take over what taps say of their layers.

        Raises Rejected if there are too many; those that are known are brought up to date.
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
        """Return the layers declared by taps so far."""
        with self.lock:
            return dict(self._layers)

    def infos(self) -> list[PeerInfo]:
        """Return the publishers as the dock shows them."""
        with self.lock:
            return [
                PeerInfo(s.name, s.host, s.transport, s.alive, s.items, s.nbytes)
                for s in self._known.values()
            ]

    def reports(self) -> list[tuple[str, Report]]:
        """Return what publishers report, with their names."""
        with self.lock:
            return [(each.name, report) for each in self for report in each.reports.all()]

    def unmatched(self) -> list[str]:
        """Return a line for each tap that has matched no task on any worker."""
        with self.lock:
            return unmatched(
                # A tap is active where a publisher says so that is there.
                each.taps if each.alive else msgspec.structs.replace(each.taps, taps={})
                for each in self
            )

    def ledger(self) -> Ledger:
        """Return the ledger by publisher and layer; those added up go by an empty name."""
        with self.lock:
            arrived = self._board.tallies()
            keys = {*arrived, *((each.name, layer) for each in self for layer in each.counts)}
            rows = {(ENDED, layer): tally for layer, tally in self._ended_rows(arrived).items()}
            for name, layer in sorted(keys):
                if (publisher := self._known.get(name)) is not None:
                    here = arrived.get((name, layer)) or Tally()
                    is_told = layer in publisher.counts
                    rows[name, layer] = _joined(publisher.side(layer), here) if is_told else here
            return Ledger(rows)

    def _ended_rows(self, arrived: Mapping[tuple[str, str], Tally]) -> dict[str, Tally]:
        """Return the counts of publishers that have ended, both sides of the ledger together."""
        return {
            layer: _joined(side, arrived.get((ENDED, layer), _NOTHING).copy())
            for layer, side in self._ended.items()
        }

    def counts(self) -> dict[str, Counts]:
        """Return both sides of the ledger by publisher; those added up go by an empty name."""
        with self.lock:
            tallies = self._board.tallies()
            arrived: dict[str, dict[str, Tally]] = {}
            for (name, layer), tally in tallies.items():
                arrived.setdefault(name, {})[layer] = tally
            return {ENDED: Counts(ENDED, False, {}, self._ended_rows(tallies))} | {
                each.name: Counts(
                    each.instance,
                    each.alive,
                    {layer: tally.copy() for layer, tally in each.counts.items()},
                    arrived.get(each.name, {}),
                )
                for each in self
            }

    def sums(self) -> Ledger:
        """Return the ledger by layer, of sums that are kept: cheap however many publishers."""
        with self.lock:
            layers = self._board.sums()
            for tally in layers.values():
                tally.selected = 0  # the publishers know how many they have selected
            for layer, tally in (*self._sums.items(), *self._ended.items()):
                layers.setdefault(layer, Tally()).add(tally)
            for publisher in self._known.values():
                for layer in publisher.uncounted:
                    layers[layer].selected += self._board.tally(publisher.name, layer).selected
            for tally in layers.values():
                tally.sent = 0
            return Ledger(layers=layers)

    def settled(self, selected: Mapping[str, int]) -> bool:
        """Return whether nothing is pending and all that publishers had selected is told.

        A publisher tells the counts of all layers at once, so that a sum as large as ``selected``,
        which is over all layers, includes them all.
        """
        with self.lock:
            if self.sums().total.pending:
                return False
            for name, number in selected.items():
                publisher = self._known.get(name)
                if publisher is None:
                    if number:
                        return False
                elif publisher.selected < number and BEYOND not in publisher.uncounted:
                    return False
            return True


def _joined(side: Tally, arrived: Tally) -> Tally:
    """Add publishers' side of the ledger to the counts of the items that arrived."""
    arrived.selected = 0  # the publishers know how many they have selected
    arrived.add(side)
    arrived.sent = 0
    return arrived
