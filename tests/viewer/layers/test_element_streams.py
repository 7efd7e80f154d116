"""Points, shapes, tracks, vectors and surfaces, and features of labels, in a real napari."""

from __future__ import annotations

import logging
import tempfile
import time

import numpy as np
import pytest
from napari.layers import Shapes
from napari.utils.triangulation_backend import TriangulationBackend, get_backend, set_backend
from qtpy.QtWidgets import QApplication
from skimage.measure import find_contours, regionprops_table

from dask_napari.model import SHAPE_TYPES, Calibration, Item, LayerSpec
from dask_napari.viewer.layers._element_stream import ElementStream

UNKNOWN = Calibration()


def image(value=1, shape=(64, 96), layer="raw", **position) -> Item:
    return Item(layer, "image", np.full(shape, value, np.uint16), position)


def features(**columns) -> dict[str, np.ndarray]:
    return {f"feature:{name}": np.asarray(column) for name, column in columns.items()}


def points(*coordinates, layer="spots", calibration=UNKNOWN, table=None, **position) -> Item:
    data = np.asarray(coordinates, float) if coordinates else np.empty((0, 2))
    return Item(
        layer, "points", data, position, calibration=calibration, arrays=features(**table or {})
    )


def square(y, x, size=4.0) -> np.ndarray:
    return np.array([[y, x], [y, x + size], [y + size, x + size], [y + size, x]], float)


def shapes(*vertices, kind="polygon", layer="cells", table=None, **position) -> Item:
    counts = [len(each) for each in vertices]
    data = np.concatenate(vertices) if vertices else np.empty((0, 2))
    arrays = {
        "offsets": np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        "types": np.full(len(counts), SHAPE_TYPES.index(kind), np.uint8),
        **features(**table or {}),
    }
    return Item(layer, "shapes", data, position, arrays=arrays)


def tracks(rows, layer="paths", graph=None, calibration=UNKNOWN, **position) -> Item:
    arrays = {} if graph is None else {"graph": np.asarray(graph)}
    data = np.asarray(rows, float)
    return Item(layer, "tracks", data, position, arrays=arrays, calibration=calibration)


# -- points ----------------------------------------------------------------------------------


def test_points_of_all_places_are_on_one_layer(viewer, live, source, put):
    put(image(t=0), image(t=1))
    put(points([1, 2], [3, 4], t=0))
    layer = viewer.layers["spots"]
    put(points([5, 6], t=1))
    assert viewer.layers["spots"] is layer
    assert layer.data.tolist() == [[0, 1, 2], [0, 3, 4], [1, 5, 6]]
    assert source.ledger().balanced
    assert source.ledger().total.shown == 4


def test_points_without_a_border_have_none_from_afar_either(viewer, live, source, put):
    """Nor grey rings around their colours: vispy draws those where it enlarges points."""
    table = {"score": [0.5]}
    for name, options in (("plain", {}), ("bare", {"border_width": 0})):
        options = {**options, "face_color": "#ff0000"}
        source.specs[name] = LayerSpec(name, "points", options=options)
        put(points([500, 500], layer=name, table=table))
    red = {}
    for name in ("plain", "bare"):
        for layer in viewer.layers:
            layer.visible = layer.name == name
        viewer.scene.camera.center, viewer.scene.camera.zoom = (500, 500), 0.1
        seen = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        y, x = np.array(seen.shape[:2]) // 2
        seen = seen[y - 9 : y + 9, x - 9 : x + 9]
        lit = seen[seen.sum(axis=-1) > 30]
        red[name] = (lit[:, 0] > 2 * lit[:, 1]).mean()
    assert red["bare"] == 1 > red["plain"]


def test_a_coordinate_that_comes_late_moves_points_with_their_pictures(viewer, live, source, put):
    put(points([1, 1], well="A02"), points([2, 2], well="A04"))
    put(points([3, 3], well="A03"))
    assert viewer.layers["spots"].data[:, 0].tolist() == [0, 2, 1]


def test_an_item_replaces_that_of_its_place_and_may_be_empty(viewer, live, source, put):
    put(points([1, 1], [2, 2], t=0), points([3, 3], t=1))
    put(points([9, 9], [8, 8], t=0))
    assert viewer.layers["spots"].data.tolist() == [[0, 9, 9], [0, 8, 8], [1, 3, 3]]
    put(points(t=0))
    assert viewer.layers["spots"].data.tolist() == [[1, 3, 3]]
    put(points(t=1))
    assert len(viewer.layers["spots"].data) == 0
    put(points([5, 5], t=1))
    assert viewer.layers["spots"].data.tolist() == [[1, 5, 5]]
    assert source.ledger().total.shown == 6


def test_a_layer_may_begin_with_an_empty_item(viewer, live, source, put):
    source.specs["spots"] = LayerSpec("spots", "points", {}, {"face_color": "area"})
    put(points(t=0, table={"area": np.empty(0)}))
    put(points([1, 1], [2, 2], t=1, table={"area": [5.0, 9.0]}))
    layer = viewer.layers["spots"]
    assert layer.features["area"].tolist() == [5, 9]
    assert layer.face_color_mode == "colormap"
    assert layer.face_contrast_limits == (5, 9)
    assert not np.array_equal(layer.face_color[0], layer.face_color[1])


def test_options_that_napari_does_not_take_do_not_hide_the_points(
    viewer, live, source, put, caplog
):
    source.specs["spots"] = LayerSpec("spots", "points", {}, {"no_such": "option"})
    put(points([1, 1], t=0, table={"area": [1.0]}), image(t=0))
    put(points([2, 2], t=1, table={"area": [2.0]}))
    assert len(viewer.layers["spots"].data) == 2
    assert "raw" in viewer.layers
    assert sum("without the option" in each.message for each in caplog.records) == 1


@pytest.mark.parametrize("option", ["face_color", "border_color"])
@pytest.mark.parametrize("first", [[1.0, 2.0], [np.nan, np.nan]])
def test_a_feature_that_becomes_text_has_colours_again(viewer, live, source, put, option, first):
    source.specs["spots"] = LayerSpec("spots", "points", {}, {option: "what"})
    put(points([1, 1], [2, 2], t=0, table={"what": first}))
    put(points([1, 1], [2, 2], t=1, table={"what": ["a", "b"]}))
    put(points([3, 3], t=2))
    layer = viewer.layers["spots"]
    assert layer.features["what"].tolist()[2:] == ["a", "b", ""]
    assert getattr(layer, f"{option}_mode") == "cycle"
    colours = getattr(layer, option)
    assert not np.array_equal(colours[2], colours[3])
    assert live.layers.reports.all() == []


def test_a_feature_that_comes_late_has_its_colours(viewer, live, source, put):
    source.specs["spots"] = LayerSpec("spots", "points", {}, {"face_color": "area"})
    put(points([1, 1], t=0))
    put(points([2, 2], [3, 3], t=1, table={"area": [2.0, 4.0]}))
    layer = viewer.layers["spots"]
    assert layer.face_color_mode == "colormap"
    assert layer.face_contrast_limits == (2, 4)
    put(points([4, 4], t=2, table={"area": [8.0]}))
    assert layer.face_contrast_limits == (2, 8)


def test_colours_by_a_feature_follow_its_range_until_it_is_set(viewer, live, source, put):
    source.specs["spots"] = LayerSpec(
        "spots", "points", {}, {"face_color": "area", "face_colormap": "viridis"}
    )
    put(points([1, 1], [2, 2], t=0, table={"area": [1.0, 2.0]}))
    layer = viewer.layers["spots"]
    assert layer.face_contrast_limits == (1, 2)
    put(points([3, 3], t=1, table={"area": [10.0]}))
    assert layer.face_contrast_limits == (1, 10)
    layer.face_contrast_limits = (0, 50)
    put(points([4, 4], t=2, table={"area": [100.0]}))
    assert layer.face_contrast_limits == (0, 50)
    np.testing.assert_allclose(layer.face_color[-1], layer.face_colormap.map(1.0)[0], atol=1e-3)


def test_text_and_status_tell_the_features(viewer, live, source, put):
    source.specs["spots"] = LayerSpec("spots", "points", {}, {"text": "{name}: {area:.1f}"})
    table = {"area": [1.25, 3.0], "name": ["a", "b"]}
    put(points([10, 10], [30, 30], t=0, table=table))
    put(points([20, 20], t=1, table={"area": [7.0], "name": ["c"]}))
    layer = viewer.layers["spots"]
    assert layer.text.values.tolist() == ["a: 1.2", "b: 3.0", "c: 7.0"]
    live.sliders.follow(False)
    viewer.dims.set_current_step(0, 0)
    status = layer.get_status((0, 30, 30), world=True, dims_displayed=[1, 2])
    assert "area: 3" in status["coordinates"]
    assert "name: b" in layer._get_tooltip_text((0, 30, 30), world=True, dims_displayed=[1, 2])


def test_features_are_in_the_features_table(viewer, live, source, put):
    from napari_builtins._qt.features_table import FeaturesTable

    put(points([1, 1], t=0, table={"area": [4.0]}))
    viewer.layers.selection.active = viewer.layers["spots"]
    widget = FeaturesTable(viewer)
    put(points([2, 2], t=1, table={"area": [6.0]}))
    model = widget.table.model()
    texts = {
        str(model.data(model.index(row, column)))
        for row in range(model.rowCount())
        for column in range(model.columnCount())
    }
    widget.close()
    assert model.rowCount() == 2
    assert any(text.startswith("6") for text in texts)


def test_what_the_user_set_on_a_layer_of_points_stays(viewer, live, source, put):
    put(points([1, 1], [2, 2], t=0), image(t=0))
    layer = viewer.layers["spots"]
    layer.size = 3
    layer.face_color = "red"
    layer.symbol = "square"
    layer.opacity = 0.4
    layer.visible = False
    layer.name = "renamed"
    layer.selected_data = {1}
    viewer.layers.move(viewer.layers.index(layer), 0)
    put(points([3, 3], t=1))
    assert [each.name for each in viewer.layers] == ["renamed", "raw"]
    assert (layer.opacity, layer.visible) == (0.4, False)
    assert layer.size.tolist() == [3, 3, 3]
    assert {str(symbol) for symbol in layer.symbol} == {"square"}
    assert np.unique(layer.face_color, axis=0).tolist() == [[1, 0, 0, 1]]
    assert set(layer.selected_data) == {1}


def test_single_points_keep_what_the_user_gave_them(viewer, live, source, put):
    put(points([1, 1], [2, 2], t=1))
    layer = viewer.layers["spots"]
    layer.size = [5, 20]
    layer.face_color = ["red", "blue"]
    layer.selected_data = {1}
    put(points([3, 3], t=0))  # its row is the last, but its index the first
    assert layer.size[:2].tolist() == [5, 20]
    assert layer.face_color[:2, :3].tolist() == [[1, 0, 0], [0, 0, 1]]
    put(points([4, 4], [5, 5], [6, 6], t=0))
    assert layer.size[:2].tolist() == [5, 20]
    assert layer.data[list(layer.selected_data)].tolist() == [[1, 2, 2]]


def test_of_many_points_the_layer_holds_what_is_seen(viewer, live, source, put, monkeypatch):
    monkeypatch.setattr(ElementStream, "limit", 100)
    rng = np.random.default_rng(0)
    for t in range(4):
        put(points(*rng.uniform(0, 60, (50 + t, 2)), t=t, table={"t": [t] * (50 + t)}))
    layer = viewer.layers["spots"]
    live.sliders.follow(False)
    for t in (2, 0, 3, 1):
        viewer.dims.set_current_step(0, t)
        live.pump.tick()  # one tick is enough
        assert len(layer.data) == 50 + t
        assert set(layer.data[:, 0]) == {t}
        assert set(layer.features["t"]) == {t}
        assert viewer.dims.nsteps[0] == 4  # although the layer has one of them
    # What comes for another place is not loaded, but makes the slider longer.
    loaded = layer.data
    put(points([1, 1], t=4))
    assert layer.data is loaded
    assert viewer.dims.nsteps[0] == 5
    put(points([1, 1], t=1))
    assert layer.data.tolist() == [[1, 1, 1]]


def test_many_points_along_a_displayed_slider_are_all_there(viewer, live, source, put, monkeypatch):
    monkeypatch.setattr(ElementStream, "limit", 3)
    for t in range(3):
        for well in ("A", "B"):
            put(points([t, t], [t + 1, t], t=t, well=well))
    viewer.dims.ndisplay = 3  # t, y and x, or well, y and x
    live.pump.tick()
    displayed = [viewer.dims.axis_labels[axis] for axis in viewer.dims.displayed]
    slider = displayed[0]
    count = {"t": 3, "well": 2}[slider]
    axis = viewer.dims.displayed[0]
    layer = viewer.layers["spots"]
    assert len(layer.data) == 2 * count
    assert len(set(layer.data[:, axis])) == count
    viewer.dims.ndisplay = 2
    live.pump.tick()
    assert len(layer.data) == 2


def test_a_new_axis_and_a_new_dimension_are_taken_in(viewer, live, source, put):
    put(points([1, 1], t=0), shapes(square(1, 1), t=0))
    flow = np.zeros((1, 2, 2))
    put(Item("flow", "vectors", flow, {"t": 0}))
    put(points([2, 2], t=0, channel="a"))
    put(image(shape=(4, 32, 48), layer="stack", t=1))
    names = ("spots", "cells", "flow", "stack")
    assert {viewer.layers[name].ndim for name in names} == {5}
    assert viewer.dims.axis_labels == ("channel", "t", "z", "y", "x")
    for name in names:
        assert viewer.layers[name].axis_labels == ("channel", "t", "z", "y", "x")
    # Those without a z are where one looks.
    viewer.dims.set_current_step(1, 0)
    viewer.dims.set_current_step(2, 3)
    live.pump.drain()
    assert viewer.layers["spots"].data.tolist() == [[0, 0, 3, 1, 1], [0, 0, 3, 2, 2]]
    assert viewer.layers["cells"].data[0][0].tolist() == [0, 0, 3, 1, 1]
    viewer.dims.ndisplay = 3
    live.pump.drain()
    assert sorted(set(viewer.layers["spots"].data[:, 2])) == [0, 1, 2, 3]
    viewer.dims.ndisplay = 2
    assert source.ledger().balanced


@pytest.mark.drops("hidden")
def test_a_layer_that_the_user_removed_does_not_stop_the_stream(viewer, live, source, put):
    put(points([1, 1], t=0), image(t=0))
    viewer.layers.remove(viewer.layers["spots"])
    put(points([2, 2], t=1), image(t=1))
    assert [layer.name for layer in viewer.layers] == ["raw"]
    assert source.ledger().balanced
    assert source.ledger()["raw"].shown == 2
    assert source.ledger()["spots"].dropped == {"hidden": 2}


def test_updates_are_put_off_in_proportion_to_what_they_take(viewer, live, source, put):
    put(points([1, 1], t=0))
    stream = live.layers.streams["spots"]
    stream._not_before = float("inf")
    source.board.put(points([2, 2], t=1))
    live.pump.tick()
    assert len(viewer.layers["spots"].data) == 1
    assert source.ledger().total.shown == 2  # it is on the canvas
    stream._not_before = 0.0
    live.pump.tick()
    assert len(viewer.layers["spots"].data) == 2
    assert stream._not_before > 0.0


# -- calibration -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["points", "shapes"])
def test_elements_lie_on_the_pixels_that_they_were_found_on(viewer, live, source, put, kind):
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 30:45] = 1
    mask[25:35, 5:12] = 2
    fine = Calibration(("y", "x"), (0.5, 0.25), (100.0, 200.0), ("micrometer", "micrometer"))
    put(Item("mask", "labels", mask, {"t": 0}, calibration=fine))
    # Found on every second pixel: another scale, and the centre of its first pixel elsewhere.
    coarse = Calibration(("y", "x"), (1.0, 0.5), (100.25, 200.125), fine.units)
    binned = mask[::2, ::2]
    for number in (1, 2):
        if kind == "points":
            centre = np.argwhere(binned == number).mean(0)
            each = points(centre, t=0, number=number, layer="found", calibration=coarse)
        else:
            outline = find_contours(binned == number, 0.5)[0]
            each = shapes(outline, t=0, number=number, layer="found")
            each.amend(calibration=coarse)
        put(each)
    found, labels = viewer.layers["found"], viewer.layers["mask"]
    assert [str(unit) for unit in found.units] == ["pixel", "pixel", "micrometer", "micrometer"]
    for number, element in zip((1, 2), found.data, strict=True):
        inside = np.atleast_2d(element).mean(0)
        world = found.data_to_world(inside)
        assert labels.get_value(world, world=True) == number
        y, x = np.nonzero(mask == number)
        for vertex in np.atleast_2d(element):
            _, _, wy, wx = labels.world_to_data(found.data_to_world(vertex))
            assert y.min() - 1.5 <= wy <= y.max() + 1.5
            assert x.min() - 1.5 <= wx <= x.max() + 1.5


def test_an_axis_that_became_a_slider_has_no_scale(viewer, live, source, put):
    calibration = Calibration(
        ("t", "y", "x"), (60.0, 0.5, 0.5), (0.0, 10.0, 20.0), ("second", "micrometer", "micrometer")
    )
    put(image(t=10), image(t=20))
    put(points([10, 1, 1], [20, 2, 2], well="A", calibration=calibration))
    layer = viewer.layers["spots"]
    assert viewer.dims.axis_labels == ("well", "t", "y", "x")
    assert layer.data.tolist() == [[0, 0, 1, 1], [0, 1, 2, 2]]
    assert tuple(layer.scale) == (1, 1, 0.5, 0.5)
    assert tuple(layer.translate) == (0, 0, 10, 20)


# -- shapes ----------------------------------------------------------------------------------


def test_shapes_are_appended_and_replaced(viewer, live, source, put):
    put(shapes(square(1, 1), square(10, 10), t=0, table={"area": [1.0, 2.0]}))
    layer = viewer.layers["cells"]
    first = layer._data_view.shapes[0]
    put(shapes(square(20, 20), t=1, table={"area": [3.0]}))
    assert layer._data_view.shapes[0] is first  # not triangulated again
    assert [len(each) for each in layer.data] == [4, 4, 4]
    assert layer.shape_type == ["polygon"] * 3
    assert layer.features["area"].tolist() == [1, 2, 3]
    put(shapes(t=0))
    assert [each[0].tolist() for each in layer.data] == [[1, 20, 20]]
    assert layer.features["area"].tolist() == [3]
    put(shapes(t=1), shapes(square(5, 5), kind="ellipse", t=2, table={"area": [7.0]}))
    assert layer.shape_type == ["ellipse"]
    assert viewer.dims.nsteps[0] == 3


def test_shapes_keep_what_the_user_set(viewer, live, source, put):
    put(shapes(square(1, 1), square(9, 9), t=0))
    layer = viewer.layers["cells"]
    layer.edge_width = 3
    layer.face_color = "red"
    layer.edge_color = ["blue", "green"]
    layer.selected_data = {1}
    put(shapes(square(20, 20), t=1))
    assert layer.edge_width == [3, 3, 3]
    assert np.unique(layer.face_color, axis=0)[:, :3].tolist() == [[1, 0, 0]]
    assert layer.edge_color[0, :3].tolist() == [0, 0, 1]
    assert set(layer.selected_data) == {1}
    put(shapes(square(30, 30), square(40, 40), t=1))  # loads all of them anew
    assert layer.edge_width == [3, 3, 3, 3]
    assert layer.edge_color[:2, :3].round(2).tolist() == [[0, 0, 1], [0, 0.5, 0]]
    assert set(layer.selected_data) == {1}


def test_shapes_are_coloured_by_a_feature(viewer, live, source, put):
    source.specs["cells"] = LayerSpec(
        "cells", "shapes", {}, {"face_color": "area", "text": "{area:.0f}"}
    )
    put(shapes(square(1, 1), t=0, table={"area": [1.0]}))
    put(shapes(square(9, 9), t=1, table={"area": [5.0]}))
    layer = viewer.layers["cells"]
    assert layer.face_contrast_limits == (1, 5)
    low, high = layer.face_colormap.map(np.array([0.0, 1.0]))
    np.testing.assert_allclose(layer.face_color, [low, high], atol=1e-3)
    assert layer.text.values.tolist() == ["1", "5"]
    status = layer.get_status((1, 11, 11), world=True, dims_displayed=[1, 2])
    viewer.dims.set_current_step(0, 1)
    status = layer.get_status((1, 11, 11), world=True, dims_displayed=[1, 2])
    assert "area: 5" in status["coordinates"]


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "line", "path"])
def test_every_type_of_shape_is_shown_also_in_space(viewer, live, source, put, kind):
    vertices = square(5, 5)[: 2 if kind == "line" else 4]
    put(shapes(vertices, kind=kind, t=0), shapes(vertices + 9, kind=kind, t=1))
    layer = viewer.layers["cells"]
    assert layer.shape_type == [kind] * 2
    viewer.dims.ndisplay = 3
    put(shapes(vertices + 20, kind=kind, t=2))
    viewer.dims.ndisplay = 2
    assert layer.nshapes == 3


def test_too_many_shapes_in_one_view_become_labels(viewer, live, source, put, caplog):
    source.specs["cells"] = LayerSpec("cells", "shapes", {}, {"max_shapes": 20})
    put(image(shape=(64, 96), t=0), image(shape=(64, 96), t=1))
    grid = [square(y, x) for y in range(0, 60, 10) for x in range(0, 90, 10)]
    area = list(range(100, 100 + len(grid)))
    with caplog.at_level(logging.WARNING):
        put(shapes(*grid, t=0, table={"area": area}))
        put(shapes(*grid[:5], t=1, table={"area": area[:5]}))
    assert sum("shown as labels" in each.message for each in caplog.records) == 1
    live.dock.refresh()
    assert "cells: more than 20 shapes" in "\n".join(live.dock.messages.notes)
    cells = viewer.layers["cells"]
    live.sliders.follow(False)
    viewer.dims.set_current_step(0, 0)
    live.pump.drain()
    labels = viewer.layers["cells (rasterised)"]
    assert cells.nshapes == 0
    assert labels.data.shape == (64, 96)
    assert len(np.unique(labels.data)) == len(grid) + 1
    number = labels.get_value((0, 12, 23), world=True)
    (row,) = np.flatnonzero(labels.features["index"] == number)
    assert labels.features["area"][row] == area[9 + 2]
    # Few enough: they are shapes again.
    viewer.dims.set_current_step(0, 1)
    live.pump.drain()
    assert cells.nshapes == 5
    assert not labels.data.any()
    # Those that come for the place that is seen are drawn beside those that are there.
    viewer.dims.set_current_step(0, 0)
    live.pump.drain()
    put(shapes(square(62, 92, 1), t=0, more=1, table={"area": [7]}))
    assert viewer.layers["cells (rasterised)"] is labels
    assert labels.data.max() == len(grid) + 1


def test_rasterised_shapes_lie_where_the_shapes_would(viewer, live, source, put):
    mask = np.zeros((50, 70), np.uint8)
    mask[10:20, 30:45] = 1
    mask[30:41, 12:25] = 2
    table = regionprops_table(mask, properties=("label", "bbox"))
    boxes = [
        # Corners are centres of pixels.
        np.array([[y0, x0], [y0, x1 - 1], [y1 - 1, x1 - 1], [y1 - 1, x0]], float)
        for y0, x0, y1, x1 in zip(*(table[f"bbox-{turn}"] for turn in range(4)), strict=True)
    ]
    calibration = Calibration(("y", "x"), (0.5, 0.25), (7.0, 9.0), ("micrometer",) * 2)
    source.specs["cells"] = LayerSpec("cells", "shapes", {}, {"max_shapes": 1})
    each = shapes(*boxes, t=0)
    each.amend(calibration=calibration)
    put(Item("mask", "labels", mask, {"t": 0}, calibration=calibration), each)
    labels = viewer.layers["cells (rasterised)"]
    np.testing.assert_array_equal(labels.data, mask)
    assert tuple(labels.scale) == (0.5, 0.25)
    assert tuple(labels.translate) == (7, 9)


# -- vectors, surfaces, tracks ---------------------------------------------------------------


def test_vectors_of_all_places_are_on_one_layer(viewer, live, source, put):
    source.specs["flow"] = LayerSpec("flow", "vectors", {}, {"edge_color": "speed"})
    for t in range(2):
        data = np.array([[[1, 2], [3, 4]], [[5, 6], [7, 8.0]]])
        arrays = features(speed=[1.0 + t, 2.0 + t])
        put(Item("flow", "vectors", data + t, {"t": t}, arrays=arrays))
    layer = viewer.layers["flow"]
    assert layer.data[:2].tolist() == [[[0, 1, 2], [0, 3, 4]], [[0, 5, 6], [0, 7, 8]]]
    assert layer.data[2].tolist() == [[1, 2, 3], [0, 4, 5]]
    assert layer.edge_contrast_limits == (1, 3)
    put(Item("flow", "vectors", np.empty((0, 2, 2)), {"t": 0}))
    assert len(layer.data) == 2


def test_surfaces_at_one_place_are_one_mesh(viewer, live, source, put):
    triangle = np.array([[0, 0], [0, 10], [10, 0.0]])
    faces = np.array([[0, 1, 2]])
    for number in range(3):
        arrays = {"faces": faces, "values": np.full(3, float(number))}
        place = {"t": number // 2, "cell": number % 2}
        put(Item("mesh", "surface", triangle + 20 * number, place, arrays=arrays))
    layer = viewer.layers["mesh"]
    axis = viewer.dims.axis_labels.index("cell")
    live.sliders.follow(False)
    # With one of the two axes gone from the position both lie at one place.
    other = [triangle, triangle + 30]
    arrays = {"faces": faces, "values": np.zeros(3)}
    put(Item("both", "surface", other[0], {"t": 0}, arrays=arrays))
    put(Item("both", "surface", other[1], {"t": 0, "cell": 0}, arrays=arrays))
    viewer.dims.set_current_step(axis, 0)
    viewer.dims.set_current_step(1 - axis, 0)
    live.pump.tick()
    vertices, joined, _ = viewer.layers["both"].data
    assert joined.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert vertices[:, -2:].tolist() == np.concatenate(other).tolist()
    assert layer.data[2].tolist() == [0, 0, 0]
    assert layer.contrast_limits[1] == pytest.approx(2, abs=0.1)
    viewer.dims.set_current_step(axis, 1)
    live.pump.tick()
    assert layer.data[2].tolist() == [1, 1, 1]
    assert viewer.dims.nsteps[axis] == 2
    put(
        Item(
            "mesh",
            "surface",
            np.empty((0, 2)),
            {"t": 0, "cell": 1},
            arrays={"faces": np.empty((0, 3), int)},
        ),
    )
    assert not np.ptp(layer.data[0], axis=0).any()


def test_a_surface_is_shown_in_space(viewer, live, source, put):
    vertices = np.array([[0, 0, 0], [0, 0, 9], [0, 9, 0], [9, 0, 0.0]])
    arrays = {"faces": np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])}
    put(Item("mesh", "surface", vertices, {"t": 0}, arrays=arrays))
    put(Item("mesh", "surface", vertices + 5, {"t": 1}, arrays=arrays))
    viewer.dims.ndisplay = 3
    live.pump.tick()
    QApplication.processEvents()
    layer = viewer.layers["mesh"]
    assert layer._view_faces.shape == (4, 3)
    viewer.dims.ndisplay = 2


def test_tracks_follow_the_slider_of_time(viewer, live, source, put):
    put(image(t=10), image(t=20), image(t=30))
    rows = [[0, 10, 1, 1], [0, 20, 2, 2], [1, 20, 5, 5], [1, 30, 6, 6]]
    put(tracks(rows, graph=[[1, 0]], well="A"))
    layer = viewer.layers["paths"]
    assert viewer.dims.axis_labels == ("well", "t", "y", "x")
    assert layer.axis_labels == ("t", "y", "x")
    assert layer.data.tolist() == [[0, 0, 1, 1], [0, 1, 2, 2], [1, 1, 5, 5], [1, 2, 6, 6]]
    assert layer.graph == {1: [0]}
    viewer.dims.set_current_step(1, 1)
    live.pump.tick()
    assert layer.current_time == 1


def test_tracks_of_other_places_are_others(viewer, live, source, put):
    rows = np.array([[7, 0, 1, 1], [7, 1, 2, 2]])
    put(image(well="A", t=0), image(well="B", t=1))
    put(tracks(rows, well="A"), tracks(rows + np.array([0, 0, 10, 10]), well="B"))
    layer = viewer.layers["paths"]
    live.sliders.follow(False)
    for step, first in ((0, 1), (1, 11)):
        viewer.dims.set_current_step(viewer.dims.axis_labels.index("well"), step)
        live.pump.tick()
        assert layer.data.tolist() == [[7, 0, first, first], [7, 1, first + 1, first + 1]]
    put(tracks(np.empty((0, 4)), well="B"))
    assert len(np.unique(layer.data[:, 0])) == 1
    assert not layer.track_connex.any()


def test_tracks_may_come_frame_by_frame(viewer, live, source, put):
    for t in range(3):
        put(tracks([[5, t, t, 1], [6, t, t, 9]], t=t, graph=[[6, 5]] if t else None))
    layer = viewer.layers["paths"]
    assert layer.data[:, 0].tolist() == [5, 5, 5, 6, 6, 6]
    assert layer.data[:, 1].tolist() == [0, 1, 2] * 2
    assert layer.graph == {6: [5]}


def test_tracks_keep_their_colours(viewer, live, source, put):
    source.specs["paths"] = LayerSpec(
        "paths", "tracks", {}, {"color_by": "speed", "tail_length": 7, "colormap": "viridis"}
    )
    for t in range(2):
        each = tracks([[1, t, t, 1]], t=t)
        each.arrays.update(features(speed=[float(t)]))
        put(each)
    layer = viewer.layers["paths"]
    assert (layer.color_by, layer.tail_length, layer.colormap) == ("speed", 7, "viridis")
    assert layer.features["speed"].tolist() == [0, 1]
    layer.color_by = "track_id"
    layer.tail_width = 5
    put(tracks([[1, 2, 2, 1]], t=2))
    assert (layer.color_by, layer.tail_width) == ("track_id", 5)


def test_numbers_of_tracks_may_be_large(viewer, live, source, put):
    big = 4_000_000_000
    put(tracks([[big, 0, 1, 1], [big, 1, 2, 2]], graph=[[big, big]], well="A"))
    layer = viewer.layers["paths"]
    assert layer.data[:, 0].tolist() == [1, 1]


def test_time_may_be_any_of_the_sliders(viewer, live, source, put):
    source.specs["raw"] = LayerSpec("raw", "image", {"t": "slider", "well": "slider"})
    for t in range(4):
        put(image(t=t, well="A"), image(t=t, well="B"))
    assert viewer.dims.axis_labels == ("t", "well", "y", "x")
    put(tracks([[0, t, t, t] for t in range(4)], well="A"))
    layer = viewer.layers["paths"]
    live.sliders.follow(False)
    viewer.dims.set_current_step(1, 0)
    for t in (0, 2, 3):
        viewer.dims.set_current_step(0, t)
        live.pump.tick()
        assert layer.current_time == t
    assert viewer.dims.nsteps[:2] == (4, 2)


# -- features of labels ----------------------------------------------------------------------


def test_labels_have_the_features_of_the_place_that_is_seen(viewer, live, source, put):
    mask = np.zeros((20, 30), np.uint8)
    mask[5:10, 5:10] = 3
    for t in range(2):
        arrays = features(index=[3], area=[25.0 + t], name=[f"cell {t}"])
        put(Item("cells", "labels", mask, {"t": t}, arrays=arrays))
    layer = viewer.layers["cells"]
    live.sliders.follow(False)
    for t in (0, 1):
        viewer.dims.set_current_step(0, t)
        live.pump.tick()
        assert layer.features["area"].tolist() == [25 + t]
        status = layer.get_status((t, 7, 7), world=True, dims_displayed=[1, 2])
        assert f"name: cell {t}" in status["coordinates"]
    put(Item("cells", "labels", mask, {"t": 1}))
    assert len(layer.features) == 0


# -- mosaics ---------------------------------------------------------------------------------


def test_elements_lie_on_their_tiles(viewer, live, source, put):
    axes = {"field": "mosaic"}
    source.specs["raw"] = LayerSpec("raw", "image", axes)
    source.specs["spots"] = LayerSpec("spots", "points", axes)
    for field in range(4):
        put(points([1, 2], field=field, t=0, table={"field": [field]}))
        put(image(field + 1, (30, 40), field=field, t=0))
    layer, picture = viewer.layers["spots"], viewer.layers["raw"]
    assert viewer.dims.axis_labels == ("t", "y", "x")
    assert len(layer.data) == 4
    for point, field in zip(layer.data, layer.features["field"], strict=True):
        assert picture.get_value(layer.data_to_world(point), world=True) == field + 1
        assert tuple(point[1:] % [30, 40]) == (1, 2)


def test_elements_follow_a_change_of_modes(viewer, live, source, put):
    for field in range(4):
        put(image(field + 1, (30, 40), field=field, t=0))
        put(points([1, 2], field=field, t=0), shapes(square(3, 3), field=field, t=0))
    layer, cells = viewer.layers["spots"], viewer.layers["cells"]
    layer.size = 3
    live.layers.choose("field", "mosaic")
    live.pump.drain()
    assert viewer.layers["spots"] is layer
    assert viewer.dims.axis_labels == ("t", "y", "x")
    assert sorted(map(tuple, layer.data)) == [(0, 1, 2), (0, 1, 42), (0, 31, 2), (0, 31, 42)]
    assert layer.size.tolist() == [3] * 4
    assert sorted(tuple(each[0]) for each in cells.data) == [
        (0, 3, 3),
        (0, 3, 43),
        (0, 33, 3),
        (0, 33, 43),
    ]
    live.layers.choose("field", "slider")
    live.pump.drain()
    assert viewer.layers["spots"] is layer
    assert layer.ndim == 4
    assert sorted(layer.data[:, viewer.dims.axis_labels.index("field")]) == [0, 1, 2, 3]


@pytest.fixture(params=["pure_python", "numba"])
def slow_triangulation(request):
    """As where the package bermuda is not installed."""
    before = get_backend()
    set_backend(TriangulationBackend[request.param])
    yield
    set_backend(before)


def test_polygons_that_cross_themselves_are_drawn_without_bermuda(
    viewer, live, source, put, slow_triangulation, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    random = np.random.default_rng(1)
    wild = [random.integers(0, 12, (n, 2)).astype(float) for n in range(3, 40, 3) for _ in "abcd"]
    with pytest.raises(RuntimeError, match="Triangulation failed"):
        Shapes(wild, shape_type="polygon")
    put(shapes(square(1, 1), t=0), shapes(square(1, 1), *wild[:9], square(9, 9), t=1))
    put(shapes(*wild, t=2), points([1, 1], t=2))
    put(shapes(square(5, 5), t=3))
    cells = viewer.layers["cells"]
    assert cells.nshapes == 1 + 11 + len(wild) + 1
    assert {"polygon", "path"} == set(cells.shape_type)
    assert len(viewer.layers["spots"].data) == 1
    (note,) = map(str, live.layers.reports.all())
    assert "drawn as outlines" in note
    assert list(tmp_path.iterdir()) == []  # napari would save two files for each of them


def test_polygons_that_napari_would_fill_for_long_are_drawn_as_outlines(viewer, live, put):
    """20 000 vertices at random would take napari half a minute, and teeth side by side seconds."""
    angles = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    contour = 500 + 400 * np.stack((np.sin(angles), np.cos(angles)), 1)
    tangled = np.random.default_rng(0).uniform(0, 1000, (20_000, 2))
    numbers = np.arange(20_000)
    teeth = np.stack((numbers / 20, np.where(numbers % 2, 1000, numbers / 1e6)), 1)
    bow = np.array([[0, 0], [9, 9], [0, 9], [9, 0]], float)
    started = time.monotonic()
    put(shapes(contour, tangled, bow))
    put(shapes(contour, teeth, t=1))
    assert time.monotonic() - started < 15
    assert list(viewer.layers["cells"].shape_type) == [
        "polygon",
        "path",
        "polygon",
        "polygon",
        "path",
    ]
    (note,) = map(str, live.layers.reports.all())
    assert "outlines" in note


def test_an_array_may_bring_the_axis_that_tracks_have_made_a_slider(viewer, live, source, put):
    put(tracks([[1, 0, 1, 1], [1, 1, 2, 2], [1, 2, 3, 3]], well="A01"))
    assert viewer.dims.axis_labels == ("t", "y", "x")
    layer = viewer.layers["paths"]
    put(
        Item(
            "movie",
            "image",
            np.zeros((3, 8, 8), np.uint8),
            {"well": "A01"},
            calibration=Calibration(axes=("t", "y", "x")),
        )
    )
    assert viewer.dims.axis_labels == ("well", "t", "y", "x")
    assert viewer.layers["movie"].data.shape == (1, 3, 8, 8)
    assert viewer.layers["paths"] is layer
    assert layer.data[:, -3:].tolist() == [[0, 1, 1], [1, 2, 2], [2, 3, 3]]
    put(tracks([[1, 0, 5, 5], [1, 1, 6, 6]], layer="more", well="A01"))
    for mode in ("layer", "slider"):
        live.layers.choose("well", mode)
        live.pump.drain()
        assert viewer.dims.axis_labels.count("t") == 1


@pytest.mark.drops("coordinates")
def test_a_refused_surface_leaves_the_contrast_alone(live, source):
    faces = np.array([[0, 1, 2]])
    good = {"faces": faces, "values": np.array([0.0, 1.0, 2.0])}
    bad = {"faces": faces, "values": np.array([0.0, 1.0, 9e6])}
    mesh = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    source.board.put(Item("s", "surface", mesh, {"t": 0}, arrays=good))
    live.pump.tick(force=True)
    before = live.layers.streams["s"].ranges.limits
    source.board.put(Item("s", "surface", mesh * np.nan, {"t": 1}, arrays=bad))
    live.pump.tick(force=True)
    assert live.layers.streams["s"].ranges.limits == before
