"""The viewer's program without napari, for tests of everything around the window.

``sitecustomize`` has a viewer's process load it as ``dask_napari.viewer.app`` where the environment
says so; napari takes seconds. All else in the process is the viewer's own: arguments, keys,
receiver, board, and how it ends.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Sequence

from dask_napari.stream.auth import Security
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.shm import janitor
from dask_napari.system import EndWatch


def announce(descriptor: int) -> Callable[[Receiver], None]:
    def ready(receiver: Receiver) -> None:
        line = json.dumps({"addresses": receiver.addresses, "pid": os.getpid()})
        os.write(descriptor, line.encode() + b"\n")
        os.close(descriptor)

    return ready


def run(
    listen: Sequence[str],
    *,
    security: Security | None,
    insecure: bool,
    end_watch: EndWatch,
    on_ready: Callable[[Receiver], None],
    **window: object,
) -> None:
    """Count what arrives as shown, until the process that started this one ends or says so."""
    janitor.sweep()
    end = threading.Event()
    board = Board()
    with Receiver(listen, board, security=security, insecure=insecure) as receiver:
        end_watch.cleanups.append(receiver.close)
        end_watch.heed_signals(end.set)
        end_watch.heed_parent(end.set)
        on_ready(receiver)
        while not end.is_set():
            if board.wait(0.02):
                board.shown(board.take())
            try:
                request = receiver.requests.get_nowait()
            except queue.Empty:
                continue
            if request.name == "new-run":
                request.reply({"run": receiver.begin_run()})
            else:
                request.fail(f"there is no window to answer {request.name!r}")
