"""A canvas is an array: to numpy, dask, scikit-image and pickle."""

from __future__ import annotations

import copy
import operator
import pickle

import dask.array as da
import numpy as np
import pytest
from skimage import filters, measure

from dask_napari.canvas import CanvasAxes
from dask_napari.canvas.pixels import Canvas

CALLS = {
    "all": [(), (0,), ((1, 2),)],
    "any": [(), (2,)],
    "argmax": [(), (0,)],
    "argmin": [(), (1,)],
    "argtopk": [(2,)],
    "astype": [(float,), ("uint8",)],
    "choose": [([np.arange(12).reshape(3, 4)] * 60,)],
    "clip": [(3, 20)],
    "conj": [()],
    "copy": [()],
    "cumprod": [(0,)],
    "cumsum": [(0,), (1,)],
    "dot": [(np.arange(8).reshape(4, 2),)],
    "flatten": [()],
    "map_blocks": [(np.negative,)],
    "map_overlap": [(np.negative, 1, "none")],
    "max": [(), (0,), (-1,), ((0, 2),)],
    "mean": [(), (0,), ((0, 1),)],
    "min": [(), (0,), (1,)],
    "moment": [(2,)],
    "nonzero": [()],
    "persist": [()],
    "prod": [(), (0,)],
    "ravel": [()],
    "rechunk": [(2,)],
    "repeat": [(2, 1)],
    "reshape": [(3, 12), ((-1,),)],
    "round": [()],
    "squeeze": [()],
    "std": [(), (0,)],
    "sum": [(), (0,), ((0, 1),)],
    "swapaxes": [(0, 2)],
    "topk": [(2,)],
    "trace": [()],
    "transpose": [(), (2, 0, 1)],
    "var": [(), (1,)],
    "view": [(np.uint32,)],
}
ATTRIBUTES = ("T", "dtype", "imag", "itemsize", "nbytes", "ndim", "real", "shape", "size")
OF_DASK = {
    *("A", "blocks", "chunks", "chunksize", "compute", "compute_chunk_sizes", "dask", "name"),
    *("npartitions", "numblocks", "partitions", "shuffle", "store", "to_backend"),
    *("to_dask_dataframe", "to_delayed", "to_hdf5", "to_svg", "to_tiledb", "to_zarr", "vindex"),
    "visualize",
}
"""Of chunks and files, which `da.from_array(layer.data)` has."""


@pytest.fixture
def canvas() -> Canvas:
    canvas = Canvas(CanvasAxes())
    values = np.random.default_rng(1).integers(0, 60, (3, 3, 4), dtype=np.int32)
    for t in (2, 0):  # one place is empty
        canvas.put({"t": t}, values[t])
    canvas.put({"t": 1}, values[1, :2, :3])
    return canvas


@pytest.mark.parametrize("name", sorted(n for n in dir(da.Array) if n[0] != "_"))
def test_a_canvas_has_the_methods_of_a_dask_array(canvas, name):
    if name in OF_DASK:
        return
    dense, lazy = np.asarray(canvas), da.from_array(canvas, chunks=(1, 3, 4))
    if name in ATTRIBUTES:
        assert np.array_equal(getattr(canvas, name), getattr(dense, name))
        return
    for arguments in CALLS[name]:
        if hasattr(np.ndarray, name):
            expected = getattr(dense, name)(*arguments)
            found = getattr(canvas, name)(*arguments)
            np.testing.assert_allclose(found, expected)
            assert np.asarray(found).dtype == np.asarray(expected).dtype
            if hasattr(np, name) and name not in ("copy", "reshape", "transpose"):
                np.testing.assert_allclose(getattr(np, name)(canvas, *arguments), expected)
        if name not in ("choose", "trace", "view"):  # which dask has other arguments for
            ours = getattr(lazy, name)(*arguments)
            theirs = getattr(da.from_array(dense, chunks=(1, 3, 4)), name)(*arguments)
            for mine, other in zip(da.compute(ours), da.compute(theirs), strict=True):
                np.testing.assert_allclose(mine, other)


@pytest.mark.parametrize("name", ["max", "min", "sum", "prod", "any", "all", "mean"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
def test_reductions_by_slices_are_those_of_numpy(name, axis, dtype):
    canvas = Canvas(CanvasAxes())
    values = np.random.default_rng(2).integers(0, 2, (3, 5, 4)).astype(dtype)
    for t in range(3):
        canvas.put({"t": t}, values[t])
    for keepdims in (False, True):
        found = getattr(np, name)(canvas, axis=axis, keepdims=keepdims)
        expected = getattr(np, name)(values, axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    with pytest.raises(np.exceptions.AxisError):
        getattr(np, name)(canvas, axis=3)


def test_operators_give_dense_arrays(canvas):
    dense = np.asarray(canvas)
    for each in (operator.add, operator.sub, operator.mul, operator.and_, operator.gt, operator.eq):
        assert (each(canvas, 3) == each(dense, 3)).all()
        assert (each(3, canvas) == each(3, dense)).all()
        assert (each(canvas, canvas[::-1]) == each(dense, dense[::-1])).all()
    assert np.add.reduce(canvas).tolist() == np.add.reduce(dense).tolist()
    assert [part.tolist() for part in canvas] == dense.tolist()
    assert len(canvas) == 3
    assert dense.max() in canvas
    with pytest.raises(ValueError, match="ambiguous"):
        bool(canvas)
    with pytest.raises(TypeError, match=r"copy\(\)"):
        canvas += 1


def test_a_canvas_is_not_written_in_place(canvas):
    for name in ("fill", "sort", "partition", "resize", "data", "flags"):
        assert not hasattr(canvas, name)
    with pytest.raises(TypeError, match=r"live layer.*copy\(\)"):
        np.add(1, 1, out=canvas)
    with pytest.raises(TypeError, match=r"live layer.*copy\(\)"):
        np.sum(canvas, out=canvas)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, np.copy, lambda data: pickle.loads(pickle.dumps(data))]
)
def test_copies_are_dense_and_stay_as_they_are(canvas, copied):
    for part in (canvas, canvas[1:]):
        before = np.array(part)
        snapshot = copied(part)
        assert type(snapshot) is np.ndarray
        canvas.put({"t": 2}, np.full((3, 4), 99, np.int32))
        assert np.array_equal(snapshot, before)
        snapshot[:] = 0
        assert np.asarray(part).any()


def test_dask_takes_a_snapshot(canvas):
    before, lazy = np.asarray(canvas), da.from_array(canvas)
    assert da.from_array(canvas).name == lazy.name
    canvas.put({"t": 2}, np.full((3, 4), 99, np.int32))
    assert da.from_array(canvas).name != lazy.name
    assert type(lazy.compute()) is np.ndarray
    assert np.array_equal(lazy.compute(), before)


def test_scikit_image_takes_a_canvas(canvas):
    dense = np.asarray(canvas)
    np.testing.assert_allclose(filters.gaussian(canvas), filters.gaussian(dense))
    assert filters.threshold_otsu(canvas[0]) == filters.threshold_otsu(dense[0])
    assert (measure.label(canvas > 30) == measure.label(dense > 30)).all()


def test_a_copy_that_memory_cannot_hold_is_refused_with_its_size():
    canvas = Canvas(CanvasAxes())
    for t in range(1000):
        block = np.ones((1, 1), np.uint16)
        canvas.put({"t": t}, block, origin=(0, 0), array_shape=(1 << 20, 1 << 20))
    with pytest.raises(MemoryError, match=r"takes 2048000\.0 GiB.*are free.*data\[0\]"):
        np.asarray(canvas)
    assert canvas[0, :2, :2].tolist() == [[1, 0], [0, 0]]
