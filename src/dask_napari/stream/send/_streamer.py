"""The streamer: an outbox over one connection after the other."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Iterable
from typing import Final

import zmq

from dask_napari.model import LayerSpec, Reports, TapMatches
from dask_napari.stream.send._connection import Connection
from dask_napari.stream.send._loader import Loader
from dask_napari.stream.send._options import PublisherOptions
from dask_napari.stream.send._output_counts import LAYERS
from dask_napari.stream.send._pacing import BLOCKED_NAP, NAP, nap
from dask_napari.stream.send._undelivered import Undelivered
from dask_napari.system import Wakeup

logger = logging.getLogger(__name__)

BYE_TIME: Final = 0.3
"""Seconds kept at the end of a close for BYE and its answer."""


class Streamer:
    """Send what waits for as long as a connection lasts; used by the publisher's thread.

    ``transport`` is empty while no receiver takes batches. ``viewer`` is the name of the last one
    that did: another one knows nothing of this publisher.
    """

    def __init__(
        self,
        loader: Loader,
        undelivered: Undelivered,
        reports: Reports,
        options: PublisherOptions,
        wakeup: Wakeup,
    ) -> None:
        self.transport = ""
        self.viewer = ""
        self.arena_bytes = 0
        self.layers: dict[str, LayerSpec] = {}
        self.tap_matches: TapMatches | None = None
        self.deadline: float | None = None
        """When to end, on the monotonic clock; set by any thread, once."""
        self._outbox = loader.outbox
        self._loader = loader
        self._undelivered = undelivered
        self._reports = reports
        self._options = options
        self._wakeup = wakeup
        self._undeclared: deque[LayerSpec] = deque()

    def __repr__(self) -> str:
        over = f"by {self.transport}" if self.transport else "not connected"
        return f"<Streamer of {self._options.name}: {over}, {len(self.layers)} layers>"

    def declare(self, layers: Iterable[LayerSpec]) -> None:
        """Tell the receiver which layers will be filled, now and after each reconnection.

        From any thread.
        """
        for layer in layers:
            if layer.name in self.layers or len(self.layers) < LAYERS:
                self.layers[layer.name] = layer
                self._undeclared.append(layer)
        self._wakeup.set()

    def time_left(self) -> bool:
        """Return whether to go on: for ever, or until a close is through or out of time."""
        if self.deadline is None:
            return True
        done = not len(self._outbox) and not len(self._undelivered) and self._loader.idle
        return time.monotonic() < self.deadline and not done

    def serve(self, connection: Connection) -> None:
        """Send until the connection ends. Raises :class:`ConnectionLost`."""
        batches = connection.batches
        poller = zmq.Poller()
        connection.register(poller)
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        asleep = zmq.Poller()
        asleep.register(self._wakeup.fileno(), zmq.POLLIN)
        self._loader.look()
        self._loader.advance()
        wait = self._opening_wait(connection)
        napping = False
        while True:
            # A nap is not cut short by each CREDIT: nobody waits for them, and with many
            # publishers on a host to handle them one by one is half of what streaming costs.
            (asleep if napping else poller).poll(math.ceil(max(0.0, wait) * 1000))
            self._wakeup.clear()
            connection.receive()
            self.forget()
            # Before layers are declared: those of what was put until now are among them.
            self._loader.look()
            if connection.agreement is None or batches.blocked:
                self._loader.advance()  # places, so that outputs coalesce; `pump` makes items too
            self._outbox.budget.away = batches.away + self._undelivered.nbytes
            if connection.agreement is None:
                if not self.time_left():
                    return
                wait = self._opening_wait(connection)
                napping = False
                continue
            if not self.transport:
                self._welcome(connection)
            if self._undeclared:
                connection.declare(self._undeclared.popleft() for _ in range(len(self._undeclared)))
            connection.tell_taps(self.tap_matches)
            if connection.met_new_viewer:
                connection.met_new_viewer = False
                if self._options.on_new_viewer is not None:
                    self._options.on_new_viewer()
            sent = batches.pump()
            if self.deadline is not None and self._finish(connection):
                return
            pause = min(self._pause(connection, sent), self._loader.pause)
            napping = math.isfinite(pause) and self.deadline is None and not batches.blocked
            wait = min(connection.tick(), pause)

    def forget(self) -> None:
        """Let go of values that may not be held, and of undelivered ones beyond the budget."""
        self._undelivered.forget(everything=self._outbox.forget())

    def _opening_wait(self, connection: Connection) -> float:
        closing = self.deadline is not None
        return min(connection.tick(), self._loader.pause, NAP if closing else math.inf)

    def _pause(self, connection: Connection, sent: bool) -> float:
        if connection.batches.blocked:
            return BLOCKED_NAP
        if self.deadline is not None:
            return NAP
        if sent or not self._outbox.may_sleep():
            return nap(connection.batches.publishers)
        return math.inf

    def _finish(self, connection: Connection) -> bool:
        """Go through the end of a connection; return true when it is over."""
        assert self.deadline is not None
        left = self.deadline - time.monotonic()
        if left < BYE_TIME or (not len(self._outbox) and connection.batches.idle):
            self._loader.abandon("closed")
            for item in connection.batches.unsent():
                self._outbox.drop(item.layer, "closed")
            self._outbox.clear("closed")
            connection.bye()
        return left < 0 or connection.closed

    def _welcome(self, connection: Connection) -> None:
        """Bring a new connection up to date."""
        agreement = connection.agreement
        assert agreement is not None
        self.transport = connection.transport
        self.arena_bytes = agreement.arena.size if agreement.arena else 0
        known = agreement.welcome.instance == self.viewer
        self._undelivered.resend(agreement.welcome.received if known else 0)
        if not known:
            if self.viewer:
                # Another viewer: it has seen nothing of this worker, and its ledger starts here.
                self._outbox.start_over()
                connection.met_new_viewer = True
            self.viewer = agreement.welcome.instance
        self._outbox.budget.leave_alone(False)
        if agreement.inline_because:
            self._reports.note(
                "",
                f"streaming without shared memory: {agreement.inline_because}",
                level=logging.INFO if agreement.elsewhere else logging.WARNING,
            )
        if self._options.on_connected is not None:
            self._options.on_connected()
        self._undeclared.clear()  # first: what comes meanwhile is told twice, and not never
        connection.declare(list(self.layers.values()))
        connection.status()
        logger.info(
            "%s: streaming to %s by %s", self._options.name, connection.address, self.transport
        )
