"""What a receiver would refuse is dropped and counted, and never sent again and again."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from dask_napari.model import Calibration, Item, Provenance
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher
from dask_napari.stream.send._sendable import oversize
from dask_napari.stream.wire import Limits
from dask_napari.stream.wire import messages as wire

DEADLINE = 20.0
SMALL = np.zeros((4, 4), np.uint8)

BAD = {
    "too large": Item("raw", "image", np.zeros((600, 600), np.uint16), {"t": 0}),
    "name too long": Item("raw", "image", SMALL, {"t": "x" * 2000}),
    "a long key": Item("raw", "image", SMALL, {}, Provenance("k" * 40_000)),
    "a long key in Chinese": Item("raw", "image", SMALL, {}, Provenance("\u6f22" * 25_000)),
    "too many axes or columns": Item("raw", "image", SMALL, {f"a{n}": n for n in range(40)}),
    "name that is not Unicode": Item("raw", "image", SMALL, {"file": "caf\udce9.tif"}),
    "a number of more than 64 bits": Item("raw", "image", SMALL, {"t": 2**70}),
    "a number below that": Item("raw", "image", SMALL, {"t": -(2**70)}),
    "a coordinate of numpy": Item("raw", "image", SMALL, {"t": np.int64(3)}),  # type: ignore[dict-item]
    "a scale of numpy": Item(
        "raw", "image", SMALL, {}, calibration=Calibration(scale=(np.float32(2), 1.0))
    ),
    "a place far away": Item("raw", "image", SMALL, {}, origin=(2**60, 0), array_shape=(2**61, 4)),
    "a place before the array": Item("raw", "image", SMALL, {}, origin=(-1, 0), array_shape=(4, 4)),
    "a run of more than 64 bits": Item("raw", "image", SMALL, {}, Provenance(run_id=2**70)),
    "an option of no plain type": Item("raw", "image", SMALL, {}, options={"colormap": object()}),
    "an option of 5 MB": Item("raw", "image", SMALL, {}, options={"colormap": "x" * 5_000_000}),
    "an array of 40 axes": Item("raw", "image", np.zeros((1,) * 40), {}),
    "an array of objects": Item("raw", "image", np.full((4, 4), None), {}),
    "an array of dates": Item("raw", "image", np.zeros((4, 4), "M8[s]"), {}),
    "a key that is not Unicode": Item("raw", "image", SMALL, {}, Provenance("caf\udce9.tif")),
}


@pytest.mark.drops(
    "dtype", "name ", "too large", "too many axes or columns", "value that cannot be sent"
)
@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("transport", ["auto", "inline"])
def test_one_item_that_cannot_travel_does_not_stop_the_others(name, transport, caplog):
    board = Board()
    limits = Limits(frame=1 << 19, heartbeat=10 * DEADLINE)  # which the counts do not wait for
    with (
        Receiver("ipc://*", board, limits=limits) as receiver,
        Publisher(receiver.addresses, name="me", transport=transport) as publisher,
    ):
        publisher.put(BAD[name], "keep")
        publisher.put(BAD[name], "keep")
        publisher.put(Item("raw", "image", SMALL, {"t": 1}))
        deadline = time.monotonic() + DEADLINE

        def settled() -> object:
            board.shown(board.take())
            total = receiver.ledger().total
            told = receiver.reports()
            return total.selected == 3 and total.shown == 1 and not total.pending and told

        while not settled():
            assert time.monotonic() < deadline, (receiver.ledger(), receiver.rejected)
            threading.Event().wait(0.01)
        ledger = receiver.ledger()
        assert ledger.balanced
        (reason,) = ledger["raw"].dropped
        assert reason == oversize(BAD[name], 1 << 19)
        assert not receiver.rejected
        assert receiver.protocol.epochs == 1
        # People are told, once: at the viewer and in the worker's log.
        assert [trouble.reason for _, trouble in receiver.reports()] == [reason]
        assert [record.getMessage().count(f"message ({reason})") for record in caplog.records] == [
            1
        ]


def test_a_full_batch_of_the_largest_that_pass_is_within_the_limit():
    item = Item(
        "l" * 1024,
        "image",
        SMALL,
        {f"{n}{'a' * 500}": "b" * 500 for n in range(20)},
        Provenance("k" * 4000, "w" * 1000),
    )
    assert not oversize(item, 1 << 30)
    array = wire.ArrayHeader("data", "|u1", (4, 4), 0, 16)
    batch = wire.Batch(1, 1, [wire.ItemHeader(1, item.meta, [array])] * 64, {})
    assert len(wire.encode(batch)) < wire.HEADER_LIMIT
    assert wire.decode_from_publisher(wire.encode(batch)) == batch


def test_a_batch_in_parts_is_never_larger_than_the_receiver_takes():
    """Each of the items passes; together they would be refused, and sent again, for ever."""
    board = Board()
    small, large = np.zeros((30, 1024), np.uint8), np.zeros((500, 1024), np.uint8)
    with (
        Receiver("ipc://*", board, limits=Limits(frame=1 << 19)) as receiver,
        Publisher(receiver.addresses, name="me", transport="inline") as publisher,
    ):
        deadline = time.monotonic() + DEADLINE
        for t in range(12):
            publisher.put(Item("raw", "image", small, {"t": t}))
            publisher.put(Item("raw", "image", large, {"t": t + 0.5}))
        seen = set()
        while len(seen) < 24:
            assert time.monotonic() < deadline, (receiver.ledger(), receiver.rejected)
            items = board.take()
            seen.update(item.position["t"] for item in items)
            board.shown(items)
            threading.Event().wait(0.01)
        assert not receiver.rejected
        assert receiver.protocol.epochs == 1
