"""Items survive the way through a payload byte for byte, and lies are found out."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dask_napari.model import Calibration, Item, ItemMeta, Provenance, Refusal, check
from dask_napari.stream.wire import pack, pack_frames, payload_size, unpack
from dask_napari.stream.wire.messages import ArrayHeader, ItemHeader

ARRAYS = hnp.arrays(
    st.one_of(
        hnp.integer_dtypes(endianness="?"),
        hnp.unsigned_integer_dtypes(endianness="?"),
        hnp.floating_dtypes(endianness="?"),
        hnp.complex_number_dtypes(endianness="?"),
        hnp.boolean_dtypes(),
    ),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)


def same(left: Item, right: Item) -> None:
    assert left.data.dtype == right.data.dtype
    np.testing.assert_array_equal(left.data, right.data)
    names = [
        "layer",
        "kind",
        "position",
        "provenance",
        "calibration",
        "rgb",
        "seq",
        "origin",
        "array_shape",
        "part",
        "options",
    ]
    for name in names:
        assert getattr(left, name) == getattr(right, name)
    assert left.arrays.keys() == right.arrays.keys()
    for name, array in left.arrays.items():
        np.testing.assert_array_equal(array, right.arrays[name])


@given(st.lists(ARRAYS, min_size=1, max_size=5), st.booleans())
def test_arrays_travel_through_a_slot_and_through_frames(arrays, reverse):
    if reverse:  # non-contiguous, too
        arrays = [array.T for array in arrays]
    items = [
        Item("raw", "image", array, {"n": n}, arrays={"extra": array}, seq=n)
        for n, array in enumerate(arrays)
    ]
    slot = np.empty(payload_size(items), np.uint8)
    for header, item in zip(pack(items, slot), items, strict=True):
        same(unpack(header, [slot], ""), item)
    headers, frames = pack_frames(items)
    for header, item in zip(headers, items, strict=True):
        same(unpack(header, frames, ""), item)


def test_large_arrays_are_frames_of_their_own_without_a_copy():
    large = np.zeros((512, 512), np.uint8)
    small = np.ones(3, np.uint8)
    _, frames = pack_frames([Item("a", "image", large), Item("a", "image", small)])
    assert len(frames) == 2
    assert np.shares_memory(frames[1], large)


def test_what_is_known_of_an_item_travels():
    item = Item(
        "raw",
        "image",
        np.broadcast_to(np.float32(1), (3, 4, 3)),
        {"well": "A01", "field": 3, "z": 0.5},
        Provenance("segment-1", "tcp://1.2.3.4:5", 7, 1.5, 2.5),
        Calibration(("y", "x"), (0.5, 0.5), (1.0, 2.0), ("um", "um")),
        rgb=True,
        origin=(2, 3),
        array_shape=(10, 20),
        part="nuclei",
        options={"opacity": 0.5, "contrast_limits": [0, 9]},
    )
    slot = np.empty(payload_size([item]), np.uint8)
    (header,) = pack([item], slot)
    again = unpack(
        msgspec.msgpack.decode(msgspec.msgpack.encode(header), type=ItemHeader), [slot], "p"
    )
    same(again, item)
    assert again.publisher == "p"


def lie(**changes: object) -> ItemHeader:
    declared = {
        "name": "data",
        "dtype": "<u2",
        "shape": (2, 2),
        "offset": 0,
        "nbytes": 8,
        "frame": 0,
    }
    return ItemHeader(1, ItemMeta("raw", "image"), [ArrayHeader(**{**declared, **changes})])


@pytest.mark.parametrize(
    "header",
    [
        lie(shape=(2, 3)),
        lie(shape=(-2, -2)),
        lie(shape=(1 << 40, 1 << 40)),
        lie(shape=(1,) * 33),
        lie(dtype="O"),
        lie(dtype="|V8"),
        lie(dtype="<u2,<u2"),
        lie(dtype="<M8[s]"),
        lie(dtype="<u3"),
        lie(dtype="<U0", shape=(5,), nbytes=0),
        lie(offset=-1),
        lie(offset=60),
        lie(nbytes=1 << 62, shape=(1 << 61,)),
        lie(frame=1),
        lie(frame=-1),
        lie(name="other"),
        lie(shape=(4,)),
        lie(dtype="<c8", shape=(1, 1)),
        ItemHeader(1, ItemMeta("raw", "image"), []),
    ],
)
def test_a_header_that_does_not_fit_its_bytes_is_bad(header):
    with pytest.raises(Refusal):
        check(unpack(header, [np.zeros(64, np.uint8)], ""))


def test_the_declaration_that_lies_are_made_of_is_good():
    assert unpack(lie(), [np.zeros(64, np.uint8)], "").data.shape == (2, 2)
