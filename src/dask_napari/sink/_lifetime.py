"""The owner: a scheduler plugin that removes a sink whose client has gone."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from distributed import SchedulerPlugin

from dask_napari.sink import dask_internals

if TYPE_CHECKING:
    from distributed import Scheduler


logger = logging.getLogger(__name__)

GRACE: Final = 1.0
"""Seconds that a client has to come back: one that lost its connection tries every 0.1 s."""


class SinkLifetime(SchedulerPlugin):
    """Tie worker plugins to the life of a client.

    Without it the sinks of a script that was killed, or that closed its client first, would stay on
    the workers for ever and look for a viewer that never comes. The plugins are named in the order
    of their removal.

    >>> SinkLifetime("Client-1", ("dask-napari-0f-taps", "dask-napari-0f"))
    <SinkLifetime dask-napari-0f-owner of Client-1>
    """

    idempotent = True

    def __init__(self, client: str, names: tuple[str, ...]) -> None:
        self.client = client
        self.names = names
        self.name: str = f"{names[-1]}-owner"
        self._removal: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<SinkLifetime {self.name} of {self.client}>"

    async def start(self, scheduler: Scheduler) -> None:
        """Remove the plugins if the client has gone already. Called by Dask."""
        if not dask_internals.has_client(scheduler, self.client):
            self.remove_client(scheduler, self.client)

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """Remove the plugins if it is their client that has gone. Called by Dask."""
        if client == self.client:
            self._removal = asyncio.ensure_future(self._remove(scheduler))

    async def _remove(self, scheduler: Scheduler) -> None:
        await asyncio.sleep(GRACE)
        for name in self.names:
            # Looked at each time: a client that is back has registered its plugins again.
            if dask_internals.has_client(scheduler, self.client):
                return
            try:
                await dask_internals.remove_worker_plugin(scheduler, name)
            except Exception as error:
                # A worker that is ending does not answer; the others were told.
                logger.debug("%s was not removed everywhere: %r", name, error)
        if not dask_internals.has_client(scheduler, self.client):
            dask_internals.remove_scheduler_plugin(scheduler, self.name)
