"""napari's menu *Plugins > Dask live*: a receiver in a napari that runs already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from dask_napari import config
from dask_napari.stream.receive import ANY_IPC, Receiver
from dask_napari.viewer.app._attach_bar import AttachBar
from dask_napari.viewer.app._live_viewer import LiveViewer
from dask_napari.viewer.napari_internals import unwrapped
from dask_napari.viewer.storage import board_and_store

if TYPE_CHECKING:
    import napari


class LiveWidget(QWidget):  # type: ignore[misc]
    """Listen on this host, and attach the cluster whose scheduler the user names.

    Sinks of the same user on this host find the keys themselves, and those of the cluster get
    them over Dask's own connections; others are kept out. For workers on other hosts, it listens
    where they reach this one, or where the user says.

    A class, because napari looks for the viewer among the parameters of ``__init__``.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        board, store = board_and_store(config.get_memory())
        receiver = Receiver([ANY_IPC, "tcp://127.0.0.1:*"], board)
        receiver.start()
        live = LiveViewer(unwrapped(napari_viewer), receiver, board, store)
        self.receiver: Receiver = receiver
        self.attach_bar: AttachBar = AttachBar(receiver)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.attach_bar)
        layout.addWidget(live.dock)
        leave = self.attach_bar.close_attachment

        def close() -> None:
            leave()
            live.close()
            receiver.close()

        # Not a method: when the signal comes, the widget is no more.
        self.destroyed.connect(close)
