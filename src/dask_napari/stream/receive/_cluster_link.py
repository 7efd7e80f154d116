"""The link to a client of the cluster: what it tells of tasks, and what the user asks of it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from dask_napari.model import COMMANDS_LIMIT, ClusterState, Command, TaskStatus
from dask_napari.stream.wire import Rejected

ATTACHED: Final = 5.0
"""Seconds after its last word for which a client counts as attached: ten of its turns."""

STATUSES_LIMIT: Final = 200_000
"""Statuses that wait for the viewer, which takes them 30 times a second; older ones go."""


class _Told(msgspec.Struct):
    """Arguments of a request: statuses of tasks, and the state of the cluster if it changed."""

    tasks: Annotated[list[TaskStatus], Meta(max_length=10_000)] = []
    cluster: ClusterState | None = None


class ClusterLink:
    """Keep states of tasks for the viewer, and commands for the client; safe for threads.

    >>> link = ClusterLink()
    >>> link.command(Command("pause"))
    False
    >>> link.hear({"cluster": {"scheduler": "tcp://10.0.0.1:8786"}})
    []
    >>> link.command(Command("pause")), link.state().scheduler
    (True, 'tcp://10.0.0.1:8786')
    >>> link.hear({})
    [{'name': 'pause', 'arguments': {}}]
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cluster: ClusterState | None = None
        self._heard = float("-inf")
        self._commands: deque[Command] = deque(maxlen=COMMANDS_LIMIT)
        self._statuses: deque[TaskStatus] = deque(maxlen=STATUSES_LIMIT)

    def __repr__(self) -> str:
        waiting = f"{len(self._statuses)} statuses, {len(self._commands)} commands wait"
        return f"<ClusterLink of {self._cluster and self._cluster.scheduler}: {waiting}>"

    def hear(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """Take the word of a client; return the commands that wait for it.

        Raises Rejected if it is malformed.
        """
        try:
            told = msgspec.convert(arguments, _Told)
        except msgspec.ValidationError as error:
            raise Rejected("states of tasks that are malformed") from error
        with self._lock:
            self._heard = time.monotonic()
            self._statuses.extend(told.tasks)
            if told.cluster is not None:
                self._cluster = told.cluster
            commands = [msgspec.to_builtins(command) for command in self._commands]
            self._commands.clear()
        return commands

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
            self._commands.append(command)
        return True

    def take_statuses(self) -> list[TaskStatus]:
        """Return the statuses that came since the last call, in order."""
        if not self._statuses:
            return []
        with self._lock:
            statuses = list(self._statuses)
            self._statuses.clear()
        return statuses
