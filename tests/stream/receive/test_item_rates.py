"""Rates of the items of a layer, and the counts by layer that a client asks for."""

from __future__ import annotations

import contextlib

import numpy as np

from dask_napari.model import Item, Ledger, Tally
from dask_napari.stream import Board, Control, Publisher, Receiver
from dask_napari.stream.receive._item_rates import ItemRates
from headless import eventually


def test_items_count_when_they_find_their_end():
    tally = Tally(selected=100, pending=100)
    rates = ItemRates(lambda: Ledger(layers={"raw": tally}))
    for second in range(10):
        tally.shown, tally.pending = 3 * second, 100 - 3 * second
        rates.look(float(second))
    assert round(rates.rates()["raw"], 3) == 3.0
    rates.look(300.0)
    assert rates.rates()["raw"] < 0.1


def test_a_client_is_told_counts_by_layer_with_their_rates():
    board = Board()
    with (
        Receiver("ipc://*", board) as receiver,
        Publisher(receiver.addresses, name="w") as publisher,
        contextlib.closing(Control(receiver.addresses)) as control,
    ):
        publisher.put(Item("cells", "labels", np.ones((2, 2), np.uint8), {"t": 0}))
        publisher.wait(10)
        board.shown(board.take())
        eventually(lambda: control.sums()[0].total.shown == 1)
        ledger, rates = control.sums()
        assert str(ledger["cells"]) == str(Tally(selected=1, shown=1))
        assert rates.keys() <= {"cells"}
