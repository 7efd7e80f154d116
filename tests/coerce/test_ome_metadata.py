"""Pixel sizes in the attributes of arrays, as readers of OME files leave them."""

from enum import Enum
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import xarray as xr

from dask_napari.coerce import coerce
from dask_napari.coerce._ome_metadata import MAX_VALUES, sizes_of
from dask_napari.placement import Size


class Unit(Enum):
    MICROMETER = "µm"


class Sizes(NamedTuple):
    Z: float | None
    Y: float
    X: float


PIXELS = SimpleNamespace(
    physical_size_x=0.65,
    physical_size_x_unit=Unit.MICROMETER,
    physical_size_y=0.6,
    physical_size_y_unit=Unit.MICROMETER,
    physical_size_z=None,
)
OME = SimpleNamespace(images=[SimpleNamespace(pixels=PIXELS)])
NGFF = [
    {
        "axes": [
            {"name": "z", "unit": "micrometer"},
            {"name": "y", "unit": "micrometer"},
            {"name": "x"},
        ],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [
                    {"type": "scale", "scale": [2.0, 0.6, 0.65]},
                    {"type": "translation", "translation": [1, 0, 0]},
                ],
            }
        ],
        "coordinateTransformations": [{"type": "scale", "scale": [2, 1, 1]}],
    }
]


def array(attrs, dims=("y", "x"), **coords):
    return xr.DataArray(np.zeros((3,) * len(dims)), dims=dims, attrs=attrs, coords=coords)


@pytest.mark.parametrize(
    "attrs",
    [
        {"processed": OME},
        {"metadata": {"physical_size_x": 0.65, "physical_size_y": 0.6}},
        {"metadata": {"PhysicalSizeX": "0.65", "PhysicalSizeY": 0.6, "PhysicalSizeXUnit": "µm"}},
        {"ome": {"Image": [{"Pixels": {"PhysicalSizeX": 0.65, "PhysicalSizeY": 0.6}}]}},
        {"physical_pixel_sizes": Sizes(None, 0.6, 0.65)},
        {"pixel_sizes": {"x": 0.65, "y": 0.6}},
        {"pixel_size_x": 0.65, "pixel_size_y": 0.6},
        {"multiscales": NGFF},
        {"ome": {"version": "0.5", "multiscales": NGFF}},
        {"coordinateTransformations": [{"scale": [0.6, 0.65]}]},
    ],
)
@pytest.mark.parametrize("dims", [("y", "x"), ("Y", "X")])
def test_pixel_sizes(attrs, dims):
    known = coerce(array(attrs, dims)).calibration
    assert known.axes == dims
    assert known.scale == (0.6, 0.65)
    assert set(known.units) <= {"µm", "micrometer", "pixel"}


def test_scale_and_translation_of_ngff():
    known = coerce(array({"multiscales": NGFF}, ("z", "y", "x"))).calibration
    assert known.scale == (4.0, 0.6, 0.65)
    assert known.translate == (2.0, 0.0, 0.0)
    assert known.units == ("micrometer", "micrometer", "pixel")


def test_coordinates_win_unless_they_count_pixels():
    attrs = {"processed": OME}
    assert coerce(array(attrs, x=[0.0, 2.0, 4.0])).calibration.scale == (0.6, 2.0)
    assert coerce(array(attrs, x=[0.0, 2.0, 4.0])).calibration.units == ("µm", "µm")
    assert coerce(array(attrs, x=[0, 1, 2])).calibration.scale == (0.6, 0.65)


@pytest.mark.parametrize(
    "attrs",
    [
        {},
        {"multiscales": 3},
        {"multiscales": [{"datasets": 3}]},
        {
            "multiscales": [
                {"axes": ["y"], "datasets": [{"coordinateTransformations": [{"scale": [1, 2]}]}]}
            ]
        },
        {
            "multiscales": [
                {"axes": ["y"], "datasets": [{"coordinateTransformations": [{"scale": ["a"]}]}]}
            ]
        },
        {"metadata": {"physical_size_x": "wide", "physical_size_y": -1}},
        {"metadata": {"physical_size_x": float("nan"), "physical_size_y": 0}},
        {"processed": SimpleNamespace(images=[])},
    ],
)
def test_attributes_that_say_nothing(attrs):
    assert coerce(array(attrs)).calibration.scale == ()


def test_time():
    sizes = sizes_of({"metadata": {"physical_size_x": 1.0, "time_increment": 5}}, "tx")
    assert sizes["t"] == Size(5.0, 0.0, "second")


def test_metadata_without_end_is_not_followed_to_the_end():
    asked = []

    class Endless(dict):
        def items(self):
            asked.append(1)
            return {f"k{n}": Endless() for n in range(9)}.items()

    assert sizes_of(Endless(a=1), "yx") == {}
    assert len(asked) <= 2 * MAX_VALUES
