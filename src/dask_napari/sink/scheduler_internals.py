"""The scheduler's internals: all that this package uses of Dask's scheduler to tell of tasks.

This module and that of its page are sent to the scheduler, which may have no such package, or
another version of it. There they are read into one scope, and import nothing of the package.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import marshal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import MAGIC_NUMBER
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from dask._task_spec import Alias, GraphNode, TaskRef
from distributed import SchedulerPlugin

if TYPE_CHECKING:
    from distributed import Scheduler
    from tornado.web import Application

if "SOURCES" not in globals():
    from dask_napari.sink import _tasks_page
    from dask_napari.sink._tasks_page import PageRow, tasks_page


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
"""Seconds of the scheduler's event loop that a turn may take for each of its long lists."""

EXAMPLES_TIME: Final = 0.0005
"""Seconds of a turn in which it looks for an output of each new prefix."""

LOOKED_FOR: Final = 100
"""Newest outputs of one worker among which an example is looked for."""

LOOKED_AT_PAGE: Final = 10.0
"""Seconds after which nobody looks at the page any more: it asks anew every few seconds."""

CHANGES_BYTES: Final = 400_000
"""Bytes of one turn's changes, most of them tracebacks."""

MOST_WAITING: Final = 1_000_000
"""Keys that wait for a client, by reference, 8 MB. One that asks for none of them, as it was
stopped, is told of all tasks again."""

ERROR_LENGTH: Final = 2000
"""Characters of an exception's text."""

TRACEBACK_LENGTH: Final = 16 << 10
"""Characters of a traceback, the last ones."""

NAME_LENGTH: Final = 4096
"""Characters of an argument that may be a name: a path is shorter, a document longer."""

DEEPEST, WIDEST = 4, 64
"""Containers within each other, and elements of each, that are looked into for names; as on the
workers."""

FAILURES, PLACES, NAMES = 1, 2, 3
"""Detail in which the tasks of a tap are told: failed ones alone, all of them, all of them with the
names among their arguments."""

Counts = tuple[int, int, int, int]
"""Numbers of tasks that wait, run, are computed, have failed."""

NOTHING: Final[tuple[Counts, list[str]]] = ((0, 0, 0, 0), [])


class TapTasks(NamedTuple):
    """Tasks that a tap selects: how, by what, and what is told of each of them, if anything.

    Keys follow in parts, under a name: 100 000 of them at once would hold up the scheduler.
    """

    how: str  # name, group, keys, type, function
    what: Any
    told: int = 0
    layer: str = ""


class TaskChange(NamedTuple):
    """A state that a task has come to, with names among its arguments if they are asked for."""

    key: Any
    prefix: str
    state: str
    run_id: int
    worker: str = ""
    error: str = ""
    traceback: str = ""
    names: Sequence[str] | None = None  # None if it takes code of others to find them, too
    references: Sequence[Any] = ()


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
        self._taps: list[TapTasks] = []
        self._keyed: dict[str, _KeyedTasks] = {}
        self._sums: dict[str, tuple[int, ...]] = {}  # counts and bytes of prefixes, as told
        self._cancelled: Counter[str] = Counter()  # tasks by group that never had an output
        self._journal = _Journal()
        self._examples: dict[str, None] = {}  # prefixes with a known output
        self._turns = 0
        self._page: Application | None = None
        self._page_until = 0.0
        self._told_page: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return f"<TaskWatch {self.name} of {self.client}>"

    def __reduce__(self) -> tuple[object, ...]:
        arguments = {"arguments": (self.name, self.client), **_code()}
        return eval, (RESTORE, arguments)

    # -- SchedulerPlugin -------------------------------------------------------------------

    async def start(self, scheduler: Scheduler) -> None:
        """Answer the client's requests. Called by Dask."""
        self._scheduler = scheduler
        if self.client in scheduler.clients:
            scheduler.handlers.update(self._handlers())
            # A scheduler without a dashboard has no such application.
            if (server := getattr(scheduler, "http_application", None)) is not None:
                self._page = tasks_page(self._all_rows)
                server.add_application(self._page)

    def _handlers(self) -> dict[str, Any]:
        return {
            self.name: self.turn,
            f"{self.name}-keys": self.add_keys,
            f"{self.name}-failed": self.failed_keys,
            f"{self.name}-arguments": self.arguments,
        }

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """Remove the plugin if it is its client that has gone. Called by Dask."""
        if client == self.client:
            self._leave()

    def update_graph(self, scheduler: Scheduler, **kwargs: Any) -> None:
        """Note new tasks. Called by Dask."""
        self._journal.add(kwargs.get("tasks", ()))

    def transition(self, key: Any, start: str, finish: str, *_: object, **kwargs: object) -> None:
        """Note what the scheduler does not keep. Called by Dask."""
        if finish == "forgotten":
            task = self._scheduler.tasks[key]
            if task.nbytes < 0:  # it never had an output
                self._cancelled[task.group.name] += 1
                finish = ""
        for tasks in self._keyed.values():
            tasks.move(key, finish)
        if (
            finish in ("erred", "")
            or start == "erred"
            or (start == "processing" and finish != "memory")
        ):
            self._journal.note(self._scheduler.tasks[key], start, finish)

    # -- turns -----------------------------------------------------------------------------

    def turn(
        self,
        taps: Sequence[Sequence[Any]] | None = None,
        *,
        anew: bool = False,
        leave: bool = False,
        page: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return what is new since the last turn.

        If taps are given, also all groups, and the tasks of new taps; or of all taps, ``anew``.
        ``page`` tells the rates and counts of layers, which somebody looks at. The plugin leaves
        the scheduler after this turn if told so.
        """
        if leave:
            self._leave()
            return {}
        scheduler, self._turns = self._scheduler, self._turns + 1
        self._told_page = {} if page is None else page
        if anew:
            self._journal, self._keyed, self._examples = _Journal(), {}, {}
        if taps is not None:
            self._set_taps([TapTasks(*tap) for tap in taps])
        until = time.perf_counter() + TURN
        for keyed in self._keyed.values():
            keyed.look_up(scheduler.tasks, until)
        if self._cancelled:
            groups = scheduler.task_groups
            self._cancelled = Counter({n: c for n, c in self._cancelled.items() if n in groups})
        changed, gone = self._changed_prefixes()
        changes = self._journal.changes(scheduler.tasks, time.perf_counter() + TURN)
        return {
            "workers": len(scheduler.workers),
            "groups": changed,
            "gone": gone,
            "examples": self._find_examples(),
            "taps": [self._progress(tap) for tap in self._taps],
            "changes": [tuple(change) for change in changes],
            "page": time.monotonic() < self._page_until,
            "more": bool(self._journal) or any(map(bool, self._keyed.values())),
        }

    def add_keys(self, name: str, keys: Sequence[Any]) -> None:
        """Add keys to the taps that select them under a name."""
        if (keyed := self._keyed.get(name)) is not None:
            keyed.add(keys)
            self._journal.add_keyed(keys, keyed)

    def failed_keys(self, texts: Sequence[str]) -> list[Any]:
        """Return the keys of tasks that failed, of keys as text."""
        tasks = self._scheduler.tasks
        found = (_key_of(tasks, text) for text in texts)
        return [key for key in found if key is not None and tasks[key].state == "erred"]

    def arguments(self, text: str) -> str:
        """Return the arguments of a task, shortened, of its key as text; empty if it is gone."""
        tasks = self._scheduler.tasks
        key = _key_of(tasks, text)
        return "" if key is None else _arguments_text(tasks[key].run_spec)

    def _set_taps(self, taps: Sequence[TapTasks]) -> None:
        self._taps, self._sums = [*taps], {}
        keyed = {tap.what: tap.told for tap in taps if tap.how == "keys"}
        known = self._keyed
        self._keyed = {n: known.get(n) or _KeyedTasks(told) for n, told in keyed.items()}
        told = tuple(each for each in self._keyed.values() if each.told)
        self._journal.watch(taps, told, self._scheduler.tasks)

    def _leave(self) -> None:
        scheduler = self._scheduler
        for name in self._handlers():
            scheduler.handlers.pop(name, None)
        scheduler.plugins.pop(self.name, None)
        if self._page is not None and self._page in scheduler.http_application.applications:
            scheduler.http_application.applications.remove(self._page)

    # -- the page --------------------------------------------------------------------------

    def _all_rows(self) -> dict[str, list[PageRow]]:
        """Return the rows of all clients' taps, for a person who looks at the page."""
        plugins = [*self._scheduler.plugins.values()]
        return {each.client: each.rows() for each in plugins if hasattr(each, "rows")}

    def rows(self) -> list[PageRow]:
        """Return a row for each layer, and ask the client for what it knows of them."""
        self._page_until = time.monotonic() + LOOKED_AT_PAGE
        counts: dict[str, Counts] = {}
        for tap in self._taps:
            now, before = self._progress(tap)[0], counts.get(tap.layer, NOTHING[0])
            counts[tap.layer] = tuple(map(sum, zip(now, before, strict=True)))  # type: ignore
        known = self._told_page
        layers = dict.fromkeys([*counts, *known])
        return [PageRow(n, counts.get(n, NOTHING[0]), known.get(n)) for n in layers]

    def _changed_prefixes(self) -> tuple[list[tuple[Any, ...]], list[str]]:
        """Return the prefixes whose counts have changed, the newest last, and those gone."""
        told, now, changed = self._sums, {}, []
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
        self._sums = now
        return changed[::-1], [name for name in told if name not in now]

    def _find_examples(self) -> dict[str, tuple[Any, str]]:
        """Return the key and the worker of an output of each new prefix."""
        scheduler, known = self._scheduler, self._examples
        for name in [name for name in known if name not in self._sums]:
            del known[name]
        prefixes = scheduler.task_prefixes
        wanted = {n for n in self._sums if n not in known and prefixes[n].states["memory"]}
        found: dict[str, tuple[Any, str]] = {}
        workers, until = [*scheduler.workers.values()], time.perf_counter() + EXAMPLES_TIME
        first = self._turns % max(1, len(workers))
        for worker in workers[first:] + workers[:first] if wanted else ():
            for task in itertools.islice(reversed(worker.has_what), LOOKED_FOR):
                if task.prefix.name in wanted:
                    wanted.discard(task.prefix.name)
                    found[task.prefix.name] = task.key, worker.address
            if not wanted or time.perf_counter() > until:
                break
        known.update(dict.fromkeys(found))
        return found

    def _counts(self, tasks: Any, groups: Iterable[Any]) -> Counts:
        """Count the tasks of a prefix or group, but for those that were cancelled."""
        cancelled = self._cancelled and sum(self._cancelled[group.name] for group in groups)
        return _counts(tasks.states, cancelled or 0)

    def _progress(self, tap: TapTasks) -> tuple[Counts, list[str]]:
        """Return the counts of a tap's tasks, and the names of their prefixes."""
        scheduler, how, what = self._scheduler, tap.how, tap.what
        if how == "keys":
            keyed = self._keyed[what]
            return keyed.counts(), [*itertools.islice(keyed.prefixes, GROUPS)]
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

    def __init__(self, told: int) -> None:
        self.told = told
        self.keys: set[Any] = set()
        self.prefixes: dict[str, None] = {}
        self._unseen: deque[Iterator[Any]] = deque()
        self._states: dict[Any, str] = {}
        self._sums: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._unseen)

    def __repr__(self) -> str:
        return f"<_KeyedTasks: {len(self._states)} of {len(self.keys)} known>"

    def add(self, keys: Sequence[Any]) -> None:
        """Add keys, whose tasks are looked up later."""
        self.keys.update(keys)
        self._unseen.append(iter(keys))

    def look_up(self, tasks: Any, until: float) -> None:
        """Find the tasks that were there before, as far as there is time."""
        while self._unseen:
            for key in self._unseen[0]:
                if (task := tasks.get(key)) is not None:
                    self.prefixes[task.prefix.name] = None
                    if key not in self._states:
                        self.move(key, task.state)
                if time.perf_counter() > until:
                    return
            self._unseen.popleft()

    def move(self, key: Any, state: str) -> None:
        """Count a task in its new state; in none if it was cancelled."""
        if key not in self.keys:
            return
        if before := self._states.pop(key, None):
            self._sums[before] -= 1
        if state:
            self._states[key] = state
            self._sums[state] += 1

    def counts(self) -> Counts:
        """Count the tasks by state."""
        return _counts(self._sums)


class _Levels(NamedTuple):
    """Levels of what is told of tasks: by prefix, group, key, and lists of keys."""

    prefixes: dict[Any, int]
    groups: dict[Any, int]
    keys: dict[Any, int]
    keyed: tuple[_KeyedTasks, ...] = ()

    def level(self, task: Any) -> int:
        """Return how much is told of a task."""
        level = self.prefixes.get(task.prefix.name, 0) if self.prefixes else 0
        if self.groups:
            level = max(level, self.groups.get(task.group.name, 0))
        for keyed in self.keyed:
            if keyed.told > level and task.key in keyed.keys:
                level = keyed.told
        return max(level, self.keys.get(task.key, 0)) if self.keys else level


class _Journal:
    """Changes of tasks that taps select, until the client asks for them.

    Hooks of the scheduler only note keys here; what is told of them is found in turns.
    """

    def __init__(self) -> None:
        self._told = _Levels({}, {}, {})
        self._lists: deque[tuple[Iterator[Any], _Levels]] = deque()
        self._waiting = 0  # at least as many as there are in the lists
        self._failed: dict[Any, tuple[TaskChange, Any]] = {}  # with their specifications
        self._changed: dict[
            Any, tuple[TaskChange, Any] | str
        ] = {}  # those to look at, by last state
        self._anew = False

    def __bool__(self) -> bool:
        return bool(self._failed or self._changed or self._lists or self._anew)

    def __repr__(self) -> str:
        return f"<_Journal: {self._waiting} keys wait, {len(self._failed)} failed>"

    def watch(self, taps: Sequence[TapTasks], keyed: tuple[_KeyedTasks, ...], tasks: Any) -> None:
        """Watch the tasks of some taps, and look at those of new ones that are there."""
        told = _Levels({}, {}, {}, keyed)
        for tap in (tap for tap in taps if tap.told and tap.how != "keys"):
            level = {tap.what: tap.told}
            if tap.how == "group":
                _raise(told.groups, level)
            else:  # a name may be a key, too
                _raise(told.prefixes, level)
                _raise(told.keys, level)
        prefixes, groups, keys = map(_raised, told[:3], self._told[:3])
        new = _Levels(prefixes, groups, keys)
        self._told = told
        if any(new):
            self._add([*tasks], new)

    def add(self, keys: Sequence[Any]) -> None:
        """Note new tasks, to be looked at later."""
        if any(self._told):
            self._add(keys, self._told)

    def add_keyed(self, keys: Sequence[Any], keyed: _KeyedTasks) -> None:
        """Note keys of a tap, to be looked at later."""
        if keyed.told:
            self._add(keys, _Levels({}, {}, {}, (keyed,)))

    def _add(self, keys: Sequence[Any], told: _Levels) -> None:
        self._lists.append((iter(keys), told))
        self._waiting += len(keys)
        self._bound()

    def note(self, task: Any, start: str, finish: str) -> None:
        """Note that a task failed, waits once more, or was forgotten without an output."""
        level = self._told.level(task)
        if not level:
            return
        key, before = task.key, self._changed.get(task.key)
        spec = task.run_spec if level == NAMES else None
        if finish == "erred":
            self._failed[key] = _failure(task), spec
            self._changed.pop(key, None)
        elif finish:
            self._changed[key] = start
        elif before == "erred":  # a failure is the last word of a task that nobody retries
            del self._changed[key]
        else:
            # After the attempt that it waited for.
            run_id = _run_id(task) + 1 if _run_id(task) else 0
            self._changed[key] = TaskChange(key, task.prefix.name, "withdrawn", run_id), spec
        self._bound()

    def _bound(self) -> None:
        if self._waiting + len(self._failed) + len(self._changed) > MOST_WAITING:
            self._lists.clear()
            self._failed.clear()
            self._changed.clear()
            self._waiting, self._anew = 0, True

    def changes(self, tasks: Any, until: float) -> list[TaskChange]:
        """Return changes as far as there is time and room; they may be told twice."""
        if self._anew:
            self._anew = False
            self._lists.append((iter([*tasks]), self._told))
            self._waiting = len(tasks)
        found: list[TaskChange] = []
        size = 0
        for change in self._all(tasks):
            if change is not None:
                found.append(change)
                size += 200 + len(change.error) + len(change.traceback)
            if size > CHANGES_BYTES or time.perf_counter() > until:
                break
        return found

    def _all(self, tasks: Any) -> Iterator[TaskChange | None]:
        """Yield changes, or None for other tasks, so that the caller may look at the clock."""
        told = self._told
        while self._failed:
            failed, spec = self._failed.pop(next(iter(self._failed)))
            yield _with_names(failed, spec)
        while self._changed:
            key = next(iter(self._changed))
            change = self._changed.pop(key)
            if isinstance(change, tuple):
                yield _with_names(*change)
            else:
                yield _look(tasks.get(key), told, PLACES)
        while self._lists:
            keys, wanted = self._lists[0]
            for key in keys:
                yield _look(tasks.get(key), wanted)
            self._lists.popleft()
        self._waiting = 0


def _raise(levels: dict[Any, int], others: dict[Any, int]) -> None:
    """Raise levels to those of others."""
    levels.update(_raised(others, levels))


def _raised(levels: dict[Any, int], before: dict[Any, int]) -> dict[Any, int]:
    """Return the levels that are higher than before."""
    if not before:
        return levels
    return {each: level for each, level in levels.items() if level > before.get(each, 0)}


def _look(task: Any, told: _Levels, least: int = 0) -> TaskChange | None:
    """Return what is to be told of a task that waits or has failed.

    That it waits is told of those with places, and of those that have failed before.
    """
    if task is None or task.state not in LOOKED_AT:
        return None
    level = told.level(task)
    level = level and max(level, least)
    spec = task.run_spec if level == NAMES else None
    if level and task.state == "erred":
        return _with_names(_failure(task), spec)
    if level < PLACES:
        return None
    # The run id of a task that is processed is that of the present attempt, which its worker tells.
    run_id = 0 if task.state == "processing" else _run_id(task)
    return _with_names(TaskChange(task.key, task.prefix.name, "expected", run_id), spec)


LOOKED_AT: Final = frozenset({"waiting", "queued", "no-worker", "processing", "erred"})


def _failure(task: Any) -> TaskChange:
    blamed = task.exception_blame or task
    error = (blamed.exception_text or "")[:ERROR_LENGTH]
    if blamed is not task:
        error = f"{error} (of {str(blamed.key)[:ERROR_LENGTH]})"
    traceback = (blamed.traceback_text or "")[-TRACEBACK_LENGTH:]
    worker = next(iter(task.erred_on or blamed.erred_on or ()), "")
    run_id = _run_id(task)
    return TaskChange(task.key, task.prefix.name, "failed", run_id, worker, error, traceback)


def _run_id(task: Any) -> int:
    """Return the number of a task's last attempt, from 1; 0 without any. Dask counts from 0."""
    return 0 if task.run_id is None else task.run_id + 1


def _counts(states: Any, cancelled: int = 0) -> Counts:
    sums: Counter[str] = Counter(computed=-cancelled)
    for state, number in states.items():
        sums[STATES.get(state, "waiting")] += number
    return sums["waiting"], sums["running"], max(0, sums["computed"]), sums["failed"]


# -- names among the arguments -----------------------------------------------------------------

PATHS: Final = frozenset({PosixPath, PurePosixPath, WindowsPath, PureWindowsPath})

NAMELESS: Final = frozenset(
    {int, float, complex, bool, type(None), slice, bytes, bytearray, memoryview, np.ndarray}
)


def _with_names(change: TaskChange, spec: Any) -> TaskChange:
    """Return a change with names and references among a task's arguments, if they are asked for."""
    names: list[str] = []
    references: list[Any] = []
    arguments = getattr(spec, "args", ()), getattr(spec, "kwargs", {})
    if spec is not None and _find(arguments, names, references, 0):
        return change._replace(names=names, references=references)
    return change


def _find(value: Any, names: list[str], references: list[Any], depth: int) -> bool:
    """Collect the names in arguments as a worker would; return whether that took no code."""
    kind = type(value)
    if kind is str:
        names += [value] if len(value) <= NAME_LENGTH else []
        return True
    if kind in NAMELESS:
        return True
    if kind in PATHS:
        names.append(str(value))
        return True
    inner: Any
    if kind is dict:
        inner = value.values()
    elif kind in (tuple, list, set, frozenset):
        inner = value
    elif isinstance(value, TaskRef | GraphNode):
        inner = getattr(value, "args", None)
        if not isinstance(inner, tuple):
            references.append(value.key)
            return True
    else:
        return False
    return depth >= DEEPEST or all(
        _find(each, names, references, depth + 1) for each in itertools.islice(inner, WIDEST)
    )


# -- arguments for people ----------------------------------------------------------------------

TEXT_LENGTH: Final = 60
"""Characters of one argument: the end of a path, or a few numbers."""

ARGUMENTS_LENGTH: Final = 500
"""Characters of all arguments of a task, some lines of the panel."""

SHOWN: Final = 4
"""Elements of a container that are shown."""

_NAME_OF: Final = type.__dict__["__name__"]
"""Tells the name of a class, whatever its metaclass makes of that."""


def _key_of(tasks: Any, text: str) -> Any:
    """Return the key of a task that is there, of the key as text; None without such a task."""
    if text in tasks:
        return text
    try:
        key = ast.literal_eval(text) if text.startswith("(") else text
        return key if key in tasks else None
    except Exception:  # of a text that is no tuple, or that cannot be a key
        return None


def _arguments_text(spec: Any) -> str:
    """Return the arguments of a task for people, without any code of their authors."""
    args, kwargs = getattr(spec, "args", ()), getattr(spec, "kwargs", {})
    if type(args) is not tuple or type(kwargs) is not dict:
        return ""
    parts = [_short(each, 0) for each in args[:WIDEST]]
    parts += [
        f"{_short_text(n)}={_short(v, 0)}" for n, v in itertools.islice(kwargs.items(), WIDEST)
    ]
    text = ", ".join(parts)
    return text if len(text) <= ARGUMENTS_LENGTH else f"{text[:ARGUMENTS_LENGTH]}…"


def _short(value: Any, depth: int) -> str:
    kind = type(value)
    if kind is str:
        return repr(_short_text(value))
    if kind in (bool, float, complex, type(None), slice) or (
        kind is int and value.bit_length() < 200
    ):
        return repr(value) if kind is not slice else "slice"
    if kind in PATHS:
        return _short_text(str(value))
    if kind is np.ndarray:
        return (
            f"array {_short_text('x'.join(map(str, value.shape)))} {_short_text(str(value.dtype))}"
        )
    if isinstance(value, TaskRef) or kind is Alias:
        return f"<{_short_text(str(value.key))}>"
    if kind in (tuple, list, set, frozenset, dict) and depth < 2:
        inner = itertools.islice(value.items() if kind is dict else value, SHOWN)
        parts = [_pair(each, depth) if kind is dict else _short(each, depth + 1) for each in inner]
        more = [f"… {len(value) - SHOWN} more"] if len(value) > SHOWN else []
        begin, end = "()" if kind is tuple else "[]" if kind is list else "{}"
        return f"{begin}{', '.join(parts + more)}{end}"
    return f"<{_short_text(_NAME_OF.__get__(kind))}>"


def _pair(pair: tuple[Any, Any], depth: int) -> str:
    return f"{_short(pair[0], depth + 1)}: {_short(pair[1], depth + 1)}"


def _short_text(text: str) -> str:
    """Return the end of a long text: of paths it tells most."""
    return text if len(text) <= TEXT_LENGTH else f"…{text[-TEXT_LENGTH:]}"


# -- the way to the scheduler ------------------------------------------------------------------

RESTORE: Final = f"""
[
    scope := {{"__name__": {__name__!r}, "SOURCES": sources}},
    [
        exec(__import__("marshal").loads(code) if same else source, scope)
        for same in [__import__("importlib.util").util.MAGIC_NUMBER == magic]
        for code, source in zip(codes, sources)
    ],
    scope["TaskWatch"](*arguments),
][2]
""".strip()
"""Expression that makes a plugin of the modules' code, or of their sources on another Python: to
compile them takes the scheduler 20 ms."""


def _code() -> dict[str, Any]:
    """Return the modules as they travel."""
    modules = () if "SOURCES" in globals() else (_tasks_page, sys.modules[__name__])
    sources = globals().get("SOURCES") or tuple(map(inspect.getsource, modules))
    names = "dask_napari.tasks_page", "dask_napari.task_watch"
    compiled = [
        compile(s, n, "exec", dont_inherit=True) for s, n in zip(sources, names, strict=True)
    ]
    codes = tuple(map(marshal.dumps, compiled))
    return {"sources": sources, "codes": codes, "magic": MAGIC_NUMBER}
