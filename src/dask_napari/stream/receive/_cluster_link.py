"""The link to a client of the cluster: commands of the user, and what is told of tasks."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from dask_napari.model import (
    COMMANDS_LIMIT,
    TASK_KEY_LIMIT,
    ClusterState,
    Command,
    Name,
    Natural,
    TaskStatus,
)
from dask_napari.stream.wire import Rejected

ATTACHED: Final = 5.0
"""Seconds after its last word for which a client counts as attached: ten of its turns."""

STATUSES_LIMIT: Final = 64 << 20
"""Bytes of statuses that wait for the viewer, which takes them 30 times a second, as they came in
messages: those of some 200 000 tasks. The oldest go."""


UNREAD_LIMIT: Final = 1 << 20
"""Bytes of statuses that wait before anybody has taken any: a recorder never does."""

HANDED_OVER: Final = 10
"""Times that a command is handed over until somebody says that it came: what never arrives, since
it is too long perhaps, holds up no others."""

ARGUMENTS_KEPT: Final = 100
"""Tasks whose arguments are kept: a person looks at one after another."""


class _Told(msgspec.Struct):
    """Arguments of a request: statuses of tasks, and the state of the cluster if it changed.

    The group is that of the sinks whose items the tasks make, and tells their run. ``taken`` are
    the numbers of commands that have come; None of a client that does not say. ``arguments`` are
    those of tasks that were asked for, by key.
    """

    tasks: Annotated[list[TaskStatus], Meta(max_length=10_000)] = []
    cluster: ClusterState | None = None
    group: Name = ""
    taken: Annotated[list[Natural], Meta(max_length=COMMANDS_LIMIT)] | None = None
    arguments: Annotated[
        dict[Annotated[str, Meta(max_length=TASK_KEY_LIMIT)], Name], Meta(max_length=ARGUMENTS_KEPT)
    ] = {}


class ClusterLink:
    """Keep states of tasks for the viewer, and commands for the client; safe for threads.

    Parameters
    ----------
    run_of : callable
        Returns the number of the run that a group of publishers fills.

    Attributes
    ----------
    nbytes : int
        Bytes of the messages whose statuses wait for the viewer.
    left_out : int
        Statuses that were not kept, since too many waited.

    Examples
    --------
    >>> link = ClusterLink()
    >>> link.command(Command("pause"))
    False
    >>> link.hear({"cluster": {"scheduler": "tcp://10.0.0.1:8786"}})
    []
    >>> link.command(Command("pause")), link.state().scheduler
    (True, 'tcp://10.0.0.1:8786')
    >>> [command["name"] for command in link.hear({})]
    ['pause']
    """

    def __init__(self, run_of: Callable[[str], int] = lambda group: 0) -> None:
        self.left_out: int = 0
        self._run_of = run_of
        self._lock = threading.Lock()
        self._cluster: ClusterState | None = None
        self._heard = float("-inf")
        self._commands: list[Command] = []
        # Commands by the group of the client that has not yet said that they came, and by number,
        # with the times that they were handed over.
        self._handed: dict[str, dict[int, tuple[Command, int]]] = {}
        self._lost: list[Command] = []
        self._arguments: dict[str, str] = {}
        self._answers = False  # whether the client tells of arguments
        self._statuses: deque[tuple[int, Sequence[TaskStatus], int]] = deque()
        self.nbytes: int = 0
        self._limit = UNREAD_LIMIT

    def __repr__(self) -> str:
        waiting = f"{self.nbytes} bytes of statuses, {len(self._commands)} commands wait"
        return f"<ClusterLink of {self._cluster and self._cluster.scheduler}: {waiting}>"

    def hear(self, arguments: dict[str, Any], size: int = 0) -> list[dict[str, Any]]:
        """Take the word of a client, which came in so many bytes; return the commands for it.

        Raises Rejected if it is malformed.
        """
        try:
            told = msgspec.convert(arguments, _Told)
        except msgspec.ValidationError as error:
            raise Rejected("states of tasks that are malformed") from error
        with self._lock:
            self._heard = time.monotonic()
            if told.cluster is not None:
                self._cluster = told.cluster
            commands = self._hand_over(told.group, told.taken)
            self._answers = told.taken is not None
            for key, text in told.arguments.items():
                self._arguments.pop(key, None)
                self._arguments[key] = text
            while len(self._arguments) > ARGUMENTS_KEPT:
                del self._arguments[next(iter(self._arguments))]
        self.tell(told.tasks, self._run_of(told.group) if told.group else 0, size)
        return commands

    def _hand_over(self, group: str, taken: Collection[int] | None) -> list[dict[str, Any]]:
        """Return the commands for a client: new ones, and those that may not have come."""
        new, self._commands = self._commands, []
        if taken is None:  # it never says
            return [{"name": each.name, "arguments": each.arguments} for each in new]
        known = self._handed.pop(group, {}) | {each.number: (each, 0) for each in new}
        given = {}
        for number, (command, times) in known.items():
            if number in taken:
                continue
            if times < HANDED_OVER:
                given[number] = command, times + 1
            else:
                self._lost.append(command)
        if given:
            self._handed[group] = given
        return [msgspec.to_builtins(command) for command, _ in given.values()]

    def tell(self, tasks: Sequence[TaskStatus], run: int, size: int) -> None:
        """Keep statuses for the viewer, which came in so many bytes.

        Without a run, 0, they belong to the newest one.
        """
        tasks = [status for status in tasks if status.is_sound]
        if not tasks:
            return
        with self._lock:
            self._statuses.append((run, tasks, size))
            self.nbytes += size
            while self.nbytes > self._limit:
                _, lost, size = self._statuses.popleft()
                self.nbytes -= size
                self.left_out += len(lost)

    @property
    def attached(self) -> bool:
        """True while a client answers for the cluster."""
        return time.monotonic() - self._heard < ATTACHED

    def state(self) -> ClusterState | None:
        """Return the last known state of the cluster; None if no client has told any."""
        return self._cluster

    def command(self, command: Command) -> bool:
        """Hand a command to the client; return False if none is attached."""
        if not self.attached:
            return False
        with self._lock:
            if len(self._commands) + sum(map(len, self._handed.values())) >= COMMANDS_LIMIT:
                return False
            # A number that none of another viewer, or of this one before, has had.
            self._commands.append(replace(command, number=secrets.randbits(52) + 1))
        return True

    def take_lost(self) -> list[Command]:
        """Return each command once that may not have reached any client."""
        with self._lock:
            if not self.attached:
                handed = [command for each in self._handed.values() for command, _ in each.values()]
                self._lost += [*self._commands, *handed]
                self._commands, self._handed = [], {}
            lost, self._lost = self._lost, []
        return [command for command in lost if command.name != "arguments"]

    def ask_arguments(self, key: str) -> None:
        """Ask the client for the arguments of a task, if it tells of them."""
        if self._answers:
            self.command(Command("arguments", {"key": key}))

    def arguments_of(self, key: str) -> str:
        """Return the arguments of a task as text; empty if they are not known."""
        return self._arguments.get(key, "")

    def take_statuses(self, most: int = 1 << 60) -> list[tuple[int, TaskStatus]]:
        """Return statuses that came since the last call with their runs, in order.

        When ``most`` is reached, what came with other messages waits for the next call.
        """
        taken: list[tuple[int, TaskStatus]] = []
        with self._lock:
            self._limit = STATUSES_LIMIT
            while self._statuses and len(taken) < most:
                run, tasks, size = self._statuses.popleft()
                self.nbytes -= size
                taken += [(run, status) for status in tasks]
        return taken
