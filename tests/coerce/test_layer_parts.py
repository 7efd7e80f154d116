"""Outputs of several layers; a part that cannot be shown does not stop the others."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dask_napari.coerce import coerce, coerce_all, place_of
from dask_napari.model import Calibration, Item, Refusal

RAW = np.zeros((4, 5), np.float32)
MASK = np.zeros((4, 5), np.int64)
SPOTS = np.array([[1.0, 2.0], [3.0, 4.0]])


def parts(value, kind="image", **given):
    found = coerce_all(value, kind=kind, layer="out", **given)
    return [(item.kind, item.part) if isinstance(item, Item) else item.reason for item in found]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (RAW, "image", [("image", "")]),
        ({"raw": RAW, "mask": MASK}, "image", [("image", "raw"), ("image", "mask")]),
        ({"raw": RAW, 3: MASK}, "labels", ["dtype", ("labels", "3")]),
        (
            {"raw": RAW, "mask": (MASK, {}, "labels")},
            "image",
            [("image", "raw"), ("labels", "mask")],
        ),
        ({"a": (MASK, {"label": [1]}), "b": MASK}, "labels", [("labels", "a"), ("labels", "b")]),
        ((RAW, {"name": "raw"}, "image"), "image", [("image", "raw")]),
        ((RAW, {}, "image"), "image", [("image", "")]),
        ((RAW, {"name": "raw"}), "image", [("image", "raw")]),
        ((MASK, {}, "labels"), "image", [("labels", "out labels")]),
        ((SPOTS, {}, "Points"), "image", [("points", "out points")]),
        (
            [(RAW, {"name": "raw"}, "image"), (SPOTS, {"name": "spots"}, "points"), 3],
            "image",
            [("image", "raw"), ("points", "spots"), "not an array"],
        ),
        ([(RAW, {}, "image"), RAW], "image", [("image", ""), ("image", "out [1]")]),
        ([RAW, RAW], "image", [("image", "")]),
        ([RAW, RAW[1:]], "image", [("image", "out 0"), ("image", "out 1")]),
        ([RAW, MASK], "image", [("image", "out 0"), ("image", "out 1")]),
        ((RAW, RAW), "image", [("image", "out 0"), ("image", "out 1")]),
        ((RAW, np.zeros(3)), "image", [("image", "")]),
        ([RAW], "image", [("image", "")]),
        ([SPOTS, SPOTS], "points", [("points", "out 0"), ("points", "out 1")]),
        ({"a": SPOTS, "b": []}, "points", [("points", "a"), ("points", "b")]),
        ({"a": [], "b": []}, "points", [("points", "a"), ("points", "b")]),
        ({"a": [], "b": [SPOTS]}, "shapes", [("shapes", "a"), ("shapes", "b")]),
        ({"a": pd.DataFrame({"y": [1], "x": [1]})}, "points", [("points", "a")]),
        ({"y": [], "x": []}, "points", [("points", "")]),
        ({}, "points", ["no coordinates"]),
        ({}, "image", ["not an array"]),
        (([RAW, RAW[::2, ::2]], {"multiscale": True}, "image"), "image", [("image", "")]),
        ((RAW, {}, "blob"), "image", ["kind"]),
    ],
)
def test_parts(value, kind, expected):
    assert parts(value, kind) == expected


def test_a_stack_is_of_arrays_alike():
    assert coerce([RAW, RAW + 1]).data[:, 0, 0].tolist() == [0, 1]


def test_a_dataset_is_a_part_a_variable():
    dataset = xr.Dataset(
        {"raw": (("y", "x"), RAW), "mask": (("y", "x"), MASK, {"kind": "labels"}), "sigma": 3.0},
        coords={"well": "A01", "x": np.arange(5) * 0.5},
    )
    raw, mask = coerce_all(dataset, layer="out")
    assert (raw.part, raw.kind) == ("raw", "image")
    assert (mask.part, mask.kind) == ("mask", "labels")
    for item in (raw, mask):
        assert item.position == {"well": "A01"}
        assert item.calibration.scale == (1.0, 0.5)
    assert place_of(dataset) == {"well": "A01"}
    assert parts(xr.Dataset({"sigma": 3.0})) == ["empty"]


def test_dataarrays_that_know_their_place_are_on_one_layer():
    planes = [xr.DataArray(RAW, dims=("y", "x"), coords={"t": t}) for t in (0, 1)]
    for value in (planes, tuple(planes)):
        found = coerce_all(value, layer="out")
        assert [(item.part, item.position) for item in found] == [("", {"t": 0}), ("", {"t": 1})]
    same = coerce_all(tuple(planes), layer="out", position={"well": "A01"})
    assert len({item.place for item in same}) == 2


def test_the_position_of_a_layer():
    layer = (RAW, {"metadata": {"at": {"well": "A01", "t": np.int64(3)}}}, "image")
    assert coerce(layer).position == {"well": "A01", "t": 3}
    assert coerce(layer, position={"t": 1}).position == {"t": 1}
    assert place_of(layer) == {"well": "A01", "t": 3}
    assert place_of(RAW) == place_of(3) == place_of([layer]) == {}
    bad = (RAW, {"metadata": {"at": {"t": None}}}, "image")
    assert parts(bad) == ["no position"]
    assert place_of(bad) == {}


def test_the_calibration_of_a_layer():
    meta = {
        "scale": [0.5, 0.25],
        "translate": np.array([1, 2]),
        "units": "um",
        "axis_labels": ["y", "x"],
    }
    expected = Calibration(("y", "x"), (0.5, 0.25), (1.0, 2.0), ("um", "um"))
    for value in ((RAW, meta, "image"), (SPOTS, meta, "points")):
        assert coerce(value).calibration == expected
    wins = coerce((RAW, meta, "image"), calibration=Calibration(scale=(9.0,))).calibration
    assert (wins.scale, wins.translate) == ((9.0, 9.0), (1.0, 2.0))
    for wrong in (
        {"scale": [1, 2, 3]},
        {"scale": 0},
        {"scale": "a"},
        {"units": 3},
        {"axis_labels": "yx"},
    ):
        assert parts((RAW, wrong, "image")) == ["calibration"]


def test_features_of_a_layer():
    frame = pd.DataFrame({"area": [1, 2]})
    for meta in (
        {"features": frame},
        {"properties": {"area": [1, 2]}},
        {"features": {}, "name": "a"},
    ):
        item = coerce((SPOTS, meta, "points"))
        assert list(item.features) == (["area"] if "name" not in meta else [])


def test_a_column_of_names_is_no_name_of_a_layer():
    item = coerce((SPOTS, {"name": ["a", "b"]}), kind="points")
    assert item.part == ""
    assert item.features["name"].tolist() == ["a", "b"]


def test_options_of_a_layer(caplog):
    meta = {
        "name": "spots",
        "size": [1.0, 2.0],
        "symbol": "disc",
        "opacity": np.float32(0.5),
        "text": {"string": "{area:.0f}", "size": 8},
        "face_color": np.eye(4)[:2],
        "colour": "red",
        "ndim": 2,
        "visible": None,
    }
    item = coerce((SPOTS, meta, "points"), layer="options")
    assert item.options == {
        "symbol": "disc",
        "opacity": 0.5,
        "text": {"string": "{area:.0f}", "size": 8},
    }
    assert item.features["size"].tolist() == [1, 2]
    assert "'colour' of a points layer is left out" in caplog.text
    assert "'size' of each of the points" in caplog.text


@pytest.mark.parametrize("value", [object(), np.zeros(2000), ["x" * 100_000], [[0.0] * 40] * 40])
def test_options_that_are_too_long_or_no_data_are_left_out(value, caplog):
    item = coerce((RAW, {"contrast_limits": value, "gamma": 2}, "image"), layer=f"{id(value)}")
    assert item.options == {"gamma": 2}
    assert "left out" in caplog.text


def test_too_many_parts():
    assert parts({str(n): RAW for n in range(65)}) == ["too many parts"]
    assert len(parts({str(n): RAW for n in range(64)})) == 64


def test_parts_of_one_name_do_not_replace_each_other():
    found = [(RAW, {"name": "a"}, "image"), (RAW, {"name": "a"}, "image"), (RAW, {"name": "a [1]"})]
    assert parts(found) == [("image", "a"), ("image", "a [1]"), ("image", "a [1] [1]")]


def test_an_object_that_raises_when_it_is_looked_at():
    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError("look away")

    found = coerce_all({"bad": Hostile(), "raw": RAW})
    assert isinstance(found[0], Refusal)
    assert found[1].part == "raw"


def test_one_item_is_asked_of_several():
    with pytest.raises(Refusal, match="coerce_all"):
        coerce({"a": RAW, "b": RAW})
