"""The owner: a scheduler plugin that removes a sink whose client has gone.

Relies on ``scheduler.clients``, ``scheduler.worker_plugins``, ``unregister_worker_plugin`` and
``remove_plugin`` of :class:`distributed.Scheduler`, and on ``SchedulerPlugin.remove_client``.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from distributed import SchedulerPlugin

if TYPE_CHECKING:
    from distributed import Scheduler


logger = logging.getLogger(__name__)

GRACE: Final = 1.0
"""Seconds that a client has to come back: one that lost its connection tries every 0.1 s."""


class SinkLifetime(SchedulerPlugin):
    """Tie worker plugins to the life of a client.

    Without it the sinks of a script that was killed, or that closed its client first, would stay
    on the workers for ever and look for a viewer that never comes.

    Parameters
    ----------
    client : str
        ``id`` of the client.
    plugins : tuple of str
        Names of the worker plugins, in the order of their removal.

    Examples
    --------
    >>> SinkLifetime("Client-1", ("dask-napari-0f-taps", "dask-napari-0f")).name
    'dask-napari-0f-owner'
    """

    idempotent = True

    def __init__(self, client: str, plugins: tuple[str, ...]) -> None:
        self.client = client
        self.plugins = plugins
        self.name = f"{plugins[-1]}-owner"
        self._removal: asyncio.Task[None] | None = None

    async def start(self, scheduler: Scheduler) -> None:
        """Look whether the client is still there. Called by Dask."""
        if self.client not in scheduler.clients:
            self.remove_client(scheduler, self.client)

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """Remove the plugins if it is their client that has gone. Called by Dask."""
        if client == self.client:
            self._removal = asyncio.ensure_future(self._remove(scheduler))

    async def _remove(self, scheduler: Scheduler) -> None:
        await asyncio.sleep(GRACE)
        if self.client in scheduler.clients:
            return
        for name in self.plugins:
            if name not in scheduler.worker_plugins:
                continue
            try:
                await scheduler.unregister_worker_plugin(None, name=name)
            except Exception as error:
                # A worker that is ending does not answer; the others were told.
                logger.debug("%s was not removed everywhere: %r", name, error)
        if self.name in scheduler.plugins:
            scheduler.remove_plugin(self.name)
