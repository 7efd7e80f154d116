"""The viewer as a program: napari, a receiver, and what links them to whoever started them."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Sequence

import napari
from qtpy.QtCore import QObject, QTimer, Signal

from dask_napari.stream.auth import Security
from dask_napari.stream.receive import Receiver
from dask_napari.stream.shm import janitor
from dask_napari.system import EndWatch, process_limits
from dask_napari.viewer.app._live_viewer import LiveViewer
from dask_napari.viewer.screen_check import check_screen
from dask_napari.viewer.storage import board_and_store

WINDOW_SIZE = (1400, 860)
"""Pixels; fits the smallest screens of today, and shows names and counts in full."""


def run(
    listen: Sequence[str],
    *,
    security: Security | None = None,
    insecure: bool = False,
    title: str = "Dask live",
    memory: int | None = None,
    end_watch: EndWatch | None = None,
    on_ready: Callable[[Receiver], None] | None = None,
) -> None:
    """Open a viewer and show what arrives at some addresses until its window is closed.

    ``memory`` limits the bytes of pictures in memory. ``end_watch`` ends a viewer that hangs when
    it is told to end. ``on_ready`` is called with the receiver when it listens and the window is
    there. Raises NoScreen if no window can open, and ValueError or OSError if the addresses cannot
    be listened on.
    """
    check_screen()
    end_watch = end_watch or EndWatch()
    janitor.sweep()
    process_limits.raise_descriptor_limit()
    board, store = board_and_store(memory)
    receiver = Receiver(listen, board, security=security, insecure=insecure)
    receiver.start()
    end_watch.cleanups.append(receiver.close)
    try:
        viewer = napari.Viewer(title=title)
        viewer.window.resize(*WINDOW_SIZE)
        live = LiveViewer(viewer, receiver, board, store)
        viewer.window.add_dock_widget(live.dock, name="Dask live", area="right")

        # Python runs signal handlers only between bytecodes, of which an idle event loop has
        # none: the pump's timer provides them.
        # And the window is closed from the event loop, since a handler may run in the middle of
        # a tick or a draw.
        def heed_signals() -> None:
            end_watch.heed_signals(lambda: QTimer.singleShot(0, live.end))

        heed_signals()
        QTimer.singleShot(0, heed_signals)  # napari.run takes SIGINT and the wake-up for itself
        parent = _Parent()
        parent.ended.connect(live.end)
        end_watch.heed_parent(parent.ended.emit)
        if on_ready is not None:
            QTimer.singleShot(0, lambda: on_ready(receiver))
        # napari collects garbage whenever layers go. Half a million objects of the libraries are
        # none, and looking through them would freeze the window for a quarter of a second.
        gc.freeze()
        napari.run()
        live.close()
    finally:
        receiver.close()


class _Parent(QObject):
    """Whoever started this program; the signal comes from another thread."""

    ended = Signal()


def announce(descriptor: int) -> Callable[[Receiver], None]:
    """Write one line of JSON with the addresses to a file descriptor, and close it."""

    def ready(receiver: Receiver) -> None:
        line = json.dumps({"addresses": receiver.addresses, "pid": os.getpid()})
        os.write(descriptor, line.encode() + b"\n")
        os.close(descriptor)

    return ready
