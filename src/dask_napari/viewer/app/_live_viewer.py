"""A napari viewer with everything that makes it live, and the requests of clients."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import imageio.v3 as iio
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from dask_napari.model import Item
from dask_napari.viewer.app._clicks import Clicks
from dask_napari.viewer.app._data_requests import DataRequests
from dask_napari.viewer.app._item_files import write_item
from dask_napari.viewer.app._place_view import show_place
from dask_napari.viewer.app._pump import Pump
from dask_napari.viewer.app._sliders import Sliders
from dask_napari.viewer.dock import LiveDock
from dask_napari.viewer.layers import Layers
from dask_napari.viewer.napari_internals import show_status_plainly
from dask_napari.viewer.storage import BlockStore

if TYPE_CHECKING:
    import napari

    from dask_napari.stream.receive import Board, Receiver, Request


logger = logging.getLogger(__name__)

REQUEST_INTERVAL_MS = 50
"""Milliseconds between looks for requests; a screenshot takes longer."""

BUSY_INTERVAL_MS = 3
"""Milliseconds to the next look after a request: a client that reads data asks at once."""

LIVE: weakref.WeakSet[LiveViewer] = weakref.WeakSet()
"""Live viewers of this process: napari hands names of layers to writers, not layers."""


def live_items(name: str, kind: str) -> Iterator[Item] | None:
    """Return all items behind a napari layer, None if none of the viewers shows it."""
    found = (live.layers.items_of(name, kind) for live in LIVE)
    return next((items for items in found if items is not None), None)


class LiveViewer:
    """Show in a napari viewer what a receiver gets and puts on its board.

    The caller starts and closes the receiver. Layers of the user's own stay as they are; without
    a store, all pictures stay in memory.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        receiver: Receiver,
        board: Board,
        store: BlockStore | None = None,
    ) -> None:
        self.viewer = viewer
        self.receiver = receiver
        self.layers: Layers = Layers(viewer, store)
        self.sliders: Sliders = Sliders(viewer, self.layers)
        self.pump: Pump = Pump(receiver, board, self.layers, self.sliders)
        self.dock: LiveDock = LiveDock(receiver, self.layers)
        show_status_plainly(viewer)
        self.dock.follow.setChecked(self.sliders.following)
        self.dock.follow.toggled.connect(self.sliders.follow)
        self.sliders.following_changed.connect(self.dock.follow.setChecked)
        self.dock.place_wanted.connect(partial(show_place, viewer, self.layers, self.sliders))
        self.clicks: Clicks = Clicks(viewer, self.layers, self.dock.under_cursor.show_entry)
        self.dock.under_cursor.save_wanted.connect(self._save)
        self._data = DataRequests(self.layers)
        LIVE.add(self)
        self._serving = False
        self._requests = QTimer()
        self._requests.setInterval(REQUEST_INTERVAL_MS)
        self._requests.timeout.connect(self._serve)
        self._requests.start()
        self.pump.start()

    def __repr__(self) -> str:
        return f"<LiveViewer of {self.receiver}: {self.layers}>"

    def _serve(self) -> None:
        if self._serving:
            return  # called by the event loop while a screenshot lets it run
        self._serving = True
        try:
            busy = not self.receiver.requests.empty()
            while not self.receiver.requests.empty():
                self._answer(self.receiver.requests.get())
            self._requests.setInterval(BUSY_INTERVAL_MS if busy else REQUEST_INTERVAL_MS)
        finally:
            self._serving = False

    def _answer(self, request: Request) -> None:
        try:
            if request.name == "screenshot":
                request.reply({"png": self.screenshot()})
            elif request.name == "new-run":
                request.reply({"run": self.receiver.begin_run()})
            elif request.name == "quit":
                request.reply()
                self.end()
            elif answer := self._data.answers.get(request.name):
                request.reply(answer(request.arguments))
            else:
                request.fail(f"unknown request {request.name!r}")
        except ValueError as error:
            request.fail(str(error))
        except Exception as error:
            logger.exception("request %r", request.name)
            request.fail(str(error))

    def _save(self, item: Item, path: str) -> None:
        try:
            write_item(item, path)
        except (OSError, ValueError, MemoryError) as error:
            self.layers.reports.error(f"{path} is not written", error, layer=item.layer)

    def screenshot(self) -> bytes:
        """Return the window with all that has arrived, as a PNG file."""
        self.pump.drain()
        self.dock.refresh()
        QApplication.processEvents()
        picture = self.viewer.window.screenshot(flash=False)
        png: bytes = iio.imwrite("<bytes>", picture, extension=".png")
        return png

    def end(self) -> None:
        """Close the window, between two ticks: a layer cannot be made in one that is closed."""
        if self.pump.ticking:
            QTimer.singleShot(REQUEST_INTERVAL_MS, self.end)
        else:
            self.pump.stop()
            self.viewer.close()

    def close(self) -> None:
        """Stop the timers; layers and window stay."""
        LIVE.discard(self)
        self.pump.stop()
        self._requests.stop()
        self.sliders.close()
        self.clicks.close()
        self.layers.close()
