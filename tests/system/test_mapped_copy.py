"""Copies of mapped arrays, also of those whose file has been cut short."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dask_napari.system import copy_mapped

DTYPES = st.sampled_from(["u1", ">u2", "<f4", "f8", "c16", "?", "i4,f4"])


@given(st.data(), DTYPES, hnp.array_shapes(max_dims=4, max_side=6, min_side=0))
def test_a_copy_equals_the_array_whatever_its_strides(data, dtype, shape):
    array = np.arange(np.prod(shape)).astype(np.dtype(dtype)).reshape(shape)
    array = array.transpose(data.draw(st.permutations(range(array.ndim))))
    array = array[data.draw(hnp.basic_indices(array.shape, allow_newaxis=True))]
    copy = copy_mapped(array)
    assert copy.dtype == array.dtype
    np.testing.assert_array_equal(copy, array)


@pytest.mark.parametrize("part", [np.s_[:], np.s_[::-1, ::3], np.s_[:, 5]])
def test_pages_that_are_gone_are_an_error_and_no_signal(tmp_path, part):
    path = tmp_path / "scratch"
    mapped = np.memmap(path, np.uint8, "w+", shape=(400, 4096))
    mapped[:] = 7
    assert (copy_mapped(mapped[part]) == 7).all()
    os.truncate(path, 100 * 4096)
    with pytest.raises(OSError, match="Bad address"):
        copy_mapped(mapped[part])
