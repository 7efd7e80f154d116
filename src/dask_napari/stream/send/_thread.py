"""The publisher's thread: connect, send, and connect again for as long as it takes."""

from __future__ import annotations

import itertools
import logging
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import zmq

from dask_napari.model import LayerSpec, Once
from dask_napari.stream.auth import Security, check_encrypted, local_keys, reachable
from dask_napari.stream.send._connection import HANDSHAKE_TIMEOUT, Connection
from dask_napari.stream.send._outbox import LAYERS, ItemEntry, Outbox
from dask_napari.stream.send._retry import RetriedEntry, Undelivered
from dask_napari.stream.send._sendable import UnsendableItem
from dask_napari.stream.send._socket import ConnectionLost
from dask_napari.stream.send._transport import Transport
from dask_napari.stream.send._troubles import Troubles
from dask_napari.stream.shm import janitor
from dask_napari.system import Wakeup, descriptors

logger = logging.getLogger(__name__)

NAP: Final = 0.02
"""Seconds between looks at the outbox while items keep coming. A wake-up for each item costs
the event loop some 120 us (the two threads fight for the GIL); a nap costs it nothing, and an
item that comes after a pause is sent at once. Less than the viewer's own 33 ms."""

RECEIVER_MESSAGES: Final = 4000
"""Messages a second from all publishers together, for which a receiver's thread takes less than
half of a core, so that the viewer's own has the rest. Where many publishers share one they nap
longer, and each message carries more: 200 of them nap 50 ms."""

LONGEST_NAP: Final = 0.25
"""Seconds; what a person takes for at once. Reached by a thousand publishers."""

BLOCKED_NAP: Final = 0.1
"""Seconds between looks while the receiver gives no credit; its CREDIT ends the wait early."""

BACKOFF: Final = (0.05, 5.0)
"""First and longest pause in seconds between attempts; doubled each time, for ever."""

LONGEST_HANDSHAKE: Final = 8.0
"""Seconds; the time for a handshake doubles with each round of attempts up to this, for a link so
full that three are not enough. Longer would keep the next address waiting."""

REFUSED_PAUSE: Final = 30.0
"""Seconds between attempts at a receiver that refused for a reason that only people mend."""

BYE_TIME: Final = 0.3
"""Seconds kept at the end of a close for BYE and its answer."""

ALONE_GRACE: Final = 5.0
"""Seconds without a receiver after which values are no longer held, only keys."""


class PublisherThread:
    """Empty an outbox into one receiver, from a thread of its own.

    Parameters
    ----------
    outbox : Outbox
        What is to be sent.
    troubles : Troubles
        Errors that the receiver is told.
    addresses, name, security, transport, arena_bytes, encrypt, on_want
        See :class:`~dask_napari.stream.Publisher`.
    """

    def __init__(
        self,
        outbox: Outbox,
        troubles: Troubles,
        *,
        addresses: tuple[str, ...],
        name: str,
        security: Security | None,
        transport: Transport,
        arena_bytes: int,
        encrypt: bool,
        on_want: Callable[[], None] | None,
    ) -> None:
        self.state = "connecting"
        self.transport = ""
        self.arena_bytes = 0
        """Bytes of the arena at present."""
        self.layers: dict[str, LayerSpec] = {}
        """The layers declared."""
        self.addresses = addresses
        self.name = name
        self._outbox = outbox
        self._troubles = troubles
        self._security = security
        self._choice = transport
        self._arena_bytes = arena_bytes
        self._encrypt = encrypt
        self._on_want = on_want
        self._numbers = itertools.count(1)
        self._undeclared: deque[LayerSpec] = deque()
        self.paused = False
        """Whether no values are held, because the worker is paused."""
        self._forget = False
        self._instance = ""
        self._lost = Undelivered(outbox)
        self._deadline: float | None = None
        self._first = Once()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._wakeup = Wakeup()
        # A daemon: an interpreter that ends without `close` must not hang on the viewer.
        self._thread = threading.Thread(target=self._run, name="dask-napari-publisher", daemon=True)

    # -- any thread ------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Have it look at the outbox."""
        self._wakeup.set()

    def declare(self, layers: Iterable[LayerSpec]) -> None:
        """Tell the receiver which layers will be filled, now and after each reconnection."""
        for layer in layers:
            if layer.name in self.layers or len(self.layers) < LAYERS:
                self.layers[layer.name] = layer
                self._undeclared.append(layer)
        self._wakeup.set()

    def tell(self, layer: str, error: UnsendableItem) -> None:
        """Say why an output cannot travel: to the viewer, and once a cause in the log."""
        self._troubles.note(layer, error.reason, error.key, error)
        if self._first((error.reason, UnsendableItem)):
            logger.warning(
                "%s: the output of task %r for layer %.100r is not shown: %s; the task itself "
                "succeeded, and further outputs with this cause are only counted",
                self.name,
                error.key,
                layer,
                error,
            )

    def pause(self, paused: bool) -> None:
        """Have it hold no values while the worker is paused."""
        self.paused = paused
        self._wakeup.set()

    def forget(self) -> None:
        """Have it let go of what waits, once."""
        self._forget = True
        self._wakeup.set()

    def close(self, timeout: float) -> None:
        """Send what can be sent in so many seconds, say BYE and end the thread."""
        if self._deadline is None:
            self._deadline = time.monotonic() + timeout
        self._wakeup.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout + 1.0)
        self.state = "closed"

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        reason = "closed"
        try:
            self._live()
        except BaseException:
            logger.exception("%s: the publisher ended by an error; the tasks go on", self.name)
            reason = "publisher-failed"
        finally:
            self._outbox.shut(reason)
            self.state = "closed"
            # In the thread that used the sockets: from `__del__` it can deadlock.
            if self._context is not None:
                self._context.destroy(linger=0)
            self._wakeup.close()

    def _live(self) -> None:
        alone_since = time.monotonic()
        pause, patience = BACKOFF[0], HANDSHAKE_TIMEOUT
        while self._time_left():
            # Once more when closing, from the start: what was put just before is worth a last
            # handshake, and an attempt that began earlier may have come a moment too early.
            last = self._deadline is not None
            # Of a worker or viewer that was killed; one that is started in its place comes by.
            janitor.sweep()
            least = 0.0
            for address in filter(reachable, self.addresses):
                least = max(least, self._attempt(address, patience))
                if self.state == "connected" or not self._time_left():
                    self.state, self.transport = "connecting", ""
                    alone_since = time.monotonic()
                    pause, patience = BACKOFF[0], HANDSHAKE_TIMEOUT
                    break
            else:
                patience = min(2 * patience, LONGEST_HANDSHAKE)
            if last:
                return
            if not least and time.monotonic() - alone_since > ALONE_GRACE:
                self._log_once(
                    f"{self.name}: no viewer answers at {', '.join(self.addresses)}; the tasks go "
                    "on, and outputs are kept by their keys until one does. One that listens "
                    "there may want keys: NapariSink(..., security=...)",
                    ConnectionLost("no answer"),
                )
            self._wait_alone(alone_since, max(least, pause * random.uniform(0.5, 1.0)))
            pause = min(2 * pause, BACKOFF[1])

    def _time_left(self) -> bool:
        """Whether to go on: for ever, or until a close is through or out of time."""
        if self._deadline is None:
            return True
        return time.monotonic() < self._deadline and bool(len(self._outbox) or len(self._lost))

    def _wait_alone(self, since: float, pause: float) -> None:
        """Let time pass without a receiver, holding only what may be held."""
        poller = zmq.Poller()
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        end = time.monotonic() + pause
        while self._deadline is None and (left := end - time.monotonic()) > 0:
            self._outbox.place()
            self._withhold(alone=time.monotonic() - since > ALONE_GRACE)
            # `awake` stays true meanwhile: a put must not wake a thread that has no one to
            # send to. Closing does.
            poller.poll(math.ceil(left * 1000))
            self._wakeup.clear()

    def _withhold(self, *, alone: bool = False) -> None:
        self._outbox.withhold = "worker-paused" if self.paused else "no-viewer" if alone else ""
        self._let_go()

    def _let_go(self) -> None:
        """Let go of values that need not be held, and of what was lost beyond the budget."""
        outbox = self._outbox
        no_values = outbox.withhold != "" or self._forget
        if no_values:
            self._forget = False
            outbox.forget()
        self._lost.let_go(no_values=no_values)

    def _attempt(self, address: str, patience: float) -> float:
        """Talk to one address until that ends; return the least pause before the next attempt."""
        try:
            descriptors.require()
            if self._context is None:
                self._context = zmq.Context()
            security = self._security or local_keys.find(address)
            if self._encrypt:
                check_encrypted([address], security)
            connection = Connection(
                self._context,
                address,
                self.name,
                self._outbox,
                self._on_entry_error,
                self._numbers,
                self._troubles,
                security=security,
                transport=self._choice,
                arena_bytes=self._arena_bytes,
                patience=patience,
            )
        except descriptors.TooFewDescriptors as error:
            self._troubles.note("", "no file descriptors", "", error)
            self._log_once(f"{self.name}: not connected: {error}", error)
            return 0.0
        except (zmq.ZMQError, ValueError) as error:
            self._log_once(f"{self.name}: {address}: {error}", error)
            return REFUSED_PAUSE
        try:
            self._serve(connection)
        except ConnectionLost as error:
            if error.final:
                self._log_once(f"{self.name}: {error}", error)
                return REFUSED_PAUSE
            logger.info("%s: %s", self.name, error)
        except Exception as error:
            # A bug of ours; another connection may well do, in a while.
            self._troubles.note("", f"error: {type(error).__name__}", "", error)
            self._log_once(f"{self.name}: the connection to {address} failed: {error!r}", error)
            return REFUSED_PAUSE
        finally:
            connection.close()
            self._recover(connection)
        return 0.0

    def _serve(self, connection: Connection) -> None:
        poller = zmq.Poller()
        connection.register(poller)
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        asleep = zmq.Poller()
        asleep.register(self._wakeup.fileno(), zmq.POLLIN)
        wait = connection.tick()
        napping = False
        while True:
            # A nap is not cut short by each CREDIT: nobody waits for them, and with many
            # publishers on a host to handle them one by one is half of what streaming costs.
            (asleep if napping else poller).poll(math.ceil(max(0.0, wait) * 1000))
            self._wakeup.clear()
            connection.receive()
            if self.paused:
                self._withhold()
            elif self._forget:
                self._let_go()
            self._outbox.place()
            self._outbox.away = connection.away + self._lost.nbytes
            if not connection.open:
                if not self._time_left():
                    return
                wait = min(connection.tick(), NAP if self._deadline is not None else 60.0)
                napping = False
                continue
            if self.state != "connected":
                self._connected(connection)
            if self._undeclared:
                connection.declare(self._undeclared.popleft() for _ in range(len(self._undeclared)))
            if connection.wanted:
                connection.wanted = False
                if self._on_want is not None:
                    self._on_want()
            sent = connection.pump()
            if self._deadline is not None and self._finish(connection):
                return
            pause = self._pause(connection, sent)
            napping = math.isfinite(pause) and self._deadline is None and not connection.blocked
            wait = min(connection.tick(), pause)

    def _pause(self, connection: Connection, sent: bool) -> float:
        if connection.blocked:
            return BLOCKED_NAP
        if self._deadline is not None:
            return NAP
        if sent or not self._outbox.rest():
            return min(LONGEST_NAP, max(NAP, connection.publishers / RECEIVER_MESSAGES))
        return math.inf

    def _finish(self, connection: Connection) -> bool:
        """Go through the end of a connection; true when it is over."""
        assert self._deadline is not None
        left = self._deadline - time.monotonic()
        if left < BYE_TIME or (not len(self._outbox) and connection.idle):
            for item in connection.unsent():
                self._outbox.drop(ItemEntry(item), "closed")
            self._outbox.clear("closed")
            connection.bye()
        return left < 0 or connection.closed

    def _connected(self, connection: Connection) -> None:
        self.state = "connected"
        self.transport = connection.transport
        self.arena_bytes = connection.arena_bytes
        known = connection.instance == self._instance
        self._lost.resend(connection.received if known else 0)
        if not known:
            if self._instance:
                # Another viewer: it has seen nothing of this worker, and its ledger starts here.
                self._outbox.start_over()
                connection.wanted = True
            self._instance = connection.instance
        self._withhold()
        if because := connection.inline_because:
            self._troubles.note("", "inline", "", f"without shared memory: {because}")
            self._log_once(
                f"{self.name}: streaming inline, without shared memory: {because}",
                ConnectionLost("inline"),
            )
        self._undeclared.clear()  # first: what comes meanwhile is told twice, and not never
        connection.declare(list(self.layers.values()))
        connection.status()
        logger.info(
            "%s: streaming to %s by %s", self.name, connection.address, connection.transport
        )

    def _recover(self, connection: Connection) -> None:
        """Keep what a lost connection did not deliver, for the next one."""
        self.arena_bytes = 0
        self._lost.add(connection.unacknowledged())
        self._outbox.unpop(map(RetriedEntry, connection.unsent()))
        self._let_go()

    def _on_entry_error(self, layer: str, error: BaseException) -> None:
        if isinstance(error, UnsendableItem):
            self.tell(layer, error)
            return
        self._troubles.note(layer, f"error: {type(error).__name__}", "", error)
        self._log_once(
            f"{self.name}: an output for layer {layer!r} cannot be shown: {error}", error
        )

    def _log_once(self, text: str, error: BaseException) -> None:
        if self._first((text, type(error))):
            expected = isinstance(error, ConnectionLost | zmq.ZMQError | OSError)
            logger.warning("%s", text, exc_info=None if expected else error)
