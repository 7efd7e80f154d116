"""The end of a viewer with the process that started it, even if its window hangs."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Final

GRACE: Final = 1.0
"""Seconds in which a window closes by itself. Nobody is left to look at it, so one that is still
being opened, or drawn, need not be waited for."""

CLEANUP: Final = 0.5
"""Seconds for the cleanup after that: on a busy host a receiver may be deep in its messages. The
sinks sweep what it leaves then, when their connections end."""


class ParentWatch:
    """End this process some seconds after its standard input has been hung up.

    A thread does it, so that it works before there is an event loop and while that is busy.
    ``cleanup`` is called before the end, from that thread.
    """

    def __init__(self) -> None:
        self.cleanup: Callable[[], None] | None = None
        thread = threading.Thread(target=self._wait, name="dask-napari-parent-watch", daemon=True)
        thread.start()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(sys.stdin.fileno(), 0)  # only hang-ups and errors
        poll.poll()
        threading.Event().wait(GRACE)
        if self.cleanup is not None:
            cleaning = threading.Thread(target=self.cleanup, daemon=True)
            cleaning.start()
            cleaning.join(CLEANUP)
        # Not by an exception or a signal: the main thread may be deep in drawing.
        os._exit(0)
