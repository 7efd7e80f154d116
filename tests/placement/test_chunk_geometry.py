"""The geometry of chunked arrays, and what a tap makes of them; no cluster."""

from __future__ import annotations

import pickle
import time

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.model import Item, Refusal
from dask_napari.placement import ChunkGrid, Placement, placement_of_slices
from dask_napari.placement.dask_arrays import chunks_of
from dask_napari.sink import tapped
from dask_napari.tap import Tap, TapSet

sizes = st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(sum).map(tuple)


@given(st.lists(sizes, min_size=2, max_size=4).map(tuple))
def test_places_of_all_chunks_cover_the_array_once(chunks):
    geometry = chunks_of(da.zeros(tuple(map(sum, chunks)), chunks=chunks, name="x"))
    filled = np.zeros(geometry.shape, int)
    n = 0
    for numbers in np.ndindex(*map(len, chunks)):
        key = ("x", *numbers)
        if key not in geometry:
            assert 0 in [sizes[i] for sizes, i in zip(chunks, numbers, strict=True)]
            continue
        where = geometry.placement(key)
        assert where.array_shape == filled.shape
        filled[tuple(slice(o, o + s) for o, s in zip(where.origin, where.shape, strict=True))] += 1
        n += 1
    assert (filled == 1).all()
    assert geometry.count == geometry.items == n


def test_only_exact_keys_are_chunks():
    geometry = ChunkGrid("x", ((4, 4), (4,)))
    assert ("x", 1, 0) in geometry
    assert ("x", np.int64(1), 0) in geometry
    for other in (
        "x",
        ("x",),
        ("x", 1),
        ("x", 0, 0, 0),
        ("y", 1, 0),
        ("x", 2, 0),
        ("x", -1, 0),
        ("x", 0.9, 0),
        ("x", 1.0, 0),
        ("x", "1", 0),
    ):
        assert other not in geometry, other


def test_a_million_chunks_cost_next_to_nothing():
    x = da.zeros((1000, 1000, 1000), chunks=10)
    before = time.perf_counter()
    tap = Tap(x)
    taps = TapSet([tap, Tap("other")])
    assert len(pickle.dumps(taps)) < 10_000
    assert time.perf_counter() - before < 1.0
    assert tap.select.count == 1_000_000
    assert taps.select((x.name, 99, 0, 42), "zeros", None) == [tap.compile()]
    assert taps.select((x.name, 100, 0, 42), "zeros", None) == []
    again = pickle.loads(pickle.dumps(tap))
    assert again.compile().rule.placement((x.name, 99, 0, 42), None).origin == (990, 0, 420)


def test_what_cannot_be_shown_is_told_with_the_remedy():
    x = da.arange(100, chunks=10)
    with pytest.raises(ValueError, match=r"at least 2 axes.*x\[None, :\]"):
        Tap(x)
    with pytest.raises(ValueError, match="at least 2 axes"):
        Tap(x.sum())
    unknown = (x.reshape(10, 10) > 3)[da.arange(10, chunks=5) > 5]
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        Tap(unknown)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        tapped(unknown)
    unknown.compute_chunk_sizes()
    assert Tap(unknown).select.array_shape == (4, 10)
    with pytest.raises(ValueError, match="is empty"):
        Tap(da.zeros((0, 5)))
    with pytest.raises(ValueError, match="do not name the 2 axes"):
        Tap(da.zeros((4, 5)), dims=["z", "y", "x"])
    with pytest.raises(ValueError, match="dims="):
        Tap("segment", dims=["y", "x"])
    with pytest.raises(TypeError, match="list of names"):
        Tap(da.zeros((4, 5)), dims="yx")
    with pytest.raises(ValueError, match="rgb=True"):
        Tap(da.zeros((40, 50, 3), chunks=(10, 10, 1)), rgb=True)
    with pytest.raises(TypeError, match="has no chunks"):
        tapped(np.zeros((4, 4)))


def test_the_layer_is_named_by_the_array():
    assert Tap(da.zeros((4, 4)).map_blocks(np.negative)).layer == "negative"
    assert Tap(da.zeros((4, 4), name="mask")).layer == "mask"
    assert Tap(da.zeros((4, 4)), layer="mine", dims=["y", "x"]).select.calibration.axes == (
        "y",
        "x",
    )


@pytest.mark.parametrize(
    ("shape", "chunks", "dtype", "rgb"),
    [
        ((100, 100, 3), (40, 40, 3), "u1", True),
        ((100, 100, 3), (40, 40, 1), "u1", False),
        ((100, 20, 3), (40, 20, 3), "u1", False),
        ((100, 100, 5), (40, 40, 5), "u1", False),
        ((100, 100, 3), (40, 40, 3), "i8", False),
    ],
)
def test_colour_is_decided_for_the_whole_array(shape, chunks, dtype, rgb):
    tap = Tap(da.zeros(shape, chunks=chunks, dtype=dtype))
    assert tap.compile().rgb is rgb
    assert tap.compile().rule.placement((tap.select.name, 1, 0, 0), None).origin == (
        (40, 0) if rgb else (40, 0, 0)
    )


def test_the_array_is_passed_on_unchanged_and_its_name_is_the_same_each_time():
    x = da.ones((10, 7), chunks=(4, 5), dtype="u2").map_blocks(np.negative)
    same, (tap,) = tapped(x, kind="labels")
    again, _ = tapped(x, layer="another")
    assert same.name == again.name != x.name
    assert same.name.startswith("watch-negative-")
    assert (same.chunks, same.dtype, type(same._meta)) == (x.chunks, x.dtype, np.ndarray)
    assert tap.layer == "negative"
    assert (tap.select.name, tap.select.source) == (same.name, x.name)
    # Without a worker, on any scheduler, it is the same numbers.
    np.testing.assert_array_equal(same.compute(scheduler="threads"), x.compute(scheduler="sync"))


def test_chunks_of_one_array_go_onto_a_layer_once():
    x = da.ones((10, 7), chunks=(5, 7))
    same, (watching,) = tapped(x, layer="a")
    by_key = Tap(same, layer="a")
    elsewhere = Tap(same, layer="b")
    taps = TapSet([by_key, watching, elsewhere])
    assert taps.select((same.name, 1, 0), "watch-ones", None) == [
        watching.compile(),
        elsewhere.compile(),
    ]
    assert taps.watching(x.name) == [(watching.compile(), watching.select)]
    assert taps.watching(same.name) == []


def test_at_adds_to_the_place_in_the_array():
    x = da.ones((10, 7), chunks=(5, 7), name="x")
    assert Tap(x, at={"well": "A01"}).compile().rule.placement(("x", 1, 0), None) == Placement(
        {"well": "A01"}, (5, 0), (10, 7), (5, 7)
    )
    tap = Tap(x, at=lambda key, value, args: {"row": key[1]})
    assert tap.compile().rule.placement(("x", 1, 0), None).position == {"row": 1}
    assert tap.compile().rule.placement(("x", 1, 0), None).origin == (5, 0)
    with pytest.raises(TypeError, match="position"):
        Tap(x, at={})


def test_slices_place_tiles():
    def at(key, value, args):
        return {"well": "A01", "y": slice(512, 1024), "x": slice(0, 512)}

    tap = Tap("tile", at=at)
    where = tap.compile().rule.placement("tile-1", None)
    assert (where.position, where.origin) == ({"well": "A01"}, (512, 0))
    assert tap.place("tile-1", None) == {"well": "A01"}
    plane = Item("tile", "image", np.zeros((512, 512)))
    where.settle(plane)
    assert (plane.origin, plane.array_shape) == ((512, 0), (1024, 512))
    stack = Item("tile", "image", np.zeros((5, 512, 512)))
    where.settle(stack)
    assert (stack.origin, stack.array_shape) == ((0, 512, 0), (5, 1024, 512))
    list(where.parts(stack.data))
    with pytest.raises(Refusal, match="does not fit"):
        list(where.parts(np.zeros((512, 500))))
    with pytest.raises(Refusal, match="does not fit the origin"):
        Placement({}, (1, 2, 3), (4, 4, 4)).settle(plane)


@pytest.mark.parametrize("wrong", [slice(5, 5), slice(0, 4, 2), slice(-4, None), slice("a", "b")])
def test_slices_that_say_no_place(wrong):
    with pytest.raises(ValueError, match="is not a range of pixels"):
        placement_of_slices({"y": wrong})


def test_a_chunk_of_another_shape_is_refused():
    x = da.ones((10, 7), chunks=(5, 7), name="x")
    where = Tap(x).compile().rule.placement(("x", 1, 0), None)
    with pytest.raises(Refusal, match=r"shape \(4, 7\) does not fit"):
        list(where.parts(np.zeros((4, 7))))
