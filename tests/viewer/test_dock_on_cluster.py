"""The dock by clicks, on a real cluster whose tasks fail, hang, are retried and are run again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from distributed import Client, Event, LocalCluster, wait
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from watched import Watched

import cluster_tasks as tasks
from dask_napari.stream.receive import ANY_IPC, Board, Receiver
from dask_napari.viewer.app._live_viewer import LiveViewer


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=1, threads_per_worker=4, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def live(viewer, client) -> Iterator[LiveViewer]:
    """A window that a cluster streams to, as `watch` sets it up."""
    board = Board()
    with Receiver([ANY_IPC], board) as receiver:
        live = LiveViewer(viewer, receiver, board)
        widget = viewer.window.add_dock_widget(live.dock, name="Dask live", area="right")
        with Watched(client, receiver):
            yield live
        live.close()
        viewer.window._qt_window.removeDockWidget(widget)
        live.dock.setParent(None)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        QApplication.processEvents()
        time.sleep(0.005)


def click(widget) -> None:
    until(widget.isVisible)
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


@pytest.mark.errors("fail_without|Compute Failed")
def test_tasks_are_tapped_watched_retried_and_stopped_by_clicks(client, live, tmp_path, viewer):
    dock, gate = live.dock, Event(f"gate-{uuid.uuid4().hex}", client=client)
    flags = [tmp_path / f"{well}.flag" for well in ("A01", "A02", "A03")]
    for flag in (flags[0], flags[2]):
        flag.touch()
    pictures = client.map(tasks.fail_without, flags, pure=False)
    wait(pictures)

    # Streamed by a click, though the tasks have run already.
    until(lambda: "fail_without" in dock.groups.lines)
    click(dock.groups.lines["fail_without"].title)
    form = dock.groups.form
    form.layer.selectAll()
    QTest.keyClicks(form.layer, "cells")
    QTest.keyClicks(form.at, "{well}.flag")
    click(form.start)
    until(lambda: "cells" in dock.rows.order)
    row = dock.rows["cells"]
    until(lambda: row.counts.text() == "2 / 3" and row.figures.shown == 2)
    assert row.failures.text() == "1"

    # The failed one is named, shown at its place, and runs again.
    until(lambda: row.details.failures.lines)
    ((cause, line),) = row.details.failures.lines.items()
    assert cause == f"FileNotFoundError: no {flags[1]}"
    flags[1].touch()
    click(line.retry)
    until(lambda: row.check.isVisible())
    assert row.counts.text() == "3 / 3"
    assert not row.details.failures.lines
    assert viewer.layers["cells"].data.shape[0] == 3

    # Tasks that hang are running; the stream pauses and goes on.
    dock.header.runs.begin.trigger()
    held = client.map(tasks.gated_read, [f"{n}.flag" for n in range(3)], gate=gate.name, pure=False)
    until(lambda: "gated_read" in dock.groups.lines)
    click(dock.groups.lines["gated_read"].add)
    click(dock.groups.form.start)
    until(lambda: "gated_read" in dock.rows.order)
    hanging = dock.rows["gated_read"]
    until(lambda: hanging.figures.running == 3)
    assert hanging.details.numbers.text() == "running 3"
    click(dock.header.pause)
    until(lambda: dock.header.light.accessibleName().endswith("paused"))
    gate.set()
    until(lambda: hanging.counts.text() == "3 / 3")
    assert hanging.figures.shown == 0
    click(dock.header.pause)
    until(lambda: hanging.figures.shown == 3)

    click(row.details.stop)
    until(lambda: not row.figures.is_told)
    assert [layer.name for layer in viewer.layers] == ["cells", "gated_read"]
    del held, pictures
