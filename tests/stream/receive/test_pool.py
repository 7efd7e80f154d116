"""The pool: arrays that live never share memory, and what died is used again."""

from __future__ import annotations

import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_napari.stream.receive._pool import HUGE_PAGE, BlockPool

U8 = np.dtype(np.uint8)
SLAB = 1 << 16


def reserved(pool: BlockPool) -> int:
    """Return the bytes of all slabs."""
    return sum(slab.nbytes for slab in pool._slabs)


def address(array) -> int:
    return array.__array_interface__["data"][0]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("make"), st.integers(1, SLAB // 3)),
            st.tuples(st.just("make"), st.integers(1, 3 * SLAB)),
            st.tuples(st.just("let go"), st.integers(0, 100)),
            st.tuples(st.just("keep a view"), st.integers(0, 100)),
        ),
        max_size=60,
    )
)
@settings(deadline=None)
def test_live_arrays_never_overlap_nor_change(steps):
    pool = BlockPool(SLAB, idle_bytes=2 * SLAB)
    live: list[tuple[np.ndarray, int]] = []
    for turn, (what, number) in enumerate(steps):
        if what == "make":
            array = pool.empty((number,), U8)
            array[:] = turn
            live.append((array, turn))
            del array
        elif live:
            array, value = live.pop(number % len(live))
            if what == "keep a view":
                live.append((array[array.size // 2 :].reshape(1, -1)[:, ::2], value))
            del array
        assert all((array == value).all() for array, value in live)
    lent = pool.lent
    assert lent >= sum(array.size for array, _ in live)
    live.clear()
    assert pool.lent == 0
    assert reserved(pool) <= 2 * SLAB


@pytest.mark.parametrize(
    "derive",
    [
        lambda a: a[10:],
        lambda a: a[::2][::2][3:],
        lambda a: a.view(np.uint16).reshape(2, -1)[1].T,
        lambda a: np.broadcast_to(a[:1], (5, 5)),
        lambda a: np.lib.stride_tricks.as_strided(a, (3, 3), (1, 1)),
        lambda a: memoryview(a)[5:],
        lambda a: np.frombuffer(a, np.uint8)[1:],
        lambda a: a.view(np.recarray)[2:],
        lambda a: np.asarray(memoryview(a))[4:],
        lambda a: a.base,
        lambda a: iter(a),
        lambda a: np.ma.masked_array(a[1:], mask=False),
    ],
)
def test_whatever_is_derived_keeps_the_place(derive):
    pool = BlockPool(SLAB)
    array = pool.empty((1 << 10,), U8)
    where = address(array)
    derived = derive(array)
    del array
    assert pool.lent == 1 << 10
    assert address(pool.empty((1 << 10,), U8)) != where
    del derived
    assert pool.lent == 0
    assert address(pool.empty((1 << 10,), U8)) == where


def test_a_place_is_used_again_while_its_neighbours_live():
    pool = BlockPool(SLAB)
    arrays = [pool.empty((SLAB // 16,), U8) for _ in range(16)]
    places = [address(array) for array in arrays]
    for turn in range(100):
        arrays[turn * 7 % 16] = None
        arrays[turn * 7 % 16] = pool.empty((SLAB // 16,), U8)
    assert sorted(map(address, arrays)) == places
    assert reserved(pool) == SLAB


def test_random_replacement_does_not_pile_up():
    # Slabs that wait for all of their blocks to die would take some five times what lives.
    pool = BlockPool(SLAB, idle_bytes=0)
    random = np.random.default_rng(0)
    canvas = [pool.empty((1 << 10,), U8) for _ in range(1000)]
    for where in random.integers(0, len(canvas), 5000):
        canvas[where] = pool.empty((1 << 10,), U8)
    assert pool.lent == 1000 << 10
    assert reserved(pool) <= 1.1 * pool.lent + SLAB


def test_idle_slabs_go_back_at_once_but_for_a_few():
    pool = BlockPool(SLAB, idle_bytes=2 * SLAB)
    arrays = [pool.empty((SLAB,), U8) for _ in range(10)]
    assert reserved(pool) == 10 * SLAB
    arrays.clear()  # nothing else is asked of the pool
    assert reserved(pool) == 2 * SLAB


def test_an_array_larger_than_a_slab_gets_one_of_its_own_which_is_used_again():
    pool = BlockPool(SLAB, idle_bytes=2 * HUGE_PAGE)
    large = pool.empty((SLAB + 1,), U8)
    assert reserved(pool) == HUGE_PAGE
    where = address(large)
    del large
    assert address(pool.empty((SLAB + 1,), U8)) == where


def test_arrays_outlive_the_pool_and_the_pool_needs_no_garbage_collector():
    pool = BlockPool(SLAB)
    array = pool.empty((100,), U8)
    array[:] = 7
    gone = weakref.ref(pool)
    gc.disable()
    try:
        del pool
        assert gone() is None
    finally:
        gc.enable()
    assert (array == 7).all()


def test_what_dies_by_the_garbage_collector_comes_back():
    pool = BlockPool(SLAB)
    array = pool.empty((1000,), np.dtype(np.uint16))
    cycle: list[object] = [array]
    cycle.append(cycle)
    del array, cycle
    gc.collect()
    assert pool.lent == 0


def test_arrays_may_die_in_another_thread():
    pool = BlockPool(SLAB)
    wrong: list[int] = []
    shelf: list[np.ndarray | None] = [None] * 50
    rounds = 3000

    def make() -> None:
        for turn in range(rounds):
            array = pool.empty((1 + turn * 37 % 5000,), U8)
            array[:] = turn % 251
            shelf[turn % 50] = array

    def drop() -> None:
        for turn in range(rounds):
            array = shelf[turn * 31 % 50]
            if array is not None and array.min() != array.max():
                wrong.append(turn)
            shelf[turn * 31 % 50] = None

    def watched(work):
        def run() -> None:
            try:
                work()
            except BaseException:
                wrong.append(-1)
                raise

        return threading.Thread(target=run)

    threads = [watched(work) for work in (make, drop, drop)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # `make` may fill a place while `drop` compares: only whole arrays are on the shelf.
    assert not wrong
    shelf.clear()
    del threads
    assert pool.lent == 0


@pytest.mark.parametrize("dtype", ["u1", "<f8", ">i4", "c16", "?", "U3"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 4), (5, 1, 3)])
def test_arrays_are_ordinary_ones(shape, dtype):
    pool = BlockPool(SLAB)
    pool.empty((1,), U8)
    array = pool.empty(shape, np.dtype(dtype))
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.flags.c_contiguous
    assert array.flags.aligned
    assert array.flags.writeable
    array[...] = np.zeros(shape, dtype)
    assert pickle.loads(pickle.dumps(array)).tobytes() == array.tobytes()
