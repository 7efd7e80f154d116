"""The publisher: a bounded queue, one thread and one socket. It knows neither Dask nor napari."""

from __future__ import annotations

import itertools
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, get_args

import numpy.typing as npt
import zmq

from dask_napari.stream import descriptors, janitor, nearby
from dask_napari.stream.addresses import reachable
from dask_napari.stream.again import Again
from dask_napari.stream.connection import (
    HANDSHAKE_TIMEOUT,
    Connection,
    ConnectionLost,
    Transport,
    check_transport,
)
from dask_napari.stream.gather import items_of
from dask_napari.stream.item import Item, Kind, LayerSpec, Position
from dask_napari.stream.messages import Count
from dask_napari.stream.outbox import Entry, Outbox, Policy, Whole
from dask_napari.stream.security import Security, check_encrypted
from dask_napari.stream.troubles import Troubles
from dask_napari.stream.wakeup import Wakeup

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

SQUEEZED: Final = 8 << 20
"""Bytes held near a worker's limits of memory: two batches, so that the stream goes on, with what
waits behind them known by key."""

ALONE_GRACE: Final = 5.0
"""Seconds without a receiver after which values are no longer held, only keys."""


class Publisher:
    """Send items to a receiver from a thread of its own.

    :meth:`put` never blocks, whatever the receiver does, and holds no more than ``queue_bytes``.

    Parameters
    ----------
    addresses : str or sequence of str
        Addresses of one receiver, the best first; ``ipc://`` ones that do not exist on this
        host are passed over.
    name : str
        Name that stays the same over reconnections; unique among the publishers.
    security : Security, optional
        Keys and token; needed where the receiver has them.
    transport : {"auto", "shared-memory", "inline"}
        ``auto`` uses shared memory if a probe shows that memory is shared.
    arena_bytes : int
        Size of the arena.
    queue_bytes : int
        Bytes of values that may wait.
    encrypt : bool
        Never use plain TCP, not even on this host.
    on_want : callable, optional
        Called from the publisher's thread when a new receiver asks for what is in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_napari.stream import Board, Receiver
    >>> board = Board()
    >>> with Receiver("tcp://127.0.0.1:*", board) as receiver:
    ...     with Publisher(receiver.addresses, name="me") as publisher:
    ...         publisher.put(Item("cells", "labels", np.ones((2, 2), "uint8"), {"t": 0}))
    ...         arrived = board.wait(timeout=10)
    ...     [item.position for item in board.take()]
    [{'t': 0}]
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        *,
        name: str,
        security: Security | None = None,
        transport: Transport = "auto",
        arena_bytes: int = 64 << 20,
        queue_bytes: int = 128 << 20,
        encrypt: bool = False,
        on_want: Callable[[], None] | None = None,
    ) -> None:
        check_transport(transport)
        self.addresses = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        if not self.addresses:
            raise ValueError("addresses is empty; give the address of a viewer, tcp://host:port")
        self.name = name
        self.state = "connecting"
        self.transport = ""
        self.outbox = Outbox(queue_bytes)
        self.troubles = Troubles()
        self.arena_bytes = 0
        """Bytes of the arena at present."""
        self._security = security
        self._choice = transport
        self._arena_bytes = arena_bytes
        self._encrypt = encrypt
        self._on_want = on_want
        self._numbers = itertools.count(1)
        self._layers: dict[str, LayerSpec] = {}
        self._undeclared = False
        self._queue_bytes = queue_bytes
        self._paused = False
        self._squeezed = self._forget = False
        self._instance = ""
        self._lost: list[Again] = []  # sent over a connection that broke before it acknowledged
        self._deadline: float | None = None
        self._logged: set[tuple[str, type[BaseException]]] = set()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._wakeup = Wakeup()
        # A daemon: an interpreter that ends without `close` must not hang on the viewer.
        self._thread = threading.Thread(target=self._run, name="dask-napari-publisher", daemon=True)

    # -- any thread ------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; it connects, and goes on trying for as long as it takes."""
        self._thread.start()

    def put(self, entry: Item | Entry, policy: Policy = "latest") -> None:
        """Queue an item or an entry that will become one. Never blocks, never raises."""
        whole = Whole(entry, policy) if isinstance(entry, Item) else entry
        if self.outbox.put(whole):
            self._wakeup.set()

    def save_batch(
        self,
        values: Iterable[Item | npt.NDArray[Any]],
        positions: Iterable[Position],
        *,
        layer: str,
        kind: Kind = "image",
        policy: Policy = "latest",
    ) -> None:
        """Queue several values of one layer, each at its position: all of them, or none.

        Never blocks. Values are held, not copied: do not write to them until they are sent.
        :func:`dask_napari.item.coerce` makes an item of anything that can be shown.

        Parameters
        ----------
        values : iterable of Item or array
            Items of the layer, or numeric arrays.
        positions : iterable of Position
            One a value; it takes the place of an item's own.
        layer : str
            The layer.
        kind : Kind
            What arrays are shown as; an item says so itself.
        policy : {"latest", "drop-oldest", "keep"}
            What happens when there is no room.

        Raises
        ------
        ValueError, TypeError
            If there are not as many positions as values, or one of either cannot be sent;
            nothing is queued then.

        Examples
        --------
        >>> import numpy as np
        >>> publisher = Publisher("tcp://127.0.0.1:5577", name="me")
        >>> planes = np.zeros((2, 4, 4), "uint8")
        >>> publisher.save_batch(planes, [{"t": 0}, {"t": 1}], layer="raw")
        >>> len(publisher.outbox)
        2
        """
        if policy not in get_args(Policy):
            raise ValueError(f"policy={policy!r} is none of {', '.join(get_args(Policy))}")
        for item in items_of(values, positions, layer, kind):
            self.put(item, policy)

    def refuse(self, layer: str, reason: str, key: object, error: BaseException) -> None:
        """Count an output that could not even be queued, and tell the viewer why."""
        self.outbox.refuse(layer, reason)
        self.troubles.note(layer, reason, key, error)

    def declare(self, layers: Iterable[LayerSpec]) -> None:
        """Tell the receiver which layers will be filled, now and after each reconnection."""
        self._layers.update((layer.name, layer) for layer in layers)
        self._undeclared = True
        self._wakeup.set()

    def pause(self, paused: bool) -> None:
        """Hold no values while the worker is short of memory."""
        if paused != self._paused:
            self._paused = paused
            # At once for what comes next; what waits is let go of by the thread, since that
            # takes time and this is called on an event loop.
            self.outbox.withhold = "worker-paused" if paused else ""
            self._wakeup.set()

    def squeeze(self, squeezed: bool) -> None:
        """Hold little while the worker is near its limits of memory: what is on its way now."""
        if squeezed != self._squeezed:
            self._squeezed = self._forget = squeezed
            self.outbox.full = "worker-memory" if squeezed else "queue-full"
            self.outbox.budget = min(self._queue_bytes, SQUEEZED) if squeezed else self._queue_bytes
            self._wakeup.set()

    def refuses(self, nbytes: int, policy: Policy) -> str:
        """Why a value of so many bytes that cannot be found again has no room; empty if it has."""
        return self.outbox.refuses(nbytes, policy)

    @property
    def layers(self) -> Mapping[str, LayerSpec]:
        """The layers declared."""
        return self._layers

    def memory(self) -> dict[str, int]:
        """Bytes that it holds of its process: values that wait, values on the way, the arena."""
        return {
            "queued_bytes": self.outbox.nbytes,
            "sent_bytes": self.outbox.away,
            "arena_bytes": self.arena_bytes,
            "queued": len(self.outbox),
        }

    def counts(self) -> list[Count]:
        """The publisher's side of the ledger, per layer."""
        return self.outbox.counts()

    def close(self, timeout: float = 1.5) -> None:
        """Send what can be sent within ``timeout`` seconds, say BYE and end the thread."""
        if self._deadline is None:
            self._deadline = time.monotonic() + timeout
        self._wakeup.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout + 1.0)
        self.state = "closed"

    def __enter__(self) -> Publisher:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        reason = "closed"
        try:
            self._live()
        except BaseException:
            logger.exception("%s: the publisher ended by an error; the tasks go on", self.name)
            reason = "publisher-failed"
        finally:
            self.outbox.shut(reason)
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
        return time.monotonic() < self._deadline and bool(len(self.outbox) or self._lost)

    def _wait_alone(self, since: float, pause: float) -> None:
        """Let time pass without a receiver, holding only what may be held."""
        poller = zmq.Poller()
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        end = time.monotonic() + pause
        while self._deadline is None and (left := end - time.monotonic()) > 0:
            self.outbox.place()
            self._withhold(alone=time.monotonic() - since > ALONE_GRACE)
            # `awake` stays true meanwhile: a put must not wake a thread that has no one to
            # send to. Closing does.
            poller.poll(math.ceil(left * 1000))
            self._wakeup.clear()

    def _withhold(self, *, alone: bool = False) -> None:
        self.outbox.withhold = "worker-paused" if self._paused else "no-viewer" if alone else ""
        self._let_go()

    def _let_go(self) -> None:
        """Let go of values that need not be held, and of what was lost beyond the budget."""
        outbox = self.outbox
        no_values = outbox.withhold != "" or self._forget
        if no_values:
            self._forget = False
            outbox.forget()
        for entry in self._lost:
            held = entry.nbytes
            if no_values:
                entry.forget()
            if outbox.held > outbox.budget:
                entry.give_up(outbox.full)
            outbox.away -= held - entry.nbytes

    def _attempt(self, address: str, patience: float) -> float:
        """Talk to one address until that ends; return the least pause before the next attempt."""
        try:
            descriptors.require()
            if self._context is None:
                self._context = zmq.Context()
            security = self._security or nearby.find(address)
            if self._encrypt:
                check_encrypted([address], security)
            connection = Connection(
                self._context,
                address,
                self.name,
                self.outbox,
                self._on_entry_error,
                self._numbers,
                self.troubles,
                security=security,
                transport=self._choice,
                arena_bytes=self._arena_bytes,
                patience=patience,
            )
        except descriptors.TooFew as error:
            self.troubles.note("", "no file descriptors", "", error)
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
            self._log_once(f"{self.name}: the connection to {address} failed: {error!r}", error)
            return REFUSED_PAUSE
        finally:
            connection.close()
            self._recover(connection)
        return 0.0

    def _serve(self, connection: Connection) -> None:
        poller = zmq.Poller()
        poller.register(connection.socket, zmq.POLLIN)
        poller.register(connection.monitor, zmq.POLLIN)
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
            if self._paused:
                self._withhold()
            elif self._forget:
                self._let_go()
            self.outbox.place()
            self.outbox.away = connection.away + sum(entry.nbytes for entry in self._lost)
            if not connection.open:
                if not self._time_left():
                    return
                wait = min(connection.tick(), NAP if self._deadline is not None else 60.0)
                napping = False
                continue
            if self.state != "connected":
                self._connected(connection)
            if self._undeclared:
                self._undeclared = False
                connection.declare(list(self._layers.values()))
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
        if sent or not self.outbox.rest():
            return min(LONGEST_NAP, max(NAP, connection.publishers / RECEIVER_MESSAGES))
        return math.inf

    def _finish(self, connection: Connection) -> bool:
        """Go through the end of a connection; true when it is over."""
        assert self._deadline is not None
        left = self._deadline - time.monotonic()
        if left < BYE_TIME or (not len(self.outbox) and connection.idle):
            for item in connection.unsent():
                self.outbox.drop(Whole(item), "closed")
            self.outbox.clear("closed")
            connection.bye()
        return left < 0 or connection.closed

    def _connected(self, connection: Connection) -> None:
        self.state = "connected"
        self.transport = connection.transport
        self.arena_bytes = connection.arena_bytes
        lost, self._lost = self._lost, []
        if connection.instance == self._instance:
            self.outbox.unsend(entry for entry in lost if entry.seq > connection.received)
        else:
            self.outbox.unsend(lost)
            if self._instance:
                # Another viewer: it has seen nothing of this worker, and its ledger starts here.
                self.outbox.start_over()
                connection.wanted = True
            self._instance = connection.instance
        self._withhold()
        if because := connection.inline_because:
            self.troubles.note("", "inline", "", f"without shared memory: {because}")
            self._log_once(
                f"{self.name}: streaming inline, without shared memory: {because}",
                ConnectionLost("inline"),
            )
        self._undeclared = False
        connection.declare(list(self._layers.values()))
        connection.status()
        logger.info(
            "%s: streaming to %s by %s", self.name, connection.address, connection.transport
        )

    def _recover(self, connection: Connection) -> None:
        """Keep what a lost connection did not deliver, for the next one."""
        self.arena_bytes = 0
        self._lost += map(Again, connection.unacknowledged())
        self.outbox.unpop(map(Again, connection.unsent()))
        self.outbox.away = sum(entry.nbytes for entry in self._lost)
        self._let_go()

    def _on_entry_error(self, layer: str, error: BaseException) -> None:
        self.troubles.note(layer, f"error: {type(error).__name__}", "", error)
        self._log_once(
            f"{self.name}: an output for layer {layer!r} cannot be shown: {error}", error
        )

    def _log_once(self, text: str, error: BaseException) -> None:
        cause = text, type(error)
        if cause not in self._logged and len(self._logged) < 1000:
            self._logged.add(cause)
            expected = isinstance(error, ConnectionLost | zmq.ZMQError | OSError)
            logger.warning("%s", text, exc_info=None if expected else error)
