"""napari's menu entry: a receiver in a napari that runs already."""

from __future__ import annotations

import threading
import time

import napari
import numpy as np
from distributed import LocalCluster
from qtpy.QtWidgets import QApplication

from dask_napari.model import Item
from dask_napari.stream.send import Publisher


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        QApplication.processEvents()


def receiving() -> bool:
    return any(thread.name == "dask-napari-receiver" for thread in threading.enumerate())


def test_the_widget_listens_shows_what_comes_and_ends_with_the_window():
    viewer = napari.Viewer(show=False)
    _, dock = viewer.window.add_plugin_dock_widget("dask-napari", "Dask live")
    receiver = dock.receiver
    del dock
    with Publisher(receiver.addresses, name="me") as publisher:
        publisher.put(Item("stack", "image", np.ones((4, 16, 16), "u1"), {"t": 0}))
        until(lambda: "stack" in viewer.layers)
        viewer.dims.ndisplay = 3
        publisher.put(Item("stack", "image", np.full((4, 16, 16), 2, "u1"), {"t": 1}))
        until(lambda: receiver.ledger().total.shown == 2)
    viewer.close()
    until(lambda: not receiving())


def test_a_scheduler_is_attached_by_its_address():
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        viewer = napari.Viewer(show=False)
        _, widget = viewer.window.add_plugin_dock_widget("dask-napari", "Dask live")
        bar = widget.attach_bar
        bar.address.setText("127.0.0.1:1")
        bar.connect_timeout = 0.5
        bar.button.click()
        until(lambda: "127.0.0.1:1" in bar.state.text())
        bar.connect_timeout = 30
        bar.address.setText(cluster.scheduler_address)
        bar.button.click()
        until(lambda: widget.receiver.cluster.attached)
        until(lambda: not bar.address.isEnabled())
        bar.button.click()
        until(bar.address.isEnabled)
        viewer.close()
        until(lambda: not receiving())
