"""Wake a thread that polls ZeroMQ sockets, from any other thread."""

from __future__ import annotations

import contextlib
import socket


class Wakeup:
    """Flag with a file descriptor that a :class:`zmq.Poller` can watch.

    A ZeroMQ inproc pair would do too, but its sockets must not be used from several threads,
    and items are put from the event loop as well as from task threads.
    """

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)

    def fileno(self) -> int:
        """Return the file descriptor that is readable while the flag is set."""
        return self._read.fileno()

    def set(self) -> None:
        """Set the flag; never blocks, also after :meth:`close`."""
        # BlockingIOError: the pipe is full, so the sleeper is awake; OSError: it has ended.
        with contextlib.suppress(OSError):
            self._write.send(b"\0")

    def clear(self) -> None:
        """Clear the flag."""
        with contextlib.suppress(OSError):
            while self._read.recv(4096):
                pass

    def close(self) -> None:
        """Release the descriptors."""
        self._read.close()
        self._write.close()
