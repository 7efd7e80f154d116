"""Where wells and fields lie."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.canvas import CanvasAxes, Mosaic
from dask_napari.canvas.pixels import Canvas
from dask_napari.model import PLATES, Layout, NoPlace, row_name, well

ONE = (1.0, 1.0)


@pytest.mark.parametrize("plate", PLATES)
def test_every_well_of_a_plate_has_a_place_of_its_own(plate):
    rows, columns = PLATES[plate]
    names = [f"{row_name(r)}{c + 1:02d}" for r in range(rows) for c in range(columns)]
    assert len({well(name, plate) for name in names}) == plate
    assert well(names[-1], plate) == (rows - 1, columns - 1)


@pytest.mark.parametrize("name", ["I01", "A13", "A0", "", "1A", "AA1", 3, "A01x"])
def test_what_is_no_well_is_refused_and_changes_nothing(name):
    mosaic = Mosaic()
    mosaic.set("well", Layout(plate=96))
    canvas = Canvas(CanvasAxes(), mosaic=mosaic)
    with pytest.raises(NoPlace, match="no well of a plate with 96"):
        canvas.put({"well": name, "t": 0}, np.ones((2, 2)))
    assert canvas.n_blocks == 0
    assert canvas.axes.names == ()


@pytest.mark.parametrize(
    ("order", "places"),
    [
        ("row", [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]),
        ("snake", [(0, 0), (0, 1), (0, 2), (1, 2), (1, 1), (1, 0)]),
        ("column", [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]),
        ("column-snake", [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)]),
    ],
)
@pytest.mark.parametrize("base", [0, 1])
def test_fields_follow_each_other_in_order_whenever_they_come(order, places, base):
    mosaic = Mosaic()
    mosaic.set("field", Layout(rows=2, columns=3, order=order))
    for field in np.random.default_rng(0).permutation(6) + base:
        mosaic.admit((("field", int(field)),), (10.0, 20.0), ONE)
    found = [mosaic.offset((("field", n + base),)) for n in range(6)]
    assert found == [(10.0 * row, 20.0 * column) for row, column in places]
    assert mosaic.extent == (20.0, 60.0)


def test_fields_lie_in_wells_with_gutters_between_them():
    mosaic = Mosaic()
    mosaic.set("field", Layout(rows=2, columns=2))
    mosaic.set("well", Layout(plate=6, gutter=0.1))
    assert mosaic.axes == ("well", "field")
    cell = mosaic.cell({"field": 4, "t": 1, "well": "B3"})
    assert mosaic.admit(cell, (50.0, 50.0), ONE)
    assert mosaic.offset(cell) == (110.0 + 50.0, 220.0 + 50.0)
    assert mosaic.extent == (210.0, 320.0)
    version = mosaic.version
    for at, field in itertools.product(("A1", "B2"), (1, 2, 3)):
        assert not mosaic.admit(mosaic.cell({"well": at, "field": field}), (50.0, 50.0), ONE)
    assert mosaic.version == version
    headings = {heading.text: (heading.y, heading.x) for heading in mosaic.headings}
    assert headings["B"][0] == 110 + 50
    assert headings["3"][1] == 220 + 50
    assert headings["A"][1] < 0


def test_stage_coordinates_count_from_the_corner_of_each_well():
    mosaic = Mosaic()
    mosaic.set("well", Layout(plate=6))
    mosaic.set("field", Layout(order="stage"))
    stages = {"A1": [(100.0, 100.0), (100.0, 109.0)], "A2": [(5.0, 500.0), (17.0, 500.0)]}
    for name, places in stages.items():
        for field, stage in enumerate(places):
            cell = mosaic.cell({"well": name, "field": field})
            mosaic.admit(cell, (10.0, 10.0), ONE, stage)
    assert mosaic.offset((("well", "A1"), ("field", 1))) == (0.0, 9.0)
    assert mosaic.offset((("well", "A2"), ("field", 1))) == (12.0, 19.0)


def test_places_that_are_given_are_used_and_others_refused():
    mosaic = Mosaic()
    mosaic.set("field", Layout(places={"1": (0.0, 0.0), "2": (-5.0, 8.0)}))
    mosaic.admit((("field", 1),), (4.0, 4.0), ONE)
    mosaic.admit((("field", 2),), (4.0, 4.0), ONE)
    assert mosaic.offset((("field", 1),)) == (5.0, 0.0)
    with pytest.raises(NoPlace, match="no place is known"):
        mosaic.admit((("field", 3),), (4.0, 4.0), ONE)


@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=20
    ),
    st.sampled_from(["row", "column", "snake", "column-snake"]),
)
def test_a_grid_without_a_size_has_room_for_all_and_no_two_overlap(fields, order):
    mosaic = Mosaic()
    mosaic.set("field", Layout(order=order))
    canvas = Canvas(CanvasAxes(), mosaic=mosaic)
    last = {}
    for field, h, w in fields:
        canvas.put({"field": field}, np.full((h, w), field, "uint8"))
        last[field] = h * w
    picture = np.asarray(canvas)
    assert {n: int((picture == n).sum()) for n in last} == last
    assert canvas.shape == tuple(map(int, mosaic.extent))


def test_canvases_of_different_pixels_agree_where_tiles_begin():
    axes, mosaic = CanvasAxes(), Mosaic()
    mosaic.set("field", Layout(rows=1, columns=2))
    fine = Canvas(axes, mosaic=mosaic, pixel=(0.5, 0.5))
    coarse = Canvas(axes, mosaic=mosaic, pixel=(2.0, 2.0))
    fine.put({"field": 2}, np.ones((7, 7), "uint8"))
    coarse.put({"field": 2}, np.ones((2, 2), "uint8"))
    starts = [np.argwhere(np.asarray(canvas)).min(axis=0) for canvas in (fine, coarse)]
    np.testing.assert_array_equal(starts[0] * 0.5, starts[1] * 2.0)
    assert fine.shape == (8, 16)
    assert coarse.shape == (2, 4)


def test_sliders_and_a_mosaic_together():
    axes, mosaic = CanvasAxes(), Mosaic()
    mosaic.set("well", Layout(plate=6))
    canvas = Canvas(axes, mosaic=mosaic)
    canvas.put({"t": 0, "well": "A1"}, np.full((2, 2), 1, "uint8"))
    canvas.put({"t": 1, "well": "B3"}, np.full((2, 2), 2, "uint8"))
    result = canvas.put({"t": 1, "well": "A1"}, np.full((2, 2), 3, "uint8"))
    assert axes.names == ("t",)
    assert canvas.shape == (2, 4, 6)
    assert canvas[0][:2, :2].tolist() == [[1, 1], [1, 1]]
    assert canvas[1][2:, 4:].tolist() == [[2, 2], [2, 2]]
    assert canvas[1, 0].tolist() == [3, 3, 0, 0, 0, 0]
    assert canvas.is_seen(result.key, (1,))
    assert not canvas.is_seen(result.key, (0,))
