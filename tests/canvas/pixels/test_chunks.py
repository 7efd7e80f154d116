"""Chunks of arrays on a canvas, and its coarser levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.canvas import CanvasAxes
from dask_napari.canvas.pixels import Canvas, CanvasView
from dask_napari.model import Refusal


@st.composite
def chunked(draw):
    """An array cut into chunks, in the order in which they come."""
    ndim = draw(st.integers(2, 4))
    cuts = [draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)) for _ in range(ndim)]
    shape = tuple(map(sum, cuts))
    array = draw(st.randoms(use_true_random=False)).randbytes(int(np.prod(shape)))
    whole = np.frombuffer(array, np.uint8).reshape(shape)
    corners = [np.cumsum([0, *cut]) for cut in cuts]
    grid = np.stack(np.meshgrid(*[range(len(cut)) for cut in cuts], indexing="ij"), -1)
    order = draw(st.permutations(grid.reshape(-1, ndim).tolist()))
    slices = [
        tuple(slice(corners[a][i], corners[a][i + 1]) for a, i in enumerate(index))
        for index in order
    ]
    return whole, slices


@given(chunked(), st.booleans(), st.data())
def test_a_canvas_of_all_chunks_is_the_array(made, known, data):
    whole, slices = made
    canvas = Canvas(CanvasAxes())
    for part in slices:
        origin = tuple(int(s.start) for s in part)
        canvas.put({}, whole[part], origin=origin, array_shape=whole.shape if known else ())
    assert canvas.shape == whole.shape
    np.testing.assert_array_equal(np.asarray(canvas), whole)
    key = tuple(
        data.draw(st.one_of(st.integers(-n, n - 1), st.slices(n)), label="key") for n in whole.shape
    )
    np.testing.assert_array_equal(np.asarray(canvas[key]), whole[key])
    for level in (1, 2):
        coarse = whole[..., :: 2**level, :: 2**level]
        assert canvas.shape_at(level) == coarse.shape


@given(chunked(), st.integers(1, 4))
def test_a_level_is_every_other_element_whatever_the_chunks(made, level):
    whole, slices = made
    canvas = Canvas(CanvasAxes())
    view = CanvasView(canvas, level=level)
    for part in slices:
        origin = tuple(int(s.start) for s in part)
        canvas.put({"t": 0}, whole[part], origin=origin, array_shape=whole.shape)
    expected = whole[None, ..., :: 2**level, :: 2**level]
    assert view.shape == expected.shape
    np.testing.assert_array_equal(np.asarray(view), expected)
    np.testing.assert_array_equal(np.asarray(view[0]), expected[0])
    # Right after an update, too.
    origin = tuple(int(s.start) for s in slices[0])
    canvas.put({"t": 0}, np.zeros_like(whole[slices[0]]), origin=origin, array_shape=whole.shape)
    changed = whole.copy()
    changed[slices[0]] = 0
    np.testing.assert_array_equal(np.asarray(view), changed[None, ..., :: 2**level, :: 2**level])


def test_a_chunk_that_comes_again_replaces_itself():
    canvas = Canvas(CanvasAxes())
    canvas.put({}, np.ones((2, 2), "u1"), origin=(0, 2), array_shape=(2, 4))
    change = canvas.put({}, np.full((2, 2), 5, "u1"), origin=(0, 2), array_shape=(2, 4))
    assert change.replaced
    assert np.asarray(canvas).tolist() == [[0, 0, 5, 5], [0, 0, 5, 5]]


@pytest.mark.parametrize(
    ("origin", "whole"), [((0,), ()), ((0, 0), (4,)), ((0, 3), (4, 4)), ((-1, 0), ())]
)
def test_a_chunk_that_does_not_fit_its_array_is_refused(origin, whole):
    canvas = Canvas(CanvasAxes())
    with pytest.raises(Refusal, match="chunk"):
        canvas.put({}, np.ones((2, 2)), origin=origin, array_shape=whole)
    assert canvas.n_blocks == 0


def test_colour_has_levels_too():
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    canvas = Canvas(CanvasAxes(), colour=3)
    canvas.put({}, picture)
    assert canvas.shape_at(1) == (2, 3, 3)
    np.testing.assert_array_equal(np.asarray(CanvasView(canvas, level=1)), picture[::2, ::2])


def test_large_canvases_have_levels_down_to_a_screen():
    canvas = Canvas(CanvasAxes())
    canvas.put({}, np.broadcast_to(np.uint8(0), (100, 4096)))
    assert len(canvas.levels) == 1
    canvas.put({}, np.broadcast_to(np.uint8(0), (9000, 100)))
    assert [level.shape for level in canvas.levels] == [
        (9000, 4096),
        (4500, 2048),
        (2250, 1024),
        (1125, 512),
        (563, 256),
    ]


def test_the_fill_is_where_nothing_lies_if_the_type_can_say_it():
    canvas = Canvas(CanvasAxes(), fill=7.0)
    canvas.put({}, np.ones((1, 1), "u1"), origin=(0, 1), array_shape=(1, 2))
    assert np.asarray(canvas).tolist() == [[7, 1]]
    unsayable = Canvas(CanvasAxes(), fill=float("nan"))
    unsayable.put({}, np.ones((1, 1), "u1"), origin=(0, 1), array_shape=(1, 2))
    assert np.asarray(unsayable).tolist() == [[0, 1]]
    floats = Canvas(CanvasAxes(), fill=float("nan"))
    floats.put({}, np.ones((1, 1), "f4"), origin=(0, 1), array_shape=(1, 2))
    assert np.isnan(np.asarray(floats)[0, 0])
