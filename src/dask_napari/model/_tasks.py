"""Tasks of a cluster, as a viewer knows them: their states, groups, and commands of the user."""

from __future__ import annotations

import ast
import contextlib
import math
import re
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from dask_napari.model._bounds import Name, Natural, PlainValue
from dask_napari.model._item_checks import LENGTH_LIMIT
from dask_napari.model._item_meta import ItemMeta, Provenance

TASK_STATES: Final = ("expected", "running", "computed", "failed")
"""States of a task before its output is an item, in the order in which it has them."""

TaskState = Literal["expected", "running", "computed", "failed", "withdrawn"]
"""One of :data:`TASK_STATES`; a task is withdrawn that was cancelled or released before it had an
output, or whose worker is gone."""

ERROR_LIMIT: Final = 1000
"""Characters of an exception's text: a line or two of a window."""

TRACEBACK_LIMIT: Final = 16 << 10
"""Characters of a traceback; a deep one of numpy or pandas takes some 8 KB."""

GROUPS_LIMIT: Final = 1000
"""Task groups of a cluster that are told; a scheduler that is busy for days has more."""

COMMANDS_LIMIT: Final = 1000
"""Commands that wait for a client."""

CommandName = Literal["retry", "tap", "untap", "pause", "resume", "arguments"]


class TaskStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """State of a task whose output a tap selects.

    Who hears of it need not hear in order: Dask's run id in the provenance tells attempts to run
    the task apart, and grows. A task that is ``expected`` has the run id of the attempt before, or
    0, and is told anew whenever it waits again.

    Attributes
    ----------
    meta : ItemMeta
        Metadata that the task's item will have: layer, kind, position or origin, and the task's
        key, worker, run id, start and stop. Without a position, where only the output tells it.
    state : TaskState
        Whether the task waits, runs, has computed its output, or failed; or is withdrawn. A task
        that is retried is expected once more.
    error : str
        Type and text of the exception of a task that failed.
    traceback : str
        Its traceback, the innermost calls last.
    """

    meta: ItemMeta
    state: TaskState
    error: Annotated[str, Meta(max_length=ERROR_LIMIT)] = ""
    traceback: Annotated[str, Meta(max_length=TRACEBACK_LIMIT)] = ""

    @property
    def is_sound(self) -> bool:
        """True if an item could be at its place, and nothing but the place is told of it."""
        meta = self.meta
        if meta.options:
            return False
        if any(type(at) is float and not math.isfinite(at) for at in meta.position.values()):
            return False
        return max((*meta.origin, *meta.array_shape), default=0) <= LENGTH_LIMIT


def exception_line(text: str) -> str:
    """Return the ``repr`` of an exception as the last line of its traceback, fit to be sent.

    >>> exception_line("RuntimeError('camera timeout')"), exception_line("KeyError('A01', 3)")
    ('RuntimeError: camera timeout', "KeyError('A01', 3)")
    >>> exception_line("RuntimeError('camera timeout') (of read-3)")  # as the scheduler tells it
    'RuntimeError: camera timeout (of read-3)'
    """
    if found := _EXCEPTION.fullmatch(text[: 2 * ERROR_LIMIT]):
        name, argument, rest = found.groups()
        # Some other code may be in a user's error.
        with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            text = f"{name}: {ast.literal_eval(argument)}{rest}"
    return sendable(text[:ERROR_LIMIT])


_EXCEPTION: Final = re.compile(
    r"([A-Za-z_][\w.]*)\(((?:'[^\n]*')|(?:\"[^\n]*\"))\)((?: \(of .*\))?)"
)


def traceback_end(text: str) -> str:
    """Return the innermost calls of a traceback, fit to be sent."""
    return sendable(text[-TRACEBACK_LIMIT:])


def sendable(text: str) -> str:
    """Return text that can be encoded: names of files that are not UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def running_on(worker: str) -> TaskStatus:
    """Return the status that withdraws all tasks that run on a worker: one without a layer.

    >>> running_on("tcp://10.0.0.1:34567").state
    'withdrawn'
    """
    return TaskStatus(ItemMeta("", "image", provenance=Provenance(worker=worker)), "withdrawn")


def all_to_come() -> TaskStatus:
    """Return the status that takes all tasks into a run whose items are still to come.

    >>> all_to_come().state, all_to_come().meta.layer
    ('expected', '')
    """
    return TaskStatus(ItemMeta("", "image"), "expected")


class TaskCounts(msgspec.Struct, frozen=True, array_like=True):
    """Numbers of tasks by state; ``computed`` are in memory or were released since.

    >>> TaskCounts(waiting=2, computed=3).total
    5
    """

    waiting: Natural = 0
    running: Natural = 0
    computed: Natural = 0
    failed: Natural = 0

    @property
    def total(self) -> int:
        """Number of all tasks."""
        return self.waiting + self.running + self.computed + self.failed


class TaskGroup(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tasks of one name on the cluster.

    Attributes
    ----------
    name : str
        Name of the task prefix, as a tap selects it.
    counts : TaskCounts
        How many there are.
    types : tuple of str
        Types of their outputs, ``"numpy.ndarray"``.
    nbytes : int
        Bytes of all their outputs, released ones included.
    seconds : float
        Mean duration of a task, 0 if none has ended.
    shape : str
        Shape of one output, ``"512x512 uint16"``, empty if it is not known.
    """

    name: Name
    counts: TaskCounts = TaskCounts()
    types: Annotated[tuple[Name, ...], Meta(max_length=16)] = ()
    nbytes: Natural = 0
    seconds: float = 0.0
    shape: Name = ""


class TapProgress(msgspec.Struct, frozen=True, omit_defaults=True):
    """An active tap, and how far the tasks are that it selects.

    Attributes
    ----------
    layer, kind : str
        The layer that it fills; an empty kind is guessed from the first output.
    select : str
        Its selection as people wrote it.
    counts : TaskCounts
        Tasks that it selects, as far as the scheduler still knows them.
    groups : tuple of str
        Names of the task groups in which it selects tasks.
    """

    layer: Name
    kind: Name = ""
    select: Name = ""
    counts: TaskCounts = TaskCounts()
    groups: Annotated[tuple[Name, ...], Meta(max_length=GROUPS_LIMIT)] = ()


class ClusterState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cluster that a client of the viewer is attached to.

    Attributes
    ----------
    scheduler, dashboard : str
        Address of the scheduler, and of its dashboard's status page, empty if it has none.
    workers : int
        Number of its workers.
    paused : bool
        Whether streaming is paused.
    groups : list of TaskGroup
        What its tasks are called, the newest last.
    taps : list of TapProgress
        The active taps.
    """

    scheduler: Name
    dashboard: Name = ""
    workers: Natural = 0
    paused: bool = False
    groups: Annotated[list[TaskGroup], Meta(max_length=GROUPS_LIMIT)] = []
    taps: Annotated[list[TapProgress], Meta(max_length=GROUPS_LIMIT)] = []


class Command(msgspec.Struct, frozen=True):
    """Something that the user asks of the cluster by a click in the viewer.

    Attributes
    ----------
    name : str
        ``retry`` (``keys``: task keys as text), ``tap`` (``select`` and options of a
        :class:`~dask_napari.Tap`; with ``replaces``, those of the tap of that layer), ``untap``
        (``layer``), ``pause``, ``resume``; or ``arguments`` (``key``), which asks for those of a
        task.
    arguments : dict
        Its arguments.
    number : int
        Tells a command from one that is handed over once more; 0 if that never happens.
    """

    name: CommandName
    arguments: dict[Name, PlainValue] = {}
    number: Natural = 0
