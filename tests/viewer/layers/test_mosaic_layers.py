"""Mosaics, chunks and large pictures in a real napari."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from dask_napari.model import (
    Calibration,
    Item,
    ItemMeta,
    LayerSpec,
    Layout,
    Provenance,
    TaskStatus,
)
from dask_napari.viewer.layers._headings import BOX

PLATE = {"well": Layout(plate=96), "field": Layout(rows=2, columns=2)}
MOSAIC = {"well": "mosaic", "field": "mosaic"}


def picture(value, layer="raw", kind="image", shape=(10, 20), scale=(), **position) -> Item:
    dtype = np.uint8 if kind == "labels" else np.uint16
    array = np.full(shape, value, dtype)
    return Item(
        layer,
        kind,
        array,
        position,
        Provenance(f"{layer}-{value}"),
        Calibration(scale=scale),
    )


def pixels(layer) -> np.ndarray:
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)


def test_wells_and_fields_lie_side_by_side_and_kinds_overlay(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=PLATE)
    put(
        picture(7, well="B02", field=4),
        picture(5, well="A01", field=1),
        # Said of one layer, a mosaic holds for all: here with pixels twice as large.
        picture(3, "cells", "labels", (5, 10), (2.0, 2.0), well="B02", field=4),
    )
    raw, cells = viewer.layers["raw"], viewer.layers["cells"]
    assert raw.data.shape == (8 * 20, 12 * 40)
    assert np.argwhere(pixels(raw) == 7).min(axis=0).tolist() == [30, 60]
    assert np.argwhere(pixels(cells) == 3).min(axis=0).tolist() == [15, 30]
    world = [layer.data_to_world(np.argwhere(pixels(layer)).max(axis=0)) for layer in (raw, cells)]
    np.testing.assert_allclose(world[0], world[1], atol=1)
    assert source.ledger().total.shown == 3


def test_tiles_that_are_to_come_have_room_and_then_nothing_moves(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", {"field": "mosaic", "t": "slider"})

    def tell(state: str, field: int | str) -> None:
        meta = ItemMeta("raw", "image", {"field": field, "t": 1}, Provenance(f"raw-{field}"))
        source.cluster.tell([TaskStatus(meta, state)], 1, 100)

    for field in range(1, 9):
        tell("failed" if field == 8 else "expected", field)
    live.pump.tick()
    assert list(viewer.layers) == []  # nobody knows yet how large tiles are
    put(picture(5, field=0, t=0))
    mosaic = live.layers.mosaic
    assert viewer.layers["raw"].data.shape == (1, 30, 60)  # no step of a slider without an item
    assert mosaic.frame({"field": 8, "t": 1}) == (20.0, 40.0, 10.0, 20.0)
    assert mosaic.frame({"field": 9}) is None
    put(picture(8, field=8, t=0), picture(3, field=3, t=0))
    assert viewer.layers["raw"].data.shape == (1, 30, 60)
    assert np.argwhere(pixels(viewer.layers["raw"]) == 8).min(axis=0).tolist() == [0, 20, 40]
    tell("expected", 9)
    live.pump.tick()
    assert viewer.layers["raw"].data.shape == (1, 30, 80)
    assert np.argwhere(pixels(viewer.layers["raw"]) == 8).min(axis=0).tolist() == [0, 20, 0]
    live.layers.choose("field", "slider")
    live.layers.choose("field", "mosaic")
    live.pump.tick(force=True)
    assert viewer.layers["raw"].data.shape == (1, 30, 80)


def test_a_plate_has_headings_and_they_stay_out_of_the_way(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=PLATE)
    put(picture(7, well="B02", field=4))
    assert [layer.name for layer in viewer.layers] == ["raw"], "they are no layer"
    viewer.scene.camera.zoom = 1  # a well has 20 x 40 pixels of the screen
    assert live.layers.headings.texts == [*"ABCDEFGH", *map(str, range(1, 13))]


def test_headings_lie_beside_the_plate_where_all_of_it_is_in_sight(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=PLATE)
    put(picture(7, well="A01", field=1), picture(7, well="H12", field=4))
    live.layers._redraw.fit.start()
    live.layers.update(1.0, force=True)
    headings, zoom = live.layers.headings, viewer.scene.camera.zoom
    right = headings._text.pos[: len("ABCDEFGH"), 0] + BOX / 2 / zoom
    assert (right <= 0.5 / zoom).all(), "the plate begins at 0"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_headings_can_be_read_at_every_zoom_and_in_both_themes(
    viewer, live, source, put, mouse, theme
):
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=PLATE)
    put(picture(7, well="B02", field=4, shape=(40, 40)))
    headings, former = live.layers.headings, viewer.theme
    try:
        viewer.theme = theme
        is_bright = np.asarray(headings._text.color.rgb)[0].mean() > 0.5
        assert is_bright == (theme == "dark")
        viewer.scene.camera.zoom = 14 / 80  # pixels of the screen a well, whose side is 80
        assert headings.texts == [*"ACEG", *map(str, range(1, 13, 2))], "others would overlap"
        viewer.scene.camera.zoom = 14
        viewer.scene.camera.center = (0, 4 * 80, 6 * 80)
        assert len(headings.texts) == 8 + 12
        left = 6 * 80 - viewer.canvas.size[1] / 2 / viewer.scene.camera.zoom
        assert (headings._text.pos[:8, 0] > left).all(), "at the edge of what is in sight"
        mouse.move(0, 0)
        mouse.move(4 * 80 + 10, 6 * 80 + 10)
        assert headings.well == "E07"
        marked = np.unique(headings._text.color.rgba, axis=0, return_counts=True)[1]
        assert marked.min() == 2, "its row and its column"
        viewer.dims.ndisplay = 3
        assert not headings.texts
    finally:
        viewer.dims.ndisplay = 2
        viewer.theme = former


def in_sight(viewer) -> bool:
    """Whether everything is within the canvas, and fills it along one axis, but for headings."""
    camera, extent = viewer.scene.camera, viewer.layers.extent.world[:, -2:]
    middle, shown = np.array(camera.center[-2:]), np.array(viewer.canvas.size) / camera.zoom
    reach = np.abs(extent - middle).max(axis=0) * 2 / shown
    return bool(reach.max() <= 1 and reach.max() > 0.8)


def test_the_whole_plate_stays_in_sight_until_somebody_looks_closer(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=PLATE)
    put(picture(7, well="B02", field=4))
    assert in_sight(viewer)
    put(picture(7, well="B03", field=4, shape=(40, 50)))  # all wells are as large as the largest
    assert in_sight(viewer)
    viewer.canvas.size = tuple(side * 2 // 3 for side in viewer.canvas.size)
    live.pump.tick()
    assert in_sight(viewer)

    viewer.scene.camera.zoom *= 3
    left = viewer.scene.camera.center, viewer.scene.camera.zoom
    put(picture(7, well="B04", field=4, shape=(80, 90)))
    assert (viewer.scene.camera.center, viewer.scene.camera.zoom) == left

    viewer.layers.clear()
    put(picture(7, layer="more", well="A01"))
    assert in_sight(viewer)


def test_the_view_of_a_viewer_that_had_layers_is_left_alone(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=PLATE)
    viewer.add_image(np.zeros((10, 10)))
    left = viewer.scene.camera.center, viewer.scene.camera.zoom
    put(picture(7, well="B03", field=4))
    assert (viewer.scene.camera.center, viewer.scene.camera.zoom) == left


@pytest.mark.drops("no well of a plate")
def test_a_well_that_the_plate_does_not_have_is_counted(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", MOSAIC, layouts=PLATE)
    put(picture(1, well="Z99", field=1), picture(2, well="A01", field=1))
    assert source.ledger()["raw"].dropped == {"no well of a plate with 96": 1}
    assert source.ledger().balanced


def test_the_user_changes_modes_and_nothing_is_sent_again(viewer, live, source, put):
    put(
        *[
            picture(10 * f + c, well=w, field=f, channel=c)
            for w in ("A01", "B03")
            for f in (1, 2)
            for c in (1, 2)
        ],
        picture(4, "cells", "labels", well="B03", field=2),
    )
    layer = viewer.layers["raw"]
    layer.opacity = 0.4
    assert layer.data.shape == (2, 2, 2, 10, 20)

    def choose(axis, mode):
        choice = live.dock.axes.choices[axis]
        choice.setCurrentIndex(choice.findData(mode))
        live.pump.tick(force=True)

    live.dock.refresh()
    choose("well", "mosaic")
    assert viewer.layers["raw"] is layer
    assert layer.data.shape == (2, 2, 87, 262)  # guessed: a plate with 96 wells, a gutter between
    assert viewer.dims.axis_labels == ("field", "channel", "y", "x")
    choose("channel", "layer")
    assert {"raw [1]", "raw [2]"} <= {each.name for each in viewer.layers}
    assert "raw" not in viewer.layers
    choose("field", "mosaic")
    assert viewer.dims.ndim == 2
    assert int((pixels(viewer.layers["raw [2]"]) == 22).sum()) == 2 * 200
    for axis in ("well", "channel", "field"):
        choose(axis, "slider")
    assert not live.layers.headings.texts
    assert viewer.layers["raw"].data.shape == (2, 2, 2, 10, 20)
    expected = [[[10 * f + c for c in (1, 2)] for f in (1, 2)] for _ in range(2)]
    axes = [viewer.dims.axis_labels.index(name) for name in ("well", "field", "channel")]
    found = np.asarray(viewer.layers["raw"].data)[..., 0, 0].transpose(axes)
    assert found.tolist() == expected
    assert source.ledger().total.shown == 9
    # And what comes now lies by the new modes, too.
    choose("field", "layer")
    put(picture(99, well="A02", field=3, channel=1))
    assert "raw [3]" in viewer.layers


def test_layers_that_stay_keep_what_the_user_set(viewer, live, source, put):
    put(*[picture(n, well=w) for n, w in enumerate(("A01", "A02"), 1)])
    layer = viewer.layers["raw"]
    layer.contrast_limits, layer.colormap, layer.opacity = (0, 77), "magma", 0.3
    live.layers.choose("well", "mosaic")
    put(picture(500, well="C05"))
    assert viewer.layers["raw"] is layer
    assert layer.contrast_limits == [0, 77]
    assert (layer.colormap.name, layer.opacity) == ("magma", 0.3)


def test_channels_have_names_and_colours(viewer, live, source, put):
    layout = Layout(names={"1": "DAPI", "2": "GFP"}, colors={"DAPI": "blue", "2": "#ff8000"})
    source.specs["raw"] = LayerSpec("raw", "image", {"c": "layer"}, layouts={"c": layout})
    put(*[picture(n, c=n) for n in (1, 2, 3)])
    colours = {each.name: each.colormap for each in viewer.layers}
    assert list(colours) == ["raw [DAPI]", "raw [GFP]", "raw [3]"]
    assert colours["raw [DAPI]"].name == "blue"
    np.testing.assert_allclose(colours["raw [GFP]"].colors[-1], (1, 0.5, 0, 1), atol=0.01)
    assert {each.blending for each in viewer.layers} == {"additive"}


def test_sizes_may_have_layers_of_their_own(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", sizes="separate")
    put(picture(1, t=0), picture(2, t=1, shape=(5, 5)), picture(3, t=2))
    assert [each.name for each in viewer.layers] == ["raw (10 x 20)", "raw (5 x 5)"]


def test_chunks_make_one_array_and_fill_in_their_places(viewer, live, source, put):
    whole = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)
    parts = [
        Item("x", "image", whole[y : y + 5, x : x + 8], origin=(y, x), array_shape=(12, 16))
        for y in (0, 5, 10)
        for x in (8, 0)
    ]
    put(*parts[::2])
    layer = viewer.layers["x"]
    assert layer.data.shape == (12, 16)
    put(*parts[1::2])
    np.testing.assert_array_equal(np.asarray(layer.data), whole)
    np.testing.assert_array_equal(np.asarray(layer._slice.image.raw), whole)


@pytest.mark.parametrize("kind", ["image", "labels"])
@pytest.mark.parametrize("position", [{}, {"t": 0}])
def test_what_grows_large_gets_levels_and_is_right_after_every_update(
    viewer, live, source, put, kind, position
):
    dtype = np.uint16 if kind == "image" else np.uint8

    def chunk(value, y, whole):
        block = np.full((1000, 500), value, dtype)
        return Item("big", kind, block, position, origin=(y, 0), array_shape=whole)

    put(chunk(1, 0, (1000, 500)))
    layer = viewer.layers["big"]
    assert not layer.multiscale
    layer.opacity = 0.6
    put(chunk(2, 5000, (6000, 500)))
    assert viewer.layers["big"] is layer
    assert layer.multiscale
    assert layer.opacity == 0.6
    QApplication.processEvents()
    for value in (3, 4):  # more than once: napari keeps a copy of the coarsest level
        put(chunk(value, 5000, (6000, 500)))
        layer.data_level = len(layer.data) - 1
        shown = np.asarray(layer._slice.thumbnail.raw)
        assert (shown[-10, 5], shown[5, 5]) == (value, 1)
        assert int(np.asarray(layer.data[1])[..., -1, 0].max()) == value
    assert source.ledger().balanced


def test_a_stack_of_large_planes_moves_between_levels_and_axes(viewer, live, source, put):
    put(picture(1, shape=(5000, 20), t=0))
    put(picture(2, shape=(5000, 20), t=1, z=3))
    layer = viewer.layers["raw"]
    assert layer.ndim == 4
    assert [level.shape[-2:] for level in layer.data][:2] == [(5000, 20), (2500, 10)]
    live.layers.choose("z", "mosaic")
    live.layers.choose("t", "mosaic")
    live.pump.tick(force=True)
    assert layer.ndim == 2
    assert {1, 2} <= set(np.unique(pixels(layer)).tolist())


def test_only_what_is_in_view_is_drawn_again(viewer, live, source, put):
    source.specs["raw"] = LayerSpec(
        "raw", "image", {"well": "mosaic"}, layouts={"well": Layout(plate=96)}
    )
    put(picture(1, shape=(600, 600), well="A01"))
    layer = viewer.layers["raw"]
    viewer.scene.camera.center, viewer.scene.camera.zoom = (300, 300), 2.0
    viewer.window.screenshot(flash=False)  # drawn, so that napari knows what is in view
    stream = live.layers.streams["raw"]
    source.board.put(picture(2, shape=(600, 600), well="H12"))
    live.pump._put_some(np.inf)
    assert not stream.touched
    source.board.put(picture(3, shape=(600, 600), well="A01"))
    live.pump._put_some(np.inf)
    assert stream.touched
    assert layer.multiscale


def test_who_says_only_mosaic_gets_a_plate_if_there_are_wells(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", {"well": "mosaic", "field": "mosaic"})
    put(*[picture(n, shape=(10, 10), well="B02", field=n) for n in (1, 2, 3, 4)])
    layer = viewer.layers["raw"]
    assert len(live.layers.headings._mosaic.headings) == 8 + 12
    put(picture(5, shape=(10, 10), well="P24", field=1))  # so the plate is a larger one
    assert len(live.layers.headings._mosaic.headings) == 16 + 24
    put(picture(6, shape=(10, 10), well="sample 7", field=1))  # and then none
    assert viewer.layers["raw"] is layer
    assert source.ledger().total.shown == 6
    assert set(np.unique(pixels(layer))) == {0, 1, 2, 3, 4, 5, 6}
    assert not live.layers.headings.texts


def test_options_that_came_with_an_output_outlive_a_change_of_modes(viewer, live, source, put):
    for channel in (1, 2):
        item = picture(channel, channel=channel)
        item.amend(options={"colormap": "magenta", "opacity": 0.5})
        put(item)
    for mode, count in (("layer", 2), ("mosaic", 1)):
        live.layers.choose("channel", mode)
        live.pump.drain()
        assert [layer.colormap.name for layer in viewer.layers] == ["magenta"] * count
        assert [layer.opacity for layer in viewer.layers] == [0.5] * count


def test_the_name_of_a_coordinate_goes_with_its_slider(viewer, live, source, put):
    put(picture(1, well="A01"), picture(2, well="B03"))
    overlay = viewer.canvas.overlays.text
    assert (overlay.text, overlay.visible) == ("well B03", True)
    live.layers.choose("well", "mosaic")
    live.pump.drain()
    assert (overlay.text, overlay.visible) == ("", False)
    live.layers.choose("well", "slider")
    live.pump.drain()
    assert overlay.text.startswith("well ")
    assert overlay.visible


def test_features_of_labels_that_share_numbers_are_said_not_to_be_shown(viewer, live, put):
    def cells(name):
        item = picture(1, "cells", "labels", well=name)
        item.arrays = {"feature:index": np.array([1]), "feature:area": np.array([9.0])}
        return item

    put(cells("A01"), cells("A02"))
    assert viewer.layers["cells"].features["area"].tolist() == [9.0]
    assert not live.layers.reports.all()
    live.layers.choose("well", "mosaic")
    live.pump.tick(force=True)
    (line,) = map(str, live.layers.reports.all())
    assert "cells: no features are shown where labels" in line
