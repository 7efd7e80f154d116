"""States of tasks at the places of their items, of what a scheduler tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from dask.utils import typename

from dask_napari.model import (
    ERROR_LIMIT,
    NAME_LIMIT,
    PIXEL_KINDS,
    TASK_KEY_LIMIT,
    TRACEBACK_LIMIT,
    ItemMeta,
    Provenance,
    Refusal,
    TaskStatus,
    contained,
    plain_position,
)
from dask_napari.placement import ChunkGrid, Placement
from dask_napari.sink import TapTasks, TaskChange, dask_internals, scheduler_internals
from dask_napari.tap import CompiledTap, Tap, TapSet

PAGE_BYTES: Final = 400_000
"""Bytes of the statuses in one request; less than half of what a viewer takes."""

PAGE_LENGTH: Final = 5000
"""Statuses in one request; half of what a viewer takes."""


class TaskStatuses:
    """Find the places of tasks that some taps select.

    Only those that keys and plain arguments tell: nothing of the user's code runs.
    """

    def __init__(self, taps: Iterable[Tap] = ()) -> None:
        self._taps = TapSet(tap for tap in taps if tasks_of(tap).told)

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
            for meta in _metas(tap, change, placement or Placement()):
                error = _clean(error_text(change.error), ERROR_LIMIT)
                traceback = _clean(change.traceback[-TRACEBACK_LIMIT:], TRACEBACK_LIMIT)
                yield TaskStatus(meta, change.state, error, traceback)  # type: ignore[arg-type]


def _skip(error: BaseException) -> None:
    pass


def tasks_of(tap: Tap) -> TapTasks:
    """Return how the scheduler finds the tasks of a tap, and what it is to tell of them."""
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
    return TapTasks("keys", [*selector], told)


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


def _metas(tap: CompiledTap, change: TaskChange, placement: Placement) -> Iterator[ItemMeta]:
    key = _clean(str(change.key), TASK_KEY_LIMIT)
    provenance = Provenance(key, change.worker[:NAME_LIMIT], change.run_id)
    pixels = tap.kind in PIXEL_KINDS
    for position in placement.positions():
        yield ItemMeta(
            tap.layer,
            tap.kind,
            plain_position(position) if position else {},
            provenance,
            tap.calibration,
            bool(tap.rgb),
            placement.origin if pixels else (),
            placement.array_shape if pixels else (),
        )


def error_text(error: str) -> str:
    """Return an error as its type and text, of the form in which Dask tells it.

    >>> error_text("RuntimeError('camera timeout') (of read-3)")
    'RuntimeError: camera timeout (of read-3)'
    >>> error_text("KilledWorker('read-3', 3)")
    "KilledWorker('read-3', 3)"
    """
    if found := _ERROR.fullmatch(error):
        name, argument, rest = found.groups()
        try:
            return f"{name}: {ast.literal_eval(argument)}{rest}"
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass  # some other code in a user's error
    return error


_ERROR: Final = re.compile(r"([A-Za-z_][\w.]*)\(((?:'[^\n]*')|(?:\"[^\n]*\"))\)((?: \(of .*\))?)")


def _clean(text: str, length: int) -> str:
    return text[:length].encode("utf-8", "replace").decode()
