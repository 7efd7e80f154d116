"""The publisher: a bounded queue and a thread that empties it. It knows neither Dask nor napari."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, get_args

import numpy.typing as npt

from dask_napari.model import Item, Kind, LayerSpec, Policy, Position
from dask_napari.stream.auth import Security
from dask_napari.stream.send._outbox import Entry, ItemEntry, Outbox
from dask_napari.stream.send._sendable import UnsendableItem
from dask_napari.stream.send._thread import PublisherThread
from dask_napari.stream.send._transport import Transport, check_transport
from dask_napari.stream.send._troubles import Troubles
from dask_napari.stream.send._value_batches import items_of
from dask_napari.stream.wire import Count

SQUEEZED: Final = 8 << 20
"""Bytes held near a worker's limits of memory: two batches, so that the stream goes on, with what
waits behind them known by key."""


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
        self.outbox = Outbox(queue_bytes)
        self.troubles = Troubles()
        self._queue_bytes = queue_bytes
        self._squeezed = False
        self._sender = PublisherThread(
            self.outbox,
            self.troubles,
            addresses=self.addresses,
            name=name,
            security=security,
            transport=transport,
            arena_bytes=arena_bytes,
            encrypt=encrypt,
            on_want=on_want,
        )

    def start(self) -> None:
        """Start the thread; it connects, and goes on trying for as long as it takes."""
        self._sender.start()

    def put(self, entry: Item | Entry, policy: Policy = "latest") -> None:
        """Queue an item or an entry that will become one. Never blocks, never raises."""
        whole = ItemEntry(entry, policy) if isinstance(entry, Item) else entry
        if reason := self.outbox.without_layer(whole.layer):
            self.outbox.refuse(whole.layer, reason)
            self._sender.tell(whole.layer, UnsendableItem(reason, getattr(whole, "key", "")))
        elif self.outbox.put(whole):
            self._sender.wake()

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
        :func:`dask_napari.coerce._coercion.coerce` makes an item of anything that can be shown.

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
        self._sender.declare(layers)

    def pause(self, paused: bool) -> None:
        """Hold no values while the worker is short of memory."""
        if paused != self._sender.paused:
            # At once for what comes next; what waits is let go of by the thread, since that
            # takes time and this is called on an event loop.
            self.outbox.withhold = "worker-paused" if paused else ""
            self._sender.pause(paused)

    def squeeze(self, squeezed: bool) -> None:
        """Hold little while the worker is near its limits of memory: what is on its way now."""
        if squeezed != self._squeezed:
            self._squeezed = squeezed
            self.outbox.full = "worker-memory" if squeezed else "queue-full"
            self.outbox.budget = min(self._queue_bytes, SQUEEZED) if squeezed else self._queue_bytes
            if squeezed:
                self._sender.forget()

    def refuses(self, nbytes: int, policy: Policy) -> str:
        """Why a value of so many bytes that cannot be found again has no room; empty if it has."""
        return self.outbox.refuses(nbytes, policy)

    @property
    def layers(self) -> Mapping[str, LayerSpec]:
        """The layers declared."""
        return self._sender.layers

    @property
    def state(self) -> str:
        """``"connecting"``, ``"connected"`` or ``"closed"``."""
        return self._sender.state

    @property
    def transport(self) -> str:
        """``"shared-memory"`` or ``"inline"``; empty while it is not connected."""
        return self._sender.transport

    def memory(self) -> dict[str, int]:
        """Bytes that it holds of its process: values that wait, values on the way, the arena."""
        return {
            "queued_bytes": self.outbox.nbytes,
            "sent_bytes": self.outbox.away,
            "arena_bytes": self._sender.arena_bytes,
            "queued": len(self.outbox),
        }

    def counts(self) -> list[Count]:
        """The publisher's side of the ledger, per layer."""
        return self.outbox.counts()

    def close(self, timeout: float = 1.5) -> None:
        """Send what can be sent within ``timeout`` seconds, say BYE and end the thread."""
        self._sender.close(timeout)

    def __enter__(self) -> Publisher:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
