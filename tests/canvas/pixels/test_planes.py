"""Tiles in a plane and their coarser levels, against a dense array."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.canvas.pixels._array_handles import InMemoryArray
from dask_napari.canvas.pixels._planes import INDEX_ABOVE, Plane
from dask_napari.canvas.pixels._tiles import Tile

SIDE = 40


@st.composite
def planes(draw):
    """Tiles that may overlap, and the array that they make."""
    dense = np.zeros((SIDE, SIDE), np.int32)
    plane = Plane()
    many = draw(st.booleans())
    for n in range(draw(st.integers(1, 3 * INDEX_ABOVE if many else 4))):
        y, x = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
        h, w = draw(st.integers(1, min(9, SIDE - y))), draw(st.integers(1, min(9, SIDE - x)))
        block = np.arange(1, h * w + 1, dtype=np.int32).reshape(h, w) + 1000 * n
        replaced = plane.put(((), (y, x)), Tile(InMemoryArray(block), (y, x)))
        assert not replaced or n
        dense[y : y + h, x : x + w] = block
        if replaced:  # what an earlier, larger tile left there is gone
            return plane, None
        if draw(st.booleans()):  # with and without a grid of cells that is kept up to date
            list(plane.tiles_near((range(SIDE), range(SIDE))))
    return plane, dense


ranges = st.builds(
    lambda a, b, step: range(min(a, b), max(a, b) + 1, step),
    st.integers(0, SIDE - 1),
    st.integers(0, SIDE - 1),
    st.integers(1, 5),
)


@given(planes(), ranges, ranges, st.integers(0, 3))
def test_a_window_shows_what_the_dense_array_has(made, rows, columns, level):
    plane, dense = made
    if dense is None:
        return
    coarse = dense[:: 2**level, :: 2**level]
    window = tuple(
        part[: len(range(part.start, length, part.step))]
        for part, length in zip((rows, columns), coarse.shape, strict=True)
    )
    if not all(map(len, window)):
        return
    expected = coarse[np.ix_(*window)]
    picture = np.zeros(expected.shape, np.int32)
    plane.draw(picture, window, level)
    np.testing.assert_array_equal(picture, expected)
    sole = plane.only_tile(window, level)
    if sole is not None:
        np.testing.assert_array_equal(sole, expected)


def test_the_only_tile_of_a_window_is_handed_out_without_a_copy():
    block = np.arange(16).reshape(4, 4)
    plane = Plane()
    plane.put(((), (0, 0)), Tile(InMemoryArray(block), (0, 0)))
    plane.put(((), (0, 4)), Tile(InMemoryArray(block), (0, 4)))
    inside = plane.only_tile((range(4), range(1, 3)))
    assert np.shares_memory(inside, block)
    assert plane.only_tile((range(4), range(3, 5))) is None
    assert plane.only_tile((range(4), range(7, 9))) is None


def test_a_tile_without_an_axis_is_the_same_all_along_it():
    plane = Plane()
    plane.put(((), (0, 0)), Tile(InMemoryArray(np.ones((2, 2), int)), (0, 0)))
    picture = np.zeros((3, 2, 2), int)
    plane.draw(picture, (range(3), range(2), range(2)))
    assert picture.all()


def test_only_tiles_near_a_window_are_looked_at():
    plane = Plane()
    for n in range(1000):
        start = (4 * (n // 100), 4 * (n % 100))
        plane.put(((), start), Tile(InMemoryArray(np.zeros((4, 4))), start))
    assert len(list(plane.tiles_near((range(5, 7), range(9, 11))))) == 1
    assert len(list(plane.tiles_near((range(2, 4), range(4, 6)), level=1))) == 1
    assert len(list(plane.tiles_near((range(0), range(9))))) == 0


def test_levels_are_made_once_and_again_after_a_move():
    held = []

    def hold(array, level=0):
        held.append(level)
        return InMemoryArray(array)

    tile = Tile(InMemoryArray(np.arange(64).reshape(8, 8)), (0, 0), hold)
    assert tile.at(2).tolist() == [[0, 4], [32, 36]]
    assert tile.at(2) is tile.at(2)
    assert held == [1, 2]
    tile.move((0, 1))
    assert tile.start_at(1) == (0, 1)
    assert tile.at(1)[0].tolist() == [1, 3, 5, 7]
