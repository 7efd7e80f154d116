"""The shared axes: natural order, arrival order, and coordinates that keep their identity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.canvas import CanvasAxes, CanvasAxis, split_position
from dask_napari.model import natural_key

MIXED = st.one_of(
    st.integers(-5, 1000),
    st.floats(allow_nan=False),
    st.from_regex(r"[A-Pa-p][0-9]{1,3}", fullmatch=True),
    st.text(max_size=4),
)


@given(st.lists(MIXED))
def test_coordinates_are_in_natural_order_whatever_they_come_in(values):
    axis = CanvasAxis("x")
    for value in values:
        axis.add(value)
    assert list(axis.coordinates) == sorted(set(values), key=natural_key)
    assert [axis.index(each) for each in axis.coordinates] == list(range(len(axis)))


@given(st.lists(MIXED))
def test_an_arrival_axis_keeps_the_order_of_arrival(values):
    axis = CanvasAxis("item", arrival=True)
    for value in values:
        axis.add(value)
    assert list(axis.coordinates) == list(dict.fromkeys(values))


def test_an_unknown_coordinate_is_a_clear_error():
    with pytest.raises(KeyError, match="no 'B1' on axis 'well'"):
        CanvasAxis("well").index("B1")


def test_late_axes_go_to_the_front():
    axes = CanvasAxes()
    axes.admit({"well": "A01"}, ("well",))
    axes.admit({"well": "A01", "t": 3})
    assert axes.names == ("t", "well")
    assert axes.coordinates((0, 0)) == {"t": 3, "well": "A01"}


def test_spatial_names_replace_the_default_ones():
    axes = CanvasAxes()
    axes.admit_space((4, 5))
    axes.admit_space((4, 5), ("row", "column"))
    assert axes.labels == ("row", "column")


def test_layer_axes_go_into_the_name():
    modes = {"channel": "layer", "well": "slider"}
    name, sliders, layers = split_position("raw", {"well": "A01", "channel": 1}, modes)
    assert (name, sliders, layers) == ("raw [1]", {"well": "A01"}, {"channel": 1})
    assert split_position("raw", {"t": 0}, modes) == ("raw", {"t": 0}, {})
