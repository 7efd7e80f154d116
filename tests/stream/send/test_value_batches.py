"""Batches of one layer: all are sent, or none."""

from contextlib import closing

import numpy as np
import pytest
from msgspec.structs import replace

from dask_napari.model import Item, Provenance, plain_position
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher
from dask_napari.stream.send._value_batches import items_of

PLANE = np.arange(12, dtype="uint16").reshape(3, 4)


def test_items_carry_values_and_positions():
    own = Item("raw", "image", PLANE + 1, {"t": 9}, Provenance("key"), rgb=False)
    items = items_of([PLANE, own], [{"t": np.int64(0)}, {"t": 1, "well": "A01"}], "raw", "image")
    assert [item.position for item in items] == [{"t": 0}, {"t": 1, "well": "A01"}]
    assert type(items[0].position["t"]) is int
    assert items[0].data is PLANE
    assert items[1].meta == replace(own.meta, position={"t": 1, "well": "A01"})
    assert items[1].data is own.data
    assert own.position == {"t": 9}


def test_values_and_positions_may_be_any_iterables():
    items = items_of(iter(np.zeros((3, 2, 2), "u1")), ({"t": n} for n in range(3)), "raw", "labels")
    assert [item.position["t"] for item in items] == [0, 1, 2]
    assert {item.kind for item in items} == {"labels"}


def test_foreign_byte_order_becomes_native():
    (item,) = items_of([PLANE.astype(">u2")], [{"t": 0}], "raw", "image")
    assert item.data.dtype.isnative
    assert np.array_equal(item.data, PLANE)


T = {"t": 0}


@pytest.mark.parametrize(
    ("values", "positions", "layer", "kind", "words"),
    [
        ([PLANE] * 3, [T] * 2, "raw", "image", "3 values and 2 positions for layer 'raw'"),
        ([], [T], "raw", "image", "0 values and 1 positions"),
        ([PLANE], [T], "", "image", "layer=''"),
        ([PLANE], [T], "raw", "images", "kind='images'"),
        ([PLANE, [[1]]], [T] * 2, "raw", "image", "value 1 is a list"),
        ([PLANE, PLANE.astype("O")], [T] * 2, "raw", "image", "value 1, of dtype object"),
        ([PLANE[0]], [T], "raw", "image", "shape .4,., is no image"),
        ([PLANE.astype(float)], [T], "raw", "labels", "dtype float64"),
        ([PLANE.astype("f2")], [T], "raw", "image", "dtype float16"),
        ([PLANE[:0]], [T], "raw", "image", "value 0 is empty"),
        ([PLANE], [T], "raw", "points", "bare array, which 'points' cannot be"),
        ([Item("cells", "labels", PLANE)], [T], "raw", "image", "item of layer 'cells', not 'raw'"),
        ([PLANE], [{}], "raw", "image", "is not a position"),
        ([PLANE], [{"t": None}], "raw", "image", "coordinate None of axis 't'"),
        ([PLANE], [{"t": float("inf")}], "raw", "image", "not finite"),
        ([PLANE], [{3: 0}], "raw", "image", "axis 3 is not a name"),
    ],
)
def test_nothing_is_queued_when_something_cannot_be_sent(values, positions, layer, kind, words):
    with closing(Publisher("tcp://127.0.0.1:1", name="me")) as publisher:
        with pytest.raises((TypeError, ValueError), match=words):
            publisher.save_batch(values, positions, layer=layer, kind=kind)
        assert len(publisher.outbox) == 0
        assert publisher.counts() == {}


def test_an_unknown_policy_is_refused():
    with (
        closing(Publisher("tcp://127.0.0.1:1", name="me")) as publisher,
        pytest.raises(ValueError, match="policy='newest'"),
    ):
        publisher.save_batch([], [], layer="a", policy="newest")


def test_a_plain_position_is_itself():
    assert plain_position({"well": "A01", "t": 1.5}) == {"well": "A01", "t": 1.5}


def test_a_batch_arrives():
    board = Board()
    planes = np.arange(4 * 6, dtype="uint8").reshape(4, 2, 3)
    with (
        Receiver("tcp://127.0.0.1:*", board) as receiver,
        Publisher(receiver.addresses, name="me") as publisher,
    ):
        publisher.save_batch(planes, [{"t": n} for n in range(4)], layer="raw", policy="keep")
        seen = {}
        while len(seen) < 4:
            assert board.wait(timeout=20)
            seen.update((item.position["t"], item.data) for item in board.take())
        assert np.array_equal(np.stack([seen[n] for n in range(4)]), planes)
