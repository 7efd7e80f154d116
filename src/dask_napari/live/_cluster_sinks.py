"""The sinks of one handle: on all workers of a client's cluster as long as it is open."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from dask_napari.live._active_taps import ActiveTaps
from dask_napari.sink import NapariSink, SinkLifetime, TapsUpdate, dask_internals, worker_counts
from dask_napari.tap import TapSet

if TYPE_CHECKING:
    from distributed import Client


logger = logging.getLogger(__name__)

T = TypeVar("T")


class ClusterSinks:
    """Keep a sink with the active taps on every worker; safe to use from several threads.

    Three plugins go by its name: the sink, the update of its taps, and on the scheduler the
    owner, which removes both if the client goes without a word.
    """

    def __init__(self, client: Client, sink: NapariSink) -> None:
        sink.idempotent = True  # registered again, it must not start anew
        self.client = client
        self.name: str = sink.name
        self.taps: ActiveTaps = ActiveTaps()
        self._sink = sink
        self._connection: object = None
        self._lock = threading.Lock()
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self.taps)} taps"
        return f"<ClusterSinks {self.name}: {state}>"

    def register(self) -> None:
        """Put the sink on the workers, present and future, unless it is there."""
        self._connection = dask_internals.scheduler_connection(self.client)
        owner = SinkLifetime(self.client.id, (f"{self.name}-taps", self.name))
        try:
            self.client.register_plugin(owner)
        except Exception as error:
            # The stream does without.
            logger.warning(
                "the scheduler cannot look after the sinks (%r); install dask-napari there, or "
                "close this handle before its client",
                error,
            )
        self.client.register_plugin(self._sink)
        self.client.register_plugin(TapsUpdate(self.taps.named, self.name))

    def rejoin(self) -> None:
        """Register again if the client lost the scheduler and has found it, or a new one."""
        connection = dask_internals.scheduler_connection(self.client)
        if self.client.status == "running" and connection is not self._connection:
            with self._lock:
                if not self._closed:
                    self._ask(self.register, None)

    def change(self, change: Callable[[ActiveTaps], ActiveTaps]) -> None:
        """Change the active taps.

        Raises RuntimeError if the sinks have been removed, ValueError if taps contradict each
        other; nothing has been sent then.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("this Live is closed; call watch(client) again")
            taps = change(self.taps)
            TapSet(taps)  # refuses what no sink could do, before anything is sent
            self.client.register_plugin(TapsUpdate(taps.named, self.name))
            self.taps = taps

    def close(self) -> None:
        """Remove the sinks; from here on the taps cannot be changed."""
        with self._lock:
            self._closed = True
        if self.client.status != "running":
            return
        remove = self.client.unregister_worker_plugin
        self._ask(functools.partial(remove, f"{self.name}-taps"), {})
        self._ask(functools.partial(remove, self.name), {})
        owner = functools.partial(self.client.unregister_scheduler_plugin, f"{self.name}-owner")
        self._ask(owner, None)

    def counts(self) -> list[dict[str, Any]]:
        """Return :func:`~dask_napari.sink.worker_counts` of each worker with a sink."""
        run = functools.partial(self.client.run, worker_counts, self.name, on_error="ignore")
        nothing: dict[str, dict[str, Any]] = {}
        return [counts for counts in self._ask(run, nothing).values() if counts]

    def expected(self) -> dict[str, int]:
        """Return how many items each layer will have, as far as the scheduler knows."""
        return self.taps.expected(self._tasks)

    def _tasks(self, names: Sequence[str]) -> dict[str, int]:
        nothing: dict[str, int] = {}
        if self.client.status != "running":
            return nothing
        ask = functools.partial(dask_internals.known_tasks, names)
        return self._ask(functools.partial(self.client.run_on_scheduler, ask), nothing)

    def _ask(self, call: Callable[[], T], otherwise: T) -> T:
        """Return the answer of a cluster that may be ending, or ``otherwise``."""
        try:
            return call()
        except Exception as error:
            logger.debug("the cluster does not answer: %r", error)
            return otherwise
