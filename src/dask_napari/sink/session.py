"""A sink at work on one worker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from dask_napari.sink.ended import Ended
from dask_napari.sink.from_tasks import FromTasks
from dask_napari.sink.in_memory import InMemory
from dask_napari.sink.memory import MemoryWatch, arena_bytes, queue_bytes
from dask_napari.sink.once_log import OnceLog
from dask_napari.sink.outlet import Outlet
from dask_napari.stream.publisher import Publisher
from dask_napari.stream.security import Security
from dask_napari.stream.transport import Transport
from dask_napari.tap import Tap, Taps

if TYPE_CHECKING:
    from distributed import Worker

CLOSE_TIMEOUT: Final = 1.5
"""Seconds for the tail of the stream when a worker ends; a nanny gives it some 2 in all."""


class Session:
    """A publisher on a worker, and the parts that feed it; on the event loop that makes it.

    Parameters
    ----------
    worker : distributed.Worker
        The worker.
    addresses, transport, security
        See :class:`NapariSink`.
    taps : Taps
        Those in force; outputs in memory already are streamed too.
    log : OnceLog
        The sink's.

    Attributes
    ----------
    publisher : Publisher
        What sends.
    ended : Ended
        What selects outputs of tasks that end.
    from_tasks : FromTasks
        What takes values that tasks show.

    Raises
    ------
    OSError, RuntimeError
        If there are no file descriptors or no thread for it; nothing is left behind then.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        addresses: Sequence[str],
        transport: Transport,
        security: Security | None,
        taps: Taps,
        log: OnceLog,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.publisher = Publisher(
            addresses,
            name=f"{worker.address}#{uuid.uuid4().hex[:8]}",
            security=security,
            transport=transport,
            arena_bytes=arena_bytes(worker),
            queue_bytes=queue_bytes(worker),
            encrypt=bool(worker.security.require_encryption),
            on_want=self._on_want,
        )
        self._outlet = Outlet(worker, self.publisher, taps, log)
        self.ended = Ended(self._outlet)
        self.from_tasks = FromTasks(self._outlet)
        self._in_memory = InMemory(self._outlet)
        self._memory = MemoryWatch(self._outlet)
        self.publisher.declare(tap.spec() for tap in taps)
        self.publisher.start()
        # From here on it must be closed.
        self._memory.look()
        if len(taps):
            self._in_memory.scan(taps)

    def set_taps(self, taps: Taps, fresh: Iterable[Tap]) -> None:
        """Replace the taps; outputs of new ones that are in memory already are streamed too.

        Parameters
        ----------
        taps : Taps
            Those in force from here on.
        fresh : iterable of Tap
            Those of them that are new.
        """
        self._outlet.taps = taps
        added = Taps(fresh)
        self.publisher.declare(tap.spec() for tap in added)
        if len(added):
            self._in_memory.scan(added)

    def close(self) -> Awaitable[None]:
        """Stop selecting; what is returned waits for the tail of the stream."""
        self._memory.close()
        self._in_memory.close()
        # In a thread: the event loop has other things to close meanwhile.
        return asyncio.to_thread(self.publisher.close, CLOSE_TIMEOUT)

    def _on_want(self) -> None:
        # From the publisher's thread.
        self._loop.call_soon_threadsafe(self._in_memory.scan, self._outlet.taps)
