"""The coarsest level, which is kept, is what would be drawn anew; after whatever comes."""

from __future__ import annotations

from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.canvas import CanvasAxes, Mosaic
from dask_napari.canvas.pixels import Canvas
from dask_napari.canvas.pixels import _canvas as module
from dask_napari.canvas.pixels._tiles import Tile
from dask_napari.model import Layout

puts = st.lists(
    st.tuples(
        st.integers(0, 1),  # t
        st.tuples(st.integers(0, 20), st.integers(0, 20)),  # origin
        st.tuples(st.integers(1, 9), st.integers(1, 9)),  # shape
        st.sampled_from(["u1", "u2", "f4"]),
    ),
    min_size=1,
    max_size=25,
)


def check(canvas: Canvas) -> None:
    level = canvas.n_levels - 1
    view = canvas.levels[-1]
    skip = 2**level
    for t in range(canvas.shape[0]):
        expected = np.asarray(canvas[t])[::skip, ::skip]
        np.testing.assert_array_equal(np.asarray(view[t]), expected)
        np.testing.assert_array_equal(np.asarray(view[t, 1:, ::2]), expected[1:, ::2])


@given(puts)
def test_tiles_that_overlap_replace_each_other_and_widen_the_type(made):
    with mock.patch.multiple(module, PYRAMID_ABOVE=8, COARSEST=4):
        canvas = Canvas(CanvasAxes())
        for n, (t, origin, shape, dtype) in enumerate(made):
            canvas.put({"t": t}, np.full(shape, n + 1, dtype), origin=origin)
            check(canvas)


@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.integers(1, 9), st.booleans()), min_size=1, max_size=20
    )
)
def test_a_mosaic_that_is_laid_out_again(made):
    with mock.patch.multiple(module, PYRAMID_ABOVE=8, COARSEST=4):
        mosaic = Mosaic()
        mosaic.set("field", Layout())
        canvas = Canvas(CanvasAxes(), mosaic=mosaic)
        for n, (field, side, is_looked_at) in enumerate(made):
            canvas.put({"t": 0, "field": field}, np.full((side, side), n + 1, "u1"))
            if is_looked_at or n == len(made) - 1:
                check(canvas)


def test_a_mosaic_that_grows_is_laid_out_when_it_is_looked_at():
    mosaic = Mosaic()
    mosaic.set("field", Layout())
    canvas = Canvas(CanvasAxes(), mosaic=mosaic)
    with mock.patch.object(Tile, "move", autospec=True, side_effect=Tile.move) as move:
        for field in range(400):
            canvas.put({"field": field}, np.full((4, 4), field % 250 + 1, "u1"))
        assert move.call_count == 0  # not all tiles again for each that comes
        assert np.asarray(canvas)[-1, -1] == 399 % 250 + 1
        assert move.call_count == 400


def test_what_comes_is_added_and_nothing_else_is_drawn():
    with mock.patch.multiple(module, PYRAMID_ABOVE=8, COARSEST=4):
        canvas = Canvas(CanvasAxes())
        for x in range(0, 64, 4):
            canvas.put({}, np.full((4, 4), 1, "u1"), origin=(0, x), array_shape=(4, 64))
        before = canvas.levels[-1][:].copy()
        kept = canvas._renderer._overview
        canvas.put({}, np.full((4, 4), 9, "u1"), origin=(0, 48), array_shape=(4, 64))
        after = np.asarray(canvas.levels[-1][:])
        assert canvas._renderer._overview is kept
        assert (before.max(), after.max()) == (1, 9)
