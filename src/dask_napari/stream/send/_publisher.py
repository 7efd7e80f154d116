"""The publisher: a bounded queue and a thread that empties it, without Dask or napari."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

import numpy.typing as npt

from dask_napari.model import (
    Item,
    Kind,
    LayerSpec,
    Ledger,
    Policy,
    Position,
    Reports,
    Tally,
    TapMatches,
    arguments,
    poll,
)
from dask_napari.stream.auth import Security
from dask_napari.stream.send._entries import Entry, ItemEntry
from dask_napari.stream.send._options import OUTPUT_TIMEOUT, PublisherOptions, Transport
from dask_napari.stream.send._outbox import Outbox
from dask_napari.stream.send._publisher_thread import (
    CLOSE_TIMEOUT,
    FORGOTTEN_TIMEOUT,
    PublisherThread,
)
from dask_napari.stream.send._task_notices import TaskNotice
from dask_napari.stream.send._value_batches import items_of

logger = logging.getLogger(__name__)


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
        Keys and token of the receiver. Not needed on its host: its user finds them there.
    transport : {"auto", "shared-memory", "inline"}
        ``auto`` uses shared memory if a probe shows that memory is shared.
    arena_bytes : int
        Size of the arena.
    queue_bytes : int
        Bytes of values that may wait.
    insecure : bool
        Connect without keys, too, where none are given or found; whoever listens at the address
        gets what is put. Over once keys were found.
    output_timeout : float
        Seconds for one output to be placed or read by code of others; then it is dropped.
    on_new_viewer : callable, optional
        Called from the publisher's thread when a viewer is met that knows nothing yet.
    on_connected : callable, optional
        Called from the publisher's thread with each connection, when states of tasks should be
        told anew.
    reports : Reports, optional
        Told of errors, which the receiver is told too; logs them if not given.

    Raises
    ------
    ValueError
        If an option is not usable, or there are no keys for an address of another host.

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
        insecure: bool = False,
        output_timeout: float = OUTPUT_TIMEOUT,
        on_new_viewer: Callable[[], None] | None = None,
        on_connected: Callable[[], None] | None = None,
        group: str = "",
        reports: Reports | None = None,
    ) -> None:
        self.options: PublisherOptions = PublisherOptions(
            addresses=(addresses,) if isinstance(addresses, str) else tuple(addresses),
            name=name,
            security=security,
            transport=transport,
            arena_bytes=arena_bytes,
            queue_bytes=queue_bytes,
            insecure=insecure,
            output_timeout=output_timeout,
            on_new_viewer=on_new_viewer,
            on_connected=on_connected,
            group=group,
        )
        self.name = name
        self.outbox: Outbox = Outbox(queue_bytes)
        self.reports: Reports = Reports(logger, name) if reports is None else reports
        self._thread = PublisherThread(self.outbox, self.reports, self.options)
        self._streamer = self._thread.streamer
        # A publisher that is forgotten may be collected anywhere, so nobody waits for its thread.
        # At exit the threads see to themselves.
        weakref.finalize(self, self._thread.end, FORGOTTEN_TIMEOUT).atexit = False

    def __repr__(self) -> str:
        return f"<Publisher {self.name}: {self.state}, {self.outbox}>"

    def start(self) -> None:
        """Start the thread; it connects, and goes on trying for as long as it takes."""
        self._thread.start()

    def put(self, entry: Item | Entry, policy: Policy = "latest") -> None:
        """Queue an item or an entry that will become one. Never blocks, never raises."""
        if isinstance(entry, Item):
            entry = ItemEntry(entry, policy)
        if refusal := self.outbox.refusal(entry.layer):
            self.outbox.refuse(entry.layer, refusal.reason)
            key = getattr(entry, "key", "")
            self.reports.error(refusal.reason, refusal, layer=entry.layer, key=key)
        elif self.outbox.put(entry):
            self._thread.wake()

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
        :func:`dask_napari.save_batch` takes anything that can be shown, and names for positions.

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
            Treatment of the values for which there is no room.

        Raises
        ------
        ValueError, TypeError
            If there are not as many positions as values, or one of either cannot be sent;
            nothing is queued then.

        Examples
        --------
        >>> import numpy as np
        >>> planes = np.zeros((2, 4, 4), "uint8")
        >>> with Publisher("tcp://127.0.0.1:5577", name="me") as publisher:
        ...     publisher.save_batch(planes, [{"t": 0}, {"t": 1}], layer="raw")
        ...     len(publisher.outbox)
        2
        """
        arguments.one_of("policy", policy, get_args(Policy))
        for item in items_of(values, positions, layer, kind):
            self.put(item, policy)

    def declare(self, layers: Iterable[LayerSpec]) -> None:
        """Tell the receiver which layers will be filled, now and after each reconnection."""
        self._streamer.declare(layers)

    def tell_taps(self, matches: TapMatches) -> None:
        """Tell the receiver which taps have matched a task."""
        self._streamer.tap_matches = matches

    def tell_task(self, notice: TaskNotice) -> None:
        """Tell the receiver the state of a task, soon. Never blocks, never raises."""
        if self._thread.notices.put(notice):
            self._thread.wake()

    def pause(self, paused: bool) -> None:
        """Hold no values while the worker is short of memory."""
        # At once for what comes next; what waits is let go of by the thread, since that takes
        # time and this is called on an event loop.
        if self.outbox.budget.pause(paused):
            self._thread.wake()

    def squeeze(self, squeezed: bool) -> None:
        """Hold little while the worker is near its limits of memory."""
        if self.outbox.budget.squeeze(squeezed):
            self._thread.wake()

    @property
    def layers(self) -> Mapping[str, LayerSpec]:
        """The layers declared."""
        return self._streamer.layers

    @property
    def state(self) -> str:
        """``"connecting"``, ``"connected"`` or ``"closed"``."""
        return self._thread.state

    @property
    def transport(self) -> str:
        """``"shared-memory"`` or ``"inline"``; empty while it is not connected."""
        return self._streamer.transport

    @property
    def viewer(self) -> str:
        """The viewer that the counts are for: another name once they began anew; empty at first."""
        return self._streamer.viewer

    def memory(self) -> dict[str, int]:
        """Return the bytes that are held: values that wait, values on the way, the arena."""
        return {
            "queued_bytes": self.outbox.nbytes,
            "sent_bytes": self.outbox.budget.away,
            "arena_bytes": self._streamer.arena_bytes,
            "queued": len(self.outbox),
        }

    def counts(self) -> dict[str, Tally]:
        """Return the publisher's side of the ledger, a count for each layer."""
        return self.outbox.counts()

    def ledger(self) -> Ledger:
        """Return what became of every item put, as far as a publisher can tell.

        Items that are *sent* are with the viewer, which counts what it makes of them.
        """
        return Ledger({(self.name, layer): tally for layer, tally in self.counts().items()})

    def wait(self, timeout: float | None = None) -> Ledger:
        """Wait until every item put so far has arrived or is accounted for.

        The log says every few seconds how many items are left: as a warning while none arrives.

        Parameters
        ----------
        timeout : float, optional
            Seconds; without end if not given.

        Returns
        -------
        Ledger
            The ledger at the end.

        Raises
        ------
        TimeoutError
            If items are still on their way; the text holds the ledger.

        Examples
        --------
        >>> import numpy as np
        >>> from dask_napari.stream import Board, Receiver
        >>> with Receiver("tcp://127.0.0.1:*", Board()) as receiver:
        ...     with Publisher(receiver.addresses, name="me") as publisher:
        ...         publisher.put(Item("raw", "image", np.ones((2, 2)), {"t": 0}))
        ...         print(publisher.wait(timeout=10))
        raw: 1 selected = 0 shown + 0 coalesced + 0 dropped + 0 pending + 1 sent
        """
        for _ in poll(timeout, logger, self._waits_for):
            if not self.outbox.undelivered():
                return self.ledger()
        raise TimeoutError(f"{self._waits_for()} after {timeout} s:\n{self.ledger()}")

    def _waits_for(self) -> str:
        where, number = ", ".join(self.options.addresses), self.outbox.undelivered()
        return f"{self.name}: {number} items not delivered; {self.state} {where}"

    def close(self, timeout: float = CLOSE_TIMEOUT) -> Ledger:
        """Send as much as can be sent in ``timeout`` seconds, say BYE and end the thread.

        Returns the ledger: items that were not delivered are dropped ("closed"), which is logged.
        """
        self._thread.close(timeout)
        return self.ledger()

    def __enter__(self) -> Publisher:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
