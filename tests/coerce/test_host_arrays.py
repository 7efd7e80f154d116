"""Arrays of every library and layout become plain numpy arrays."""

import logging
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
import xarray as xr

from dask_napari.coerce import coerce
from dask_napari.coerce._host_arrays import coordinates, to_host
from dask_napari.model import Refusal, Reports

IMAGE = np.arange(12, dtype=np.uint16).reshape(3, 4)


class Subclass(np.ndarray):
    """An array of a library that has its own class."""


class Gpu:
    """An array in the memory of a graphics card, as far as anybody can see."""

    def __init__(self, data=IMAGE):
        self._data = data

    def __dlpack_device__(self):
        return 2, 0

    def __dlpack__(self, **options):
        if options.get("dl_device") != (1, 0):
            raise BufferError("memory of another device")
        return self._data.copy().__dlpack__()


class Cupy(Gpu):
    def __array__(self, *args, **options):
        raise TypeError("Implicit conversion to a NumPy array is not allowed; use .get()")

    def get(self):
        return self._data.copy()


class Torch(Gpu):
    requires_grad = True

    def __array__(self, *args, **options):
        raise TypeError("can't convert cuda:0 device type tensor to numpy; use Tensor.cpu()")

    def detach(self):
        inner = type(self)(self._data)
        inner.requires_grad = False
        return inner

    def cpu(self):
        if self.requires_grad:
            raise RuntimeError("call detach() first")
        return self._data.copy()


class Jax(Gpu):
    def __array__(self, *args, **options):
        return self._data.copy()


class OnlyDlpack:
    """On the processor, without ``__array__``."""

    def __dlpack_device__(self):
        return IMAGE.__dlpack_device__()

    def __dlpack__(self, **options):
        return IMAGE.__dlpack__(**options)


@pytest.mark.parametrize("kind", [Gpu, Cupy, Torch, Jax, OnlyDlpack])
def test_arrays_that_are_not_numpys_are_read(kind):
    np.testing.assert_array_equal(coerce(kind()).data, IMAGE)
    np.testing.assert_array_equal(coerce(kind(), kind="labels").data, IMAGE)


def test_a_copy_is_made_of_a_gpus_array_only():
    assert not np.shares_memory(to_host(Cupy()), IMAGE)
    assert np.shares_memory(to_host(OnlyDlpack()), IMAGE)


def test_a_dataarray_around_a_gpus_array():
    class Duck(Cupy):
        shape, dtype, ndim = IMAGE.shape, IMAGE.dtype, 2

        def __array_function__(self, *args):
            return NotImplemented

        def __array_ufunc__(self, *args):
            return NotImplemented

    plane = xr.DataArray(Duck(), dims=("y", "x"), coords={"t": 3})
    item = coerce(plane)
    assert item.position == {"t": 3}
    np.testing.assert_array_equal(item.data, IMAGE)


def test_a_device_that_does_not_say_where_it_is():
    class Odd(OnlyDlpack):
        def __dlpack_device__(self):
            raise NotImplementedError

        def __array__(self, *args, **options):
            return IMAGE

    np.testing.assert_array_equal(to_host(Odd()), IMAGE)


def test_a_gpu_that_fails_is_a_refusal():
    class Broken(Cupy):
        def get(self):
            raise RuntimeError("device lost")

    with pytest.raises(Refusal, match="device lost"):
        to_host(Broken())


@pytest.mark.parametrize("grad", [False, True])
def test_torch(grad):
    torch = pytest.importorskip("torch")
    tensor = torch.arange(12, dtype=torch.float32).reshape(3, 4).requires_grad_(grad)
    assert np.shares_memory(to_host(tensor), tensor.detach().numpy())
    half = to_host(tensor.to(torch.bfloat16))
    assert half.dtype == np.float32
    np.testing.assert_array_equal(half, IMAGE)
    turned = torch.complex(tensor, tensor).conj()
    assert to_host(turned)[0, 1] == 1 - 1j


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn"])
def test_floats_that_numpy_has_not(name):
    small = IMAGE.astype(getattr(ml_dtypes, name))
    data = coerce(small).data
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data, IMAGE)


LAYOUTS = {
    "contiguous": lambda a: a,
    "transposed": lambda a: a.T,
    "reversed": lambda a: a[::-1, ::-2],
    "Fortran": np.asfortranarray,
    "zero-stride": lambda a: np.broadcast_to(a[:1], (4, *a.shape[1:])),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "window": lambda a: np.lib.stride_tricks.sliding_window_view(a, (2, 2)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16"]
)
def test_every_dtype_in_every_layout(layout, dtype):
    array = LAYOUTS[layout](IMAGE.astype(dtype))
    array.flags.writeable = False
    item = coerce(array)
    np.testing.assert_array_equal(item.data, np.abs(array) if dtype[0] == "c" else array)
    assert item.data.dtype.isnative
    if dtype[0] in "iu?":
        np.testing.assert_array_equal(coerce(array, kind="labels").data, array)
    if dtype[0] in "iuf" and layout != "window":
        np.testing.assert_array_equal(coerce(array, kind="points").data, array)


def test_complex_numbers_are_noted_once_a_layer(caplog):
    reports = Reports(logging.getLogger("a session"))
    for layer in ("waves", "waves", "other waves"):
        coerce(IMAGE.astype("c8"), layer=layer, on_note=reports.note)
    assert [(report.layer, report.note) for report in reports.all()] == [
        ("waves", True),
        ("other waves", True),
    ]
    assert caplog.text.count("magnitude") == 2


def test_a_second_session_is_told_too():
    for _ in range(2):
        reports = Reports()
        coerce(IMAGE.astype("c8"), on_note=reports.note)
        assert [report.text for report in reports.fresh()] == [
            "complex numbers are shown by their magnitude"
        ]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "longdouble", "i4", "u8", object])
def test_coordinates_are_floats(dtype):
    data = coordinates(np.ones((2, 2)).astype(dtype), "points")
    assert data.dtype == (np.float32 if dtype in ("f2", "f4") else np.float64)
    assert data.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("value", [[[1], [1, 2]], [["a", "b"]], np.zeros((2, 2), "?"), [[{}, 1]]])
def test_what_is_no_coordinates(value):
    with pytest.raises(Refusal, match="points"):
        coordinates(value, "points")


def test_masked_floats_have_no_value():
    assert np.isnan(to_host(np.ma.array([1.0, 2.0], mask=[True, False]))[0])


@pytest.mark.parametrize("dtype", ["u1", "i8", "f8", "c8", ">u2"])
@pytest.mark.parametrize("kind", ["image", "labels", "points"])
@pytest.mark.parametrize(
    "wrap", [lambda a: a, np.ma.masked_array, lambda a: a.view(Subclass)], ids=["", "masked", "sub"]
)
def test_what_repeats_a_little_memory_is_not_copied(dtype, kind, wrap):
    """Dask's own chunks of ones are made so; a copy would end the worker."""
    ones = np.broadcast_to(np.ones((), dtype), (300_000, 2_000))
    tracemalloc.start()
    with pytest.raises(Refusal) as refused:
        coerce(wrap(ones), kind=kind)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.reason == "too large"
    assert most < 10 << 20


@pytest.mark.parametrize("offset", [0, 5000])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda a: a,
        np.asarray,
        np.ma.masked_array,
        lambda a: a[2:, 1:],
        lambda a: np.asarray(memoryview(a)),
    ],
)
def test_a_mapped_file_that_is_cut_short_is_refused(tmp_path, wrap, offset):
    """To read it would end the worker."""
    path = tmp_path / "scratch.dat"
    mapped = np.memmap(path, np.uint8, "w+", offset, (4000, 4096))
    mapped[:] = 7
    item = coerce(wrap(mapped))
    with open(path, "r+b") as file:
        file.truncate(3999 * 4096)
    assert (item.data == 7).all()  # a copy
    with pytest.raises(Refusal) as refused:
        coerce(wrap(mapped))
    assert refused.value.reason == "file cut short"


def test_a_little_that_repeats_is_shown():
    assert coerce(np.broadcast_to(np.uint16(3), (64, 64))).data.sum() == 3 * 64 * 64
