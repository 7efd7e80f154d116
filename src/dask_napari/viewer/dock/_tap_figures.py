"""Figures of a tap: how far its tasks are, and what became of their outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dask_napari.catalog import Catalogue, State
from dask_napari.model import ClusterState, Ledger, Tally, TapProgress, TaskCounts
from dask_napari.viewer.dock._task_failures import TaskFailures


@dataclass(frozen=True, slots=True)
class TapFigures:
    """Numbers of the tasks that fill one layer.

    Attributes
    ----------
    layer, select, kind : str
        The layer, the selection as people wrote it, and the kind if the tap names one.
    total, done, shown, running, failed : int
        Tasks; those *done* have an output, and those *shown* have it on the screen.
    pending, coalesced : int
        Outputs on their way, and those that a newer one replaced.
    dropped : tuple of (str, int)
        Outputs that are not shown, by reason.
    hidden : int
        Outputs whose layer the user has removed.
    is_told : bool
        Whether a client of the cluster has told of the tap.
    matches : bool
        Whether the tap selects any tasks of the cluster.
    """

    layer: str
    select: str = ""
    kind: str = ""
    total: int = 0
    done: int = 0
    shown: int = 0
    running: int = 0
    failed: int = 0
    pending: int = 0
    coalesced: int = 0
    dropped: tuple[tuple[str, int], ...] = ()
    hidden: int = 0
    is_told: bool = False
    matches: bool = True

    @property
    def waiting(self) -> int:
        """Tasks that have not begun."""
        return max(0, self.total - self.done - self.running - self.failed)

    @property
    def unfinished(self) -> int:
        """Tasks that have not ended."""
        return max(0, self.total - self.done - self.failed)

    @property
    def complete(self) -> bool:
        """True if all tasks have ended well, and all of their outputs have arrived."""
        return self.total > 0 and self.done >= self.total and not self.pending

    @property
    def parts(self) -> list[str]:
        """The numbers with their names, those of nothing left out.

        >>> TapFigures("cells", total=9, done=5, shown=4, running=1, failed=1, pending=1).parts
        ['shown 4', 'on its way 1', 'running 1', 'waiting 2', 'failed 1']
        """
        numbers = [
            ("shown", self.shown),
            ("on its way", self.pending),
            ("running", self.running),
            ("waiting", self.waiting),
            ("failed", self.failed),
            ("coalesced", self.coalesced),
        ]
        parts = [f"{name} {number:,}" for name, number in numbers if number]
        return parts + [f"dropped {number:,} ({reason})" for reason, number in self.dropped]


def figures_of_taps(
    cluster: ClusterState | None,
    ledger: Ledger,
    known: Mapping[str, int],
    catalogue: Catalogue,
    failures: TaskFailures,
) -> list[TapFigures]:
    """Return the figures of each layer that a tap fills or has filled, in order of the taps.

    Without a client that tells of tasks, those are counted that workers have told of.
    """
    taps: dict[str, list[TapProgress]] = {}
    for each in cluster.taps if cluster is not None else ():
        taps.setdefault(each.layer, []).append(each)
    layers = dict.fromkeys([*taps, *ledger, *(layer for layer, _ in catalogue.streams)])
    figures = []
    for layer in layers:
        tally = ledger.layers.get(layer) or Tally()
        states = catalogue.counts(layer, catalogue.newest_run(layer))
        counts = _added(tap.counts for tap in taps.get(layer, ()))
        shown = _shown_tasks(states, counts.computed)
        if not counts.total:
            counts = TaskCounts(
                states.get("expected", 0),
                states.get("running", 0),
                tally.selected,
                failures.count(layer),
            )
            shown = tally.shown
        told = taps.get(layer, [])
        figures.append(
            TapFigures(
                layer,
                ", ".join(tap.select for tap in told if tap.select),
                next((tap.kind for tap in told if tap.kind), ""),
                total=max(known.get(layer, 0), counts.total),
                done=counts.computed,
                shown=shown,
                running=counts.running,
                failed=counts.failed,
                pending=tally.pending,
                coalesced=tally.coalesced,
                dropped=tuple(sorted(tally.dropped.items())),
                hidden=catalogue.count(layer, "hidden"),
                is_told=bool(told),
                matches=any(tap.groups for tap in told) or not told,
            )
        )
    return figures


def _shown_tasks(states: Mapping[State, int], done: int) -> int:
    """Return how many of the tasks that are done are on the screen: a task may make many items."""
    shown = states.get("shown", 0)
    items = shown + states.get("hidden", 0) + states.get("dropped", 0)
    return shown if items <= done else done * shown // items


def _added(counts: Iterable[TaskCounts]) -> TaskCounts:
    found = list(counts)
    return TaskCounts(
        sum(each.waiting for each in found),
        sum(each.running for each in found),
        sum(each.computed for each in found),
        sum(each.failed for each in found),
    )
