"""States of tasks at the places of their items, of what a scheduler tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from dask.utils import typename

from dask_napari.model import (
    NAME_LIMIT,
    TASK_KEY_LIMIT,
    Provenance,
    Refusal,
    TaskStatus,
    contained,
    exception_line,
    sendable,
    traceback_end,
)
from dask_napari.placement import ChunkGrid, Placement
from dask_napari.sink import TapTasks, TaskChange, dask_internals, scheduler_internals
from dask_napari.tap import CompiledTap, Tap, TapSet, items_at

PAGE_BYTES: Final = 400_000
"""Bytes of the statuses in one request; less than half of what a viewer takes."""

PAGE_LENGTH: Final = 5000
"""Statuses in one request; half of what a viewer takes."""


class TaskStatuses:
    """Find the places of tasks that some taps select.

    Only those that keys and plain arguments tell: nothing of the user's code runs.
    """

    def __init__(self, taps: Iterable[Tap] = ()) -> None:
        self._taps = TapSet(tap for tap in taps if tasks_of("", tap).told)

    def __repr__(self) -> str:
        return f"<TaskStatuses of {self._taps}>"

    def pages(self, changes: Iterable[TaskChange]) -> Iterator[list[msgspec.Raw]]:
        """Yield statuses in pages, each fit for a request."""
        page: list[msgspec.Raw] = []
        size = 0
        for status in (status for change in changes for status in self.of(change)):
            with contained(_skip, foreign=True):  # names that no message can carry
                encoded = msgspec.msgpack.encode(status)
                msgspec.msgpack.decode(encoded, type=TaskStatus)
                page.append(msgspec.Raw(encoded))
                size += len(encoded)
            if size > PAGE_BYTES or len(page) >= PAGE_LENGTH:
                yield page
                page, size = [], 0
        if page:
            yield page

    def of(self, change: TaskChange) -> Iterator[TaskStatus]:
        """Yield the statuses of a task: one for each item that it makes."""
        for tap in self._taps.select(change.key, change.prefix, None):
            placement = _placement(tap, change)
            if placement is None and change.state == "expected" and not change.run_id:
                continue  # nobody can tell where; it is told once it has failed
            key, worker = sendable(str(change.key)[:TASK_KEY_LIMIT]), change.worker[:NAME_LIMIT]
            task = Provenance(key, worker, change.run_id)
            error, traceback = exception_line(change.error), traceback_end(change.traceback)
            for meta in items_at(tap, placement or Placement(), task):
                yield TaskStatus(meta, change.state, error, traceback)  # type: ignore[arg-type]


def _skip(error: BaseException) -> None:
    pass


def tasks_of(name: str, tap: Tap) -> TapTasks:
    """Return how the scheduler finds the tasks of a tap, and what it is to tell of them.

    Keys have the name of the tap.
    """
    return _tasks_of(name, tap)._replace(layer=tap.compile().layer)


def keys_of(tap: Tap) -> list[Any]:
    """Return the keys that a tap selects, empty of one that selects tasks otherwise."""
    selector = tap.compile().selector
    return [*selector] if isinstance(selector, frozenset) else []


def _tasks_of(name: str, tap: Tap) -> TapTasks:
    compiled = tap.compile()
    selector, rule = compiled.selector, compiled.rule
    if isinstance(selector, type):
        return TapTasks("type", typename(selector))
    if not isinstance(selector, str | frozenset | ChunkGrid):
        return TapTasks("function", None)
    told = scheduler_internals.FAILURES
    if rule.pattern is not None:
        told = scheduler_internals.NAMES
    elif not rule.by_value and not (isinstance(rule.at, Placement) and rule.at.leading):
        told = scheduler_internals.PLACES
    if isinstance(selector, str):
        return TapTasks("name", selector, told)
    if isinstance(selector, ChunkGrid):
        return TapTasks("group", selector.name, told)
    return TapTasks("keys", name, told)


def _placement(tap: CompiledTap, change: TaskChange) -> Placement | None:
    """Return the place of a task's output; None if only its worker can tell it."""
    rule = tap.rule
    if rule.calls or (rule.pattern is not None and change.names is None):
        return None
    references = map(dask_internals.reference_to, change.references)
    try:
        args: tuple[Any, ...] = (*(change.names or ()), *references)
        placement = rule.placement(change.key, None, args, {}, change.prefix)
    except Refusal:
        return None
    if placement.leading or not (placement.position or placement.array_shape):
        return None
    return placement
