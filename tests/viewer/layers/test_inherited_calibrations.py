"""Masks and coordinates without a pixel size lie on the picture of which they were made."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from dask_napari.model import Calibration, Item, LayerSpec, Layout
from dask_napari.viewer.layers import Layers

UM = Calibration(("y", "x"), (0.325, 0.65), (10.0, 20.0), ("micrometer", "micrometer"))


def picture(known=UM, layer="raw", shape=(6, 8), **position) -> Item:
    data = np.ones(shape, "uint8")
    return Item(layer, "image", data, position or {"s": 1}, calibration=known)


def made_of_it(kind="labels", shape=(6, 8), **position) -> Item:
    """Return what a task makes of a picture, as plain arrays."""
    corners = np.array([[0, 0], [0, 7], [5, 7]], "float64")
    data, arrays = {
        "image": (np.ones(shape, "float32"), {}),
        "labels": (np.ones(shape, "uint8"), {}),
        "points": (corners, {}),
        "shapes": (corners, {"offsets": np.array([0, 3]), "types": np.array([0])}),
        "tracks": (np.array([[1, 0, 0, 0], [1, 1, 5, 7]], "float64"), {}),
        "vectors": (np.stack([corners, np.ones((3, 2))], axis=1), {}),
        "surface": (corners, {"faces": np.array([[0, 1, 2]])}),
    }[kind]
    return Item(kind, kind, data, position or {"s": 1}, arrays=arrays)


def shown(*items: Item, specs: dict[str, LayerSpec] | None = None) -> tuple[ViewerModel, Layers]:
    viewer = ViewerModel()
    layers = Layers(viewer)
    for number, item in enumerate(items):
        layers.put(item, (specs or {}).get(item.layer))
        layers.update(float(number), force=True)
    layers.update(float(len(items)), force=True)
    return viewer, layers


def notes(layers: Layers, layer: str) -> list[str]:
    return [report.text for report in layers.reports.all() if report.layer == layer]


@pytest.mark.parametrize(
    "kind", ["image", "labels", "points", "shapes", "tracks", "vectors", "surface"]
)
@pytest.mark.parametrize("first", [False, True], ids=["picture first", "picture last"])
def test_any_kind_lies_on_its_picture(kind, first):
    items = [made_of_it(kind), picture()]
    viewer, layers = shown(*(items if first else reversed(items)))
    raw, other = viewer.layers["raw"], viewer.layers[kind]
    assert tuple(other.scale[-2:]) == tuple(raw.scale[-2:]) == (0.325, 0.65)
    assert tuple(other.translate[-2:]) == tuple(raw.translate[-2:]) == (10.0, 20.0)
    assert [str(unit) for unit in other.units[-2:]] == ["micrometer", "micrometer"]
    assert notes(layers, kind) == ["without a pixel size: drawn with that of 'raw'"]
    if kind in ("image", "labels"):
        assert np.array_equal(other.extent.world, raw.extent.world)
    # The catalogue has it as it was stated.
    assert layers.catalogue.find(items[0].meta, 1).meta.calibration == Calibration()


sizes = st.sampled_from([0.1, 0.325, 2.0])
stated = st.builds(lambda y, x: Calibration(scale=(y, x), units=("um", "um")), sizes, sizes)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_the_order_of_arrival_does_not_matter(data):
    """A mask lies on its picture whichever of their items come first, and whatever else does."""
    known = data.draw(stated)
    items = [picture(known, s=n) for n in range(2)] + [made_of_it(s=n) for n in range(2)]
    items.append(picture(Calibration(), "other", (9, 9)))
    viewer, _ = shown(*data.draw(st.permutations(items)))
    assert tuple(viewer.layers["labels"].scale) == tuple(viewer.layers["raw"].scale)
    assert tuple(viewer.layers["raw"].scale[-2:]) == known.scale
    assert tuple(viewer.layers["other"].scale[-2:]) == (1.0, 1.0)


def test_tiles_lie_on_tiles_where_the_stage_places_them():
    """Each mask has the translation of the picture at its position, which has channels besides."""
    layout = {"field": Layout(order="stage")}
    spec = {
        name: LayerSpec(name, kind, {"field": "mosaic"}, layouts=layout)
        for name, kind in (("raw", "image"), ("labels", "labels"))
    }
    places = {1: (0.0, 0.0), 2: (0.0, 8.0), 3: (6.0, 8.0)}
    tiles = [
        picture(Calibration(scale=(1.0, 1.0), translate=at), field=field, channel=channel)
        for channel, (field, at) in itertools.product(("a", "b"), places.items())
    ]
    masks = [made_of_it(field=field) for field in places]
    viewer, layers = shown(*tiles, *masks, specs=spec)
    assert viewer.layers["labels"].data.shape[-2:] == viewer.layers["raw"].data.shape[-2:]
    assert np.asarray(viewer.layers["labels"].data)[0].sum() == 3 * 48
    assert [layers.mosaic.offset((("field", n),)) for n in places] == list(places.values())


def test_no_picture_or_several_are_said():
    _, layers = shown(picture(), made_of_it(shape=(5, 5)))
    assert notes(layers, "labels") == [
        "without a pixel size, beside pictures that have one: give scale= to its tap"
    ]
    other = Calibration(scale=(9.0, 9.0))
    viewer, layers = shown(picture(), picture(other, "binned"), made_of_it())
    assert tuple(viewer.layers["labels"].scale[-2:]) == (1.0, 1.0)
    assert notes(layers, "labels") == [
        "without a pixel size, and 'raw' and 'binned' have different ones: give scale= to its tap"
    ]


def test_what_states_a_size_keeps_it():
    mask = made_of_it()
    mask.amend(calibration=Calibration(scale=(1.0, 1.0)))
    viewer, layers = shown(picture(), mask)
    assert tuple(viewer.layers["labels"].scale[-2:]) == (1.0, 1.0)
    assert notes(layers, "labels") == []


def test_without_calibrated_pictures_nothing_is_said():
    viewer, layers = shown(picture(Calibration()), made_of_it(), made_of_it("points"))
    assert {tuple(layer.scale[-2:]) for layer in viewer.layers} == {(1.0, 1.0)}
    assert layers.reports.all() == []


def in_run(run: int, item: Item) -> Item:
    item.run = run
    return item


@pytest.mark.parametrize("first", [False, True], ids=["picture first", "mask first"])
def test_the_pixels_of_a_new_run_count(first):
    binned = Calibration(scale=(2.0, 2.0))
    second = [in_run(2, picture(binned)), in_run(2, made_of_it())]
    viewer, _ = shown(picture(), made_of_it(), *(reversed(second) if first else second))
    assert tuple(viewer.layers["raw"].scale[-2:]) == (2.0, 2.0)
    assert tuple(viewer.layers["labels"].scale[-2:]) == (2.0, 2.0)


def test_a_stream_is_no_picture_of_its_own():
    viewer, layers = shown(picture(), in_run(2, picture(Calibration())))
    assert tuple(viewer.layers["raw"].scale[-2:]) == (1.0, 1.0)
    assert not any("that of 'raw'" in text for text in notes(layers, "raw"))


def test_units_spelled_otherwise_are_no_other_size():
    spelled = [Calibration(scale=(0.5, 0.5), units=(unit, unit)) for unit in ("um", "micrometer")]
    viewer, _ = shown(picture(spelled[0]), picture(spelled[1], "other"), made_of_it())
    assert tuple(viewer.layers["labels"].scale[-2:]) == (0.5, 0.5)
