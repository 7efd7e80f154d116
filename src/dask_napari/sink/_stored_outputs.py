"""Outputs that are in memory already: for a new tap, or for a new viewer."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from dask_napari.sink._context import SinkContext
from dask_napari.sink._selection import Selection
from dask_napari.sink._tasks import ran_here
from dask_napari.sink._watched_chunks import source_in_memory
from dask_napari.tap import TapSet

logger = logging.getLogger(__name__)

SCAN_STEP: Final = 500
"""Tasks looked at in one go, so that the event loop is free in between; some 1 ms."""


class StoredOutputs:
    """Select outputs that a worker computed and still has, by key alone.

    Parameters
    ----------
    outlet : SinkContext
        Where outputs go.
    """

    def __init__(self, outlet: SinkContext) -> None:
        self._outlet = outlet
        self._scans: set[asyncio.Task[None]] = set()

    def scan(self, taps: TapSet) -> None:
        """Begin to look through what is in memory now. On the event loop.

        Parameters
        ----------
        taps : TapSet
            What to select by.
        """
        # Listed now, so that what ends from here on is selected by `Ended` and only there.
        tasks = self._outlet.worker.state.tasks
        keys = [key for key, task in tasks.items() if task.state == "memory"]
        scan = asyncio.ensure_future(self._scan(taps, keys))
        self._scans.add(scan)
        scan.add_done_callback(self._scans.discard)

    def close(self) -> None:
        """Stop looking."""
        for scan in self._scans:
            scan.cancel()

    async def _scan(self, taps: TapSet, keys: list[Any]) -> None:
        fetched: list[Any] = []
        for number, key in enumerate(keys):
            if number % SCAN_STEP == 0:
                await asyncio.sleep(0)
            task = self._task(key)
            if task is None:
                continue
            if ran_here(task):
                self._put(taps, task)
            elif self._outlet.select(taps, task, _uncounted):
                fetched.append(key)
        for key in await self._only_here(fetched):
            task = self._task(key)
            if task is not None:
                self._put(taps, task)

    def _task(self, key: Any) -> Any:
        """The task, None if its output is no longer in memory."""
        task = self._outlet.worker.state.tasks.get(key)
        return task if task is not None and task.state == "memory" else None

    async def _only_here(self, fetched: list[Any]) -> list[Any]:
        """Those of the outputs fetched from other workers that are on this one alone.

        Dask may have moved an output here: it keeps one copy of what was fetched, and that need
        not be the one where the task ran.
        """
        if not fetched:
            return []
        worker = self._outlet.worker
        try:
            holders = await worker.scheduler.who_has(keys=fetched)
        except Exception as error:
            logger.debug("the scheduler does not say where outputs are: %r", error)
            return []
        return [key for key in fetched if list(holders.get(key) or ()) == [worker.address]]

    def _put(self, taps: TapSet, task: Any) -> None:
        outlet = self._outlet
        try:
            for tap in outlet.select(taps, task):
                if not source_in_memory(outlet.taps, tap, task):
                    selection = Selection(tap, task, None, outlet.worker, outlet.report)
                    outlet.publisher.put(selection)
        except BaseException as error:
            outlet.failed(task.key, error)


def _uncounted(*_: object) -> None:
    """An output that may be another worker's is not counted here."""
