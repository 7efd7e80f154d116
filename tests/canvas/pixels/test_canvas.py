"""The canvas against a dense array built the slow way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.canvas import CanvasAxes
from dask_napari.canvas.pixels import Canvas, CanvasView
from dask_napari.model import Refusal, natural_key

COORDINATES = {"well": ["A01", "A02", "A10", "B1"], "t": [0, 1, 2.5, 10]}
POSITIONS = st.fixed_dictionaries(
    {name: st.sampled_from(values) for name, values in COORDINATES.items()}
)
BLOCKS = st.tuples(POSITIONS, st.integers(1, 4), st.integers(1, 5), st.integers(1, 255))


def block(height: int, width: int, value: int) -> np.ndarray:
    return np.full((height, width), value, np.uint8)


def reference(puts) -> np.ndarray:
    """Stack the last block of each position, padded with 0, in natural order."""
    last = {(p["well"], p["t"]): block(h, w, v) for p, h, w, v in puts}
    wells = sorted({well for well, _ in last}, key=natural_key)
    times = sorted({t for _, t in last}, key=natural_key)
    # Its space never shrinks, even if a large block was replaced by a small one.
    height, width = max(h for _, h, _, _ in puts), max(w for _, _, w, _ in puts)
    dense = np.zeros((len(wells), len(times), height, width), np.uint8)
    for (well, t), each in last.items():
        dense[wells.index(well), times.index(t), : each.shape[0], : each.shape[1]] = each
    return dense


def fill(puts) -> Canvas:
    canvas = Canvas(CanvasAxes())
    for position, height, width, value in puts:
        canvas.put(position, block(height, width, value), order=("well", "t"))
    return canvas


@given(st.lists(BLOCKS, min_size=1, max_size=12))
def test_it_is_the_dense_array(puts):
    canvas, dense = fill(puts), reference(puts)
    assert (canvas.shape, canvas.ndim, canvas.size) == (dense.shape, dense.ndim, dense.size)
    np.testing.assert_array_equal(np.asarray(canvas), dense)


@given(st.lists(BLOCKS, min_size=1, max_size=8), st.data())
def test_every_slice_is_the_dense_slice(puts, data):
    canvas, dense = fill(puts), reference(puts)
    key = tuple(
        data.draw(
            st.one_of(
                st.integers(-length, length - 1),
                st.slices(length),
            )
        )
        for length in dense.shape[: data.draw(st.integers(0, dense.ndim))]
    )
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(key)))
        key = (*key[:at], Ellipsis)
    np.testing.assert_array_equal(np.asarray(canvas[key]), dense[key])


@given(st.lists(BLOCKS, min_size=1, max_size=8), st.data())
def test_a_slice_of_a_slice_is_one(puts, data):
    canvas, dense = fill(puts), reference(puts)
    first = tuple(data.draw(st.slices(length)) for length in dense.shape[:2])
    part = dense[first]
    second = tuple(data.draw(st.slices(length)) for length in part.shape)
    np.testing.assert_array_equal(np.asarray(canvas[first][second]), part[second])


@given(st.permutations(list(itertools.product(COORDINATES["well"], COORDINATES["t"]))))
def test_the_order_of_arrival_does_not_matter(order):
    puts = [({"well": well, "t": t}, 2, 2, 1 + len(well) + int(t)) for well, t in order]
    np.testing.assert_array_equal(np.asarray(fill(puts)), reference(puts))


def test_parts_that_need_more_than_one_block_are_lazy():
    canvas = fill([({"well": w, "t": 0}, 2, 2, 1) for w in COORDINATES["well"]])
    assert isinstance(canvas[1:3], CanvasView)
    assert isinstance(canvas[0, 0], np.ndarray)


def test_a_block_is_kept_as_it_is_and_not_copied():
    canvas = Canvas(CanvasAxes())
    data = np.ones((4, 4), np.uint16)
    canvas.put({"t": 0}, data)
    assert np.shares_memory(canvas[0], data)


def test_what_was_put_twice_is_there_once():
    canvas = Canvas(CanvasAxes())
    assert canvas.put({"t": 0}, block(2, 2, 1)).grew
    change = canvas.put({"t": 0}, block(2, 2, 2))
    assert (change.replaced, change.grew, canvas.n_blocks) == (True, False, 1)
    assert canvas[0].max() == 2


def test_canvases_share_axes_and_repeat_along_those_they_lack():
    axes = CanvasAxes()
    images, labels = Canvas(axes), Canvas(axes, labels=True)
    for channel in ("DAPI", "GFP"):
        images.put({"well": "A01", "channel": channel}, block(2, 2, 7))
    labels.put({"well": "A01"}, block(2, 2, 3))
    assert images.shape == labels.shape
    assert (np.asarray(labels) == 3).all()
    labels.put({"well": "A02"}, block(2, 2, 4))
    assert images.shape[0] == 2 or images.shape[1] == 2
    assert np.asarray(images).sum() == 2 * 4 * 7


def test_planes_among_stacks_are_seen_at_every_depth():
    axes = CanvasAxes()
    stack, plane = Canvas(axes), Canvas(axes)
    stack.put({"t": 0}, np.ones((3, 4, 5), np.uint8))
    plane.put({"t": 0}, block(4, 5, 9))
    assert plane.shape == stack.shape == (1, 3, 4, 5)
    assert (np.asarray(plane[0, 1]) == 9).all()


@pytest.mark.parametrize(
    ("first", "second", "labels", "together"),
    [
        ("u1", "u2", False, "u2"),
        ("u2", "f4", False, "f4"),
        ("u1", "u2", True, "u2"),
        ("i2", "u2", True, "i4"),
    ],
)
def test_types_are_promoted(first, second, labels, together):
    canvas = Canvas(CanvasAxes(), labels=labels)
    canvas.put({"t": 0}, np.ones((2, 2), first))
    canvas.put({"t": 1}, np.full((2, 2), 2, second))
    assert canvas.dtype == np.dtype(together)
    assert canvas[0].dtype == canvas.dtype
    assert np.asarray(canvas).tolist() == [[[1, 1], [1, 1]], [[2, 2], [2, 2]]]


@pytest.mark.parametrize(
    ("position", "data"),
    [
        ({"t": 0}, np.zeros(5)),
        ({"t": 0}, np.zeros((0, 5))),
        ({"t": float("nan")}, np.zeros((2, 2))),
        ({"t": None}, np.zeros((2, 2))),
        ({"t": 0}, np.array([[object()]])),
    ],
)
def test_what_cannot_be_shown_changes_nothing(position, data):
    canvas = Canvas(CanvasAxes())
    with pytest.raises(Refusal):
        canvas.put(position, data)
    assert canvas.n_blocks == 0
    assert canvas.axes.names == ()


def test_colour_stays_the_last_axis():
    canvas = Canvas(CanvasAxes(), colour=3)
    canvas.put({"t": 0}, np.zeros((4, 5, 3), np.uint8))
    assert canvas.shape == (1, 4, 5, 3)
    with pytest.raises(Refusal, match="colour"):
        canvas.put({"t": 1}, np.zeros((4, 5, 4), np.uint8))


def test_too_many_indices_are_refused():
    canvas = fill([({"well": "A01", "t": 0}, 2, 2, 1)])
    with pytest.raises(IndexError, match="too many"):
        canvas[0, 0, 0, 0, 0]
    with pytest.raises(IndexError):
        canvas[5]
