"""The publisher's socket: messages out, messages in, and when there were any."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import zmq

from dask_napari.stream.auth import Security
from dask_napari.stream.wire import ForeignMessage, MalformedMessage, complaint, keep_alive
from dask_napari.stream.wire import messages as wire


class ConnectionLost(Exception):
    """End of a connection; ``final`` if only people can mend the reason."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class PublisherSocket:
    """DEALER socket to one receiver, used by one thread.

    ``heard`` and ``spoke`` are on the monotonic clock; ``ended`` also holds for what never was a
    receiver.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], address: str, security: Security | None
    ) -> None:
        self.address = address
        self._socket = context.socket(zmq.DEALER)
        # Credit bounds what is queued, so ZeroMQ's own limit would only add a way to block.
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.setsockopt(zmq.LINGER, 0)
        keep_alive(self._socket)
        if security is not None:
            security.secure_client(self._socket, address)
        # Tells at once that the receiver ended; its silence alone would tell after seconds.
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._socket.connect(address)
        self.heard = self.spoke = time.monotonic()
        self.ended = False

    def __repr__(self) -> str:
        return f"<PublisherSocket to {self.address}{': ended' if self.ended else ''}>"

    def register(self, poller: zmq.Poller) -> None:
        """Have a poller wait for messages, and for the end."""
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)

    def send(self, message: wire.Message, *frames: npt.NDArray[np.uint8]) -> int:
        """Send a message, never waiting; return the bytes of its header.

        Frames must not change until they are sent.
        """
        self.spoke = time.monotonic()
        header = wire.encode(message)
        self._socket.send(header, zmq.NOBLOCK | (zmq.SNDMORE if frames else 0))
        for index, frame in enumerate(frames, 1):
            more = zmq.SNDMORE if index < len(frames) else 0
            self._socket.send(frame, zmq.NOBLOCK | more, copy=False)  # type: ignore[call-overload]
        return len(header)

    def receive(self) -> Iterator[wire.FromReceiver]:
        """Give all messages that have come. Raises :class:`ConnectionLost` if one is foreign."""
        ended = self._monitor.poll(0)  # looked at before the last messages are read
        while True:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self.heard = time.monotonic()
            try:
                message = wire.decode_from_receiver(frames[0])
            except ForeignMessage as stranger:
                raise ConnectionLost(
                    f"{self.address}: {complaint(stranger)}", final=True
                ) from stranger
            except MalformedMessage as error:
                raise ConnectionLost(f"{self.address} sent a {error}", final=True) from error
            yield message
        self.ended = bool(ended)

    def close(self) -> None:
        """Close the socket."""
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)
