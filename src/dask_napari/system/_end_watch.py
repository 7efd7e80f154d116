"""The end of a viewer that is told to end, even if its window hangs."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Final, NoReturn

GRACE: Final = 1.0
"""Seconds in which a window closes by itself. Nobody is left to look at it, so one that is still
being opened, or drawn, need not be waited for."""

CLEANUP: Final = 0.5
"""Seconds for the cleanup after that: on a busy host a receiver may be deep in its messages. The
sinks sweep what it leaves then, when their connections end."""

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""Signals of a terminal, a service manager or a container's engine; some kill seconds later."""


class EndWatch:
    """End this process some seconds after it was told to end.

    It is told by its standard input, which is hung up when the process at the other end is gone,
    if ``parent`` is given; and by signals, once :meth:`heed_signals` has been called. A thread
    waits for both, so that it works before there is an event loop and while that is busy.
    ``cleanups`` are called before the end, the last first, from another thread.
    """

    def __init__(self, *, parent: bool = False) -> None:
        self.parent = parent
        self.cleanups: list[Callable[[], None]] = []
        self._told, self._wakeup = socket.socketpair()
        self._wakeup.setblocking(False)  # as signal.set_wakeup_fd asks
        thread = threading.Thread(target=self._wait, name="dask-napari-end-watch", daemon=True)
        thread.start()

    def __repr__(self) -> str:
        return f"<EndWatch{' of the parent' if self.parent else ''}>"

    def heed_signals(self, end: Callable[[], None]) -> None:
        """Call ``end`` at a signal, from the main thread, and end the process if that hangs."""
        for number in SIGNALS:
            signal.signal(number, lambda *_: end())
        # Written to from the signal itself: the main thread may be deep in a draw.
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)

    def end(self) -> NoReturn:
        """End this process after an orderly close.

        The interpreter's own end takes seconds with napari and Qt loaded, and forces itself upon
        no thread: the one of this watch cannot run then.
        """
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(0)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._told, select.POLLIN)
        if self.parent:
            poll.register(sys.stdin.fileno(), 0)  # only hang-ups and errors
        while not any(
            fd != self._told.fileno() or self._told.recv(1)[0] in SIGNALS for fd, _ in poll.poll()
        ):
            pass
        threading.Event().wait(GRACE)
        cleaning = threading.Thread(target=self._clean, daemon=True)
        cleaning.start()
        cleaning.join(CLEANUP)
        # Not by an exception or a signal: the main thread may be deep in drawing.
        os._exit(0)

    def _clean(self) -> None:
        for cleanup in reversed(self.cleanups):
            cleanup()
