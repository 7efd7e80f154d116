"""The shared axes: natural order, arrival order, and coordinates that keep their identity."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.canvas import CanvasAxes, CanvasAxis, _sorted_keys, split_position
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


@given(values=st.lists(st.integers(-50, 50), unique=True))
def test_keys_in_blocks_are_a_sorted_list(values):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sorted_keys, "BLOCK", 2)
        keys, plain = _sorted_keys.SortedKeys(), []
        for value in values:
            assert keys.add(value) == any(value < other for other in plain)
            plain = sorted([*plain, value])
            assert list(keys) == plain
            assert [keys[n] for n in range(-len(plain), len(plain))] == plain * 2
            assert [keys.index(each) for each in plain] == list(range(len(plain)))


def test_a_coordinate_more_costs_the_same_however_many_there_are():
    """Also in random order, as tasks finish."""
    axis, values = CanvasAxis("t"), list(range(100_000))
    random.Random(0).shuffle(values)
    costs = []
    for first in range(0, len(values), 500):
        began = time.perf_counter()
        for value in values[first : first + 500]:
            axis.add(value)
        costs.append(time.perf_counter() - began)
    # One list, moved for each coordinate: twenty times.
    assert min(costs[-20:]) < 5 * min(costs[:20])
    assert axis.coordinates == tuple(range(100_000))


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
