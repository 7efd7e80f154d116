"""napari's own actions on layers that are live."""

from __future__ import annotations

import numpy as np
import pytest
from napari._app_model import get_app_model
from napari.layers import Image, Labels, Layer

from dask_napari.model import Item

PICTURES = np.arange(3 * 8 * 9, dtype=np.uint16).reshape(3, 8, 9)
CELLS = (PICTURES % 7).astype(np.int32)
COLOURS = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)


@pytest.fixture
def act(viewer, put):
    """Select live layers, perform an action of napari's, and return the layers that it added."""
    put(
        *(Item("img", "image", PICTURES[t], {"t": t}) for t in range(3)),
        *(Item("other", "image", PICTURES[t] + 1, {"t": t}) for t in range(3)),
        *(Item("lab", "labels", CELLS[t], {"t": t}) for t in range(3)),
    )

    def act(action: str, *chosen: str | Layer) -> list:
        before = list(viewer.layers)
        layers = [viewer.layers[each] if isinstance(each, str) else each for each in chosen]
        viewer.layers.selection = set(layers)
        if len(layers) == 1:
            viewer.layers.selection.active = layers[0]
        get_app_model().commands.execute_command(f"napari.layer.{action}").result()
        return [layer for layer in viewer.layers if layer not in before]

    return act


@pytest.mark.parametrize(
    ("mode", "function"),
    [(n, getattr(np, n)) for n in ("max", "min", "mean", "sum", "std", "median")],
)
def test_project(act, mode, function):
    (layer,) = act(f"project_{mode}", "img")
    np.testing.assert_allclose(layer.data, function(PICTURES, axis=0))


def test_a_pyramid_is_projected_and_duplicated(act, put):
    put(*(Item("large", "image", np.full((8, 5000), t, np.uint8), {"t": t}) for t in range(3)))
    (projected,) = act("project_max", "large")
    assert projected.multiscale
    assert np.asarray(projected.data[0]).tolist() == [[2] * 5000] * 8
    (copied,) = act("duplicate", "large")
    assert copied.multiscale
    assert all(type(level) is np.ndarray for level in copied.data)
    (level,) = act("extract_multiscale_level", "large")
    assert level.data.shape[0] == 3


@pytest.mark.parametrize(("name", "expected"), [("img", PICTURES), ("lab", CELLS)])
def test_a_duplicate_stays_as_it_is(act, put, name, expected):
    (layer,) = act("duplicate", name)
    kind = "image" if name == "img" else "labels"
    put(Item(name, kind, np.zeros_like(expected[0]), {"t": 1}))
    assert type(layer.data) is np.ndarray
    assert np.array_equal(layer.data, expected)


@pytest.mark.filterwarnings("ignore:projection mode")  # napari's note to the user
def test_convert(act):
    (labels,) = act("convert_to_labels", "img")
    assert isinstance(labels, Labels)
    assert np.array_equal(labels.data, PICTURES)
    (image,) = act("convert_to_image", "lab")
    assert isinstance(image, Image)
    assert np.array_equal(image.data, CELLS)


def test_split_stack(act):
    layers = act("split_stack", "img")
    assert [np.asarray(layer.data).tolist() for layer in layers] == PICTURES.tolist()


def test_split_and_merge_colours(act, put):
    put(Item("rgb", "image", COLOURS, {}, rgb=True))
    layers = act("split_rgb", "rgb")
    colours = {layer.colormap.name: layer for layer in layers}
    assert colours.keys() == {"red", "green", "blue"}
    (merged,) = act("merge_rgb", *layers)
    assert np.array_equal(np.reshape(merged.data, (-1, *COLOURS.shape))[0], COLOURS)


def test_merge_stack(act):
    (layer,) = act("merge_stack", "img", "other")
    found = sorted(part[0, 0, 0] for part in np.asarray(layer.data))
    assert (found, layer.data.shape) == ([0, 1], (2, *PICTURES.shape))


def test_convert_dtype(act, viewer):
    act("convert_to_int64", "lab")
    assert viewer.layers["lab"].data.dtype == np.int64
    assert np.array_equal(viewer.layers["lab"].data, CELLS)


@pytest.mark.parametrize(
    "action",
    [
        *("toggle_visibility", "link_selected_layers", "select_linked_layers"),
        *("unlink_selected_layers", "toggle_lock", "show_selected", "hide_selected"),
        *("show_unselected", "hide_unselected", "bounding_box", "name_overlay"),
    ],
)
def test_actions_on_looks(act, put, viewer, action):
    assert not act(action, "img", "other")
    put(Item("img", "image", PICTURES[0], {"t": 5}))
    assert viewer.layers["img"].data.shape[0] == 4
