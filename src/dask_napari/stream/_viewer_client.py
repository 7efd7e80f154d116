"""The client's line to a viewer: one question at a time, one answer each."""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import zmq

from dask_napari._version import __version__
from dask_napari.model import Counts, Ledger, Tally
from dask_napari.stream.auth import ClientKeys, NoKeys, Security, reachable
from dask_napari.stream.wire import (
    ForeignMessage,
    MalformedMessage,
    complaint,
    keep_alive,
    open_context,
)
from dask_napari.stream.wire import messages as wire

ALIVE_INTERVAL: Final = 0.2
"""Seconds between looks at whether the viewer's process is there."""


class ViewerGone(ConnectionError):
    """The viewer does not answer: it was closed, or it hangs."""


class _Forgotten(Exception):
    """The viewer does not know this client: too many came since, or the line was cut for long."""


class Control:
    """Ask a viewer things from a script; safe to use from several threads.

    Parameters
    ----------
    addresses : sequence of str
        Addresses of the viewer's receiver, the best first.
    security : Security, optional
        The viewer's keys and token; found where this user's viewer has left them if not given.
    insecure : bool
        Connect without keys, too, where none are given or found.
    timeout : float
        Seconds to wait for the viewer's welcome.
    alive : callable, optional
        Tells whether the viewer's process is there, so that nobody waits for a dead one.

    Raises
    ------
    ViewerGone
        If nothing at the addresses answers, or it refuses.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        security: Security | None = None,
        insecure: bool = False,
        timeout: float = 10.0,
        alive: Callable[[], bool] = lambda: True,
    ) -> None:
        self._alive = alive
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._context = open_context()
        tried = [address for address in addresses if reachable(address)]
        if not tried:
            self.close()
            raise ViewerGone(f"no viewer listens at {', '.join(addresses)}")
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        try:
            security = ClientKeys(security, insecure=insecure).for_address(tried[0])
            if security is not None:
                security.secure_client(self._socket, tried[0])
            keep_alive(self._socket)
            self._socket.connect(tried[0])
            self._token = security.token if security else ""
            self._introduce(time.monotonic() + timeout)
        except BaseException as error:
            self._context.destroy(linger=0)
            if isinstance(error, NoKeys):
                raise ViewerGone(str(error)) from None
            raise

    def __repr__(self) -> str:
        return f"<Control: {'closed' if self._context.closed else 'open'}>"

    def _introduce(self, deadline: float) -> None:
        self._send(wire.Hello(wire.WIRE_VERSION, __version__, "client", "client", self._token))
        welcome = self._receive(deadline, wire.Welcome)
        if welcome.wire != wire.WIRE_VERSION:
            raise ViewerGone(complaint(welcome))

    def _send(self, message: wire.Message) -> None:
        try:
            self._socket.send(wire.encode(message), zmq.NOBLOCK)
        except zmq.Again:
            raise ViewerGone("the viewer has not read what it was asked for long") from None

    def _receive(self, deadline: float, wanted: type[wire.Message], number: int = 0) -> Any:
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not self._alive():
                raise ViewerGone("the viewer does not answer; is its window closed?")
            if not self._socket.poll(math.ceil(min(left, ALIVE_INTERVAL) * 1000)):
                continue
            try:
                message = wire.decode_from_receiver(self._socket.recv())
            except ForeignMessage as stranger:
                raise ViewerGone(complaint(stranger)) from stranger
            except MalformedMessage as error:
                raise ViewerGone(f"the viewer sent a {error}") from error
            if isinstance(message, wire.Refused):
                if message.again:
                    raise _Forgotten
                raise ViewerGone(f"the viewer refused: {message.reason}")
            if isinstance(message, wanted) and getattr(message, "id", 0) == number:
                return message

    def request(
        self, name: str, arguments: dict[str, Any] | None = None, *, timeout: float = 10.0
    ) -> dict[str, Any]:
        """Ask and wait for the answer.

        Raises ViewerGone if no answer comes in time, and RuntimeError with the viewer's reason if
        it cannot do what is asked.
        """
        deadline = time.monotonic() + timeout
        if not self._lock.acquire(timeout=timeout):
            raise ViewerGone("the viewer has not answered an earlier question")
        try:
            if self._context.closed:
                raise ViewerGone("the connection to the viewer is closed")
            number = next(self._numbers)
            while True:
                self._send(wire.RequestMessage(number, name, arguments or {}))
                try:
                    reply = self._receive(deadline, wire.ReplyMessage, number)
                    break
                except _Forgotten:
                    self._introduce(deadline)
        finally:
            self._lock.release()
        if reply.error:
            raise RuntimeError(f"the viewer could not do {name!r}: {reply.error}")
        result: dict[str, Any] = reply.result
        return result

    def ledger(self, *, timeout: float = 10.0) -> Ledger:
        """Return the viewer's ledger, by publisher and layer."""
        rows = self.request("ledger", timeout=timeout)["ledger"]
        return Ledger(
            {
                (name, layer): Tally(selected, shown, coalesced, Counter(dropped), pending)
                for name, layer, selected, shown, coalesced, dropped, pending in rows
            }
        )

    def sums(self, *, timeout: float = 10.0) -> tuple[Ledger, dict[str, float]]:
        """Return the viewer's ledger by layer, and the items of each that end in a second.

        Raises RuntimeError if the viewer is of a version that does not tell.
        """
        answer = self.request("sums", timeout=timeout)
        layers = msgspec.convert(answer["sums"], dict[str, Tally])
        return Ledger(layers=layers), msgspec.convert(answer["rates"], dict[str, float])

    def counts(self, *, timeout: float = 10.0) -> dict[str, Counts]:
        """Return both sides of the viewer's ledger, by publisher.

        Those that ended long ago are added up under an empty name, as the viewer's side.
        """
        answer = self.request("counts", timeout=timeout)["counts"]
        return msgspec.convert(answer, dict[str, Counts])

    def settled(self, selected: Mapping[str, int], *, timeout: float = 10.0) -> bool:
        """Return whether the viewer knows of all that was selected, and nothing is pending.

        ``selected`` counts the outputs that each publisher has selected, over all layers.
        """
        answer = self.request("settled", dict(selected), timeout=timeout)
        return bool(answer["settled"])

    def close(self) -> None:
        """Release the socket."""
        with self._lock:
            if not self._context.closed:
                if hasattr(self, "_socket") and not self._socket.closed:
                    with contextlib.suppress(ViewerGone):
                        self._send(wire.RequestMessage(next(self._numbers), "bye"))
                # Long enough for the BYE to leave; a viewer that is gone costs no more.
                self._context.destroy(linger=100)
