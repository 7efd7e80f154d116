"""Whatever a task returns becomes an item that can be shown, or a refusal with a reason."""

import gc
import pickle
import weakref

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dask_napari.coerce import coerce, coerce_all
from dask_napari.model import Calibration, Item, Provenance, Refusal

shapes = hnp.array_shapes(min_dims=2, max_dims=4, max_side=5)
numeric = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(endianness="?"),
)
DRAWABLE = {np.dtype(name) for name in ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]}


@given(hnp.arrays(numeric, shapes), st.booleans())
def test_any_numeric_array_is_an_image_of_a_native_drawable_dtype(array, flipped):
    with np.errstate(all="ignore"):
        data = coerce(array[::-1] if flipped else array).data
    assert data.shape == array.shape
    assert data.dtype in DRAWABLE
    assert data.dtype.isnative


@given(hnp.arrays(st.one_of(hnp.integer_dtypes(), hnp.unsigned_integer_dtypes()), shapes))
def test_labels_keep_their_values_in_the_smallest_dtype(array):
    data = coerce(array, kind="labels").data
    np.testing.assert_array_equal(data, array)
    smallest = np.result_type(np.min_scalar_type(array.min()), np.min_scalar_type(array.max()))
    assert data.dtype.itemsize <= max(smallest.itemsize, 1) or array.min() < 0


@given(st.one_of(st.none(), st.integers(), st.text(), st.lists(st.floats()), st.binary()))
def test_what_is_no_array_is_refused(value):
    with pytest.raises(Refusal) as refusal:
        coerce(value)
    assert refusal.value.reason == "not an array"


def test_an_image_is_not_copied():
    image = np.arange(12, dtype="uint16").reshape(3, 4)
    assert coerce(image).data is image
    assert np.shares_memory(coerce(image > 3).data, image > 3) is False
    mask = image > 3
    assert np.shares_memory(coerce(mask).data, mask)


def test_broadcast_and_transposed_views_are_kept():
    view = np.broadcast_to(np.uint8(7), (1000, 1000))
    item = coerce(view, kind="labels")
    assert item.data.strides == (0, 0)
    assert item.nbytes == 1_000_000


@pytest.mark.parametrize(
    ("value", "kind", "reason", "words"),
    [
        (np.array([[{}]]), "image", "dtype", "object"),
        (np.array([["a"]]), "image", "dtype", "numbers"),
        (np.zeros((2, 2), "M8[s]"), "image", "dtype", "datetime64"),
        (np.zeros((2, 2), "i4,f4"), "image", "dtype", "numbers"),
        (np.zeros((2, 2)), "labels", "dtype", "astype"),
        (np.zeros((0, 5)), "image", "empty", r"\(0, 5\)"),
        (np.float64(3), "image", "dimensions", "at least 2"),
        (np.zeros(5), "image", "dimensions", r"\(5,\)"),
        (np.ndarray, "image", "not an array", "type"),
    ],
)
def test_refusals_name_the_reason_and_the_remedy(value, kind, reason, words):
    with pytest.raises(Refusal, match=words) as refusal:
        coerce(value, kind=kind)
    assert refusal.value.reason == reason
    assert pickle.loads(pickle.dumps(refusal.value)).reason == reason


def test_a_lazy_collection_is_refused():
    da = pytest.importorskip("dask.array")
    with pytest.raises(Refusal, match=r"\.compute\(\)"):
        coerce(da.zeros((4, 4)))


def test_an_array_that_refuses_conversion_is_refused():
    class OnGpu:
        def __array__(self, *args, **kwargs):
            raise RuntimeError("use .get()")

    with pytest.raises(Refusal, match=r"use \.get\(\)"):
        coerce(OnGpu())


def test_masked_pixels_are_background():
    masked = np.ma.array([[1, 2], [3, 4]], mask=[[True, False], [False, False]])
    assert coerce(masked, kind="labels").data.tolist() == [[0, 2], [3, 4]]


@pytest.mark.parametrize(
    ("shape", "dtype", "rgb", "is_rgb"),
    [
        ((40, 40, 3), "u1", None, True),
        ((40, 40, 4), "f4", None, True),
        ((5, 40, 40), "u1", None, False),
        ((20, 20, 3), "u1", None, False),
        ((20, 20, 3), "u1", True, True),
        ((40, 40, 3), "u1", False, False),
        ((2, 40, 40, 3), "u1", None, True),
    ],
)
def test_colour_is_guessed_as_napari_does(shape, dtype, rgb, is_rgb):
    assert coerce(np.zeros(shape, dtype), rgb=rgb).rgb is is_rgb


def test_rgb_needs_a_colour_axis():
    with pytest.raises(Refusal, match=r"\(40, 40\)"):
        coerce(np.zeros((40, 40)), rgb=True)


def plane(**coords):
    units = {"y": ("y", [10.0, 10.5, 11.0], {"units": "um"})}
    return xr.DataArray(np.zeros((3, 4), "u2"), dims=("y", "x"), coords={**units, **coords})


def test_dataarray_tells_position_and_pixel_size():
    x = ("x", [0.0, 0.25, 0.5, 0.75], {"units": "um"})
    item = coerce(plane(x=x, well="A01", t=np.int64(3), z=0.5, bad=np.nan))
    assert item.position == {"well": "A01", "t": 3, "z": 0.5}
    assert type(item.position["t"]) is int
    assert item.calibration == Calibration(("y", "x"), (0.5, 0.25), (10.0, 0.0), ("um", "um"))


def test_dates_and_flags_become_text():
    item = coerce(plane(day=np.datetime64("2024-05-01"), treated=True))
    assert item.position["treated"] == "True"
    assert item.position["day"].startswith("2024-05-01")


def test_axis_without_coordinates_counts_pixels():
    calibration = coerce(plane()).calibration
    assert calibration.scale == (0.5, 1.0)
    assert calibration.units == ("um", "pixel")


@pytest.mark.parametrize("x", [[0, 1, 5, 6], [1, 1, 1, 1], list("abcd"), [0, 1, 2, np.nan]])
def test_uneven_coordinates_say_nothing(x):
    assert coerce(plane(x=x)).calibration.scale == (0.5, 1.0)


def test_colour_axis_of_a_dataarray_has_no_scale():
    array = xr.DataArray(
        np.zeros((40, 50, 3), "u1"), dims=("y", "x", "c"), coords={"x": np.arange(50) * 2.0}
    )
    assert coerce(array).calibration == Calibration(("y", "x"), (1.0, 2.0), (0.0, 0.0))


def test_the_tap_wins_over_the_coordinates():
    item = coerce(plane(well="A01"), position={"t": 1}, calibration=Calibration(scale=(2.0,)))
    assert item.position == {"t": 1}
    assert item.calibration.scale == (2.0, 2.0)
    assert item.calibration.translate == (10.0, 0.0)


def test_calibration_of_another_length_is_refused():
    with pytest.raises(Refusal, match="3 entries"):
        coerce(np.zeros((4, 4)), calibration=Calibration(scale=(1.0, 2.0, 3.0)))


def test_everything_given_is_on_the_item():
    provenance = Provenance("segment-1", "tcp://10.0.0.1:1")
    item = coerce(np.eye(2, dtype=bool), kind="labels", layer="cells", provenance=provenance)
    assert isinstance(item, Item)
    assert (item.kind, item.layer, item.provenance) == ("labels", "cells", provenance)
    assert item.data.dtype == np.uint8


def test_a_refusal_names_the_layer_and_the_task():
    (refusal,) = coerce_all("text", layer="cells", provenance=Provenance("segment-1"))
    assert (refusal.reason, refusal.layer, refusal.key) == ("not an array", "cells", "segment-1")


def test_errors_of_an_outputs_own_code_are_refusals():
    class Broken:
        @property
        def __array__(self):
            raise KeyError("no data")

    (refusal,) = coerce_all(Broken())
    assert (refusal.reason, str(refusal)) == ("error: KeyError", "KeyError: 'no data'")
    assert isinstance(refusal.__cause__, KeyError)


def test_a_dataarray_around_a_dask_array_is_refused():
    da = pytest.importorskip("dask.array")
    with pytest.raises(Refusal, match=r"\.compute\(\)"):
        coerce(xr.DataArray(da.zeros((4, 4)), dims=("y", "x")))


class Unreadable:
    """An output whose array cannot be made."""

    ndim, shape, dtype = 2, (2, 2), np.dtype("u1")

    def __array__(self, *args, **kwargs):
        raise OSError("no such block")


@pytest.mark.parametrize("kind", ["image", "points"])
def test_an_output_that_is_refused_is_let_go_of_at_once(kind):
    output = Unreadable()
    seen = weakref.ref(output)
    gc.disable()
    try:
        (refusal,) = coerce_all(output, kind=kind)
        assert isinstance(refusal, Refusal)
        del output
        assert seen() is None
    finally:
        gc.enable()
