"""The scheduler's internals: all that this package uses of Dask's scheduler to tell of tasks.

The source of this module is sent to the scheduler, which may have no such package, or another
version of it. So the module imports nothing of the package.
"""

from __future__ import annotations

import inspect
import itertools
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from distributed import SchedulerPlugin

if TYPE_CHECKING:
    from distributed import Scheduler


GROUPS: Final = 1000
"""Newest task prefixes that are looked at in a turn, which takes some 2 us for each of them."""

TYPES: Final = 16
"""Types of outputs that are told of one prefix."""

STATES: Final = {
    **dict.fromkeys(("waiting", "queued", "no-worker"), "waiting"),
    "processing": "running",
    **dict.fromkeys(("memory", "released", "forgotten"), "computed"),
    "erred": "failed",
}
"""States of Dask's tasks as people know them. A task is released before it waits, too, but never
when a turn looks at it."""

TURN: Final = 0.003
"""Seconds of the scheduler's event loop that a turn may take for a long list."""

Counts = tuple[int, int, int, int]
"""Numbers of tasks that wait, run, are computed, have failed."""


class TaskWatch(SchedulerPlugin):
    """Watch the tasks of a scheduler for one client, which asks for what is new in turns.

    The scheduler counts the tasks of each prefix and group by state already. Counted here is only
    what the scheduler forgets. The plugin goes with its client.

    >>> TaskWatch("dask-napari-0f-tasks", "Client-1")
    <TaskWatch dask-napari-0f-tasks of Client-1>
    """

    idempotent = True

    def __init__(self, name: str, client: str) -> None:
        self.name = name
        self.client = client
        self._scheduler: Any = None
        self._taps: Sequence[tuple[str, Any]] = ()
        self._told: dict[str, tuple[int, ...]] = {}  # counts and bytes of prefixes
        self._cancelled: Counter[str] = Counter()  # tasks by group that never had an output
        self._keyed: list[_KeyedTasks] = []

    def __repr__(self) -> str:
        return f"<TaskWatch {self.name} of {self.client}>"

    def __reduce__(self) -> tuple[object, ...]:
        return eval, (RESTORE, {"source": _source(), "arguments": (self.name, self.client)})

    # -- SchedulerPlugin -------------------------------------------------------------------

    async def start(self, scheduler: Scheduler) -> None:
        """Answer the client's requests. Called by Dask."""
        self._scheduler = scheduler
        if self.client in scheduler.clients:
            scheduler.handlers[self.name] = self.turn

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """Remove the plugin if it is its client that has gone. Called by Dask."""
        if client == self.client:
            self._leave()

    def transition(self, key: Any, start: str, finish: str, **kwargs: object) -> None:
        """Count what the scheduler does not. Called by Dask."""
        if finish == "forgotten":
            task = self._scheduler.tasks[key]
            if task.nbytes < 0:  # it never had an output
                self._cancelled[task.group.name] += 1
                finish = ""
        for tasks in self._keyed:
            tasks.move(key, finish)

    # -- turns -----------------------------------------------------------------------------

    def turn(
        self, taps: Sequence[tuple[str, Any]] | None = None, *, leave: bool = False
    ) -> dict[str, Any]:
        """Return what is new since the last turn, or all of it if the taps are given.

        The plugin leaves the scheduler after this turn if told so.
        """
        if leave:
            self._leave()
            return {}
        if taps is not None:
            keyed = [(how, _KeyedTasks(what) if how == "keys" else what) for how, what in taps]
            self._taps, self._told = keyed, {}
            self._keyed = [what for how, what in keyed if how == "keys"]
        scheduler, until = self._scheduler, time.perf_counter() + TURN
        for tasks in self._keyed:
            tasks.look_up(scheduler.tasks, until)
        if self._cancelled:
            groups = scheduler.task_groups
            self._cancelled = Counter({n: c for n, c in self._cancelled.items() if n in groups})
        changed, gone = self._changed_prefixes()
        return {
            "workers": len(scheduler.workers),
            "groups": changed,
            "gone": gone,
            "taps": [self._progress(how, what) for how, what in self._taps],
        }

    def _leave(self) -> None:
        self._scheduler.handlers.pop(self.name, None)
        self._scheduler.plugins.pop(self.name, None)

    def _changed_prefixes(self) -> tuple[list[tuple[Any, ...]], list[str]]:
        """Return the prefixes whose counts have changed, the newest last, and those gone."""
        told, now, changed = self._told, {}, []
        prefixes = reversed(self._scheduler.task_prefixes.values())
        for prefix in itertools.islice(prefixes, GROUPS):
            if not len(prefix):
                continue
            sums = (*prefix.states.values(), prefix.nbytes_total)
            now[prefix.name] = sums
            if told.get(prefix.name) != sums:
                types = [*itertools.islice(prefix.types, TYPES)]
                seconds = prefix.all_durations["compute"] / max(1, prefix.state_counts["memory"])
                counts = self._counts(prefix, prefix.groups)
                changed.append((prefix.name, counts, types, prefix.nbytes_total, seconds))
        self._told = now
        return changed[::-1], [name for name in told if name not in now]

    def _counts(self, tasks: Any, groups: Iterable[Any]) -> Counts:
        """Count the tasks of a prefix or group, but for those that were cancelled."""
        cancelled = self._cancelled and sum(self._cancelled[group.name] for group in groups)
        return _counts(tasks.states, cancelled or 0)

    def _progress(self, how: str, what: Any) -> tuple[Counts, list[str]]:
        """Return the counts of a tap's tasks, and the names of their prefixes."""
        scheduler = self._scheduler
        if how == "keys":
            return what.counts(), [*itertools.islice(what.prefixes, GROUPS)]
        if how == "group":
            group = scheduler.task_groups.get(what)
            return (self._counts(group, [group]), [group.prefix.name]) if group else NOTHING
        if how == "name" and (task := scheduler.tasks.get(what)) is not None:
            return _counts({task.state: 1}), [task.prefix.name]
        prefixes = scheduler.task_prefixes
        if how == "name":
            found = [prefixes[what]] if what in prefixes else []
        else:
            newest = itertools.islice(reversed(prefixes.values()), GROUPS)
            found = [prefix for prefix in newest if how == "type" and what in prefix.types]
        each = [self._counts(prefix, prefix.groups) for prefix in found]
        waiting, running, computed, failed = map(sum, zip((0, 0, 0, 0), *each, strict=True))
        return (waiting, running, computed, failed), [prefix.name for prefix in found]


class _KeyedTasks:
    """Tasks that a tap selects by their keys, and their states."""

    def __init__(self, keys: Collection[Any]) -> None:
        self.prefixes: dict[str, None] = {}
        self._keys = frozenset(keys)
        self._unseen = iter(self._keys)
        self._states: dict[Any, str] = {}
        self._sums: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<_KeyedTasks: {len(self._states)} of {len(self._keys)} known>"

    def look_up(self, tasks: Any, until: float) -> None:
        """Find the tasks that were there before, as far as there is time."""
        for key in self._unseen:
            if (task := tasks.get(key)) is not None:
                self.prefixes[task.prefix.name] = None
                if key not in self._states:
                    self.move(key, task.state)
            if time.perf_counter() > until:
                return

    def move(self, key: Any, state: str) -> None:
        """Count a task in its new state; in none if it was cancelled."""
        if key not in self._keys:
            return
        if before := self._states.pop(key, None):
            self._sums[before] -= 1
        if state:
            self._states[key] = state
            self._sums[state] += 1

    def counts(self) -> Counts:
        """Count the tasks by state."""
        return _counts(self._sums)


NOTHING: Final[tuple[Counts, list[str]]] = ((0, 0, 0, 0), [])


def _counts(states: Any, cancelled: int = 0) -> Counts:
    sums: Counter[str] = Counter(computed=-cancelled)
    for state, number in states.items():
        sums[STATES.get(state, "waiting")] += number
    return sums["waiting"], sums["running"], max(0, sums["computed"]), sums["failed"]


RESTORE: Final = f"""
(exec(source, scope := {{"__name__": {__name__!r}, "SOURCE": source}}),
scope["TaskWatch"](*arguments))[1]
""".strip()
"""Expression that makes a plugin of this module's source."""


def _source() -> str:
    return globals().get("SOURCE") or inspect.getsource(sys.modules[__name__])
