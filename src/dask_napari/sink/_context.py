"""Context that all parts of a sink share: worker, taps, and the way to the viewer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dask_napari.model import Reports, contain, reason_of
from dask_napari.sink import dask_internals
from dask_napari.sink._seen_tasks import SeenTasks
from dask_napari.stream.send import Publisher
from dask_napari.tap import CallCosts, CompiledTap, TapSet

if TYPE_CHECKING:
    from distributed import Worker
    from distributed.worker_state_machine import TaskState

SLOW_COPY: Final = 0.002
"""Seconds for the copy of an output, of some 10 MB; three times what Dask itself needs."""


class SinkContext:
    """Worker, taps that select, publisher that sends, and reports of what went wrong.

    The taps change: :attr:`taps` are those that are active now.
    """

    def __init__(
        self, worker: Worker, publisher: Publisher, taps: TapSet, reports: Reports
    ) -> None:
        self.worker = worker
        self.publisher = publisher
        self.taps = taps
        self.reports = reports
        self.seen: SeenTasks = SeenTasks(publisher.tell_taps)
        self.seen.set_taps(taps)
        self._copies: dict[str, CallCosts] = {}

    def __repr__(self) -> str:
        return f"<SinkContext of {self.worker.address}: {len(self.taps)} taps, {self.reports}>"

    def select(
        self,
        taps: TapSet,
        task: TaskState,
        on_error: Callable[[CompiledTap, BaseException], None] | None = None,
    ) -> list[CompiledTap]:
        """Return the taps that choose the output of a task; predicates that raise are counted."""
        name = task.prefix
        found = taps.select(
            task.key,
            name,
            dask_internals.type_of_output(task),
            on_error or self.select_failed(task.key),
            self.select_is_slow,
        )
        if found or name not in self.seen.names:
            self.seen.note(name, found)
        return found

    def select_is_slow(self, tap: CompiledTap, costs: CallCosts) -> None:
        """Report what a predicate costs each task."""
        self._slow(tap, costs, "select=", "select by name, key or type, or look at less of the key")

    def count_copy(self, tap: CompiledTap, seconds: float) -> None:
        """Count a copy that was made on the event loop; report what such copies cost."""
        costs = self._copies.setdefault(tap.layer, CallCosts(SLOW_COPY))
        if costs.add(seconds):
            self._slow(tap, costs, "copy='eager'", "leave it out where tasks do not go on writing")

    def _slow(self, tap: CompiledTap, costs: CallCosts, option: str, remedy: str) -> None:
        text = (
            f"{option} takes {costs.mean * 1000:.1f} ms for each task, on the event loop that all"
            f" tasks of the worker wait for; {remedy}"
        )
        self.reports.error(f"slow {option}", text, layer=tap.layer)

    def select_failed(self, key: object) -> Callable[[CompiledTap, BaseException], None]:
        """Return what counts a predicate that raises as an output that it may have wanted."""
        return lambda tap, error: self.refuse(tap, error, key, "select failed")

    def ignore_failed_select(self, tap: CompiledTap, error: BaseException) -> None:
        """Ignore a predicate that raises where no output is there to be counted."""

    def pause(self) -> None:
        """Hold no values while Dask pauses the worker."""
        self.publisher.pause(dask_internals.is_paused(self.worker))

    def refuse(self, tap: CompiledTap, error: BaseException, key: object, reason: str = "") -> None:
        """Count and report an output that a tap may have wanted and that cannot be queued."""
        self.publisher.outbox.refuse(tap.layer, self.report(error, tap.layer, key, reason))

    def report(
        self, error: BaseException, layer: str = "", key: object = "", reason: str = ""
    ) -> str:
        """Tell the viewer and, once a cause, the log; return the short cause.

        Layer and key are empty where they are not known, or none is at fault. Without a reason
        the error says it.
        """
        reason = reason or reason_of(error)
        self.reports.error(reason, error, layer=layer, key=key)
        return reason

    def failed(self, error: BaseException, key: object = "") -> None:
        """Report an error of this package, with its traceback; raise it in strict mode."""
        self.reports.error(reason_of(error), error, key=key, traceback=True, level=logging.ERROR)
        contain(error)
