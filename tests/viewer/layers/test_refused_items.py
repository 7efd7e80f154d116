"""Items that are refused, layouts that do not fit, and layers that napari does not take at once."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer

from dask_napari.canvas.elements import GrowingColumns
from dask_napari.model import Calibration, Item, LayerSpec, Layout, Provenance, Refusal
from dask_napari.viewer.layers import Layers

PLATE = LayerSpec("raw", "image", {"well": "mosaic"}, layouts={"well": Layout(plate=96)})
GUESSED = LayerSpec("raw", "image", {"well": "mosaic"})
STAGE = LayerSpec("spots", "points", {"field": "mosaic"}, layouts={"field": Layout(order="stage")})
CHANNELS = LayerSpec("raw", "image", {"c": "layer"})


def image(value=1, layer="raw", dtype=np.uint16, shape=(8, 12), axes=(), **position) -> Item:
    calibration = Calibration(axes=axes)
    data = np.full(shape, value, dtype)
    return Item(layer, "image", data, position, calibration=calibration, rgb=shape[-1] == 3)


def points(*coordinates, at=(), **position) -> Item:
    arrays = {"feature:n": np.arange(len(coordinates))}
    calibration = Calibration(translate=at)
    data = np.array(coordinates, float)
    return Item("spots", "points", data, position, calibration=calibration, arrays=arrays)


def tracks(*rows, **position) -> Item:
    return Item("paths", "tracks", np.array(rows, float), position)


def labels(n, **position) -> Item:
    arrays = {"feature:index": np.arange(1, 3), "feature:area": np.arange(n) * 1.0}
    return Item("cells", "labels", np.ones((8, 12), np.uint8), position, arrays=arrays)


def surface(*vertices, **position) -> Item:
    arrays = {"faces": np.array([[0, 1, 2]]), "values": np.array([0.0, 1.0, 9e6])}
    return Item("mesh", "surface", np.array(vertices, float), position, arrays=arrays)


TRIANGLE = ((0, 0), (0, 5), (5, 0))
NAN = np.nan


def state(layers) -> dict[str, object]:
    """All that an item may change, in a form that can be compared."""
    axes, mosaic = layers.axes, layers._arrangement.context.mosaic
    found: dict[str, object] = {
        "modes": layers._arrangement.modes,
        "axes": [(axis.name, axis.coordinates) for axis in axes],
        "space": (axes.spatial, axes.extent, axes.version, axes.structure, axes.shifts),
        "mosaic": (mosaic.version, mosaic.extent, *map(mosaic.coordinates, mosaic.axes)),
        "positions": (layers.position_axes, layers.newest),
        "streams": list(layers.streams),
    }
    for name, stream in layers.streams.items():
        canvas = stream.canvas
        if stream.kind in ("image", "labels"):
            picture = np.asarray(canvas)
            content = picture.dtype, picture.shape, picture.tobytes()
            features = vars(stream.features)["_tables"] if stream.features else None
            extra = stream.ranges.limits, features and len(features)
        else:
            rows = canvas.all_rows()
            columns = {n: (c.dtype, c.astype(str).tolist()) for n, c in rows.columns.items()}
            content = rows.coordinates.tolist(), columns, canvas.version, canvas.generation
            extra = getattr(stream, "_groups", None), stream.calibration
            extra = repr(extra), stream.ranges.limits if name == "mesh" else None
        found[name] = canvas.n_blocks, content, extra, stream.grew, stream.touched
    return found


FIRST = {
    "raw": image(3, well="A01", t=0),
    "spots": points([1, 2], [3, 4], t=0, field=1, at=(0.0, 0.0)),
    "paths": tracks([1, 0, 1, 1], [1, 1, 2, 2], well="A01"),
    "cells": labels(2, t=0),
    "mesh": surface(*TRIANGLE, t=0),
}

CASES = {
    "points that are not finite, in a tile": (STAGE, points([9, NAN], t=0, field=2, at=(9.0, 9.0))),
    "points at a new time and in space": (None, points([9, 9, NAN], t=5, field=2)),
    "a tile beyond all": (STAGE, points([1, 1], t=0, field=2, at=(9.0, 1e300))),
    "a well that makes a plate a grid": (GUESSED, image(dtype="M8[s]", well="sample 7", t=3)),
    "a well that makes a plate larger": (GUESSED, image(shape=(8, 12, 3), well="P24", t=0)),
    "a plate that has no such well": (PLATE, image(well="Z99", t=1)),
    "a first layer by channels": (CHANNELS, image(layer="more", dtype="M8[s]", c=1, t=4)),
    "a time that is not a number": (None, image(t=NAN, well="A02")),
    "too many axes": (None, image(t=0, **{f"a{n}": 0 for n in range(30)})),
    "an array that brings an axis that is a slider": (
        None,
        image(layer="movie", dtype="M8[s]", shape=(2, 8, 12), axes=("t", "y", "x"), well="A"),
    ),
    "tracks that are not finite": (None, tracks([1, 0, NAN, 1], well="B07")),
    "features of labels": (None, labels(3, t=7)),
    "a surface": (None, surface((0, 0), (0, NAN), (5, 0), t=1)),
}


@pytest.fixture
def layers(viewer):
    return Layers(viewer)


@pytest.mark.parametrize("laid_out", [False, True], ids=["sliders", "mosaic"])
@pytest.mark.parametrize("case", CASES)
def test_a_refused_item_was_never_there(layers, case, laid_out):
    spec, bad = CASES[case]
    specs = {"raw": GUESSED if spec is GUESSED else PLATE, "spots": STAGE} if laid_out else {}
    for name, item in FIRST.items():
        layers.put(item, specs.get(name))
    before = state(layers)
    if not laid_out and spec is PLATE:
        spec = LayerSpec("raw", "image", {"t": "slider"})
        bad = image(dtype="M8[s]", well="Z99", t=1)
    with pytest.raises((Refusal, TypeError, ValueError)):
        layers.put(bad, spec)
    assert state(layers) == before


def test_a_layout_that_does_not_fit_the_others_moves_nothing(layers):
    layers.put(image(1, "old", well="sample 7"), None)
    layers.put(image(2, "old", well="A01"), None)
    before = state(layers)
    for _ in range(2):  # the second time without laying anything out
        with pytest.raises(Refusal, match="an item of layer 'old' would have no place"):
            layers.put(image(3, well="A01"), PLATE)
        assert state(layers) == before
    layers.put(image(3, well="A01"), None)
    assert {name: s.canvas.n_blocks for name, s in layers.streams.items()} == {"old": 2, "raw": 1}


def test_a_choice_that_would_lose_items_is_not_made(layers, monkeypatch):
    monkeypatch.setattr("dask_napari.viewer.layers._arrangement.MOST_LAYERS", 3)
    for t in range(5):
        layers.put(image(t, t=t), None)
    before = state(layers)
    layers.choose("t", "layer")
    assert state(layers) == before
    assert layers.mode("t") == "slider"
    (report,) = map(str, layers.reports.all())
    assert report == "axis 't' stays a slider: it would take 5 layers, and 3 are the most"
    layers.choose("t", "mosaic")
    assert layers.mode("t") == "mosaic"


def test_the_order_of_arrival_is_a_slider_only_where_it_is_shown_as_one(layers):
    for number in range(3):
        item = image(number)
        item.amend(provenance=Provenance(f"task-{number}"))
        layers.put(item, None)
    layers.choose("item", "mosaic")
    assert layers.axes.names == ()
    layers.update(0.0, force=True)
    assert layers.viewer.layers["raw"].data.shape == (16, 24)


def test_a_block_that_finds_no_memory_leaves_the_canvas_as_it_was(layers, monkeypatch):
    """At whichever of the columns memory ends, new or widened ones."""
    layers.put(points(*np.zeros((200, 2)), field=1, t=0), STAGE)
    more = points(*np.ones((100, 2)), field=2, t=1, at=(5.0, 5.0))
    more.arrays = {"feature:n": np.full(100, 0.5), "feature:name": np.full(100, "a")}
    before, room, turn = state(layers), GrowingColumns._room, 0
    for turn in range(100):
        left = iter([True] * turn)

        def fail(self, *args, left=left, **options):
            if next(left, None) is None:
                raise MemoryError
            return room(self, *args, **options)

        monkeypatch.setattr(GrowingColumns, "_room", fail)
        try:
            layers.put(more, STAGE)
            break
        except MemoryError:
            assert state(layers) == before
    assert turn > 5
    assert len(layers.streams["spots"].canvas) == 300


def test_a_replaced_block_may_bring_a_column_of_whole_numbers():
    columns = GrowingColumns()
    columns.append(2, {"x": np.zeros(2)})
    columns.append(2, {"x": np.ones(2)})
    columns.write(columns.prepare(0, 2, {"x": np.zeros(2), "n": np.array([7, 8])}))
    np.testing.assert_array_equal(columns["n"], [7, 8, np.nan, np.nan])


# -- napari ----------------------------------------------------------------------------------


@pytest.mark.errors("cannot be drawn")
@pytest.mark.parametrize("kind", ["image", "points"])
def test_a_layer_that_napari_does_not_take_is_tried_again(layers, viewer, kind, monkeypatch):
    monkeypatch.setenv("DASK_NAPARI_STRICT", "0")
    item = image(t=0) if kind == "image" else points([1, 1], t=0)
    layers.put(item, None)
    with monkeypatch.context() as broken:
        broken.setattr(type(viewer), "add_layer", lambda *_: 1 / 0)
        assert not layers.update(0.0)
        assert not viewer.layers
    assert not layers.update(1.0)  # not at every tick
    assert layers.update(10.0)
    assert [layer.name for layer in viewer.layers] == [item.layer]


@pytest.mark.errors("cannot be drawn")
@pytest.mark.parametrize("kind", ["image", "points"])
def test_names_of_axes_that_napari_did_not_take_come_later(layers, viewer, kind, monkeypatch):
    monkeypatch.setenv("DASK_NAPARI_STRICT", "0")
    make = {"image": image, "points": lambda **at: points([1, 1], **at)}[kind]
    layers.put(make(t=0), None)
    layers.update(0.0)
    layers.put(make(t=0, well="A"), None)
    with monkeypatch.context() as broken:
        broken.setattr(Layer, "axis_labels", property(lambda _: (), lambda *_: 1 / 0))
        layers.update(20.0)
    layers.update(40.0)
    assert viewer.layers[0].axis_labels == ("well", "t", "y", "x")


@pytest.mark.errors("plate.*cannot be drawn")
def test_headings_that_napari_does_not_take_come_later(layers, viewer, monkeypatch):
    monkeypatch.setenv("DASK_NAPARI_STRICT", "0")
    layers.put(image(well="A01"), PLATE)
    with monkeypatch.context() as broken:
        broken.setattr("dask_napari.viewer.layers._headings.scene_of", lambda _: 1 / 0)
        assert layers.update(0.0)  # the picture is there all the same
    assert not layers.headings._mosaic.headings or layers.headings._shown[0] is None
    layers.update(10.0)
    assert layers.headings._shown[0] is not None
