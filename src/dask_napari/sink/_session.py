"""A sink at work on one worker."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from dask_napari import config
from dask_napari.model import Reports, TapMatches
from dask_napari.sink import dask_internals
from dask_napari.sink._context import SinkContext
from dask_napari.sink._finished_tasks import FinishedTasks
from dask_napari.sink._memory_watch import MemoryWatch, arena_bytes, queue_bytes
from dask_napari.sink._stored_outputs import StoredOutputs
from dask_napari.sink._task_states import TaskStates
from dask_napari.sink._task_values import TaskValues
from dask_napari.sink._worker_settings import worker_setting
from dask_napari.stream.auth import Security
from dask_napari.stream.send import Publisher, Transport
from dask_napari.tap import Tap, TapSet

if TYPE_CHECKING:
    from distributed import Worker


CLOSE_TIMEOUT: Final = 1.5
"""Seconds for the tail of the stream when a worker ends; a nanny gives it some 2 in all."""


class Session:
    """A publisher on a worker, and the parts that feed it; on the event loop that makes it.

    Outputs that are in memory already are streamed too. Raises OSError or RuntimeError, with
    nothing left behind, without file descriptors or a thread for it.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        addresses: Sequence[str],
        group: str,
        transport: Transport,
        security: Security | None,
        insecure: bool,
        taps: TapSet,
        reports: Reports,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.publisher = Publisher(
            addresses,
            name=f"{worker.address}#{uuid.uuid4().hex[:8]}",
            security=security,
            transport=transport,
            arena_bytes=arena_bytes(worker, reports),
            queue_bytes=queue_bytes(worker, reports),
            insecure=insecure and not dask_internals.requires_encryption(worker),
            output_timeout=worker_setting("output-timeout", config.seconds_of, reports),
            on_new_viewer=self._on_new_viewer,
            on_connected=self._on_connected,
            group=group,
            reports=reports,
        )
        self._context = SinkContext(worker, self.publisher, taps, reports)
        self.finished_tasks = FinishedTasks(self._context)
        self.task_values = TaskValues(self._context)
        self.stored_outputs = StoredOutputs(self._context)
        self.task_states = TaskStates(self._context)
        self._memory_watch = MemoryWatch(self._context)
        self.publisher.declare(tap.spec for tap in taps)
        self.publisher.start()
        # From here on it must be closed.
        self._memory_watch.check()
        self.task_states.look()
        if len(taps):
            self.stored_outputs.scan(taps)

    def __repr__(self) -> str:
        publisher = self.publisher
        return f"<Session {publisher.name}: {publisher.state}, {len(self._context.taps)} taps>"

    def set_taps(self, taps: TapSet, added: Iterable[Tap]) -> None:
        """Replace the taps; outputs of added ones that are in memory already are streamed too."""
        self._context.taps = taps
        self._context.seen.set_taps(taps)
        new = TapSet(added)
        self.publisher.declare(tap.spec for tap in new)
        self.task_states.set_taps()
        if len(new):
            self.stored_outputs.scan(new)

    @property
    def tap_matches(self) -> TapMatches:
        """Names of tasks, and the taps that have matched any of them."""
        return self._context.seen.matches

    def close(self) -> Awaitable[object]:
        """Stop selecting; return an awaitable of the end of the stream's tail."""
        self._memory_watch.close()
        self.task_states.close()
        self.stored_outputs.close()
        return self._close()

    async def _close(self) -> None:
        try:
            # In a thread: the event loop has other things to close meanwhile.
            await asyncio.to_thread(self.publisher.close, CLOSE_TIMEOUT)
        except RuntimeError:  # no thread can be started
            self.publisher.close(0.0)

    def _on_new_viewer(self) -> None:
        # From the publisher's thread.
        self._loop.call_soon_threadsafe(self.stored_outputs.scan, self._context.taps)

    def _on_connected(self) -> None:
        # From the publisher's thread, which may outlive the loop.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.task_states.tell_all)
