"""The handshake of a connection: HELLO, WELCOME, and OFFER and PROBE of an arena."""

from __future__ import annotations

import socket as host
from dataclasses import dataclass

from dask_napari._version import __version__
from dask_napari.stream.send._options import PublisherOptions
from dask_napari.stream.send._publisher_socket import ConnectionLost, PublisherSocket
from dask_napari.stream.shm import Arena, ArenaError
from dask_napari.stream.wire import complaint
from dask_napari.stream.wire import messages as wire


@dataclass(frozen=True, slots=True)
class Agreement:
    """Terms on which a receiver takes batches."""

    welcome: wire.Welcome
    arena: Arena | None = None
    """The shared memory, if both ends see it."""
    inline_because: str = ""
    """Why there is no shared memory although it was asked for."""
    elsewhere: bool = False
    """Whether the receiver cannot see the shared memory of this host, which is a normal case."""


class Handshake:
    """Introduce a publisher to a receiver and find out whether they share memory."""

    def __init__(self, socket: PublisherSocket, options: PublisherOptions) -> None:
        self._socket = socket
        self._options = options
        self._welcome: wire.Welcome | None = None
        self._arena: Arena | None = None
        token = options.security.token if options.security else ""
        socket.send(
            wire.Hello(
                wire.WIRE_VERSION,
                __version__,
                "publisher",
                options.name,
                token,
                host.gethostname(),
                options.group,
            )
        )

    def __repr__(self) -> str:
        return f"<Handshake with {self._socket.address}: {'OFFER' if self._welcome else 'HELLO'}>"

    @property
    def epoch(self) -> int:
        """Number of the connection at the receiver; 0 until it has answered."""
        return self._welcome.epoch if self._welcome else 0

    def receive(self, message: wire.Welcome | wire.Probe) -> Agreement | None:
        """Handle an answer; return the terms once both ends know them.

        Raises :class:`ConnectionLost` if the receiver speaks another wire, or if shared memory is
        a must and cannot be had.
        """
        if isinstance(message, wire.Probe):
            return self._finish(message) if self._arena and message.epoch == self.epoch else None
        if self._welcome is not None:
            return None
        if message.wire != wire.WIRE_VERSION:
            raise ConnectionLost(f"{self._socket.address}: {complaint(message)}", final=True)
        self._welcome = message
        if self._options.transport == "inline":
            return Agreement(message)
        try:
            self._arena = self._create_arena(message)
        except (ArenaError, OSError, ValueError) as error:
            return self._go_inline(str(error))
        self._socket.send(wire.Offer(self.epoch, self._arena.name, self._arena.size))
        return None

    def _create_arena(self, welcome: wire.Welcome) -> Arena:
        name = self._options.name
        owner = "".join(c if c.isascii() and c.isalnum() else "-" for c in name)[-40:]
        nbytes = self._options.arena_bytes
        return Arena.create(owner, min(nbytes, welcome.arena) if welcome.arena else nbytes)

    def _finish(self, probe: wire.Probe) -> Agreement:
        assert self._welcome is not None
        assert self._arena is not None
        # The name has served: from here on a SIGKILL leaves nothing behind.
        self._arena.unlink()
        if probe.token == self._arena.token:
            arena, self._arena = self._arena, None
            return Agreement(self._welcome, arena)
        self.close()
        reason = probe.error or "the receiver is on another host or in another container"
        return self._go_inline(reason, elsewhere=True)

    def _go_inline(self, reason: str, elsewhere: bool = False) -> Agreement:
        assert self._welcome is not None
        if self._options.transport == "shared-memory":
            raise ConnectionLost(
                f"transport 'shared-memory' is not possible with {self._socket.address}: {reason}; "
                "use transport='auto'",
                final=True,
            )
        return Agreement(self._welcome, inline_because=reason, elsewhere=elsewhere)

    def close(self) -> None:
        """Give up the arena that was offered and not agreed on."""
        if self._arena is not None:
            self._arena.close()
            self._arena = None
