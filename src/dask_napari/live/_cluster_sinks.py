"""The sinks of one handle: on all workers of a client's cluster as long as it is open."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dask_napari.live._active_taps import ActiveTaps
from dask_napari.live._cluster_requests import ClusterRequests
from dask_napari.live._worker_reports import WorkerReports
from dask_napari.sink import (
    NapariSink,
    SentTap,
    SinkLifetime,
    TapsUpdate,
    dask_internals,
    unusable,
    worker_counts,
)
from dask_napari.tap import Tap, TapSet

if TYPE_CHECKING:
    from distributed import Client, WorkerPlugin


logger = logging.getLogger(__name__)

KNOWN_SILENT_TIMEOUT: Final = 1.0
"""Seconds for a change on all workers if one is known to be silent: the others take less."""

ATTEMPTS: Final = 3
"""Attempts to tell all workers of a change; one that ends meanwhile takes the request with it."""

T = TypeVar("T")


class ClusterSinks:
    """Keep a sink with the active taps on every worker; safe to use from several threads.

    Three plugins go by its name: the sink, the update of its taps, and on the scheduler the
    owner, which removes both if the client goes without a word.
    """

    def __init__(self, client: Client, sink: NapariSink) -> None:
        sink.idempotent = True  # registered again, it must not start anew
        self.client = client
        self.requests: ClusterRequests = ClusterRequests(client)
        self.name: str = sink.name
        self.reports: WorkerReports = WorkerReports()
        self.taps: ActiveTaps = ActiveTaps()
        self.group: str = sink.group
        self.paused: bool = False
        self._sink = sink
        self._connection: object = None
        self._numbers = itertools.count(1)  # of updates, so that an older one replaces none
        self._lock = threading.Lock()
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self.taps)} taps"
        return f"<ClusterSinks {self.name}: {state}>"

    def register(self) -> None:
        """Put the sink on the workers, present and future, unless it is there.

        Raises TimeoutError if the scheduler does not answer.
        """
        self._connection = dask_internals.scheduler_connection(self.client)
        owner = SinkLifetime(self.client.id, (f"{self.name}-taps", self.name))
        try:
            self.requests.call(lambda: self.client.register_plugin(owner))
        except TimeoutError:
            raise TimeoutError("the scheduler does not answer") from None
        except Exception as error:
            # The stream does without.
            logger.warning(
                "the scheduler cannot look after the sinks (%r); install dask-napari there, or "
                "close this handle before its client",
                error,
            )
        self.client.subscribe_topic(self.name, self.reports.hear)
        self._register(self._sink)
        self._register(self._update(self.taps))

    def _update(self, taps: ActiveTaps) -> TapsUpdate:
        named = {} if self.paused else taps.named
        return TapsUpdate(named, self.name, next(self._numbers))

    def _register(self, plugin: WorkerPlugin) -> None:
        """Register a plugin; a worker that is silent gets it when it goes on."""
        for left in reversed(range(ATTEMPTS)):
            timeout = KNOWN_SILENT_TIMEOUT if self.requests.silent else None
            try:
                self.requests.call(lambda: self.client.register_plugin(plugin), timeout)
            except TimeoutError:
                # The scheduler keeps it, and has sent it to all workers, before it waits for them.
                self.requests.name_silent()
            except ImportError as error:
                # Of some worker; the others have it, and all that have not are in the reports.
                logger.debug("%s is not everywhere: %s", plugin, error)
            except OSError as error:
                # As of a scheduler that is lost, and of any worker that ends while it is told.
                if not left:
                    raise
                logger.debug("%s is registered again: %r", plugin, error)
                continue
            return

    def rejoin(self) -> None:
        """Register again if the client lost the scheduler and has found it, or a new one."""
        connection = dask_internals.scheduler_connection(self.client)
        if self.client.status == "running" and connection is not self._connection:
            with self._lock:
                if not self._closed:
                    self._ask(self.register, None)

    def change(self, change: Callable[[ActiveTaps], ActiveTaps]) -> None:
        """Change the active taps.

        Raises RuntimeError if the sinks have been removed or the client is closed, ValueError if
        taps contradict each other; nothing has been sent then.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("this Live is closed; call watch(client) again")
            if self.client.status in ("closing", "closed"):
                raise RuntimeError(
                    "the Dask client is closed, so no worker can be told of taps; connect another "
                    "Client and call watch(client)"
                )
            before, taps = self.taps, change(self.taps)
            if taps.named.keys() == before.named.keys():
                return
            TapSet(taps)  # refuses what no sink could do, before anything is sent
            self._check_usable(
                [tap for name, tap in taps.named.items() if name not in before.named]
            )
            try:
                self._register(self._update(taps))
            except BaseException:
                # It may be on the scheduler, and workers to come would have it.
                self._ask(lambda: self._register(self._update(before)), None)
                raise
            self.taps = taps

    def pause(self) -> None:
        """Withdraw the taps from the workers, but keep them: nothing more is sent."""
        self._set_paused(True)

    def resume(self) -> None:
        """Give the workers the taps again; outputs that are in memory by then are sent, too."""
        self._set_paused(False)

    def _set_paused(self, paused: bool) -> None:
        with self._lock:
            if self._closed or paused == self.paused:
                return
            self.paused = paused
            try:
                self._register(self._update(self.taps))
            except BaseException:
                self.paused = not paused
                raise

    def _check_usable(self, added: Iterable[Tap]) -> None:
        """Refuse taps whose functions no worker can import; some workers that can are enough."""
        with_code = [tap for tap in map(SentTap.of, added) if tap.has_code]
        if not with_code:
            return
        answers = self.requests.workers(functools.partial(unusable, with_code)).values()
        if answers and all(answers):
            raise ValueError("; ".join(next(iter(answers))))

    def close(self, timeout: float | None = None) -> None:
        """Remove the sinks; from here on the taps cannot be changed."""
        with self._lock:
            self._closed = True
        if self.client.status != "running":
            return
        self.client.unsubscribe_topic(self.name)
        if self.requests.silent:
            timeout = KNOWN_SILENT_TIMEOUT
        try:
            self.requests.call(self._remove, timeout)
        except TimeoutError:
            logger.warning("not all workers have removed their sinks, which end with the client")
        except Exception as error:
            logger.debug("the cluster does not answer: %r", error)

    async def _remove(self) -> None:
        """Remove the plugins, all at once: none waits for a worker that another waits for."""
        client = self.client
        await asyncio.gather(
            client.unregister_worker_plugin(f"{self.name}-taps"),
            client.unregister_worker_plugin(self.name),
            client.unregister_scheduler_plugin(f"{self.name}-owner"),
            return_exceptions=True,
        )

    def counts(self, timeout: float | None = None) -> list[dict[str, Any]]:
        """Return :func:`~dask_napari.sink.worker_counts` of each worker with a sink.

        Workers that do not answer in time are left out; ``requests.silent`` names them.
        """
        ask = functools.partial(
            self.requests.workers, functools.partial(worker_counts, self.name), timeout
        )
        nothing: dict[str, dict[str, Any]] = {}
        return [counts for counts in self._ask(ask, nothing).values() if counts]

    def _ask(self, call: Callable[[], T], otherwise: T) -> T:
        """Return the answer of a cluster that may be ending, or ``otherwise``."""
        try:
            return call()
        except Exception as error:
            logger.debug("the cluster does not answer: %r", error)
            return otherwise
