"""What the user does by hand on live layers stays."""

from __future__ import annotations

import numpy as np
import pytest
from napari._app_model import get_app_model
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from dask_napari.model import Item
from dask_napari.viewer.layers._points_stream import PointsStream


def command(viewer, name: str, layer: str) -> None:
    viewer.layers.selection = {viewer.layers[layer]}
    get_app_model().commands.execute_command(f"dask-napari.{name}").result()


def cells(t: int, value: int = 1, **more) -> Item:
    data = np.zeros((16, 20), np.uint8)
    data[2:6, 2:6] = value
    return Item("lab", "labels", data, {"t": t}, **more)


@pytest.fixture
def labels(viewer, put):
    put(cells(0), cells(1))
    viewer.dims.set_current_step(0, 0)
    return viewer.layers["lab"]


def test_paint_stays_over_what_arrives(viewer, put, live, labels):
    sent = np.array(labels.data)
    labels.brush_size = 3
    labels.paint((0, 10, 10), 7)
    painted = np.array(labels.data)
    assert (painted == 7).sum() > 1
    assert (painted[1] == sent[1]).all()
    assert (labels.get_value((0, 10, 10)), labels.get_value((0, 3, 3))) == (7, 1)

    put(cells(0, 3), cells(2))  # computed anew, and another place
    assert labels.get_value((0, 10, 10)) == 7
    assert labels.get_value((0, 3, 3)) == 3
    assert (labels.data[0] == 7).sum() == (painted == 7).sum()
    assert labels.metadata["painted by hand"] == [{"t": 0}]
    assert any("Clear paint" in str(report) for report in live.layers.reports.all())

    command(viewer, "clear_paint", "lab")
    put(cells(1))
    assert np.array_equal(labels.data[0], cells(0, 3).data)
    assert labels.metadata["painted by hand"] == []


def test_fill_undo_and_polygons(labels):
    sent = np.array(labels.data)
    labels.fill((0, 3, 3), 9)
    assert np.array_equal(labels.data[0], sent[0] * 9)
    labels.undo()
    assert np.array_equal(labels.data, sent)
    labels.redo()
    labels.paint_polygon([[0, 8, 8], [0, 8, 14], [0, 14, 14], [0, 14, 8]], 4)
    assert labels.data[0, 11, 11] == labels.get_value((0, 11, 11)) == 4


def test_an_array_that_a_task_sent_is_never_written_to(viewer, put):
    item = Item("lab", "labels", np.ones((16, 20), np.uint8))
    item.data.flags.writeable = False
    put(item)
    viewer.layers["lab"].paint((0, 4, 4) if viewer.layers["lab"].ndim == 3 else (4, 4), 2)
    assert (np.asarray(viewer.layers["lab"].data) == 2).any()
    assert (item.data == 1).all()


def test_paint_goes_where_its_tile_goes(viewer, put, live):
    put(cells(0), cells(1))
    viewer.layers["lab"].paint((1, 10, 10), 7)
    live.layers.choose("t", "mosaic")
    live.pump.drain()
    data = np.asarray(viewer.layers["lab"].data)
    assert (data == 7).any()
    viewer.layers["lab"].paint((0, 0), 5)  # in the first tile
    live.layers.choose("t", "slider")
    live.pump.drain()
    data = np.asarray(viewer.layers["lab"].data)
    assert (data[1, 10, 10], data[0, 10, 10], data[0, 0, 0], data[1, 0, 0]) == (7, 0, 5, 0)


def test_what_cannot_be_edited_says_so_and_can_be_frozen(viewer, put):
    put(
        Item("img", "image", np.ones((8, 8), np.uint8), {"t": 0}),
        Item("large", "labels", np.ones((8, 5000), np.uint8), {"t": 0}),
    )
    for name in ("img", "large"):
        assert not viewer.layers[name].editable
        command(viewer, "freeze", name)
    frozen = viewer.layers["large (frozen)"]
    assert frozen.editable
    assert type(frozen.data) is np.ndarray
    frozen.paint((0, 4, 4), 2)
    put(Item("img", "image", np.full((8, 8), 5, np.uint8), {"t": 0}))
    assert (viewer.layers["img (frozen)"].data == 1).all()
    with pytest.raises(TypeError, match=r"copy\(\)"):
        viewer.layers["img"].data[0] = 3


def test_a_layer_whose_data_the_user_replaced_is_his(viewer, put, labels):
    labels.data = np.asarray(labels.data).astype(np.int64)
    put(cells(0, 6))
    assert labels.data.max() == 1
    (other,) = [layer for layer in viewer.layers if layer is not labels]
    assert other.data[0].max() == 6


# -- points and shapes ---------------------------------------------------------------------------


def spots(t: int, *, at: float = 1.0) -> Item:
    columns = {"feature:size": np.array([1.5, 2.5]), "feature:type": np.array(["a", "b"])}
    return Item("spots", "points", np.array([[at, 1.0], [2.0, 2.0]]), {"t": t}, arrays=columns)


def triangle(t: int) -> Item:
    arrays = {"offsets": np.array([0, 3]), "types": np.array([0])}
    vertices = np.array([[1.0, 1.0], [1.0, 5.0], [5.0, 1.0]])
    return Item("cells", "shapes", vertices, {"t": t}, arrays=arrays)


def test_points_added_by_hand_stay_where_they_belong(viewer, put, live):
    put(spots(3), spots(5))
    layer = viewer.layers["spots"]
    layer.current_face_color = "red"
    layer.add([[1, 8.0, 9.0]])
    live.pump.tick(force=True)
    assert layer.selected_data == {4}

    put(spots(4), spots(1))  # before and between those that there are
    assert [3.0, 8.0, 9.0] in layer.data.tolist()  # at t=5, still
    assert len(layer.data) == 9
    (hand,) = layer.selected_data
    assert layer.data[hand].tolist() == [3.0, 8.0, 9.0]
    assert layer.face_color[hand].tolist() == [1, 0, 0, 1]
    put(spots(5, at=7.0))  # computed anew
    assert len(layer.data) == 9
    assert [3.0, 7.0, 1.0] in layer.data.tolist()
    assert [3.0, 8.0, 9.0] in layer.data.tolist()


def test_points_moved_and_deleted_by_hand(viewer, put, live):
    put(spots(3), spots(5))
    layer = viewer.layers["spots"]
    layer.selected_data = {0}
    for to in ([0, 1.0, 1.0], [0, 30.0, 30.0]):  # as the mouse does
        layer._move([0], to)
    layer.remove([3])
    put(spots(6))
    moved = sorted(layer.data.tolist())
    assert moved == [[0, 2, 2], [0, 30, 30], [1, 1, 1], [2, 1, 1], [2, 2, 2]]
    assert sorted(layer.features["size"]) == [1.5, 1.5, 1.5, 2.5, 2.5]
    put(spots(5))  # the task says it again
    assert len(layer.data) == 6


def test_points_by_hand_follow_a_change_of_layout(viewer, put, live):
    put(spots(3), spots(5))
    viewer.layers["spots"].add([[1, 8.0, 9.0]])
    live.pump.tick(force=True)
    live.layers.choose("t", "mosaic")
    live.pump.tick(force=True)
    assert len(viewer.layers["spots"].data) == 5
    assert not viewer.layers["spots"].editable
    live.layers.choose("t", "slider")
    live.pump.tick(force=True)
    layer = viewer.layers["spots"]
    assert layer.editable
    assert layer.data.tolist().count([1, 8.0, 9.0]) == 1


def test_points_by_hand_stay_in_a_layer_that_holds_only_what_is_in_view(
    viewer, put, live, monkeypatch
):
    n = 4
    monkeypatch.setattr(PointsStream, "limit", n + 1)
    for t in range(2):
        put(Item("many", "points", np.arange(2.0 * n).reshape(n, 2), {"t": t}))
    layer = viewer.layers["many"]
    viewer.dims.set_current_step(0, 0)
    live.pump.tick(force=True)
    assert len(layer.data) == n
    layer.add([[0, 8.0, 9.0]])
    for step, count in ((1, n), (0, n + 1)):
        viewer.dims.set_current_step(0, step)
        live.pump.tick(force=True)
        assert len(layer.data) == count
    assert [0, 8.0, 9.0] in layer.data.tolist()


def test_shapes_added_and_deleted_by_hand(viewer, put, live):
    put(triangle(3), triangle(5))
    layer = viewer.layers["cells"]
    square = np.array([[1, 10, 10], [1, 10, 20], [1, 20, 20], [1, 20, 10.0]])
    layer.add(square, shape_type="rectangle", edge_color="lime")
    live.pump.tick(force=True)
    layer.selected_data = {0}
    layer.remove_selected()
    put(triangle(4))
    assert sorted(layer.shape_type) == ["polygon", "polygon", "rectangle"]
    at = layer.shape_type.index("rectangle")
    assert np.array_equal(layer.data[at][:, 1:], square[:, 1:])
    assert set(layer.data[at][:, 0]) == {2}
    assert layer.edge_color[at].tolist() == [0, 1, 0, 1]


def test_the_mouse_paints_in_the_window(viewer, put, labels):
    labels.mode, labels.selected_label, labels.brush_size = "paint", 7, 3
    viewer.layers.selection = {labels}
    viewer.reset_view()
    QApplication.processEvents()
    canvas = viewer.window._qt_viewer.canvas.native
    for act in (QTest.mousePress, QTest.mouseRelease):
        act(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
    put(cells(0, 3))
    assert (labels.data[0, 7:9, 9:11] == 7).any()
    assert 3 in labels.data
    labels.undo()
    assert 7 not in labels.data
