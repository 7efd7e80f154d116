"""napari's menu *Plugins > Dask live*: a receiver in a napari that runs already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dask_napari.stream.board import Board
from dask_napari.stream.receiver import ANY_IPC, Receiver
from dask_napari.viewer.live_viewer import LiveViewer

if TYPE_CHECKING:
    import napari

    from dask_napari.viewer.dock import LiveDock


def live_widget(viewer: napari.viewer.Viewer) -> LiveDock:
    """Listen on this host, and show the addresses for ``NapariSink`` in the widget."""
    board = Board()
    receiver = Receiver([ANY_IPC, "tcp://127.0.0.1:*"], board)
    receiver.start()
    live = LiveViewer(viewer, receiver, board)

    def close() -> None:
        live.close()
        receiver.close()

    live.dock.destroyed.connect(close)
    viewer.window._qt_window.destroyed.connect(close)
    return live.dock
