"""The world that all layers share: what napari cannot take never costs another layer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from dask_napari.model import Calibration, Item, LayerSpec, Layout, Refusal
from dask_napari.viewer.layers import Layers
from example_counts import examples

BRIGHT = 100
"""Least value of the pictures, and least brightness of a pixel on the screen that shows one."""


def image(layer="raw", shape=(60, 60), known=None, **position) -> Item:
    data = np.random.default_rng(0).integers(BRIGHT, 255, shape).astype(np.uint8)
    data[..., 0, 0] = 0
    calibration = Calibration(**known) if known else Calibration()
    return Item(layer, "image", data, position or {"s": 1}, calibration=calibration)


def points(*places, known=None) -> Item:
    calibration = Calibration(**known) if known else Calibration()
    return Item("wild", "points", np.array(places, float), {"s": 1}, calibration=calibration)


def wild(shape=(60, 60), **known) -> Item:
    return image("wild", shape, known)


METRES = ("m", "m")
STAMPS = {"axes": ("t", "y", "x"), "scale": (1e-3, 1.0, 1.0), "translate": (1.7e9, 0.0, 0.0)}

DRAWN = {
    "a place beyond all digits": wild(scale=(1.0, 1.0), translate=(1e19, 1e19)),
    "a place that a graphics card cannot take": wild(translate=(1e8, 1e8)),
    "a map": wild(scale=(0.1, 0.1), translate=(5e6, 4e5), units=METRES),
    "tiny pixels": wild(scale=(1e-12, 1e-12)),
    "metres": wild(scale=(1e-7, 1e-7), translate=(5e-2, 5e-2), units=METRES),
    "light years": wild(scale=(1e18, 1e18), units=METRES),
    "astronomic numbers": wild(scale=(1e18, 1e18)),
    "time stamps": wild((5, 60, 60), **STAMPS, units=("s", "pixel", "pixel")),
    "time stamps without a unit": wild((5, 60, 60), **STAMPS),
    "an unknown unit": wild(units=("degrees_north", "degrees_east")),
}
DROPPED = {
    "steps of other orders along y and x": wild(scale=(1e-12, 1e12)),
    "points at either end": points((-2e9, 0), (2e9, 0)),
    "one point": points((1e9, 0)),
}


def is_seen(viewer, layer: str) -> bool:
    """Return whether a layer alone brings light to the middle of the canvas."""
    visible = {each: each.visible for each in viewer.layers}
    for each in viewer.layers:
        each.visible = each.name == layer
    low, high = viewer.layers[layer].extent.world[:, -2:]
    viewer.scene.camera.center = (0, *(low + high) / 2)
    viewer.scene.camera.zoom = 400 / (high - low).max()
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].max(-1)
    for each, was in visible.items():
        each.visible = was
    y, x = (length // 2 for length in picture.shape)
    return bool(np.median(picture[y - 100 : y + 100, x - 100 : x + 100]) >= BRIGHT // 2)


@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
@pytest.mark.parametrize("case", DRAWN)
def test_any_magnitude_is_drawn_beside_others(viewer, live, put, source, case, first):
    others = [image(), image("movie", (3, 60, 60), {"axes": ("t", "y", "x")})]
    put(*([DRAWN[case], *others] if first else [*others, DRAWN[case]]))
    assert {layer.name for layer in viewer.layers} == {"raw", "movie", "wild"}
    viewer.dims.current_step = (0,) * viewer.dims.ndim
    assert [layer.name for layer in viewer.layers if not is_seen(viewer, layer.name)] == []
    assert source.ledger().layers["wild"].shown == 1
    (item,) = live.layers.items_from("wild")  # what is saved, and what the client reads
    known, stated = item.calibration, DRAWN[case].calibration
    if known.units == stated.units:
        assert known.translate == pytest.approx(stated.translate)
        assert known.scale == pytest.approx(stated.scale or (1.0,) * len(known.scale))
    else:
        metres = {"nanometer": 1e-9, "exameter": 1e18}[known.units[-1]]
        assert known.translate == pytest.approx([at / metres for at in stated.translate])


@pytest.mark.drops("cannot be drawn")
@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
@pytest.mark.parametrize("case", DROPPED)
def test_a_layer_that_cannot_be_drawn_is_dropped_and_never_another(
    viewer, live, put, source, case, first
):
    put(*([DROPPED[case], image()] if first else [image(), DROPPED[case]]))
    assert [layer.name for layer in viewer.layers] == ["raw"]
    assert is_seen(viewer, "raw")
    (reason,) = source.ledger().layers["wild"].dropped
    assert reason.startswith("cannot be drawn: ")
    live.dock.refresh()
    messages = live.dock.messages
    assert reason.split(": ")[0] in "\n".join([*messages.errors, *messages.notes])


def test_a_plane_is_repeated_as_far_as_the_stack_beside_it_reaches(viewer, put):
    micrometres = {"axes": ("z", "y", "x"), "units": ("um",) * 3}
    put(image("plane", known={"units": ("um", "um")}))
    put(image("stack", (9, 60, 60), {**micrometres, "scale": (3, 1, 1), "translate": (10, 0, 0)}))
    put(image("fine", (5, 60, 60), {**micrometres, "scale": (0.5, 1, 1), "translate": (9, 0, 0)}))
    plane = viewer.layers["plane"]
    assert plane.extent.world[:, 1].tolist() == [9.0, 34.0]
    assert plane.scale[1] == 0.5
    assert viewer.layers.units is not None
    assert viewer.dims.nsteps[1] == 51


def test_units_of_a_kind_are_one_unit(viewer, put):
    put(image("first", known={"scale": (0.5, 0.5), "units": ("um", "um")}))
    put(image("second", known={"scale": (250, 250), "units": ("nm", "nm")}))
    put(image("third", known={"scale": (1e-6, 1e-6), "units": METRES}))
    scales = {layer.name: layer.scale[-1] for layer in viewer.layers}
    assert scales == pytest.approx({"first": 0.5, "second": 0.25, "third": 1.0})
    assert {str(layer.units[-1]) for layer in viewer.layers} == {"micrometer"}


@pytest.mark.drops("cannot be drawn")
@pytest.mark.parametrize("kind", ["image", "points"])
def test_a_tile_too_far_from_the_others_is_dropped(viewer, live, source, put, kind):
    axes = {"f": "mosaic"}
    for name, of in (("raw", "image"), ("wild", kind)):
        source.specs[name] = LayerSpec(name, of, axes, layouts={"f": Layout(order="stage")})
    put(image(f=0, known={"scale": (1.0, 1.0), "translate": (0.0, 0.0)}))
    far = {"scale": (1.0, 1.0), "translate": (0.0, 1e12)}
    item = wild(**far) if kind == "image" else points((1, 1), (5, 5), known=far)
    item.amend(position={"f": 1})
    put(item)
    assert live.layers.axes.spatial == ("y", "x")
    assert [layer.name for layer in viewer.layers] == ["raw"]
    assert viewer.layers["raw"].data.shape == (60, 60)
    assert source.ledger().layers["wild"].shown == 0


def sizes() -> st.SearchStrategy[float]:
    return st.builds(math.pow, st.just(10.0), st.integers(-19, 19))


@st.composite
def items(draw: st.DrawFn, number: int) -> Item:
    count = draw(st.integers(2, 3))
    known = Calibration(
        axes=("z", "y", "x")[-count:],
        scale=draw(st.sampled_from([(), (draw(sizes()),) * count])),
        translate=draw(st.sampled_from([(), (draw(sizes()),) * count])),
        units=draw(st.sampled_from([(), *((unit,) * count for unit in ("m", "um", "s", "degC"))])),
    )
    name, position = f"layer {number}", {"s": draw(st.integers(0, 2))}
    if draw(st.booleans()):
        data = np.full((4, 60, 60)[-count:], 200, np.uint8)
        return Item(name, "image", data, position, calibration=known)
    data = np.array([(0.0,) * count, (draw(sizes()) * 1e-10,) * count])
    return Item(name, "points", data, position, calibration=known)


@settings(
    max_examples=examples(10),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # napari is too slow to shrink with
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.tuples(*map(items, range(4))))
def test_whatever_comes_napari_can_count_it(arrivals):
    viewer = ViewerModel()  # a window would take seconds for each example
    layers, reasons = Layers(viewer), {"cannot be drawn"}
    layers.put(image(s=0), None)
    layers.update(0.0, force=True)
    for item in arrivals:
        expected = {layer.name for layer in viewer.layers}
        try:
            layers.put(item, None)
            expected.add(item.layer)
        except Refusal as error:
            reasons.add(error.reason.split(":")[0])
        layers.update(0.0, force=True)
        assert {layer.name for layer in viewer.layers} == expected
        assert all(0 < steps < 10**9 for steps in viewer.dims.nsteps)
    assert reasons == {"cannot be drawn"}
    assert np.isfinite(viewer.layers.extent.world).all()


@pytest.mark.parametrize("option", ["affine", "shear"])
def test_an_option_that_moves_a_layer_too_far_is_left_out(viewer, live, put, option):
    value = {"affine": [[1, 0, 1e15], [0, 1, 1e15], [0, 0, 1]], "shear": [1e15]}[option]
    put(image())
    item = image("wild")
    item.amend(options={option: value, "opacity": 0.5})
    put(item)
    assert viewer.layers["wild"].opacity == 0.5
    assert is_seen(viewer, "raw")
    assert is_seen(viewer, "wild")
    live.dock.refresh()
    assert f"shown without the option '{option}'" in "\n".join(live.dock.messages.notes)
