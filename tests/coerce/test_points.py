"""Points: coordinates in the order of an array's axes, the rest features."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from skimage.measure import regionprops, regionprops_table

from dask_napari.coerce import coerce
from dask_napari.model import Calibration, Refusal

CELLS = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 2]])


def points(value, **given):
    return coerce(value, kind="points", **given)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([[1, 2, 3]], ">f4"), [[1, 2, 3]]),
        ([(1, 2), (3, 4.5)], [[1, 2], [3, 4.5]]),
        ([[1, 2], (3, 4)], [[1, 2], [3, 4]]),
        ([np.array([1, 2]), np.array([3, 4])], [[1, 2], [3, 4]]),
        ((1.5, 2.5), [[1.5, 2.5]]),
        ([(1, 2)], [[1, 2]]),
        (np.array([1, 2, 3]), [[1, 2, 3]]),
    ],
)
def test_coordinates(value, expected):
    item = points(value)
    assert item.kind == "points"
    assert item.data.tolist() == expected
    assert item.data.dtype.kind == "f"
    assert item.arrays == {}


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ([], (0, 2)),
        ((), (0, 2)),
        (np.zeros((0, 3)), (0, 3)),
        (np.zeros(0), (0, 2)),
        (np.zeros((0, 0)), (0, 2)),
        ({"y": [], "x": []}, (0, 2)),
        (pd.DataFrame({"z": [], "y": [], "x": [], "area": []}), (0, 3)),
    ],
)
def test_none_at_all(value, shape):
    assert points(value).data.shape == shape


def test_none_at_all_have_the_axes_of_the_tap():
    assert points([], calibration=Calibration(scale=(1.0, 2.0, 2.0))).data.shape == (0, 3)


@pytest.mark.parametrize(
    ("columns", "axes"),
    [
        (["x", "y"], ("y", "x")),
        (["X", "Y"], ("y", "x")),
        (["area", "x", "t", "y", "z"], ("t", "z", "y", "x")),
        (["POSITION_X", "POSITION_Y"], ("y", "x")),
        (["centroid_x", "centroid_y"], ("y", "x")),
        (["centroid-1", "centroid-0"], ()),
        (["axis-0", "axis-1", "axis-2"], ()),
    ],
)
@pytest.mark.parametrize("make", [pd.DataFrame, dict])
def test_columns_become_coordinates(columns, axes, make):
    values = {name: [float(ord(name[-1].lower()))] for name in columns}
    item = points(make(values))
    assert item.calibration.axes == axes
    expected = [ord(a) for a in axes] or sorted(v[0] for k, v in values.items() if "-" in k)
    assert item.data.tolist() == [expected]
    assert set(item.features) == {"area"} & set(columns)


def test_regionprops_table():
    table = regionprops_table(CELLS, properties=("label", "centroid", "area"))
    item = points(table)
    assert item.data.tolist() == [[0.5, 0.5], [2, 3]]
    assert item.features["label"].tolist() == [1, 2]
    assert item.features["area"].tolist() == [4, 1]


@pytest.mark.parametrize("spacing", [None, (2.0, 0.5)])
def test_regionprops_are_their_centres_in_pixels(spacing):
    regions = regionprops(CELLS, CELLS * 10.0, spacing=spacing)
    item = points(regions)
    assert item.data.tolist() == [[0.5, 0.5], [2, 3]]
    assert item.features["intensity_mean"].tolist() == [10, 20]
    assert not any(region._cache for region in regions)


def test_a_column_that_the_position_has_is_a_feature():
    item = points({"t": [3, 3], "y": [1, 2], "x": [1, 2]}, position={"t": 3})
    assert item.calibration.axes == ("y", "x")
    assert item.features["t"].tolist() == [3, 3]


def test_points_that_are_nowhere_are_left_out_and_noted(caplog):
    item = points({"y": [1, None, 3], "x": [1, 2, np.inf], "n": [7, 8, 9]}, layer="lost")
    assert item.data.tolist() == [[1, 1]]
    assert item.features["n"].tolist() == [7]
    assert "not finite" in caplog.text


def test_pairs_of_points_and_features():
    for features in ({"area": [1, 2]}, pd.DataFrame({"area": [1, 2]})):
        item = points((np.eye(2), features))
        assert item.features["area"].tolist() == [1, 2]


def test_a_dataarray_names_its_coordinates():
    spots = xr.DataArray(
        np.eye(2), dims=("spot", "axis"), coords={"axis": ["y", "x"], "well": "A01"}
    )
    item = points(spots)
    assert item.calibration.axes == ("y", "x")
    assert item.position == {"well": "A01"}


def test_a_dataset_of_columns():
    spots = xr.Dataset({"y": ("spot", [1, 2]), "x": ("spot", [3, 4]), "n": ("spot", [5, 6])})
    item = points(spots)
    assert item.data.tolist() == [[1, 3], [2, 4]]
    assert item.features["n"].tolist() == [5, 6]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.zeros((2, 2, 2)), "dimensions"),
        (np.zeros((2, 1)), "dimensions"),
        (np.zeros(7), "dimensions"),
        (["ab"], "dtype"),
        ([(1, 2), (3,)], "dimensions"),
        ({"row": [1], "area": [2]}, "no coordinates"),
        ({"y": [1, 2], "x": [1]}, "feature length"),
        ({"y": ["a"], "x": [1]}, "dtype"),
        (pd.DataFrame({"area": [1]}), "no coordinates"),
        (None, "not points"),
        ("text", "not points"),
        (3, "not points"),
    ],
)
def test_what_is_no_points(value, reason):
    with pytest.raises(Refusal) as refusal:
        points(value)
    assert refusal.value.reason == reason


def test_scale_and_units_of_the_tap():
    given = Calibration(scale=(0.5,), units=("um",))
    assert points([(1, 2)], calibration=given).calibration == Calibration(
        scale=(0.5, 0.5), units=("um", "um")
    )
    in_time = points({"t": [1], "y": [1], "x": [1]}, calibration=given).calibration
    assert in_time.scale == (1.0, 0.5, 0.5)
    assert in_time.units == ("pixel", "um", "um")
