"""The end of a viewer that is told to end, even if its window hangs."""

from __future__ import annotations

import atexit
import contextlib
import os
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


HUNG_UP: Final = 255
"""Byte that tells of the parent's end, where those of signals have their numbers."""


class EndWatch:
    """End this process some seconds after it was told to end.

    It is told by its standard input, which is hung up when the process at the other end is gone,
    if ``parent`` is given; and by signals, once :meth:`heed_signals` has been called. Threads
    wait for both, so that it works before there is an event loop and while that is busy.
    ``cleanups`` are called before the end, the last first, from another thread.
    """

    def __init__(self, *, parent: bool = False) -> None:
        self.parent = parent
        self.cleanups: list[Callable[[], None]] = []
        self._told, self._wakeup = socket.socketpair()
        self._wakeup.setblocking(False)  # as signal.set_wakeup_fd asks
        self._hung_up = threading.Event()
        self._at_hang_up: Callable[[], None] | None = None
        targets = (self._wait, self._listen) if parent else (self._wait,)
        for target in targets:
            threading.Thread(target=target, name="dask-napari-end-watch", daemon=True).start()

    def __repr__(self) -> str:
        return f"<EndWatch{' of the parent' if self.parent else ''}>"

    def heed_signals(self, end: Callable[[], None]) -> None:
        """Call ``end`` at a signal, from the main thread, and end the process if that hangs."""
        for number in SIGNALS:
            signal.signal(number, lambda *_: end())
        # Written to from the signal itself: the main thread may be deep in a draw.
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)

    def heed_parent(self, end: Callable[[], None]) -> None:
        """Call ``end`` when standard input is hung up, from a thread of this watch."""
        self._at_hang_up = end
        if self._hung_up.is_set():
            end()

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
        while self._told.recv(1)[0] not in (*SIGNALS, HUNG_UP):
            pass
        threading.Event().wait(GRACE)
        cleaning = threading.Thread(target=self._clean, daemon=True)
        cleaning.start()
        cleaning.join(CLEANUP)
        # Not by an exception or a signal: the main thread may be deep in drawing.
        os._exit(0)

    def _listen(self) -> None:
        # No poll: Windows has it for sockets alone.
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        self._hung_up.set()
        self._wakeup.send(bytes([HUNG_UP]))
        if self._at_hang_up is not None:
            self._at_hang_up()

    def _clean(self) -> None:
        for cleanup in reversed(self.cleanups):
            cleanup()
