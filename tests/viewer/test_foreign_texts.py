"""Names and texts from outside: shown as they are, and never as wide or as long as they like."""

from __future__ import annotations

import re

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLabel, QWidget

from dask_napari.model import (
    FEATURE,
    Calibration,
    Item,
    Refusal,
    Report,
    arguments,
    check,
    permitted,
)

MARKUP = "<b>cells</b><img src='file:///dev/zero'>"
LONG = "x" * 900

HOSTILE = [
    "{x:>9999999999}",
    "{x:{width}}",
    "{x:.9999999999f}",
    "{x.__class__}",
    "{x[0]}",
    "{}",
    "{x}" * 100,
    "y" * 300,
    "{x:{x:{x}}}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_format_that_could_run_or_make_long_texts_never_reaches_napari(text):
    for option in (text, {"string": text}, {"string": {"format": text}}, ["a", {"b": [text]}]):
        assert permitted("points", {"text": option, "opacity": 0.5}) == {"opacity": 0.5}
        with pytest.raises(ValueError, match=r"option 'text': .*(format|fields|characters)"):
            arguments.options("points", {"text": option})


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "{area:.1f} um",
        "{mean area:>12,.2f}",
        "{name!r:^20}",
        "{{}} {n:03d}",
        {"string": "{area}", "size": 12, "color": "white", "anchor": "center"},
        "a { that is none",
    ],
)
def test_formats_of_features_stay(text):
    assert permitted("points", {"text": text}) == {"text": text}
    assert arguments.options("points", {"text": text}) == {"text": text}


def test_what_a_graphics_card_would_read_for_each_pixel_is_bounded():
    for side, kept in ((5, True), (80, False)):
        kernel = np.ones((side, side)).tolist()
        found = permitted("image", {"custom_interpolation_kernel_2d": kernel})
        assert bool(found) == kept


def test_a_text_among_features_has_a_length():
    """All rows of a layer would take as much memory as its longest text."""
    for length, fits in ((1000, True), (1001, False)):
        features = {FEATURE + "name": np.array(["a" * length, "b"])}
        item = Item("raw", "points", np.zeros((2, 2)), arrays=features)
        if fits:
            check(item)
        else:
            with pytest.raises(Refusal, match="too long"):
                check(item)


@pytest.mark.drops(re.escape(MARKUP))
def test_no_text_from_outside_is_markup_or_widens_the_dock(live, source, put):
    wide = live.dock.sizeHint().width()
    put(
        Item(MARKUP, "image", np.ones((4, 4)), {MARKUP: 0, LONG[:200]: 0}),
        Item(LONG, "image", np.ones((4, 4)), {MARKUP: 1, LONG[:200]: 1}),
    )
    live.dock.panels.toggle("Messages")
    source.errors.append(("w1", Report(MARKUP, LONG[:300], MARKUP, MARKUP + LONG)))
    source.board.drop(Item(MARKUP, "image", np.ones((4, 4))), MARKUP)
    live.dock.refresh()
    QApplication.processEvents()
    foreign = [
        label
        for label in live.dock.findChildren(QLabel)
        if any(text in label.text() for text in ("<b>", "xxx"))
    ]
    assert len(foreign) >= 5  # two titles, two axes, the errors
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in foreign)
    titles = {live.dock.rows[layer].title.text() for layer in (MARKUP, LONG)}
    assert titles == {f"{MARKUP} (image)", f"{LONG} (image)"}, "no text is lost"
    assert live.dock.sizeHint().width() < wide + 300
    assert live.dock.minimumSizeHint().width() < wide + 100
    tips = [widget.toolTip() for widget in live.dock.findChildren(QWidget)]
    assert any("&lt;b&gt;" in tip for tip in tips)
    assert not any("<b>" in tip for tip in tips)


def test_napari_shows_names_plainly_too(live, viewer, put):
    put(Item(MARKUP, "image", np.ones((4, 4))))
    (layer,) = viewer.layers
    assert layer.name == MARKUP
    assert "<b>" not in layer.get_source_str()
    assert "&lt;b&gt;" in layer.get_source_str()
    layer.name = "mine"
    assert layer.get_source_str().startswith("<qt>mine")
    labels = viewer.window._qt_window.statusBar().findChildren(QLabel)
    assert len(labels) >= 5
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels)


def test_points_with_a_hostile_text_are_shown_without_it(put, viewer):
    spec = permitted("points", {"text": {"string": HOSTILE[0]}, "symbol": "disc"})
    item = Item("spots", "points", np.zeros((2, 2)), options=spec)
    put(item)
    (layer,) = viewer.layers
    assert len(layer.data) == 2


@pytest.mark.parametrize("unit", ["9**9**9**9", "m**(10**10**10)", "m*" * 500 + "m", "elephant"])
def test_a_unit_that_napari_would_calculate_or_not_know_is_left_out(put, viewer, unit):
    put(Item("raw", "image", np.ones((4, 4)), calibration=Calibration(units=(unit, "um"))))
    (layer,) = viewer.layers
    assert [str(each) for each in layer.units[-2:]] == ["pixel", "micrometer"]


@pytest.mark.parametrize(
    ("affine", "fits"),
    [
        ([[1, 0, 5], [0, 1e-6, 5], [0, 0, 1]], True),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 1]], False),
        ([[1e200, 0, 0], [0, 1e200, 0], [0, 0, 1]], False),
        ([[float("nan")] * 3] * 3, False),
        ([[1, 2], [3]], False),
    ],
)
def test_a_matrix_that_would_stop_the_drawing_never_reaches_napari(affine, fits):
    assert bool(permitted("image", {"affine": affine})) == fits


@pytest.mark.parametrize("limit", [float("inf"), float("-inf"), float("nan"), 1e308])
@pytest.mark.parametrize(
    ("kind", "name"), [("image", "contrast_limits"), ("image", "gamma"), ("points", "size")]
)
def test_numbers_that_are_not_finite_never_reach_napari(kind, name, limit):
    value = [0.0, limit] if name == "contrast_limits" else limit
    assert permitted(kind, {name: value, "opacity": 0.5}) == {"opacity": 0.5}
    with pytest.raises(ValueError, match=f"option '{name}': a number that is not finite"):
        arguments.options(kind, {name: value})
    assert permitted("image", {"contrast_limits": [0, 65535.0]})
