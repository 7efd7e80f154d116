"""The feed: what a viewer knows of a cluster's tasks, and what its user asks of them."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

import msgspec

from dask_napari.live._active_taps import ActiveTaps
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.live._cluster_view import ClusterView, selection_of
from dask_napari.model import ClusterState, Reports, contained
from dask_napari.sink import TaskWatch, dask_internals
from dask_napari.stream import Control, ViewerGone

logger = logging.getLogger(__name__)

INTERVAL: Final = 0.5
"""Seconds between turns: people see a number change no more often."""

TURN_TIMEOUT: Final = 2.0
"""Seconds for the answer of the scheduler, or of the viewer, to one turn."""

LONGEST_INTERVAL: Final = 2.5
"""Seconds between turns to a scheduler that does not answer, twice as many after each of them. The
viewer counts a client as gone after five seconds without a word."""


class ClusterFeed:
    """Tell a viewer of the tasks of a cluster, in a thread.

    A scheduler that is slow, gone or restarted costs the feed nothing but its news.
    """

    def __init__(self, sinks: ClusterSinks, control: Control) -> None:
        self._sinks = sinks
        self._client = sinks.client
        self._control = control
        self._reports = Reports(logger)
        self._watch = TaskWatch(f"{sinks.name}-tasks", sinks.client.id)
        self._connection: object = None  # to the scheduler that has the plugin
        self._taps: ActiveTaps | None = None  # as the scheduler was told
        self._view = ClusterView()
        self._told: ClusterState | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dask-napari-feed", daemon=True)

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else "open"
        return f"<ClusterFeed {self._watch.name}: {state}, {self._view}>"

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, timeout: float) -> None:
        """End the thread, and leave the scheduler."""
        self._closed.set()
        if self._connection is not None and self._client.status == "running":
            try:
                self._sinks.requests.call(lambda: self._ask(leave=True), timeout / 2)
            except Exception as error:
                logger.debug("the scheduler keeps the plugin until its client goes: %r", error)
        if self._thread.ident is not None:
            # It may be in a last request to a scheduler that is gone, and ends with the process.
            self._thread.join(max(0.0, timeout / 2))

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        nap = INTERVAL
        while not self._closed.is_set():
            errors: list[BaseException] = []
            with contained(errors.append):
                heard = self._hear()
                self._tell()
                nap = INTERVAL if heard else min(2 * nap, LONGEST_INTERVAL)
            if errors:
                self._reports.error("the viewer hears no more of the tasks", errors[0])
                return
            self._closed.wait(nap)

    def _hear(self) -> bool:
        """Hear what is new at the scheduler; return whether it has answered."""
        if self._client.status != "running":
            return False
        try:
            self._register()
            taps = self._sinks.taps
            news = {} if taps is self._taps else {"taps": [*map(selection_of, taps)]}
            answer = self._sinks.requests.call(lambda: self._ask(**news), TURN_TIMEOUT)
        except Exception as error:  # of a scheduler that is slow or gone, or allows no plugins
            self._connection = None
            self._reports.error("the scheduler does not tell of its tasks", error)
            return False
        if answer is None:  # the plugin went with a connection that was lost
            self._connection = None
            return False
        self._taps = taps
        self._view.hear(answer, taps, anew=bool(news))
        return True

    def _register(self) -> None:
        connection = dask_internals.scheduler_connection(self._client)
        if connection is self._connection:
            return
        self._sinks.requests.call(lambda: self._client.register_plugin(self._watch), TURN_TIMEOUT)
        self._connection, self._taps = connection, None
        self._view.begin(self._client)

    async def _ask(self, **arguments: Any) -> dict[str, Any] | None:
        answer: dict[str, Any] | None = await dask_internals.ask_scheduler(
            self._client, self._watch.name, **arguments
        )
        return answer

    def _tell(self) -> None:
        """Tell the viewer of what has changed, if only that the client is there."""
        state = self._view.state()
        told = {} if state in (None, self._told) else {"cluster": msgspec.to_builtins(state)}
        try:
            self._control.request("cluster", told, timeout=TURN_TIMEOUT)
        except (ViewerGone, RuntimeError) as error:
            self._told = None
            logger.debug("the viewer was not told: %r", error)
        else:
            self._told = state
