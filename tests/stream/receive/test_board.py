"""The board hands items over, coalesces per place and keeps its books."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from dask_napari.model import Item, Provenance
from dask_napari.stream.receive import Board
from dask_napari.stream.wire import ITEM_COST


def item(place: object = None, publisher: str = "p", key: str = "", nbytes: int = 4) -> Item:
    position = {} if place is None else {"at": place}
    return Item(
        "a", "image", np.zeros(nbytes, "u1"), position, Provenance(key), publisher=publisher
    )


@pytest.mark.drops("bad")
def test_items_come_out_in_order_and_are_pending_until_reported():
    board = Board()
    for place in "abc":
        board.put(item(place))
    taken = board.take(max_items=2)
    assert [i.position["at"] for i in taken] == ["a", "b"]
    assert board.tallies()["p", "a"].pending == 3
    board.shown(taken[:1])
    board.drop(taken[1], "bad")
    tally = board.tallies()["p", "a"]
    assert (tally.shown, tally.dropped["bad"], tally.pending) == (1, 1, 1)
    assert tally.balanced


def test_a_place_that_is_updated_all_the_time_keeps_its_turn():
    board = Board()
    board.put(item("a"))
    board.put(item("b"))
    newest = item("a", publisher="q")
    board.put(newest)
    assert board.take(max_items=1) == [newest]
    assert board.tallies()["p", "a"].coalesced == 1
    assert all(tally.balanced for tally in board.tallies().values())


def test_items_without_position_are_told_apart_by_their_task():
    board = Board()
    for key in ("k1", "k2", "k1"):
        board.put(item(key=key))
    assert len(board) == 2


def test_full_by_bytes_and_not_for_ever():
    board = Board(limit=2 * (4 + ITEM_COST))
    board.put(item("a"))
    assert not board.full
    board.put(item("b"))
    assert board.full
    board.take(max_bytes=1)
    assert not board.full
    assert board.nbytes == 4


def test_wait_wakes_for_an_item():
    board = Board()
    assert not board.wait(timeout=0)
    threading.Timer(0.05, board.put, [item("a")]).start()
    assert board.wait(timeout=10)


@pytest.mark.drops("malformed")
def test_a_rejected_item_is_in_the_books():
    board = Board()
    board.reject("p", "a", "malformed")
    tally = board.tallies()["p", "a"]
    assert (tally.selected, tally.dropped["malformed"]) == (1, 1)
    assert tally.balanced
