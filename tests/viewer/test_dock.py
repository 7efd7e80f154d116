"""The dock as a control room: what it shows of taps and tasks, and what a click does."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from napari.settings import get_settings
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QToolButton

from dask_napari.model import Item, ItemMeta, LayerSpec, Provenance, Report, TaskStatus
from dask_napari.viewer.dock._dock_colours import DockColours, contrast
from headless import eventually

TIMES = "\N{MULTIPLICATION SIGN}"
SCHEDULER = "tcp://10.0.0.1:8786"


def image(layer: str = "cells", kind: str = "labels", **position) -> Item:
    key = f"segment-{'-'.join(map(str, position.values()))}"
    return Item(layer, kind, np.ones((8, 8), "u1"), position, Provenance(key))


def tap(layer: str, *counts: int, select: str = "", kind: str = "", groups: tuple[str, ...] = ()):
    """Progress of a tap: tasks that wait, run, are computed and have failed."""
    found = {"layer": layer, "select": select, "kind": kind, "counts": counts}
    return {**found, "groups": groups or ((select,) if any(counts) else ())}


def group(name: str, *counts: int, **facts: Any) -> dict[str, Any]:
    return {"name": name, "counts": counts, **facts}


@pytest.fixture
def docked(viewer, live):
    """The dock in the window, as a user has it."""
    widget = viewer.window.add_dock_widget(live.dock, name="Dask live", area="right")
    viewer.window._qt_window.resize(1024, 700)
    QApplication.processEvents()
    yield live.dock
    viewer.window._qt_window.removeDockWidget(widget)
    live.dock.setParent(None)
    QApplication.processEvents()


@pytest.fixture
def tell(docked, source):
    """Tell the state of a cluster as a client does, and look; returns the commands."""

    def tell(taps=(), groups=(), **state) -> list[dict[str, Any]]:
        cluster = {"scheduler": SCHEDULER, "workers": 2, "taps": taps, "groups": groups, **state}
        commands = source.cluster.hear({"cluster": cluster})
        docked.refresh()
        QApplication.processEvents()
        return commands

    return tell


def click(widget) -> None:
    QApplication.processEvents()
    assert widget.isVisible(), widget
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def test_a_row_is_there_as_soon_as_the_tap_is(docked, tell):
    tell([tap("cells", 288, 0, 0, 0, select="segment", kind="labels")])
    row = docked.rows["cells"]
    assert row.title.text() == "segment → cells (labels)"
    assert (row.counts.text(), row.speed.text()) == ("0 / 288", "waiting")
    assert docked.header.state.text() == "2 workers · 10.0.0.1:8786"
    assert docked.header.progress.text().startswith("0 / 288 tasks")


def test_tasks_are_counted_and_drawn_apart(docked, tell, put):
    put(*(image(well=n) for n in range(3)))
    tell([tap("cells", 5, 2, 4, 1, select="segment")])
    row = docked.rows["cells"]
    assert row.counts.text() == "4 / 12"
    assert row.details.numbers.text() == "shown 3 · running 2 · waiting 5 · failed 1"
    assert row.bar.segments == [("shown", 3), ("done", 1), ("running", 2), ("failed", 1)]
    assert row.bar.accessibleDescription() == "shown 3, running 2, waiting 5, failed 1"
    assert row.failures.isVisible()
    assert not row.check.isVisible()
    picture = row.bar.grab().toImage()
    colours = {picture.pixelColor(x, 2).name() for x in range(picture.width())}
    assert len(colours) >= 5, "each part has its own colour"


def test_a_row_is_complete_when_all_is_shown(docked, tell, put):
    put(image(well=1), image(well=2))
    tell([tap("cells", 0, 0, 2, 0, select="segment")])
    assert docked.rows["cells"].check.isVisible()
    assert docked.rows["cells"].speed.text() == ""


def test_a_tap_that_matches_nothing_offers_what_runs(docked, tell):
    running = [group("read", 0, 0, 9, 0), group("segment", 3, 2, 1, 0)]
    tell([tap("mask", select="segmnt", kind="labels")], running)
    details = docked.rows["mask"].details
    assert docked.rows["mask"].counts.text() == "no task"
    assert details.hint.text() == "no such task yet; running are: segment, read"
    click(details.offers[0])
    assert tell([tap("mask", select="segmnt", kind="labels")], running) == [
        {"name": "tap", "arguments": {"select": "segment", "replaces": "mask"}},
    ]


def test_rows_with_failed_tasks_come_first_and_names_are_filtered(docked, tell):
    tell([tap("a", 1, 0, 0, 0, select="load"), tap("b", 0, 0, 0, 2, select="fit")])
    assert docked.rows.order == ("b", "a")
    assert docked.rows["b"].y() < docked.rows["a"].y()
    click(docked.failed_first)
    assert docked.rows.order == ("a", "b")
    QTest.keyClicks(docked.filter, "FIT")
    assert docked.rows["b"].isVisible()
    assert not docked.rows["a"].isVisible()
    docked.filter.clear()
    assert docked.rows["a"].isVisible()


def test_a_row_leads_to_its_layers(docked, tell, put, viewer):
    put(image(well=1), image("raw", "image", well=1))
    tell([tap("cells", 0, 0, 1, 0, select="segment"), tap("raw", 0, 0, 1, 0, select="load")])
    click(docked.rows["cells"].title)
    assert list(viewer.layers.selection) == [viewer.layers["cells"]]
    click(docked.rows["raw"].eye)
    assert not viewer.layers["raw"].visible
    assert viewer.layers["cells"].visible
    click(docked.rows["raw"].eye)
    assert viewer.layers["raw"].visible


def test_a_row_is_folded_by_a_click_and_by_keys(docked, tell):
    tell([tap("cells", 3, 0, 0, 0, select="segment")])
    row = docked.rows["cells"]
    assert row.is_open
    click(row.fold)
    assert not row.details.isVisible()
    row.fold.setFocus()
    QTest.keyClick(row.fold, Qt.Key.Key_Space)
    assert row.details.isVisible()


def test_a_group_of_tasks_is_tapped_and_a_tap_is_stopped_by_clicks(docked, tell):
    groups = [group("segment", 3, 0, 1, 0, types=["numpy.ndarray"], seconds=3.2)]
    groups[0]["shape"] = "64x64 uint16"
    assert tell(groups=groups) == []
    line = docked.groups.lines["segment"]
    assert line.facts.text() == "1 / 4 · 64x64 uint16 · 3.2 s each"
    QApplication.processEvents()
    assert QLabel.text(line.facts) == line.facts.text(), "nothing of it is left out"
    click(line.title)
    form = docked.groups.form
    assert (form.layer.text(), form.kind.currentData()) == ("segment", "labels")
    form.layer.selectAll()
    QTest.keyClicks(form.layer, "cells")
    QTest.keyClicks(form.at, "{well}")
    click(form.start)
    assert docked.groups.form is None
    options = {"select": "segment", "kind": "labels", "layer": "cells", "at": "{well}"}
    active = [tap("cells", 3, 0, 1, 0, select="segment")]
    assert tell(active, groups) == [{"name": "tap", "arguments": options}]
    assert docked.groups.lines == {}, "it is streamed already"
    click(docked.rows["cells"].details.stop)
    assert tell((), groups) == [{"name": "untap", "arguments": {"layer": "cells"}}]


def test_streaming_pauses_and_the_dashboard_opens(docked, tell, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "qtpy.QtGui.QDesktopServices.openUrl", lambda url: opened.append(url.toString())
    )
    tell(dashboard="http://10.0.0.1:8787/status")
    click(docked.header.dashboard)
    assert opened == ["http://10.0.0.1:8787/status"]
    click(docked.header.pause)
    assert tell(paused=True) == [{"name": "pause", "arguments": {}}]
    click(docked.header.pause)
    assert tell() == [{"name": "resume", "arguments": {}}]
    tell(dashboard="file:///bin/sh")
    assert not docked.header.dashboard.isVisible(), "an address of elsewhere starts no program"


def test_without_a_client_a_command_says_why_nothing_happens(docked, tell, source, monkeypatch):
    tell([tap("cells", 3, 0, 0, 0, select="segment")])
    monkeypatch.setattr(type(source.cluster), "attached", property(lambda _: False))
    docked.refresh()
    assert "client gone" in docked.header.state.text()
    assert not docked.header.pause.isEnabled()
    docked.rows["cells"].details.stop.click()
    docked.refresh()
    assert "no client is attached" in docked.messages.errors[0]


def test_a_new_error_pops_up_once(docked, source):
    notification_manager.records.clear()
    source.errors = [("w1", Report("cells", "no position", "segment-1", "<b>oops</b>"))]
    docked.refresh()
    source.errors = [("w2", Report("cells", "no position", "segment-2", "<b>oops</b>"))]
    docked.refresh()
    (record,) = notification_manager.records
    assert "no position" in record.message
    assert not Qt.mightBeRichText(record.message)
    assert docked.panels.headings["Messages"].text() == "Messages (1)"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_texts_can_be_read_in_all_themes(theme):
    colours = DockColours.of(theme)
    for role in ("text", "faint", "error", "warning", "link", "good"):
        least = min(
            contrast(getattr(colours, role), under) for under in (colours.background, colours.panel)
        )
        assert least >= 4.5, (role, least)
    for role in ("shown", "failed"):
        assert contrast(getattr(colours, role), colours.background) >= 3


# -- failed tasks --------------------------------------------------------------------------------


@pytest.fixture
def fail(source, live, docked):
    """Tell that the tasks of some wells have failed, as sinks do."""

    def fail(error: str, *wells: str, layer: str = "cells", state: str = "failed", run_id: int = 1):
        tasks = [
            {
                "meta": {
                    "layer": layer,
                    "kind": "labels",
                    "position": {"well": well},
                    "provenance": {"key": f"segment-{well}", "run_id": run_id},
                },
                "state": state,
                "error": error,
                "traceback": f"Traceback:\n{error}" if error else "",
            }
            for well in wells
        ]
        source.cluster.hear({"tasks": tasks})
        live.pump.tick()
        docked.refresh()
        QApplication.processEvents()

    return fail


def test_failed_tasks_are_listed_by_cause_shown_at_their_place_and_retried(
    docked, tell, put, fail, viewer, live
):
    put(*(image(well=f"A{n:02d}") for n in range(1, 7)))
    fail("RuntimeError: camera timeout", "A02", "A05")
    fail("ValueError: no focus", "A03")
    tell([tap("cells", 0, 0, 3, 3, select="segment")])
    lines = docked.rows["cells"].details.failures.lines
    assert [line.text.text() for line in lines.values()] == [
        f"2 {TIMES} RuntimeError: camera timeout",
        f"1 {TIMES} ValueError: no focus",
    ]
    line = lines["RuntimeError: camera timeout"]
    for expected in ("A02", "A05", "A02"):
        click(line.show_place)
        assert viewer.canvas.overlays.text.text == f"well {expected}"
    assert not live.sliders.following
    click(line.retry)
    keys = ["segment-A02", "segment-A05"]
    assert tell() == [{"name": "retry", "arguments": {"keys": keys}}]
    fail("", "A02", "A05", state="running", run_id=2)
    assert list(docked.rows["cells"].details.failures.lines) == ["ValueError: no focus"]


def test_a_failed_tile_of_a_mosaic_is_brought_into_view(docked, tell, put, fail, viewer, source):
    source.specs["cells"] = LayerSpec("cells", "labels", {"well": "mosaic"})
    put(*(image(well=well) for well in ("A01", "A02", "H12")))
    fail("RuntimeError: camera timeout", "H12")
    click(docked.rows["cells"].details.failures.lines["RuntimeError: camera timeout"].show_place)
    corner = viewer.layers["cells"].extent.world[1]
    assert viewer.scene.camera.center[-2:] == pytest.approx(corner[-2:] - 3.5, abs=1)
    assert viewer.scene.camera.zoom * 8 > 50


def test_failures_of_a_former_run_are_not_counted(docked, fail, put):
    fail("ValueError: no focus", "A01")
    row = docked.rows["cells"]
    assert (row.failures.text(), row.counts.text()) == ("1", "0 / 1")
    second = image(well="A02")
    second.run = 2
    put(second)
    fail("ValueError: other", "A03")
    assert list(row.details.failures.lines) == ["ValueError: other"]


def test_the_form_guesses_the_places_from_tasks_that_are_known(docked, tell, put):
    for well, field in (("A01", 3), ("B12", 12)):
        task = Provenance(f"segment-{well}_s{field}")
        position = {"well": well, "field": field}
        put(Item("cells", "labels", np.ones((8, 8), "u1"), position, task))
    tell(groups=[group("quantify", 2, 0, 0, 0)])
    click(docked.groups.lines["quantify"].add)
    form = docked.groups.form
    assert (form.kind.currentData(), form.at.text()) == ("points", "{well}_s{field:d}")
    click(form.cancel)
    assert docked.groups.form is None


# -- by the keyboard, and at any size ------------------------------------------------------------


def test_keys_do_what_the_buttons_do(docked, tell):
    tell([tap("cells", 3, 0, 0, 0, select="segment")])
    QApplication.setActiveWindow(docked.window())
    docked.failed_first.setFocus()
    QTest.keyClick(docked.failed_first, "m")
    assert docked.panels.opened == "Messages"
    QTest.keyClick(docked.failed_first, "l")
    assert docked.panels.opened == "Ledger"
    followed = docked.follow.isChecked()
    QTest.keyClick(docked.failed_first, "n")
    assert docked.follow.isChecked() != followed
    QTest.keyClick(docked.failed_first, "p")
    assert tell() == [{"name": "pause", "arguments": {}}]
    QTest.keyClick(docked.failed_first, "/")
    assert docked.filter.hasFocus()
    QTest.keyClicks(docked.filter, "map")
    assert docked.filter.text() == "map", "keys are letters where one writes"
    assert docked.panels.opened == "Ledger"


def test_every_control_has_a_name_and_a_tooltip(docked, tell, put, fail):
    put(image(well="A01"))
    fail("ValueError: no focus", "A02")
    tell(
        [tap("cells", 1, 0, 1, 1, select="segment")],
        [group("read", 1, 0, 0, 0)],
        dashboard="http://x",
    )
    docked.groups.lines["read"].add.click()
    controls = [
        widget
        for kind in (QToolButton, QComboBox, QLineEdit)
        for widget in docked.findChildren(kind)
        if widget.isVisible()
    ]
    assert len(controls) > 15
    nameless = [
        widget
        for widget in controls
        if not (widget.accessibleName() and widget.toolTip()) and widget.objectName() == ""
    ]
    assert not nameless, nameless


def test_a_hundred_rows_fit_a_small_window_and_cost_little(docked, tell, viewer, live, source):
    def taps(n: int) -> list[dict[str, Any]]:
        return [
            tap(f"layer {k}", 900, 2, 97 + n, int(k % 9 == 0), select=f"task_{k}")
            for k in range(100)
        ]

    tell(taps(0))
    assert docked.window().width() <= 1024
    assert docked.rows["layer 0"].isVisible()
    assert docked.rows.verticalScrollBar().maximum() > 1000
    layers = [(f"layer {k}", f"task_{k}") for k in range(100)]
    for layer, task in layers:
        for n in range(1000):
            meta = ItemMeta(layer, "labels", {"n": n}, provenance=Provenance(f"{task}-{n}"))
            live.layers.catalogue.learn(TaskStatus(meta, "expected"))
    docked.refresh()
    took = []
    for n in range(1, 20):
        cluster = {"scheduler": SCHEDULER, "workers": 200, "taps": taps(n)}
        source.cluster.hear({"cluster": cluster})
        started = time.thread_time()
        docked.refresh()
        took.append(time.thread_time() - started)
    assert min(took) < 0.005, took
    last = docked.rows["layer 98"]
    docked.rows.ensureWidgetVisible(last)
    QApplication.processEvents()
    assert last.counts.text() == "116 / 1,018", "a row is brought up to date when it comes in view"


def test_the_dock_follows_the_theme_and_the_font_size_of_the_user(
    docked, tell, viewer, put, monkeypatch
):
    monkeypatch.setattr(type(get_settings()), "save", lambda *_, **__: None)  # not for good
    put(image(well=1))
    tell([tap("cells", 1, 0, 1, 1, select="segment")])
    row, appearance = docked.rows["cells"], get_settings().appearance
    before = row.height(), row.eye.iconSize().height()
    size, theme = appearance.font_size, viewer.theme
    try:
        appearance.font_size = size + 6
        viewer.theme = "light"
        eventually(lambda: QApplication.processEvents() or row.eye.iconSize().height() > before[1])
        assert row.height() > before[0]
        colour = docked.rows["cells"].failures.palette().buttonText().color().getRgb()[:3]
        assert colour == DockColours.of("light").error
        assert row.bar.colours == DockColours.of("light")
    finally:
        appearance.font_size, viewer.theme = size, theme
    eventually(lambda: QApplication.processEvents() or row.eye.iconSize().height() == before[1])


def test_rows_are_never_wider_than_the_dock(docked, tell, put, fail, viewer):
    put(image(well="A01"), image("raw", "image", well="A01"))
    fail("RuntimeError: " + "camera timeout " * 20, "A02")
    running = [group(f"a_rather_long_name_of_tasks_{n}", 1, 1, 0, 0) for n in range(4)]
    taps = [
        tap("cells", 1, 0, 1, 1, select="segment"),
        tap("raw", 0, 0, 1, 0, select="load"),
        tap("mask", select="segmnt"),
    ]
    tell(taps, running)
    docked.groups.lines[running[0]["name"]].add.click()
    docked.window().resize(800, 600)
    docked.rows.setFixedWidth(docked.minimumWidth())
    QApplication.processEvents()
    assert docked.rows.widget().width() <= docked.rows.viewport().width()
    for row in (docked.rows[layer] for layer in docked.rows.order):
        assert row.eye.isHidden() or row.eye.geometry().right() <= row.width()
