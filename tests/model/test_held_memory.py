"""What values keep alive, found without running a line of their authors' code."""

from __future__ import annotations

import mmap

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dask_napari.model import Refusal, held_by, is_plain, mapping_of, plain_size

MIB = 1 << 20
BASE = np.zeros((4, 1024, 1024), "u1")
CROP = BASE[0, :64, :64]


class Wrapper:
    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        raise AssertionError(f"{name} of somebody else's object was asked for")


@pytest.mark.parametrize(
    "value",
    [
        CROP,
        CROP[:4][::2].T,
        np.asarray(memoryview(BASE))[:1, :2],
        (CROP, {"name": "crop"}, "image"),
        {"crop": [CROP, CROP[:3]]},
        xr.DataArray(CROP, dims=["y", "x"], coords={"t": 1}),
        pd.DataFrame(np.zeros((MIB // 8, 4)))[:3],
        np.ma.masked_array(CROP, np.zeros((64, 64), bool)),
        Wrapper(CROP),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_view_keeps_its_base_wherever_it_is(value):
    assert 4 * MIB <= held_by(value, 10).nbytes < 4 * MIB + 100_000


def test_views_of_one_base_have_one_owner():
    assert held_by(CROP) == held_by(BASE[3])
    assert held_by(CROP).owner


def test_a_buffer_is_what_its_bytes_are():
    assert held_by(np.frombuffer(bytes(MIB), "u1")[:5]).nbytes == MIB


def test_a_repeated_value_holds_one():
    assert held_by(np.broadcast_to(np.uint16(1), (1000, 1000))).nbytes == 2


@pytest.mark.parametrize(
    "told",
    [float("nan"), float("inf"), -1, "much", None, np.zeros(3), Wrapper(1)],
    ids=["nan", "infinite", "negative", "text", "none", "array", "object"],
)
def test_a_size_that_is_none_is_refused(told):
    with pytest.raises(Refusal) as refused:
        held_by([1], told)
    assert refused.value.reason == "size unknown"


def test_a_size_becomes_a_plain_int_with_a_bound():
    assert [type(plain_size(size)) for size in (True, np.uint8(3), 2.5, 1 << 90)] == [int] * 4
    assert plain_size(1 << 90) == plain_size(1 << 80)


def test_what_owns_memory_is_found_behind_buffers(tmp_path):
    assert is_plain(np.asarray(memoryview(BASE))[1:])
    mapped = np.memmap(tmp_path / "pixels", "u1", "w+", mmap.ALLOCATIONGRANULARITY + 5, (8, 8))
    for view in (mapped, mapped[1:].T, np.asarray(mapped)[1:], np.asarray(memoryview(mapped))):
        assert not is_plain(view)
        mapping, begins = mapping_of(view)
        assert (len(mapping), begins) == (5 + 64, mmap.ALLOCATIONGRANULARITY)
    assert mapping_of(BASE[1:]) is None
