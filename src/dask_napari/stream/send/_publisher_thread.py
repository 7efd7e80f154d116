"""The publisher's thread: connect, send, and connect again for as long as it takes."""

from __future__ import annotations

import atexit
import dataclasses
import itertools
import logging
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable
from typing import Final

import zmq

from dask_napari.model import LayerSpec, Reports, TapMatches, contain, reason_of
from dask_napari.stream.auth import ClientKeys, NoKeys, reachable
from dask_napari.stream.send._connection import Connection
from dask_napari.stream.send._loader import Loader
from dask_napari.stream.send._options import PublisherOptions
from dask_napari.stream.send._outbox import Outbox
from dask_napari.stream.send._output_counts import LAYERS
from dask_napari.stream.send._pacing import (
    BLOCKED_NAP,
    NAP,
    REFUSED_PAUSE,
    SHORTAGE_PAUSE,
    Backoff,
    nap,
)
from dask_napari.stream.send._publisher_socket import ConnectionLost
from dask_napari.stream.send._undelivered import RetriedEntry, Undelivered
from dask_napari.stream.shm import janitor
from dask_napari.stream.wire import open_context
from dask_napari.system import Wakeup, process_limits

logger = logging.getLogger(__name__)

BYE_TIME: Final = 0.3
"""Seconds kept at the end of a close for BYE and its answer."""

CLOSE_TIMEOUT: Final = 1.5
"""Seconds for the tail of a stream unless its owner says otherwise."""

FORGOTTEN_TIMEOUT: Final = 10.0
"""Seconds for the tail where nobody waits for its end; a busy viewer welcomes all in that time."""

_running: Final[set[PublisherThread]] = set()
"""Threads that an interpreter which ends without ``close`` still gives the time for the tail."""


class PublisherThread:
    """Empty an outbox into one receiver, from a thread of its own.

    ``transport`` is empty until a receiver has answered.
    """

    def __init__(self, outbox: Outbox, reports: Reports, options: PublisherOptions) -> None:
        self.state = "connecting"
        self.transport = ""
        self.viewer = ""  # its name for this publisher; another one knows nothing of it
        self.arena_bytes = 0
        self.layers: dict[str, LayerSpec] = {}
        self.tap_matches: TapMatches | None = None
        self._outbox = outbox
        self._reports = reports
        self._options = options
        self._keys = ClientKeys(options.security, insecure=options.insecure)
        self._no_keys = ""
        self._numbers = itertools.count(1)
        self._undeclared: deque[LayerSpec] = deque()
        self._undelivered = Undelivered(outbox)
        self._deadline: float | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._wakeup = Wakeup()
        self._loader = Loader(outbox, reports, self._wakeup.set, options.output_timeout)
        # The thread closes the wakeup, but a publisher that was never started has no thread. Not at
        # exit, when the thread may still wait.
        weakref.finalize(self, self._wakeup.close).atexit = False
        # A daemon: an interpreter that ends without `close` must not hang on the viewer.
        self._thread = threading.Thread(target=self._run, name="dask-napari-publisher", daemon=True)

    def __repr__(self) -> str:
        transport = f" by {self.transport}" if self.transport else ""
        return f"<PublisherThread {self._options.name}: {self.state}{transport}, {self._outbox}>"

    # -- any thread ------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        _running.add(self)
        try:
            self._thread.start()
        except BaseException:
            _running.discard(self)
            raise

    def wake(self) -> None:
        """Have the thread look at the outbox."""
        self._wakeup.set()

    def declare(self, layers: Iterable[LayerSpec]) -> None:
        """Tell the receiver which layers will be filled, now and after each reconnection."""
        for layer in layers:
            if layer.name in self.layers or len(self.layers) < LAYERS:
                self.layers[layer.name] = layer
                self._undeclared.append(layer)
        self._wakeup.set()

    def close(self, timeout: float) -> None:
        """Send as much as can be sent in so many seconds, say BYE and end the thread."""
        self.end(timeout)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout + 1.0)
        self.state = "closed"

    def end(self, timeout: float) -> None:
        """Have the thread end as by :meth:`close`, without waiting for it."""
        if self._deadline is not None:
            return
        self._deadline = time.monotonic() + timeout
        if self._thread.ident is None:
            self._conclude("closed")
        else:
            self._wakeup.set()

    # -- the thread: connecting ------------------------------------------------------------

    def _run(self) -> None:
        reason = "closed"
        try:
            self._connect_until_closed()
        except BaseException as error:
            reason = "publisher-failed"
            logger.exception(
                "%s: the publisher ended by an error; the tasks go on", self._options.name
            )
            contain(error)
        finally:
            self._conclude(reason)
            _running.discard(self)
            # In the thread that used the sockets: from `__del__` it can deadlock.
            if self._context is not None:
                self._context.destroy(linger=0)
            self._wakeup.close()

    def _conclude(self, reason: str) -> None:
        """Count what is left as dropped, and say so."""
        self._undelivered.resend(0)  # nobody knows whether they arrived
        self._loader.close(reason)
        self._outbox.unpop(map(RetriedEntry, self._loader.take()))
        self._outbox.close(reason)
        self.state = "closed"
        counts = self._outbox.counts()
        lost = sum(tally.dropped[reason] for tally in counts.values())
        if lost and reason == "closed":
            selected = sum(tally.selected for tally in counts.values())
            where = ", ".join(self._options.addresses)
            logger.warning(
                "%s: %d of %d items were not delivered: %s",
                self._options.name,
                lost,
                selected,
                f"the viewer at {where} had not taken them before the end"
                if self.viewer
                else f"no viewer answered at {where}",
            )

    def _connect_until_closed(self) -> None:
        backoff = Backoff()
        while self._time_left():
            # Once more when closing, from the start: what was put just before is worth a last
            # handshake, and an attempt that began earlier may have come a moment too early.
            last = self._deadline is not None
            # Of a worker or viewer that was killed; one that is started in its place comes by.
            janitor.sweep()
            least = 0.0
            for address in filter(reachable, self._options.addresses):
                least = max(least, self._attempt(address, backoff.patience))
                if self.state == "connected" or not self._time_left():
                    self.state, self.transport = "connecting", ""
                    backoff.reset()
                    pause = backoff.pause()
                    break
            else:
                pause = backoff.pause()
                backoff.double()
            if last:
                return
            if not least and backoff.alone:
                why = self._no_keys or (
                    f"no viewer answers at {', '.join(self._options.addresses)}; one that listens "
                    "there may want other keys: NapariSink(..., security=...)"
                )
                self._warn(f"{why}. The tasks go on, and outputs are kept by their keys meanwhile")
            self._wait_alone(backoff, max(least, pause))

    def _time_left(self) -> bool:
        """Return whether to go on: for ever, or until a close is through or out of time."""
        if self._deadline is None:
            return True
        done = not len(self._outbox) and not len(self._undelivered) and self._loader.idle
        return time.monotonic() < self._deadline and not done

    def _wait_alone(self, backoff: Backoff, pause: float) -> None:
        """Let time pass without a receiver, holding only what may be held."""
        poller = zmq.Poller()
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        end = time.monotonic() + pause
        while self._deadline is None and (left := end - time.monotonic()) > 0:
            self._loader.look()
            self._loader.advance()
            if made := self._loader.take():
                self._outbox.unpop(map(RetriedEntry, made))
            self._outbox.leave_alone(backoff.alone)
            self._forget()
            # The outbox is not told that the thread sleeps: a put must not wake a thread that
            # has no one to send to. Closing does.
            poller.poll(math.ceil(min(left, self._loader.pause) * 1000))
            self._wakeup.clear()

    def _forget(self) -> None:
        """Let go of values that may not be held, and of undelivered ones beyond the budget."""
        self._undelivered.forget(everything=self._outbox.forget())

    def _attempt(self, address: str, patience: float) -> float:
        """Talk to one address until that ends; return the least pause before the next attempt."""
        options = self._options
        try:
            self._no_keys = ""
            security = self._keys.for_address(address)
            if self._context is None:
                self._context = open_context(zero_copy=True)
            else:
                process_limits.require()
            connection = Connection(
                self._context,
                address,
                dataclasses.replace(options, security=security),
                self._loader,
                self._reports,
                self._numbers,
                patience=patience,
            )
        except process_limits.ResourceShortage as error:
            self._reports.error(f"no {error.short_of}", error)
            return SHORTAGE_PAUSE
        except NoKeys as error:
            self._no_keys = str(error)  # a viewer may open yet
            return 0.0
        except (zmq.ZMQError, ValueError) as error:
            self._warn(f"{address}: {error}")
            return REFUSED_PAUSE
        try:
            self._serve(connection)
        except ConnectionLost as error:
            if error.final:
                self._warn(str(error))
                return REFUSED_PAUSE
            logger.info("%s: %s", options.name, error)
        except Exception as error:
            # A bug of ours; another connection may well do, in a while.
            self._reports.error(reason_of(error), error, traceback=True, level=logging.ERROR)
            contain(error)
            return REFUSED_PAUSE
        finally:
            connection.close()
            self._recover(connection)
        return 0.0

    def _recover(self, connection: Connection) -> None:
        """Keep items that a lost connection did not deliver, for the next one."""
        self.arena_bytes = 0
        self._undelivered.add(connection.batches.unacknowledged())
        self._outbox.unpop(map(RetriedEntry, connection.batches.unsent()))
        self._forget()

    def _warn(self, text: str) -> None:
        if self._reports.is_new(text):
            logger.warning("%s: %s", self._options.name, text)

    # -- the thread: serving a connection --------------------------------------------------

    def _serve(self, connection: Connection) -> None:
        """Send until the connection ends."""
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
            self._forget()
            # Before layers are declared: those of what was put until now are among them.
            self._loader.look()
            if connection.agreement is None or batches.blocked:
                self._loader.advance()  # places, so that outputs coalesce; `pump` makes items too
            self._outbox.account_away(batches.away + self._undelivered.nbytes)
            if connection.agreement is None:
                if not self._time_left():
                    return
                wait = self._opening_wait(connection)
                napping = False
                continue
            if self.state != "connected":
                self._welcome(connection)
            if self._undeclared:
                connection.declare(self._undeclared.popleft() for _ in range(len(self._undeclared)))
            connection.tell_taps(self.tap_matches)
            if connection.met_new_viewer:
                connection.met_new_viewer = False
                if self._options.on_new_viewer is not None:
                    self._options.on_new_viewer()
            sent = batches.pump()
            if self._deadline is not None and self._finish(connection):
                return
            pause = min(self._pause(connection, sent), self._loader.pause)
            napping = math.isfinite(pause) and self._deadline is None and not batches.blocked
            wait = min(connection.tick(), pause)

    def _opening_wait(self, connection: Connection) -> float:
        closing = self._deadline is not None
        return min(connection.tick(), self._loader.pause, NAP if closing else math.inf)

    def _pause(self, connection: Connection, sent: bool) -> float:
        if connection.batches.blocked:
            return BLOCKED_NAP
        if self._deadline is not None:
            return NAP
        if sent or not self._outbox.may_sleep():
            return nap(connection.batches.publishers)
        return math.inf

    def _finish(self, connection: Connection) -> bool:
        """Go through the end of a connection; return true when it is over."""
        assert self._deadline is not None
        left = self._deadline - time.monotonic()
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
        self.state = "connected"
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
        self._outbox.leave_alone(False)
        if agreement.inline_because:
            self._reports.error(
                "inline", f"streaming without shared memory: {agreement.inline_because}"
            )
        self._undeclared.clear()  # first: what comes meanwhile is told twice, and not never
        connection.declare(list(self.layers.values()))
        connection.status()
        logger.info(
            "%s: streaming to %s by %s", self._options.name, connection.address, self.transport
        )


def _close_running() -> None:
    """Close publishers whose owner did not, all at once, when the interpreter ends."""
    threads = list(_running)
    for thread in threads:
        thread.end(CLOSE_TIMEOUT)
    for thread in threads:
        thread.close(CLOSE_TIMEOUT)


atexit.register(_close_running)
os.register_at_fork(after_in_child=_running.clear)  # the threads are the parent's
