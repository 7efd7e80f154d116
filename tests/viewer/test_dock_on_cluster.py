"""The dock by clicks, on a real cluster whose tasks fail, hang, are retried and are run again."""

from __future__ import annotations

import threading
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
from dask_napari.live._user_commands import UserCommands
from dask_napari.model import Command
from dask_napari.stream.receive import ANY_IPC, Board, Receiver
from dask_napari.viewer.app._live_viewer import LiveViewer
from dask_napari.viewer.layers import PointedEntry


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
    until(lambda: dock.header.light.accessibleName().startswith("paused"))
    gate.set()
    until(lambda: hanging.counts.text() == "3 / 3")
    assert hanging.figures.shown == 0
    click(dock.header.pause)
    until(lambda: hanging.figures.shown == 3)

    click(row.details.stop)
    until(lambda: not row.figures.is_told)
    assert [layer.name for layer in viewer.layers] == ["cells", "gated_read"]
    del held, pictures


def show_task(live: LiveViewer, layer: str, **position: object) -> None:
    """Show the panel of a place, as a click into it does."""
    catalogue = live.layers.catalogue
    entries = [e for s in catalogue.streams if s[0] == layer for e in catalogue.entries(s)]
    (entry,) = (
        e for e in entries if e.meta.at == position and e.run == catalogue.newest_run(layer)
    )
    live.dock.under_cursor.show_entry(PointedEntry(entry))


def test_a_click_shows_the_arguments_of_a_task_on_the_cluster(client, live):
    link = live.receiver.cluster
    until(lambda: link.attached)
    link.command(Command("tap", {"select": "frame_of", "layer": "raw", "at": "{well}.tif"}))
    future = client.submit(tasks.frame_of, "/data/A01.tif", n=7, pure=False)
    until(lambda: live.layers.catalogue.count("raw", "shown") == 1)
    show_task(live, "raw", well="A01")
    panel = live.dock.under_cursor
    until(lambda: panel.arguments.text() == "arguments: '/data/A01.tif', n=7")
    click(panel.close_panel)
    assert panel.isHidden()
    del future


@pytest.mark.errors("fail_without|Compute Failed")
def test_a_task_is_retried_from_its_panel_and_fails_once_more(client, live, tmp_path):
    flag, link = tmp_path / "A01.flag", live.receiver.cluster
    until(lambda: link.attached)
    link.command(Command("tap", {"select": "fail_without", "layer": "wells", "at": "{well}.flag"}))
    future = client.submit(tasks.fail_without, flag, pure=False)
    until(lambda: live.layers.catalogue.failed())
    show_task(live, "wells", well="A01")
    panel = live.dock.under_cursor

    def attempt() -> int:
        (entry,) = live.layers.catalogue.failed() or [panel.entry]
        status = live.layers.catalogue.status(entry)
        return (status or entry).meta.provenance.run_id if status or entry else 0

    first = attempt()
    assert first > 0
    until(panel.retry.isEnabled)
    click(panel.retry)
    until(lambda: attempt() > first and panel.state.text().startswith("failed: FileNotFound"))
    flag.touch()
    until(panel.retry.isEnabled)
    click(panel.retry)
    until(lambda: live.layers.catalogue.count("wells", "shown") == 1)
    until(lambda: live.dock.rows["wells"].check.isVisible())
    until(lambda: panel.state.isHidden())
    del future


def test_a_computation_that_is_run_again_is_a_run_of_its_own(client, live):
    link, rows = live.receiver.cluster, live.dock.rows
    until(lambda: link.attached)
    link.command(Command("tap", {"select": "frame", "layer": "again", "at": "{n:d}"}))
    first = [client.submit(tasks.frame, n, key=f"frame-{n}") for n in range(3)]
    until(lambda: "again" in rows.order and rows["again"].figures.shown == 3)
    live.dock.header.runs.begin.trigger()
    client.cancel(first)
    until(lambda: not client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.tasks))
    second = [client.submit(tasks.frame, n, key=f"frame-{n}") for n in range(2)]
    until(lambda: rows["again"].figures.shown == 2)
    show_task(live, "again", n=1)
    assert "run 2" in live.dock.under_cursor.task.text()
    del second


def test_a_command_that_hangs_holds_up_neither_the_window_nor_the_news(client, live, monkeypatch):
    """The cluster does not answer a command; the dock hears of tasks all the same."""
    gate, link = threading.Event(), live.receiver.cluster
    monkeypatch.setattr(UserCommands, "_pause", lambda self: gate.wait(60))
    until(lambda: link.attached)
    click(live.dock.header.pause)
    futures = client.map(abs, range(4), pure=False)
    until(lambda: "abs" in live.dock.groups.lines)
    assert link.attached
    assert not gate.is_set()
    gate.set()
    del futures
