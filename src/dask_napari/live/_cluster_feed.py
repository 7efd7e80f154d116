"""The feed: what a viewer knows of a cluster's tasks, and what its user asks of them."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from dask_napari.live._active_taps import ActiveTaps
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.live._cluster_view import ClusterView
from dask_napari.live._dialed_addresses import Newcomers
from dask_napari.live._task_statuses import TaskStatuses, keys_of, tasks_of
from dask_napari.live._user_commands import UserCommands
from dask_napari.model import ClusterState, Reports, TapProgress, contained, rate_text
from dask_napari.sink import TaskChange, TaskWatch, dask_internals, output_shapes
from dask_napari.stream import Control, ViewerGone

logger = logging.getLogger(__name__)

INTERVAL: Final = 0.5
"""Seconds between turns: people see a number change no more often."""

TURN_TIMEOUT: Final = 2.0
"""Seconds for the answer of the scheduler, or of the viewer, to one turn."""

PATIENCE: Final = 30.0
"""Seconds without an answer of the scheduler until the log says so."""

SHORTEST_INTERVAL: Final = 0.05
"""Seconds between turns while there is more to tell: the scheduler works for 3 ms in each."""

KEYS_TOLD: Final = 5000
"""Keys of a tap that the scheduler is told at once, which takes it some 3 ms."""

SHAPES_TIMEOUT: Final = 1.0
"""Seconds for workers to tell the shapes of outputs, which take them microseconds."""

LONGEST_INTERVAL: Final = 2.5
"""Seconds between turns to a scheduler that does not answer, twice as many after each of them. The
viewer counts a client as gone after five seconds without a word."""


class ClusterFeed:
    """Tell a viewer of the tasks of a cluster, and carry out its user's commands, in a thread.

    A scheduler that is slow, gone or restarted costs the feed nothing but its news. Sinks are
    registered again where the client finds another scheduler; ``addresses`` are those at which
    they are told to find the viewer.
    """

    def __init__(self, sinks: ClusterSinks, control: Control, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._newcomers = Newcomers(sinks.requests, sinks.reports)
        self._expected: dict[str, int] = {}  # items by layer, as the viewer was told
        self._sinks = sinks
        self._client = sinks.client
        self._control = control
        self._reports = Reports(logger)
        self._watch = TaskWatch(f"{sinks.name}-tasks", sinks.client.id)
        self._connection: object = None  # to the scheduler that has the plugin
        self._taps: ActiveTaps | None = None  # as the scheduler was told
        self._keyed: set[str] = set()  # names of taps whose keys it was told
        self._page: dict[str, Any] | None = None  # rates and counts, if somebody looks at them
        self._examples: dict[str, tuple[Any, str]] = {}  # outputs by group, with their workers
        self._view = ClusterView()
        self._statuses = TaskStatuses()
        self._changes: list[TaskChange] = []
        self._commands = UserCommands(sinks, self._watch.name)
        self._told: ClusterState | None = None
        self._silent_since = 0.0  # the scheduler; 0 if it has answered
        self._heard = True  # by the viewer, when it was told last
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dask-napari-feed", daemon=True)

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else "open"
        return f"<ClusterFeed {self._watch.name}: {state}, {self._view}>"

    def taps(self) -> list[TapProgress]:
        """Return how far the taps are, as the scheduler last told."""
        state = self._view.state()
        return state.taps if state is not None else []

    def rates(self) -> dict[str, float]:
        """Return how many tasks end in a second, by layer."""
        return self._view.rates()

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
        self._commands.close(0.0)

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        nap = INTERVAL
        while not self._closed.is_set():
            errors: list[BaseException] = []
            with contained(errors.append):
                # A viewer that is stopped costs the scheduler nothing.
                answer = self._hear() if self._heard else None
                self._tell()
                if answer is None:
                    nap = min(2 * nap, LONGEST_INTERVAL)
                else:
                    nap = SHORTEST_INTERVAL if answer["more"] else INTERVAL
            if errors:
                self._reports.error("the viewer is not told of the tasks", errors[0])
                nap = LONGEST_INTERVAL
            self._closed.wait(nap)

    def _hear(self) -> dict[str, Any] | None:
        """Hear what is new at the scheduler; return its answer, None if there is none."""
        if self._client.status != "running":
            return None
        try:
            self._sinks.rejoin()
            self._register()
            taps = self._sinks.taps
            news: dict[str, Any] = {}
            if taps is not self._taps:
                told = [tuple(tasks_of(name, tap)) for name, tap in taps.named.items()]
                news = {"taps": told, "anew": self._taps is None}
            asked = {**news, "page": self._page}
            answer = self._sinks.requests.call(lambda: self._ask(**asked), TURN_TIMEOUT)
            if news:
                self._tell_keys(taps)
        except Exception as error:  # of a scheduler that is slow or gone, or allows no plugins
            self._connection = None
            now = time.monotonic()
            self._silent_since = self._silent_since or now
            # One that takes in a large graph is only busy.
            if not isinstance(error, TimeoutError) or now - self._silent_since > PATIENCE:
                self._reports.error("the scheduler does not tell of its tasks", error)
            return None
        self._silent_since = 0.0
        if answer is None:  # the plugin went with a connection that was lost
            self._connection = None
            return None
        if news:
            self._statuses = TaskStatuses(taps)
        self._taps = taps
        self._changes = [TaskChange(*change) for change in answer["changes"]]
        self._view.hear(answer, taps, anew=bool(news))
        self._examples = answer["examples"]
        self._page = self._page_counts() if answer["page"] else None
        return answer

    def _tell_keys(self, taps: ActiveTaps) -> None:
        """Tell the scheduler the keys of new taps, in parts, between which it does other things."""
        known = set() if self._taps is None else self._keyed
        self._keyed = known & taps.named.keys()
        for name, tap in taps.named.items():
            keys = () if name in self._keyed else keys_of(tap)
            for first in range(0, len(keys), KEYS_TOLD):
                part = {"name": name, "keys": keys[first : first + KEYS_TOLD]}
                self._sinks.requests.call(
                    functools.partial(self._ask, "-keys", **part), TURN_TIMEOUT
                )
            self._keyed.add(name)

    def _page_counts(self) -> dict[str, Any]:
        """Return rates and the ledger of the layers, for the page of the dashboard."""
        rates = self.rates()
        page: dict[str, Any] = {n: {"rate": rate_text(rate)} for n, rate in rates.items()}
        with contextlib.suppress(ViewerGone, RuntimeError):
            for layer, tally in self._control.sums(timeout=TURN_TIMEOUT)[0].layers.items():
                counts = {
                    "selected": tally.selected,
                    "shown": tally.shown,
                    "coalesced": tally.coalesced,
                    "pending": tally.pending,
                    "dropped": dict(tally.dropped),
                }
                page[layer] = {**page.get(layer, {}), **counts}
        return page

    def _look_at(self, examples: Mapping[str, tuple[Any, str]]) -> None:
        """Ask workers for the shapes of outputs."""
        keys = {group: key for group, (key, _) in examples.items()}
        workers = {worker for _, worker in examples.values()}
        ask = functools.partial(output_shapes, [*keys.values()])
        found = self._sinks.requests.workers(ask, SHAPES_TIMEOUT, workers)
        shapes = {key: shape for answer in found.values() for key, shape in answer.items()}
        self._view.learn_shapes({n: shapes[key] for n, key in keys.items() if key in shapes})

    def _register(self) -> None:
        connection = dask_internals.scheduler_connection(self._client)
        if connection is self._connection:
            return
        self._sinks.requests.call(lambda: self._client.register_plugin(self._watch), TURN_TIMEOUT)
        self._connection, self._taps = connection, None
        self._view.begin(self._client)

    async def _ask(self, request: str = "", **arguments: Any) -> dict[str, Any] | None:
        answer: dict[str, Any] | None = await dask_internals.ask_scheduler(
            self._client, f"{self._watch.name}{request}", **arguments
        )
        return answer

    def _tell(self) -> None:
        """Tell the viewer of what has changed, if only that the client is there."""
        examples, self._examples = self._examples, {}
        if examples and self._heard:
            self._look_at(examples)
        self._view.paused = self._sinks.paused
        state = self._view.state()
        told: dict[str, Any] = {"group": self._sinks.group}
        if arguments := self._commands.take_arguments():
            told["arguments"] = arguments
        if state not in (None, self._told):
            told["cluster"] = msgspec.to_builtins(state)
        changes, self._changes = self._changes, []
        try:
            for page in self._statuses.pages(changes):
                self._request({**told, "tasks": page})
                told = {"group": self._sinks.group}
            self._request(told)
            if reports := self._sinks.reports.changed():
                self._control.request("reports", {"reports": reports}, timeout=TURN_TIMEOUT)
            expected = self._sinks.taps.expected(self._view.totals)
            if expected != self._expected:
                self._control.request("known", expected, timeout=TURN_TIMEOUT)
                self._expected = expected
        except (ViewerGone, RuntimeError) as error:
            # What was not told is asked for again, once there is somebody to tell.
            self._heard, self._told, self._taps = False, None, None
            logger.debug("the viewer was not told: %r", error)
        else:
            self._heard, self._told = True, state
            # Only of a viewer that answers: nobody can dial one that is stopped.
            self._newcomers.check(self._addresses, self._viewer_answers)

    def _viewer_answers(self) -> bool:
        try:
            self._request({"group": self._sinks.group})
        except (ViewerGone, RuntimeError):
            return False
        return True

    def _request(self, told: dict[str, Any]) -> None:
        told = {**told, "taken": self._commands.taken}
        answer = self._control.request("cluster", told, timeout=TURN_TIMEOUT)
        self._commands.take(answer["commands"])
