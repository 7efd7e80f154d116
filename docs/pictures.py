"""Make the pictures of the window, of the plate of the guide, and some in the light theme.

``examples/tools/with-screen python docs/pictures.py FOLDER``, and look at them before they replace
those in ``docs/images``. ``plate.png`` and the pictures of the examples are made by these, with
``--screenshot``.
"""

from __future__ import annotations

import re
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import napari
import numpy as np
from distributed import Client, Event, LocalCluster
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

import dask_napari as dn
from dask_napari.live._cluster_feed import ClusterFeed
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.sink import NapariSink
from dask_napari.stream import Control
from dask_napari.stream.receive import ANY_IPC, Board, Receiver
from dask_napari.viewer.app import LiveViewer

DEADLINE = 60.0

HALF = 15
"""Wells that are computed before the first picture; two of them fail."""

SMALL, LARGE = (1024, 700), (1400, 860)


def guide() -> ModuleType:
    """Return the program of the guide, under the name that its tracebacks are to have."""
    text = (Path(__file__).parent / "guide.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    module = ModuleType("plate")
    exec(compile(found[1], "plate.py", "exec"), module.__dict__)
    return module


def until(condition: Callable[[], object]) -> None:
    """Let the window work until something is so."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the window does not come to where a picture is wanted")
        QApplication.processEvents()
        time.sleep(0.01)


def settle() -> None:
    """Let the window take on sizes and themes."""
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 0.6)


def click(widget: QWidget) -> None:
    """Click a widget."""
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
    settle()


class Photographer:
    """Take pictures of a window into a folder."""

    def __init__(self, live: LiveViewer, folder: Path) -> None:
        self._live = live
        self._folder = folder
        self._window = live.viewer.window._qt_window

    def take(self, name: str, size: tuple[int, int] = SMALL, theme: str = "dark") -> None:
        """Save the window in some size and theme."""
        self._live.viewer.theme = theme
        self._window.resize(*size)
        settle()
        self.take_part(name, self._window)

    def take_part(self, name: str, widget: QWidget) -> None:
        """Save a part of the window."""
        path = self._folder / name
        widget.grab().save(str(path))
        Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


def look_at(live: LiveViewer, layer: str, well: str) -> None:
    """Click the place of a task, as a user would on the canvas."""
    from dask_napari.viewer.layers import PointedEntry

    catalogue = live.layers.catalogue
    (entry,) = (
        each
        for stream in catalogue.streams
        if stream[0] == layer
        for each in catalogue.entries(stream)
        if each.meta.at.get("well") == well
    )
    live.dock.under_cursor.show_entry(PointedEntry(entry, "", (), None))


def main(folder: Path) -> None:
    """Compute the plate, and take pictures of it."""
    folder.mkdir(parents=True, exist_ok=True)
    plate = guide()
    wells = plate.WELLS
    cluster = LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address="127.0.0.1:0")
    viewer, board = napari.Viewer(show=True), Board()
    with cluster, Client(cluster) as client, Receiver([ANY_IPC], board) as receiver:
        live = LiveViewer(viewer, receiver, board)
        viewer.window.add_dock_widget(live.dock, name="Dask live", area="right")
        camera = Photographer(live, folder)
        viewer.window._qt_window.resize(*SMALL)
        sink = NapariSink(receiver.addresses, name=f"dask-napari-{uuid.uuid4().hex[:8]}")
        sinks, control = ClusterSinks(client, sink), Control(receiver.addresses)
        sinks.register()
        feed = ClusterFeed(sinks, control, receiver.addresses)
        feed.start()
        axes = dn.mosaic("well", plate=24)
        taps = [
            dn.Tap("read", layer="stain", at="{well}", axes=axes),
            dn.Tap("segment", layer="cells", kind="labels", at="{well}", axes=axes),
        ]
        sinks.change(lambda known: known.added(taps))
        images = client.map(plate.read, wells, key=[f"read-{well}" for well in wells])
        names = [f"segment-{well}" for well in wells]
        cells = client.map(plate.segment, images[:HALF], wells[:HALF], key=names[:HALF])
        gate = Event("half", client=client)
        rest = [*zip(images[HALF:], wells[HALF:], names[HALF:], strict=True)]

        def held(image: object, well: str) -> object:
            Event("half").wait(DEADLINE)
            return plate.segment(image, well)

        cells += [client.submit(held, image, well, key=name) for image, well, name in rest]
        rows = live.dock.rows
        until(lambda: "cells" in rows.order and rows["cells"].figures.shown == HALF - 2)
        camera.take("window.png")
        live.dock.states.click()
        camera.take("under-the-cursor.png", LARGE)
        camera.take("window-light.png", LARGE, "light")
        gate.set()
        until(lambda: rows["cells"].figures.unfinished == 0 and rows["cells"].figures.failed == 5)
        live.dock.states.click()
        ((_, line),) = rows["cells"].details.failures.lines.items()
        click(line.show_place)
        rows["cells"].select()
        failed = next(iter(live.layers.catalogue.failed()))
        look_at(live, "cells", str(failed.meta.at["well"]))
        until(lambda: receiver.cluster.arguments_of(failed.meta.provenance.key))
        live.dock.refresh()
        camera.take("window-failed.png")
        camera.take("window-failed-light.png", SMALL, "light")
        live.dock.under_cursor.show_entry(None)
        more = client.map(np.mean, images, key=[f"quantify-{well}" for well in wells])
        until(lambda: "quantify" in live.dock.groups.lines)
        until(lambda: live.dock.groups.lines["quantify"].facts.text())
        click(live.dock.groups.lines["quantify"].title)
        camera.take("window-tap-whole.png")
        camera.take_part("window-tap.png", live.dock)
        del more, cells
        feed.close(2.0)
        sinks.close()
        control.close()
        live.close()
        viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else f"pictures-{uuid.uuid4().hex[:6]}"))
