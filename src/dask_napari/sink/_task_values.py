"""Values that tasks show by themselves: ``dask_napari.show``, and chunks of watched arrays."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from dataclasses import replace

from dask_napari.coerce import place_of
from dask_napari.model import Position, Refusal, contain, foreign_code
from dask_napari.placement import Placement
from dask_napari.sink import dask_internals
from dask_napari.sink._chunk_owners import source_task
from dask_napari.sink._context import SinkContext
from dask_napari.sink._outputs import ShownValue
from dask_napari.sink._snapshots import copied_nbytes
from dask_napari.sink._task_arguments import are_plain, needed_arguments
from dask_napari.tap import CompiledTap


class TaskValues:
    """Stream values from inside tasks. Any thread; never raises, never waits."""

    def __init__(self, context: SinkContext) -> None:
        self._context = context
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"<TaskValues of {self._context.worker.address} in process {self._process}>"

    def show(
        self,
        value: object,
        tap: CompiledTap,
        where: Placement | Callable[[], Placement] | None,
        copy: Callable[[], object],
    ) -> bool:
        """Put a value of the running task into the queue.

        Without ``where`` its own coordinates place it, or the order of arrival. A placement adds
        to the position of the task, if a tap gives it one. The selection of ``tap`` does not
        matter. Several sinks may share the copy. Return false where it is counted
        as dropped at once.
        """
        context, publisher = self._context, self._context.publisher
        if os.getpid() != self._process:
            # Forked by a task: the publisher's thread is not here, and its locks may be held.
            return False
        key: object = ""
        try:
            key, provenance = dask_internals.calling_task(context.worker)
            if refusal := publisher.outbox.refusal(tap.layer):
                context.refuse(tap, refusal, key)
                return False
            # An active tap has said what its layer is; a value must not overrule it.
            if tap.layer not in publisher.layers:
                publisher.declare([tap.spec])
            context.pause()
            # Before the copy, which would have been for nothing.
            with foreign_code():  # of values, which are asked for their size
                nbytes = copied_nbytes(value)
            if full := publisher.outbox.no_room(nbytes, tap.policy):
                publisher.outbox.refuse(tap.layer, full)
                return False
            with foreign_code():  # of values, which are copied, and asked for their coordinates
                held = copy()
                where = Placement(place_of(held)) if where is None else where
            if isinstance(where, Placement):
                where = replace(where, position={**self._own_position(key), **where.position})
            publisher.put(ShownValue(context, tap, held, where, provenance, nbytes))
        except BaseException as error:
            context.refuse(tap, error, key)
            contain(error)
            return False
        return True

    def _own_position(self, key: object) -> Position:
        """Return the position of a task by the names that it has; empty if no tap reads them.

        No code of others runs: taps that call some are left out.
        """
        task = dask_internals.task_of(self._context.worker, key)
        if task is None:
            return {}
        for tap in self._context.taps:
            if not isinstance(tap.selector, str | frozenset) or tap.rule.by_value:
                continue
            if not tap.matches(key, task.prefix):
                continue
            arguments = needed_arguments(tap, dask_internals.arguments_of(task))
            if are_plain(arguments):
                with contextlib.suppress(Refusal):  # its output will be refused, and reported
                    return tap.rule.placement(key, None, *arguments, task.prefix).position
        return {}

    def show_chunk(
        self, source: str, numbers: tuple[int, ...], block: object, copy: Callable[[], object]
    ) -> None:
        """Put a chunk of a watched array into the queue, from the task that passes it on.

        The chunk has a number along each axis; several sinks may share the copy.
        """
        worker, taps = self._context.worker, self._context.taps
        watching = taps.watching(source)
        if not watching or os.getpid() != self._process:
            return
        caller, _ = dask_internals.calling_task(worker)
        task = dask_internals.task_of(worker, caller)
        for tap, grid in watching:
            key = grid.name, *numbers
            # A task of the chunk's own name ends in `transition`, which needs no copy; others,
            # into which Dask has fused this one, do not come by there with the chunk.
            if caller == key or key not in grid or source_task(taps, tap, key, task):
                continue
            self.show(block, tap, functools.partial(tap.rule.placement, key, block), copy)
