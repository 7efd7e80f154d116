"""All taps of one worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from time import perf_counter
from typing import Any

from dask_napari.model import Kind, contain
from dask_napari.placement import ChunkGrid
from dask_napari.tap._call_costs import CallCosts
from dask_napari.tap._compiled_tap import CompiledTap
from dask_napari.tap._tap import Tap

logger = logging.getLogger(__name__)


class TapSet:
    """Taps of one worker, indexed so that a task nobody taps costs next to nothing.

    Items are made in the order of the taps. ``of_one_chunk`` tells whether a tap selects an array
    of one chunk, which Dask may fuse with the task that returns it. Raises ValueError if two taps
    feed one layer with different kinds.
    """

    def __init__(self, taps: Iterable[Tap] = ()) -> None:
        self.taps: tuple[CompiledTap, ...] = tuple(tap.compile() for tap in taps)
        _check_kinds(self.taps)
        self._by_name: dict[Any, list[int]] = {}
        self._by_array: dict[str, list[int]] = {}
        self._watching: dict[str, list[tuple[CompiledTap, ChunkGrid]]] = {}
        self._predicates: list[int] = []  # types too: they cannot be looked up
        self._failed: set[int] = set()
        self._costs: dict[int, CallCosts] = {}
        self.of_one_chunk: bool = any(
            grid.count == 1 and not grid.source for tap in self.taps if (grid := tap.chunks)
        )
        grids: dict[str, list[tuple[int, ChunkGrid]]] = {}
        for index, tap in enumerate(self.taps):
            if isinstance(tap.selector, str):
                self._by_name.setdefault(tap.selector, []).append(index)
            elif isinstance(tap.selector, frozenset):
                for key in tap.selector:
                    self._by_name.setdefault(key, []).append(index)
            elif isinstance(tap.selector, ChunkGrid):
                grids.setdefault(tap.selector.name, []).append((index, tap.selector))
            else:
                self._predicates.append(index)
                self._costs[index] = CallCosts()
        for name, entries in grids.items():
            self._add_array(name, entries)

    def __repr__(self) -> str:
        return f"<TapSet: {', '.join(tap.layer for tap in self.taps) or 'empty'}>"

    def _add_array(self, name: str, entries: list[tuple[int, ChunkGrid]]) -> None:
        """Index the taps on one array: one for each layer is enough."""
        kept: dict[str, int] = {}
        # A tap that is in the graph too sees more chunks than one by keys alone.
        for index, grid in sorted(entries, key=lambda entry: not entry[1].source):
            tap = self.taps[index]
            if kept.setdefault(tap.layer, index) == index and grid.source:
                self._watching.setdefault(grid.source, []).append((tap, grid))
        self._by_array[name] = list(kept.values())

    def watching(self, source: str) -> list[tuple[CompiledTap, ChunkGrid]]:
        """Return the taps, with their chunks, whose tasks in the graph pass on an array."""
        return self._watching.get(source, [])

    @property
    def names(self) -> set[str] | None:
        """Names of tasks and arrays from which the taps choose; None if from all by a predicate."""
        if self._predicates:
            return None
        return {*self._by_array, *(t.selector for t in self.taps if isinstance(t.selector, str))}

    @property
    def keys(self) -> Collection[Any]:
        """Keys that the taps choose one by one; some may be names."""
        return self._by_name.keys()

    def taps_array(self, name: str, layer: str) -> bool:
        """Return whether a tap puts the chunks of an array onto a layer, by their keys."""
        return any(self.taps[index].layer == layer for index in self._by_array.get(name, ()))

    def __iter__(self) -> Iterator[CompiledTap]:
        return iter(self.taps)

    def __len__(self) -> int:
        return len(self.taps)

    def select(
        self,
        key: Any,
        prefix: str,
        output_type: type | None,
        on_error: Callable[[CompiledTap, BaseException], None] | None = None,
        on_slow: Callable[[CompiledTap, CallCosts], None] | None = None,
    ) -> list[CompiledTap]:
        """Return the taps that choose the output of a task, in order.

        A predicate that raises, whatever it raises, chooses nothing. ``on_error`` is called for
        each predicate that raises; without it the log has one line a tap. ``on_slow`` is called
        once for a predicate that takes much of the event loop's time.
        """
        by_name = self._by_name
        chunks: Sequence[int] = ()
        if self._by_array and isinstance(key, tuple) and key:
            chunks = self._by_array.get(key[0], ())
        if not self._predicates and prefix not in by_name and key not in by_name and not chunks:
            return []
        found = {*by_name.get(prefix, ()), *by_name.get(key, ())}
        found.update(index for index in chunks if self.taps[index].matches(key, prefix))
        for index in self._predicates:
            tap, began = self.taps[index], perf_counter()
            try:
                if tap.matches(key, prefix, output_type):
                    found.add(index)
            except BaseException as error:
                contain(error, foreign=True)
                if on_error is not None:
                    on_error(tap, error)
                elif index not in self._failed:
                    self._failed.add(index)
                    logger.exception("select= of the tap on %r failed", tap.layer)
            costs = self._costs[index]
            if costs.add(perf_counter() - began) and on_slow is not None:
                on_slow(tap, costs)
        return [self.taps[index] for index in sorted(found)]


def _check_kinds(taps: Iterable[CompiledTap]) -> None:
    kinds: dict[str, Kind] = {}
    for tap in taps:
        if kinds.setdefault(tap.layer, tap.kind) != tap.kind:
            raise ValueError(
                f"layer {tap.layer!r} cannot be both {kinds[tap.layer]!r} and {tap.kind!r};"
                " give one of the taps another layer="
            )
