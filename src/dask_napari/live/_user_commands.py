"""Commands that the user gives in the viewer's window, carried out by a client of the cluster."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any, Final

import msgspec

from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.model import COMMANDS_LIMIT, Command, described, sendable
from dask_napari.sink import dask_internals
from dask_napari.tap import Tap

logger = logging.getLogger(__name__)

WHO: Final = "the cluster"
"""Whom the dock names in front of an error."""


class UserCommands:
    """Carry out commands: retry tasks, add and remove taps, pause and resume the stream.

    In a thread: a cluster that hangs holds up the next command, but not the news for the viewer.
    A viewer hands a command over until it hears that it came; it is carried out once.
    """

    def __init__(self, sinks: ClusterSinks, watch: str) -> None:
        self.taken: list[int] = []
        """Numbers of the commands that came last, for the viewer."""
        self._sinks = sinks
        self._watch = watch
        self._known: deque[int] = deque(maxlen=COMMANDS_LIMIT)
        self._waiting: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[str, str]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<UserCommands for {self._sinks!r}: {self._waiting.qsize()} wait>"

    def take(self, commands: Sequence[dict[str, Any]]) -> None:
        """Carry out commands soon, but for those that have come before."""
        self.taken = []
        for command in commands:
            number = command.get("number", 0)
            if number:
                self.taken.append(number)
                if number in self._known:
                    continue
                self._known.append(number)
            self._waiting.put(command)
        if self._thread is None and not self._waiting.empty():
            self._thread = threading.Thread(
                target=self._run_all, name="dask-napari-commands", daemon=True
            )
            self._thread.start()

    def take_arguments(self) -> dict[str, str]:
        """Return the arguments of tasks that were asked for since the last call, by key."""
        return dict(self._answers.get() for _ in range(self._answers.qsize()))

    def close(self, timeout: float) -> None:
        """End the thread; the cluster may hold it up, and then it ends with the process."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(max(0.0, timeout))

    def _run_all(self) -> None:
        while (command := self._waiting.get()) is not None:
            self.run(command)

    def run(self, command: dict[str, Any]) -> None:
        """Carry out a command; the dock is told of an error."""
        try:
            known = msgspec.convert(command, Command)
            getattr(self, f"_{known.name}")(**known.arguments)
        except Exception as error:  # of the user's arguments, or of a cluster that is gone
            self._sinks.reports.add(WHO, f"{command.get('name')} failed", described(error))

    def _retry(self, keys: list[str]) -> None:
        client, requests = self._sinks.client, self._sinks.requests
        failed = requests.call(
            lambda: dask_internals.ask_scheduler(client, f"{self._watch}-failed", texts=keys)
        )
        if not failed:
            raise ValueError("the scheduler knows no failed task of these any more; submit anew")
        requests.call(lambda: dask_internals.retry(client, failed))

    def _arguments(self, key: str) -> None:
        client, requests = self._sinks.client, self._sinks.requests
        text = requests.call(
            lambda: dask_internals.ask_scheduler(client, f"{self._watch}-arguments", text=key)
        )
        self._answers.put((key, sendable(text or "")))

    def _tap(self, select: str, replaces: str = "", **options: Any) -> None:
        if replaces:
            former = self._taps_of(replaces)
            tap = dataclasses.replace(former[0], select=select, **options)
            self._sinks.change(lambda taps: taps.without(former).added([tap]))
        else:
            self._sinks.change(lambda taps: taps.added([Tap(select, **options)]))

    def _untap(self, layer: str) -> None:
        removed = self._taps_of(layer)
        self._sinks.change(lambda taps: taps.without(removed))

    def _taps_of(self, layer: str) -> list[Tap]:
        """Return the taps that fill a layer; raise ValueError if there are none."""
        found = [tap for tap in self._sinks.taps if tap.layer == layer]
        if not found:
            raise ValueError(f"no tap fills the layer {layer!r}")
        return found

    def _pause(self) -> None:
        self._sinks.pause()

    def _resume(self) -> None:
        self._sinks.resume()
