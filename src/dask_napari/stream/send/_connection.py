"""One connection of a publisher: from its handshake over signs of life to its end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

import zmq

from dask_napari.model import LayerSpec, Report, Reports, Tally, TapMatches
from dask_napari.stream.send._batch_sender import BatchSender
from dask_napari.stream.send._handshake import Agreement, Handshake
from dask_napari.stream.send._loader import Loader
from dask_napari.stream.send._options import PublisherOptions
from dask_napari.stream.send._pacing import HANDSHAKE_TIMEOUT
from dask_napari.stream.send._publisher_socket import ConnectionLost, PublisherSocket
from dask_napari.stream.send._sendable import declarations
from dask_napari.stream.send._task_notices import TaskNotices
from dask_napari.stream.wire import messages as wire

MISSED_HEARTBEATS: Final = 3
"""Silent intervals after which a connection is given up."""

STATUS_INTERVAL: Final = 0.25
"""Seconds between counts that travel without a batch; a person reads them."""


class Connection:
    """Connection of a publisher to one receiver, used by the publisher's thread alone.

    ``met_new_viewer`` is set when the viewer knows nothing of earlier ones' items, and reset by the
    publisher; ``closed``, when the receiver has answered the BYE.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        options: PublisherOptions,
        loader: Loader,
        reports: Reports,
        numbers: Iterator[int],
        notices: TaskNotices,
        *,
        patience: float = HANDSHAKE_TIMEOUT,
    ) -> None:
        self.address = address
        self.agreement: Agreement | None = None
        self.met_new_viewer = self.closed = False
        self._outbox = loader.outbox
        self._reports = reports
        self._notices = notices
        self._patience = patience
        self._said_bye = False
        self._told_taps: TapMatches | None = None
        self._told_at = 0.0
        self._socket = PublisherSocket(context, address, options.security)
        self.batches = BatchSender(self._socket, loader, reports, numbers)
        self._handshake = Handshake(self._socket, options)
        self._pinged = self._socket.spoke

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open" if self.agreement else "opening"
        return f"<Connection to {self.address}: {state}, {self.transport}, {self.batches}>"

    @property
    def transport(self) -> str:
        """``"shared-memory"`` or ``"inline"``."""
        return "shared-memory" if self.batches.arena else "inline"

    def register(self, poller: zmq.Poller) -> None:
        """Have a poller wait for messages, and for the end."""
        self._socket.register(poller)

    def receive(self) -> None:
        """Handle all messages that have come. Raises :class:`ConnectionLost`."""
        for message in self._socket.receive():
            self._handle(message)
        if self._socket.ended and not self.closed:
            hint = "" if self.agreement else " before it answered; has it other keys?"
            raise ConnectionLost(f"the viewer at {self.address} closed the connection{hint}")

    def _handle(self, message: wire.FromReceiver) -> None:
        epoch = self._handshake.epoch
        match message:
            case wire.Refused(reason=reason, again=again):
                raise ConnectionLost(
                    f"the viewer at {self.address} refused: {reason}", final=not again
                )
            case wire.Welcome() | wire.Probe() if self.agreement is None:
                self.agreement = self._handshake.receive(message)
                if self.agreement is not None:
                    self.batches.begin(self.agreement)
            case wire.Credit() if message.epoch == epoch:
                self.batches.grant(message)
            case wire.ByeAck() if message.epoch == epoch:
                self.batches.settle()
                self.closed = True
            case _:  # PONG, and answers to an epoch that is over: heard is all they are for
                pass

    def declare(self, layers: Iterable[LayerSpec]) -> None:
        """Tell the receiver which layers the taps fill."""
        for headers in declarations(layers, self._reports):
            self._socket.send(wire.Taps(headers))

    def tell_taps(self, matches: TapMatches | None) -> None:
        """Tell the receiver which taps have matched a task, if that is news to it."""
        if matches is not self._told_taps:
            self._told_taps = matches
            self._socket.send(wire.Status(self._handshake.epoch, {}, taps=matches))

    def tick(self) -> float:
        """Send counts and signs of life that are due; return the seconds until the next are.

        Raises :class:`ConnectionLost` if the receiver has been silent for too long.
        """
        now = time.monotonic()
        silent = now - self._socket.heard
        heartbeat = self.agreement.welcome.heartbeat if self.agreement else 0.0
        limit = MISSED_HEARTBEATS * heartbeat if self.agreement else self._patience
        if silent > limit:
            raise ConnectionLost(f"the viewer at {self.address} has been silent for {limit:.0f} s")
        if self.agreement is None:
            return limit - silent
        until_status = self.batches.counted_at + STATUS_INTERVAL - now
        if until_status <= 0:
            self.batches.counted_at = now
            counts, reports = self._outbox.counts(changed=True), self._reports.fresh()
            if counts or reports:
                self._send_status(counts, reports)
        until_told = self._told_at + STATUS_INTERVAL - now
        if until_told <= 0 and len(self._notices):
            self._told_at = now
            if tasks := self._notices.take():
                self._socket.send(wire.Status(self._handshake.epoch, {}, tasks=tasks))
        quiet = max(silent, now - self._socket.spoke)
        if quiet >= heartbeat and now - self._pinged >= heartbeat:
            self._pinged = now
            self._socket.send(wire.Ping(self._handshake.epoch))
        # After the last output of a while, its counts do not wait for the next sign of life.
        due = until_status if self._outbox.has_news or self._reports.has_news else heartbeat
        if len(self._notices):
            due = min(due, max(0.0, until_told))
        return min(limit - silent, heartbeat, due)

    def status(self) -> None:
        """Send all counts and reports."""
        self._outbox.counts(changed=True)
        self._send_status(self._outbox.counts(), self._reports.all())

    def _send_status(self, counts: dict[str, Tally], reports: list[Report]) -> None:
        self._socket.send(wire.Status(self._handshake.epoch, counts, reports))

    def bye(self) -> None:
        """Announce the end, once; :attr:`closed` turns true when the receiver has everything."""
        if not self._said_bye:
            self._said_bye = True
            self._socket.send(wire.Bye(self._handshake.epoch, self._outbox.counts()))

    def close(self) -> None:
        """Close the socket and give the arena up; items can still be taken back."""
        self._socket.close()
        self._handshake.close()
        self.batches.close()
