"""All taps of one worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from dask_napari.model import Kind
from dask_napari.placement import Chunks
from dask_napari.tap._tap import Tap

logger = logging.getLogger(__name__)


class TapSet:
    """Taps in force on one worker, indexed so that a task nobody taps costs next to nothing.

    Parameters
    ----------
    taps : iterable of Tap
        In the order in which their items are made.

    Attributes
    ----------
    of_one_chunk : bool
        Whether a tap selects an array of one chunk, which Dask may fuse with what returns it.

    Raises
    ------
    ValueError
        If two taps feed one layer with different kinds.

    Examples
    --------
    >>> taps = TapSet([Tap("segment", kind="labels")])
    >>> [tap.layer for tap in taps.select("segment-1f3a", "segment", None)]
    ['segment']
    >>> taps.select("read-77aa", "read", None)
    []
    """

    def __init__(self, taps: Iterable[Tap] = ()) -> None:
        self.taps = tuple(taps)
        _check_kinds(self.taps)
        self._by_name: dict[Any, list[int]] = {}
        self._by_array: dict[str, list[int]] = {}
        self._watching: dict[str, list[Tap]] = {}
        self._asked: list[int] = []
        self._failed: set[int] = set()
        self.of_one_chunk = any(
            tap.chunks is not None and not tap.chunks.source and tap.chunks.count == 1
            for tap in self.taps
        )
        self._needs_value = any(isinstance(tap.select, type) for tap in self.taps)
        for index, tap in enumerate(self.taps):
            if isinstance(tap.select, str):
                self._by_name.setdefault(tap.select, []).append(index)
            elif isinstance(tap.select, frozenset):
                for key in tap.select:
                    self._by_name.setdefault(key, []).append(index)
            elif isinstance(tap.select, Chunks):
                self._by_array.setdefault(tap.select.name, []).append(index)
            else:
                self._asked.append(index)
        self._join_arrays()

    def _join_arrays(self) -> None:
        """Let no two taps put the chunks of one array onto one layer."""
        for name, indices in self._by_array.items():
            kept: dict[str | None, int] = {}
            # One that is in the graph too sees more than one by keys alone.
            for index in sorted(indices, key=lambda index: not self.taps[index].select.source):
                kept.setdefault(self.taps[index].layer, index)
            self._by_array[name] = list(kept.values())
            for index in kept.values():
                if source := self.taps[index].select.source:
                    self._watching.setdefault(source, []).append(self.taps[index])

    def watching(self, source: str) -> list[Tap]:
        """Return the taps that are in the graph where it passes on chunks of an array.

        Parameters
        ----------
        source : str
            The array's name.
        """
        return self._watching.get(source, [])

    def taps_array(self, name: str, layer: str | None) -> bool:
        """Whether a tap puts the chunks of an array onto a layer, by their keys.

        Parameters
        ----------
        name : str
            The array's name.
        layer : str
            The layer's.
        """
        return any(self.taps[index].layer == layer for index in self._by_array.get(name, ()))

    def __iter__(self) -> Iterator[Tap]:
        return iter(self.taps)

    def __len__(self) -> int:
        return len(self.taps)

    @property
    def needs_value(self) -> bool:
        """Whether a tap selects by the type of the output."""
        return self._needs_value

    def select(
        self,
        key: Any,
        prefix: str,
        value: object,
        on_error: Callable[[Tap, BaseException], None] | None = None,
    ) -> list[Tap]:
        """Return the taps that choose the output of a task, in order.

        A predicate that raises, whatever it raises, chooses nothing.

        Parameters
        ----------
        key, prefix, value
            See :meth:`Tap.matches`.
        on_error : callable, optional
            Told of each predicate that raises; without it that is logged once a tap.
        """
        by_name = self._by_name
        chunks: Sequence[int] = ()
        if self._by_array and isinstance(key, tuple) and key:
            chunks = self._by_array.get(key[0], ())
        if not self._asked and prefix not in by_name and key not in by_name and not chunks:
            return []
        found = {*by_name.get(prefix, ()), *by_name.get(key, ())}
        found.update(index for index in chunks if key in self.taps[index].select)
        for index in self._asked:
            try:
                if self.taps[index].matches(key, prefix, value):
                    found.add(index)
            except BaseException as error:
                if on_error is not None:
                    on_error(self.taps[index], error)
                elif index not in self._failed:
                    self._failed.add(index)
                    logger.exception("select= of the tap on %r failed", self.taps[index].layer)
        return [self.taps[index] for index in sorted(found)]


def _check_kinds(taps: Iterable[Tap]) -> None:
    kinds: dict[str, Kind] = {}
    for tap in taps:
        assert tap.layer is not None
        if kinds.setdefault(tap.layer, tap.kind) != tap.kind:
            raise ValueError(
                f"layer {tap.layer!r} cannot be both {kinds[tap.layer]!r} and {tap.kind!r};"
                " give one of the taps another layer="
            )
