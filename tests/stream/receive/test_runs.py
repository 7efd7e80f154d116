"""Runs: publishers of one group fill one, another group fills the next."""

from __future__ import annotations

import numpy as np
import pytest

from dask_napari.model import Item
from dask_napari.stream import Publisher
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.receive._runs import Runs
from headless import eventually


@pytest.fixture
def receiver():
    with Receiver("tcp://127.0.0.1:*", Board()) as receiver:
        yield receiver


def send(receiver: Receiver, name: str, group: str, t: int) -> Item:
    """Return an item as it arrives."""
    with Publisher(receiver.addresses, name=name, group=group) as publisher:
        publisher.put(Item("raw", "image", np.zeros((2, 2), np.uint8), {"t": t}))
        publisher.close(30)
    eventually(lambda: len(receiver.board))
    [item] = receiver.board.take()
    receiver.board.shown([item])
    return item


def test_a_sink_fills_one_run_on_all_workers_and_after_a_restart(receiver):
    runs = [send(receiver, f"worker-{n}", "monday", n).run for n in (1, 2)]
    runs += [send(receiver, "worker-1", "tuesday", 0).run]
    runs += [send(receiver, "worker-3", "monday", 3).run]
    assert runs == [1, 1, 2, 1]


def test_a_run_is_begun_by_hand_for_all(receiver):
    assert send(receiver, "w", "monday", 0).run == 1
    assert receiver.begin_run() == 2
    assert send(receiver, "v", "monday", 0).run == 2
    assert send(receiver, "v", "", 0).run == 3


def test_items_of_two_runs_wait_side_by_side(receiver):
    for run in (1, 2, 2):
        receiver.board.put(Item("raw", "image", np.zeros((2, 2), np.uint8), {"t": 0}, run=run))
    assert [item.run for item in receiver.board.take()] == [1, 2]
    assert receiver.board.sums()["raw"].coalesced == 1


def test_a_group_that_still_sends_is_not_forgotten():
    runs = Runs(2)
    assert [runs.number(group) for group in "ababacada"] == [1, 2, 1, 2, 1, 3, 1, 4, 1]


def test_a_run_that_is_begun_before_any_item_is_that_of_the_first():
    runs = Runs(2)
    assert runs.begin() == runs.number("a") == 1
