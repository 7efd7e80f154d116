"""napari's menu entry: a receiver in a napari that runs already."""

from __future__ import annotations

import threading
import time

import napari
import numpy as np
import pytest
from distributed import LocalCluster
from qtpy.QtWidgets import QApplication

from dask_napari.model import Item
from dask_napari.stream import Control, ViewerGone
from dask_napari.stream.auth import Security
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
        bar.listen.setText("tcp://127.0.0.1")
        bar.button.click()
        until(lambda: "is not tcp://host:port" in bar.state.text())
        before = widget.receiver.addresses
        for listen in ("tcp://0.0.0.0:*", ""):
            bar.listen.setText(listen)
            bar.button.click()
            until(lambda: not bar.address.isEnabled())
            until(lambda: widget.receiver.cluster.attached)
            bar.button.click()
            until(bar.address.isEnabled)
        # Once at an address of the user's, and without one where it did already.
        (more,) = set(widget.receiver.addresses) - set(before)
        assert more.startswith("tcp://0.0.0.0:")
        with pytest.raises(ViewerGone):
            Control([more.replace("0.0.0.0", "127.0.0.1")], security=Security.generate(), timeout=1)
        viewer.close()
        until(lambda: not receiving())
