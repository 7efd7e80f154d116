"""The free list against a model: nothing overlaps, nothing is lost, the lowest place first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.stream.shm import Allocator
from dask_napari.stream.shm._allocator import GRAIN

SIZE = 64 * GRAIN

# An allocation of so many bytes, or the end of the nth that lives.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("allocate"), st.integers(1, SIZE + GRAIN)),
        st.tuples(st.just("allocate"), st.integers(1, 4 * GRAIN)),
        st.tuples(st.just("free"), st.integers(0, 100)),
    ),
    max_size=80,
)


def lowest_fit(live: dict[int, int], nbytes: int) -> int | None:
    """First fit, spelled out: try every grain."""
    need = -(-nbytes // GRAIN) * GRAIN
    for start in range(0, SIZE - need + 1, GRAIN):
        if all(start + need <= at or at + length <= start for at, length in live.items()):
            return start
    return None


@given(steps)
def test_is_first_fit_without_overlap_or_loss(steps):
    space = Allocator(SIZE)
    live: dict[int, int] = {}
    for what, number in steps:
        if what == "allocate":
            offset = space.allocate(number)
            assert offset == lowest_fit(live, number)
            if offset is not None:
                live[offset] = -(-number // GRAIN) * GRAIN
        elif live:
            offset = sorted(live)[number % len(live)]
            del live[offset]
            assert space.free(offset)
            assert not space.free(offset), "twice"
        assert space.free_bytes == SIZE - sum(live.values())
    for offset in live:
        assert space.free(offset)
    assert space.allocate(SIZE) == 0, "all that was freed is one hole again"


@pytest.mark.parametrize("size", [0, 1, GRAIN - 1])
def test_a_space_smaller_than_a_grain_holds_nothing(size):
    assert Allocator(size).allocate(1) is None


@pytest.mark.parametrize("nbytes", [0, -1])
def test_refuses_sizes_that_are_none(nbytes):
    with pytest.raises(ValueError, match=str(nbytes)):
        Allocator(SIZE).allocate(nbytes)


def test_free_refuses_what_was_not_handed_out():
    space = Allocator(SIZE)
    space.allocate(2 * GRAIN)
    assert not space.free(GRAIN)  # inside of a range, not its start
    assert not space.free(-GRAIN)
