"""Requests to a cluster, each within a deadline."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dask_napari.sink import PortableFunction

if TYPE_CHECKING:
    from distributed import Client


logger = logging.getLogger(__name__)

REQUEST_TIMEOUT: Final = 3.0
"""Seconds for an answer. Event loops that are only busy answer sooner; a person waits for it."""

LEAST_TIMEOUT: Final = 0.5
"""Seconds that a request has though its caller's time is up: of less, nobody would answer."""

T = TypeVar("T")


class ClusterRequests:
    """Ask a scheduler and its workers; no request takes longer than its deadline.

    A worker that is stopped, or whose GIL is held, answers nothing: requests go on without it. It
    is not asked again until it has answered the last request. Safe to use from several threads.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        # Requests to silent workers, by address; used on the client's event loop alone.
        self._unanswered: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._scheduler_answers = True

    def __repr__(self) -> str:
        return f"<ClusterRequests: {len(self.silent)} silent workers>"

    @property
    def silent(self) -> tuple[str, ...]:
        """Addresses of the workers that have not answered."""
        return tuple(sorted(a for a, task in self._unanswered.copy().items() if not task.done()))

    def call(self, request: Callable[[], Awaitable[T]], timeout: float | None = None) -> T:
        """Return the result of a method of the client, which waits for the cluster.

        Raises TimeoutError if it takes longer than ``timeout``.
        """

        async def awaited() -> T:
            return await request()

        result: T = self.client.sync(awaited, callback_timeout=_bounded(timeout))
        return result

    def workers(
        self,
        function: Callable[..., T],
        timeout: float | None = None,
        addresses: Iterable[str] | None = None,
    ) -> dict[str, T]:
        """Return what a function returns on each worker that answers in time.

        All workers are asked unless ``addresses`` are given. Workers on which the function raises,
        or cannot be imported, have no answer either.
        """
        seconds = _bounded(timeout)
        asked = None if addresses is None else set(addresses)
        try:
            answers = self.call(lambda: self._workers(function, 0.9 * seconds, asked), seconds)
        except TimeoutError:
            if self._scheduler_answers:
                logger.warning("the scheduler does not answer; going on without")
            self._scheduler_answers = False
            return {}
        self._scheduler_answers = True
        return answers

    def name_silent(self) -> None:
        """Find out which workers are silent, and tell the log."""
        self.workers(os.getpid)

    async def _workers(
        self, function: Callable[..., T], seconds: float, addresses: set[str] | None
    ) -> dict[str, T]:
        # Half of the time is for one request to all workers, which takes as long as the slowest of
        # them; the other half for a request to each of them, if need be.
        deadline, half = time.monotonic() + seconds, seconds / 2
        try:
            present = set(await asyncio.wait_for(self.client.nthreads(), half))
        except (AttributeError, OSError) as error:  # of a client that was closed meanwhile
            if self.client.status == "running":
                raise
            logger.debug("the cluster does not answer: %r", error)
            return {}
        for address, task in list(self._unanswered.items()):
            if task.done() or address not in present:
                del self._unanswered[address]
        asked = (present if addresses is None else present & addresses) - self._unanswered.keys()
        if not asked:
            return {}
        try:
            return await asyncio.wait_for(self._run(function, asked), half)
        except TimeoutError:
            return await self._one_by_one(function, asked, deadline)

    async def _one_by_one(
        self, function: Callable[..., T], addresses: set[str], deadline: float
    ) -> dict[str, T]:
        tasks = {a: asyncio.ensure_future(self._run(function, {a})) for a in addresses}
        await asyncio.wait(tasks.values(), timeout=max(0.0, deadline - time.monotonic()))
        silent = {address: task for address, task in tasks.items() if not task.done()}
        if silent:
            logger.warning("going on without workers that do not answer: %s", ", ".join(silent))
        self._unanswered.update(silent)
        return {a: answer for t in tasks.values() if t.done() for a, answer in t.result().items()}

    async def _run(self, function: Callable[..., T], addresses: set[str]) -> dict[str, T]:
        try:
            answers = await self.client.run(
                PortableFunction(function), workers=[*addresses], on_error="return"
            )
        except Exception as error:
            logger.debug("the cluster does not answer: %r", error)
            return {}
        for address, answer in answers.items():
            if isinstance(answer, BaseException):
                logger.debug("%s has no answer: %r", address, answer)
        return {
            address: answer
            for address, answer in answers.items()
            if answer is not None and not isinstance(answer, BaseException)
        }


def _bounded(timeout: float | None) -> float:
    """Return the seconds for a request of a caller who has ``timeout`` seconds left."""
    return REQUEST_TIMEOUT if timeout is None else min(max(timeout, LEAST_TIMEOUT), REQUEST_TIMEOUT)
