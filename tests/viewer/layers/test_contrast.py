"""Contrast: it recovers, shows what is there, and leaves limits that the user sets alone."""

from __future__ import annotations

import time

import numpy as np
import pytest
from napari.experimental import link_layers
from napari.layers import Image
from qtpy.QtWidgets import QApplication

from dask_napari.model import Item, LayerSpec
from dask_napari.viewer.layers._recent_ranges import RecentRanges, value_range

CELLS = np.random.default_rng(0).normal(1000, 200, (64, 64)).clip(100, 2000).astype("u2")


def frame(t: int, picture=CELLS, layer: str = "raw", **position) -> Item:
    return Item(layer, "image", np.ascontiguousarray(picture), {"t": t, **position})


def brightness(viewer) -> float:
    """Mean of the middle of the window, from 0 to 255."""
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    y, x = (length // 2 for length in picture.shape[:2])
    return float(picture[y - 20 : y + 20, x - 20 : x + 20].mean())


@pytest.fixture
def limits(viewer):
    def limits(name: str = "raw") -> tuple[float, float]:
        return tuple(map(float, viewer.layers[name].contrast_limits))

    return limits


def test_one_flash_does_not_blacken_the_rest(viewer, put, limits):
    flash = CELLS * 0 + 60_000
    put(*(frame(t, flash if t == 5 else CELLS) for t in range(20)))
    low, high = limits()
    assert 100 <= low < 700
    assert 1300 < high <= 2000
    assert viewer.layers["raw"].contrast_limits_range == [CELLS.min(), 60_000]
    assert 60 < brightness(viewer) < 200


def test_first_frames_that_are_dark_do_not_decide_for_ever(viewer, put, limits):
    put(*(frame(t, CELLS // 100 if t < 10 else CELLS) for t in range(20)))
    assert limits()[1] > 1300


def test_hot_and_missing_pixels_do_not_decide(put, limits):
    hot, missing = CELLS.copy(), CELLS.astype("f4")
    hot[10, 10] = 65_535
    missing[:8], missing[8] = np.nan, np.inf
    put(frame(0, hot), frame(0, missing, "float"))
    assert limits()[1] < 2001
    assert np.isfinite(limits("float")).all()
    assert limits("float")[1] < 2001


def test_a_place_that_comes_anew_counts_as_it_is_now(put, limits):
    put(frame(0, CELLS + 60_000, well=1), frame(0, CELLS, well=2))
    assert limits()[1] > 60_000
    put(frame(0, CELLS, well=1))
    assert limits()[1] < 2001


def test_a_chunk_that_comes_anew_counts_as_it_is_now(put, limits):
    def chunk(x: int, picture) -> Item:
        return Item("raw", "image", picture, {}, origin=(0, 64 * x), array_shape=(64, 256))

    put(*(chunk(x, CELLS + 60_000 * (x == 2)) for x in range(4)))
    assert limits()[1] > 60_000
    put(chunk(2, CELLS))
    assert limits()[1] < 2001


@pytest.mark.parametrize("value", [1, 200, -3, 0.5])
def test_a_constant_picture_can_be_seen(viewer, put, limits, value):
    put(frame(0, np.full((64, 64), value)))
    low, high = limits()
    assert low <= min(0, value)
    assert max(0, value) <= high
    assert brightness(viewer) > 100


def test_flat_pictures_can_be_told_apart_and_seen(put, limits):
    put(*(frame(t, CELLS * 0 + 10 * (t + 1)) for t in range(24)))
    assert limits() == (0, 240)


def test_a_few_spots_can_be_seen(put, limits):
    spots = np.zeros((400, 400), "u2")
    spots[150:160, 150:160] = 3000
    put(frame(0, spots))
    assert limits() == (0, 3000)


def test_this_frame_has_limits_of_its_own(viewer, source, put, limits):
    source.specs["raw"] = LayerSpec("raw", "image", {}, contrast="frame")
    put(*(frame(t, CELLS * (t + 1)) for t in range(4)))
    for t in (0, 3, 1):
        viewer.dims.set_current_step(0, t)
        assert 1200 * (t + 1) < limits()[1] <= 2000 * (t + 1)
    put(frame(1, CELLS * 20))
    assert limits()[1] > 24_000


def test_limits_of_the_first_item_stay(source, put, limits):
    source.specs["raw"] = LayerSpec("raw", "image", {}, contrast="first")
    put(frame(0))
    first = limits()
    put(*(frame(t, CELLS * 10) for t in range(1, 9)))
    assert limits() == first


def test_limits_that_the_user_set_stay_and_the_range_goes_on(viewer, put, limits):
    put(frame(0))
    layer = viewer.layers["raw"]
    layer.contrast_limits = (500, 700)
    put(*(frame(t, CELLS * 10) for t in range(1, 9)))
    assert limits() == (500, 700)
    assert layer.contrast_limits_range[1] == CELLS.max() * 10


def test_a_control_in_the_dock_lets_the_limits_follow_again(viewer, live, put, limits):
    put(frame(0))
    live.dock.refresh()
    control = live.dock.rows["raw"].details.contrast
    assert control.currentData() == "running"
    viewer.layers["raw"].contrast_limits = (500, 700)
    live.dock.refresh()
    assert (control.currentIndex(), control.placeholderText()) == (-1, "contrast set by hand")
    put(*(frame(t, CELLS * (1 + t)) for t in range(1, 4)))
    control.setCurrentIndex(control.findData("frame"))
    control.activated.emit(control.currentIndex())
    viewer.dims.set_current_step(0, 3)
    assert limits()[1] > 4800
    control.setCurrentIndex(control.findData("first"))
    control.activated.emit(control.currentIndex())
    live.pump.tick()
    assert limits()[1] < 2001


def test_a_layer_without_contrast_has_no_control(live, put):
    put(Item("cells", "labels", np.ones((8, 8), "u1"), {}))
    live.dock.refresh()
    assert not live.dock.rows["cells"].details.contrast.isVisibleTo(live.dock)


@pytest.mark.parametrize("first", [0, 1])
def test_the_users_hand_on_a_linked_layer_counts_for_both(viewer, put, limits, first):
    put(frame(0), frame(0, CELLS, "other"))
    layers = list(viewer.layers)
    if not first:
        link_layers(layers, ["contrast_limits"])
    layers[0].contrast_limits = (500, 700)
    if first:  # linked only after the user's hand: napari leaves the other's limits as they are
        link_layers(layers, ["contrast_limits"])
    put(*(frame(t, CELLS * 10, name) for t in (1, 2, 3) for name in ("raw", "other")))
    assert limits() == (500, 700)
    if not first:
        assert limits("other") == (500, 700)
    layers[1].contrast_limits = (600, 800)
    put(*(frame(t, CELLS * 20, name) for t in (4, 5) for name in ("raw", "other")))
    assert limits() == limits("other") == (600, 800)


def test_linked_layers_follow_the_data_together(viewer, put, limits):
    put(frame(0), frame(0, CELLS * 10, "other"))
    link_layers(list(viewer.layers), ["contrast_limits"])
    put(*(frame(t, CELLS * (1 + t), "raw") for t in (1, 2)))
    put(*(frame(t, CELLS * (11 + t), "other") for t in (1, 2)))
    assert limits() == limits("other")
    assert limits()[0] < 1000
    assert limits()[1] > 13_000


def test_a_layer_of_the_users_own_keeps_its_limits_when_it_is_linked(viewer, put, limits):
    mine = Image(CELLS, name="mine", contrast_limits=(1, 77))
    viewer.add_layer(mine)
    put(frame(0))
    link_layers([mine, viewer.layers["raw"]], ["contrast_limits"])
    put(*(frame(t, CELLS * 10) for t in (1, 2, 3)))
    assert limits("mine") == (1, 77)


def test_a_layer_that_has_become_the_users_own_is_not_watched(viewer, live, put, limits):
    put(frame(0))
    mine = viewer.layers["raw"]
    mine.data = np.zeros((64, 64), "u2")
    put(frame(1, CELLS * 10))
    stream = live.layers.streams["raw"]
    assert stream.layer is not mine
    mine.contrast_limits = (1, 77)
    put(frame(2, CELLS * 20))
    assert stream.layer.contrast_limits[1] > 20_000
    assert mine.contrast_limits == [1, 77]


def test_the_mode_goes_with_the_layer_into_another_layout(viewer, live, source, put, limits):
    source.specs["raw"] = LayerSpec("raw", "image", {"well": "slider"}, contrast="frame")
    put(frame(0, well=1), frame(0, CELLS * 10, well=2))
    live.layers.choose("well", "mosaic")
    live.pump.tick(force=True)
    QApplication.processEvents()
    assert live.layers.streams["raw"].contrast.mode == "frame"
    assert limits()[1] > 13_000


def test_a_sample_costs_the_same_whatever_the_size():
    def cost(*shape: int) -> float:
        block = np.random.default_rng(0).integers(0, 4000, shape, "u2")
        times = []
        for _ in range(30):
            began = time.perf_counter()
            value_range(block)
            times.append(time.perf_counter() - began)
        return min(times)

    small = cost(64, 64)
    assert max(cost(2048, 2048), cost(40, 512, 512), cost(3, 4, 5, 300, 300)) < 8 * small + 1e-4


def test_extending_costs_the_same_however_many_places():
    recent, found = RecentRanges(), value_range(CELLS)

    def cost(first: int) -> float:
        began = time.perf_counter()
        for t in range(first, first + 500):
            recent.extend((("t",), (t,)), found)
        return time.perf_counter() - began

    early = min(cost(1000 * n) for n in range(5))
    for t in range(20_000, 40_000):
        recent.extend((("t",), (t,)), found)
    assert min(cost(50_000 + 1000 * n) for n in range(5)) < 3 * early


def test_the_range_of_a_picture_leaves_the_picture_as_it_is():
    for picture in (CELLS, CELLS.astype("f4"), CELLS > 1000):
        block = picture.copy()
        value_range(block)
        assert np.array_equal(block, picture)
