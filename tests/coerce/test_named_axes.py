"""Named axes of an output mean what they mean for the chunks of an array."""

from __future__ import annotations

import math

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.coerce import coerce_all
from dask_napari.coerce._images import MOST_PARTS
from dask_napari.model import Calibration, Item
from dask_napari.placement.dask_arrays import chunks_of

NAMES = ["DAPI", "GFP", "mCherry", "Cy5", "Brightfield"]
STAMPS = np.array(["2013-01-01T00", "2013-01-01T06", "2013-01-02"], "datetime64[ns]")


def coordinates(length: int) -> st.SearchStrategy[list | None]:
    """Coordinates that name elements, measure them, count them, or none."""
    uneven = [0.0, 1.0, 10.0, 11.0, 50.0][:length]
    even = (np.arange(length) * 0.5 + 3).tolist()
    stamps = STAMPS[:length] if length <= len(STAMPS) else NAMES
    options = [None, NAMES[:length], uneven, even, list(range(length)), list(stamps[:length])]
    return st.sampled_from(options)


@st.composite
def arrays(draw: st.DrawFn) -> xr.DataArray:
    ndim = draw(st.integers(2, 5))
    dims = draw(st.permutations(["T", "C", "Z", "Y", "X"]))[:ndim]
    shape = [draw(st.integers(2, 4)) for _ in dims]
    if draw(st.booleans()):  # large enough to be colour
        shape[-3:] = [30, 31, 3][-ndim:]
    data = np.arange(math.prod(shape), dtype="u2").reshape(shape)
    coords = {
        dim: found
        for dim, n in zip(dims, shape, strict=True)
        if n <= len(NAMES) and (found := draw(coordinates(n))) is not None
    }
    return xr.DataArray(data, dims=dims, coords=coords)


def found_in_chunks(array: xr.DataArray, kind: str) -> dict[frozenset, tuple[bytes, bool]]:
    """What the chunks of the array, one, become."""
    grid = chunks_of(array.copy(data=da.from_array(array.values, chunks=-1)), kind=kind)
    key = (grid.name, *(0,) * array.ndim)
    return {
        frozenset(position.items()): (part.tobytes(), grid.rgb, grid.calibration)
        for part, position in grid.placement(key).parts(array.values)
    }


@given(arrays(), st.sampled_from(["image", "labels"]))
def test_an_output_is_read_like_the_chunks_of_an_array(array, kind):
    found = coerce_all(array, kind=kind)
    assert all(isinstance(item, Item) for item in found)
    expected = found_in_chunks(array, kind)
    positions = [frozenset(item.position.items()) for item in found]
    assert set(positions) == set(expected)
    assert len(positions) == len(expected)
    for position, item in zip(positions, found, strict=True):
        data, rgb, calibration = expected[position]
        assert item.data.astype(array.dtype).tobytes() == data
        assert item.rgb == rgb
        assert item.calibration == calibration


def test_channels_are_no_colours_unless_they_are_called_so():
    plane = np.zeros((40, 50, 3), "u1")
    dims = ("y", "x", "c")
    named = coerce_all(xr.DataArray(plane, dims=dims, coords={"c": NAMES[:3]}))
    assert [(item.position, item.data.shape) for item in named] == [
        ({"c": name}, (40, 50)) for name in NAMES[:3]
    ]
    for colours in (["R", "G", "B"], ["red", "green", "blue"]):
        (item,) = coerce_all(xr.DataArray(plane, dims=dims, coords={"c": colours}))
        assert item.rgb
    (item,) = coerce_all(xr.DataArray(plane, dims=dims))
    assert item.rgb
    (item,) = coerce_all(xr.DataArray(plane, dims=dims, coords={"c": NAMES[:3]}), rgb=True)
    assert item.rgb


def test_the_position_of_a_tap_and_its_scale_hold_for_all_channels():
    array = xr.DataArray(np.zeros((2, 4, 5)), dims=("c", "y", "x"), coords={"c": NAMES[:2]})
    known = Calibration(scale=(1.0, 0.5, 0.25))
    found = coerce_all(array, position={"well": "A01"}, calibration=known)
    assert [item.position for item in found] == [
        {"well": "A01", "c": "DAPI"},
        {"well": "A01", "c": "GFP"},
    ]
    assert {item.calibration.scale for item in found} == {(0.5, 0.25)}
    # An axis that the position has is none of the output's.
    (item,) = coerce_all(array, position={"c": 7})
    assert (item.position, item.data.shape) == ({"c": 7}, (2, 4, 5))


@pytest.mark.parametrize("count", [MOST_PARTS, MOST_PARTS + 1])
def test_of_very_many_named_elements_the_axis_counts(count):
    stamps = np.datetime64("2013-01-01", "h") + np.arange(count)
    array = xr.DataArray(
        np.zeros((count, 2, 2), "u1"), dims=("time", "y", "x"), coords={"time": stamps}
    )
    notes = []
    found = coerce_all(array, on_note=lambda layer, text, latest: notes.append(text))
    assert len(found) == (count if count <= MOST_PARTS else 1)
    assert len(notes) == (count > MOST_PARTS)


def test_dates_of_other_calendars_name_elements():
    cftime = pytest.importorskip("cftime")
    days = [cftime.DatetimeNoLeap(2001, 2, day) for day in (27, 28)]
    array = xr.DataArray(np.zeros((2, 3, 3)), dims=("time", "y", "x"), coords={"time": days})
    assert [item.position for item in coerce_all(array)] == [
        {"time": "2001-02-27T00:00:00"},
        {"time": "2001-02-28T00:00:00"},
    ]
    (item,) = coerce_all(array[0])
    assert item.position == {"time": "2001-02-27T00:00:00"}


def test_units_of_quantities_are_those_of_the_pixels():
    pytest.importorskip("pint_xarray")
    um = {"units": "um"}
    array = xr.DataArray(
        np.ones((3, 3)),
        dims=("y", "x"),
        coords={"y": ("y", [0.0, 0.5, 1.0], um), "x": ("x", [0.0, 0.5, 1.0], um)},
        attrs={"units": "K"},
    )
    (item,) = coerce_all(array.pint.quantify())
    assert item.calibration.scale == (0.5, 0.5)
    assert item.calibration.units == ("micrometer", "micrometer")
