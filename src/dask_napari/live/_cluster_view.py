"""The cluster as its scheduler tells of it: task groups, and how far the taps are."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from dask_napari.model import (
    GROUPS_LIMIT,
    NAME_LIMIT,
    ClusterState,
    Pace,
    TapProgress,
    TaskCounts,
    TaskGroup,
)
from dask_napari.sink import dask_internals
from dask_napari.tap import Tap

if TYPE_CHECKING:
    from distributed import Client


STATE_LIMIT: Final = 500_000
"""Bytes of a state: half of a request, however long the names of the groups are."""


class ClusterView:
    """Keep the state of a cluster up to date with what its scheduler tells in turns."""

    def __init__(self) -> None:
        self._scheduler = self._dashboard = ""
        self._workers = 0
        self._groups: dict[str, TaskGroup] = {}
        self._taps: list[TapProgress] = []
        self._shapes: dict[str, str] = {}
        self._paces: dict[str, Pace] = {}
        self.paused = False

    def __repr__(self) -> str:
        return f"<ClusterView of {self._scheduler}: {len(self._groups)} groups>"

    def begin(self, client: Client) -> None:
        """Begin with the scheduler that a client has found."""
        self._scheduler = dask_internals.scheduler_address(client)
        self._dashboard = dask_internals.dashboard_link(client)

    def hear(self, answer: dict[str, Any], taps: Iterable[Tap], *, anew: bool) -> None:
        """Take over an answer of the scheduler: only what is new, unless it is told anew."""
        self._workers = answer["workers"]
        if anew:
            self._groups = {}
        for name in answer["gone"]:
            self._groups.pop(name, None)
            self._shapes.pop(name, None)
        for name, counts, types, nbytes, seconds in answer["groups"]:
            types = tuple(map(_fitting, types))
            shape = self._shapes.get(name, "")
            found = TaskGroup(_fitting(name), TaskCounts(*counts), types, nbytes, seconds, shape)
            self._groups[name] = found
        while len(self._groups) > GROUPS_LIMIT:
            del self._groups[next(iter(self._groups))]
        self._taps = [
            _progress(tap, TaskCounts(*counts), groups)
            for tap, (counts, groups) in zip(taps, answer["taps"], strict=True)
        ][:GROUPS_LIMIT]
        self._take_paces()

    def _take_paces(self) -> None:
        ended: dict[str, int] = {}
        for tap in self._taps:
            number = tap.counts.computed + tap.counts.failed
            ended[tap.layer] = ended.get(tap.layer, 0) + number
        self._paces = {layer: self._paces.get(layer) or Pace() for layer in ended}
        now = time.monotonic()
        for layer, pace in self._paces.items():
            pace.take(ended[layer], now)

    def rates(self) -> dict[str, float]:
        """Return how many tasks end in a second, by layer."""
        return {layer: pace.rate for layer, pace in self._paces.items()}

    def learn_shapes(self, shapes: Mapping[str, str]) -> None:
        """Take over shapes of outputs, by task group."""
        self._shapes |= shapes
        for name, shape in shapes.items():
            if (group := self._groups.get(name)) is not None:
                self._groups[name] = msgspec.structs.replace(group, shape=_fitting(shape))

    def totals(self, names: Iterable[str]) -> dict[str, int]:
        """Return the number of tasks of each name that the scheduler knows."""
        known = {name: self._groups[name] for name in names if name in self._groups}
        return {name: group.counts.total for name, group in known.items()}

    def state(self) -> ClusterState | None:
        """Return the state of the cluster; None before the scheduler has told any."""
        if not self._scheduler:
            return None
        groups = [*self._groups.values()]
        while True:
            state = ClusterState(
                self._scheduler, self._dashboard, self._workers, self.paused, groups, self._taps
            )
            if not groups or len(msgspec.msgpack.encode(state)) < STATE_LIMIT:
                return state
            groups = groups[1 + len(groups) // 2 :]


def _progress(tap: Tap, counts: TaskCounts, groups: Iterable[str]) -> TapProgress:
    compiled = tap.compile()
    select = _fitting(compiled.selection)
    return TapProgress(compiled.layer, compiled.kind, select, counts, tuple(map(_fitting, groups)))


def _fitting(name: str) -> str:
    """Return a name as a message can carry it; users may call tasks anything."""
    return name[:NAME_LIMIT].encode("utf-8", "replace").decode()
