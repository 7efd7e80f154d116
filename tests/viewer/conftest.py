"""A window, and a viewer on a board of the test's own."""

from __future__ import annotations

import gc
import queue
from collections.abc import Iterator

import napari
import numpy as np
import pytest
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication
from vispy.app.canvas import MouseEvent

from dask_napari.model import Item, LayerSpec, Ledger, Report
from dask_napari.stream.receive import Board, ClusterLink, PeerInfo, Request
from dask_napari.viewer.app._live_viewer import LiveViewer
from headless import eventually


class Source:
    """What the viewer asks of a receiver, without sockets."""

    def __init__(self) -> None:
        self.board = Board()
        self.specs: dict[str, LayerSpec] = {}
        self.requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self.addresses = ("tcp://127.0.0.1:5577",)
        self.found: list[PeerInfo] = []
        self.totals: dict[str, int] = {}
        self.errors: list[tuple[str, Report]] = []
        self.silent: list[str] = []
        self.cluster = ClusterLink()

    def layers(self) -> dict[str, LayerSpec]:
        return self.specs

    def ledger(self) -> Ledger:
        return Ledger(self.board.tallies())

    def sums(self) -> Ledger:
        return Ledger(layers=self.board.sums())

    def peers(self) -> list[PeerInfo]:
        return self.found

    def reports(self) -> list[tuple[str, Report]]:
        return self.errors

    def unmatched(self) -> list[str]:
        return self.silent

    def known(self) -> dict[str, int]:
        return self.totals


WINDOW_SIZE = 1200, 800
"""Pixels, on the screen of 1400 x 900 that the suite starts."""


@pytest.fixture(scope="session")
def window() -> Iterator[napari.Viewer]:
    viewer = napari.Viewer()
    viewer.window._qt_window.resize(*WINDOW_SIZE)
    # napari collects garbage whenever a layer goes; all that the suite has imported is none.
    gc.freeze()
    yield viewer
    gc.unfreeze()
    viewer.close()


@pytest.fixture
def viewer(window) -> Iterator[napari.Viewer]:
    # Docks of other tests, and these tests themselves, make the window or its canvas smaller.
    window.window._qt_window.resize(*WINDOW_SIZE)
    yield window
    window.layers.clear()
    window.dims.ndim = 2
    window.dims.ndisplay = 2
    QApplication.processEvents()
    # Without an event loop, widgets that were to be deleted stay, and napari looks at all of them.
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def live(viewer, source) -> Iterator[LiveViewer]:
    live = LiveViewer(viewer, source, source.board)
    live.pump.stop()  # ticks are the test's own, so that nothing depends on time
    yield live
    live.close()
    live.dock.close()


class Mouse:
    """The mouse on the canvas; places are y and x in the world."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self.viewer = viewer
        self.canvas = viewer.window._qt_viewer.canvas

    def pixel(self, place: tuple[float, ...]) -> tuple[float, float]:
        """Return x and y on the canvas."""
        camera, native = self.viewer.scene.camera, self.canvas.native
        middle = np.array([native.height(), native.width()]) / 2
        y, x = (np.array(place) - camera.center[-2:]) * camera.zoom + middle
        return x, y

    def _send(self, kind: str, place: tuple[float, ...], button: int | None, press=None):
        event = MouseEvent(
            kind, self.pixel(place), button, () if button is None else (button,), press_event=press
        )
        getattr(self.canvas._scene_canvas.events, kind)(event)
        return event

    def move(self, *place: float) -> None:
        """Move without a button."""
        QApplication.processEvents()
        self._send("mouse_move", place, None)
        # napari takes a move up to 5 ms later
        eventually(lambda: QApplication.processEvents() or self._is_at(place))

    def _is_at(self, place: tuple[float, ...]) -> bool:
        return bool(np.abs(np.array(self.viewer.cursor.position[-2:]) - place).max() < 0.5)

    def click(self, *place: float, to: tuple[float, ...] = ()) -> None:
        """Press and release the left button, somewhere else if it is dragged."""
        QApplication.processEvents()
        press = self._send("mouse_press", place, 1)
        self._send("mouse_release", to or place, 1, press)
        QApplication.processEvents()


@pytest.fixture
def mouse(viewer) -> Mouse:
    return Mouse(viewer)


@pytest.fixture
def put(live, source):
    """Show items, all of them, at once."""

    def put(*items: Item) -> None:
        for each in items:
            source.board.put(each)
        live.pump.drain()

    return put
