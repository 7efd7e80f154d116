"""What is kept of publishers that have ended: sums, and a ledger that stays exact."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from dask_napari.model import Item, Ledger, Refusal, Tally
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.receive._peers import KnownPublisher
from dask_napari.stream.receive._publishers import BEYOND, Publishers
from dask_napari.stream.send import Publisher
from dask_napari.stream.wire import Limits, Rejected


def one_life(publishers: Publishers, board: Board, name: str) -> KnownPublisher:
    """A publisher that selects five, of which two are shown, one waits and two were dropped."""
    publisher = publishers.arrive(name, "host")
    publishers.count(publisher, {"cells": Tally(5, dropped={name: 2}, pending=1, sent=2)})
    for t in range(2):
        item = Item("cells", "labels", np.zeros((2, 2), "u1"), {"t": t})
        item.publisher = name
        board.put(item)
        board.shown(board.take())
    publisher.items = 2
    publishers.lose(publisher)
    return publisher


@pytest.mark.drops("worker-lost")
def test_any_number_of_publishers_come_and_go_and_the_ledger_stays_exact():
    board = Board()
    publishers = Publishers(Limits(publishers=50, ended=10), board)
    for n in range(500):
        one_life(publishers, board, f"worker {n}")
    ledger = publishers.ledger()
    tally = ledger["cells"]
    assert ledger.balanced
    assert (tally.selected, tally.shown, tally.pending) == (2500, 1000, 0)
    assert tally.dropped.total() == 1500
    assert tally.dropped["worker-lost"] == 500
    assert len(list(publishers)) <= 12
    assert len(ledger.tallies) <= 13
    assert len(board.tallies()) <= 13
    assert len(ledger.tallies["", "cells"].dropped) <= 65  # causes are few, whoever names them
    assert publishers.sums()["cells"] == tally


@pytest.mark.drops("too many layers", "why", "worker-lost")
def test_sums_by_layer_are_those_of_the_rows_whatever_happens():
    board = Board()
    publishers = Publishers(Limits(publishers=4, ended=1, tallies=6), board)

    def check() -> None:
        assert publishers.sums().layers == publishers.ledger().layers

    for n in range(40):
        publisher = publishers.arrive(f"worker {n % 7}", "host")
        publishers.count(
            publisher, {"a": Tally(n, pending=n, sent=3), f"b{n % 3}": Tally(2, pending=2)}
        )
        check()
        item = Item("a", "image", np.zeros((2, 2), "u1"), {"t": n}, publisher=publisher.name)
        publishers.receive(publisher, [item], {})
        check()
        for taken in board.take():
            board.shown([taken]) if n % 3 else board.drop(taken, "why")
        check()
        publishers.count(publisher, {"a": Tally(n + 2, dropped={f"reason {n % 4}": n}, pending=2)})
        check()
        if n % 2:
            publishers.lose(publisher)
            check()


@pytest.mark.drops("hidden", "worker-lost")
def test_items_of_publishers_that_have_ended_are_hidden_and_shown_again():
    board = Board()
    publishers = Publishers(Limits(publishers=50, ended=2), board)
    for n in range(20):
        one_life(publishers, board, f"worker {n}")
    names = [f"worker {n}" for n in range(20)]
    for name in names:
        board.recount(name, "cells", "", "hidden", 2)
    tally = publishers.ledger()["cells"]
    assert (tally.shown, tally.dropped["hidden"], tally.balanced) == (0, 40, True)
    assert publishers.sums()["cells"] == tally
    for name in names:
        board.recount(name, "cells", "hidden", "", 1)
        board.recount(name, "cells", "hidden", None, 1)
    tally = publishers.ledger()["cells"]
    assert (tally.shown, tally.coalesced, tally.dropped["hidden"]) == (20, 20, 0)
    assert publishers.sums()["cells"] == tally
    assert publishers.counts()[""].arrived["cells"].balanced


@pytest.mark.drops("too many layers")
def test_settled_is_what_has_been_told_and_is_not_pending():
    board = Board()
    publishers = Publishers(Limits(tallies=2), board)
    publisher = publishers.arrive("w", "host")
    publishers.count(publisher, {"a": Tally(2, dropped={"x": 1}, sent=1), "b": Tally(3, sent=3)})
    assert publishers.settled({})
    assert publishers.settled({"w": 5})
    assert not publishers.settled({"w": 6})
    assert not publishers.settled({"w": 5, "v": 1})
    board.put(Item("a", "image", np.zeros((2, 2), "u1"), publisher="w"))
    assert not publishers.settled({"w": 5})
    board.shown(board.take())
    # Of layers beyond what is counted, only how much was dropped is known.
    publishers.count(publisher, {"c": Tally(9, sent=9)})
    assert not publishers.settled({"w": 14})
    publishers.receive(publisher, [Refusal("impossible shape", layer="c")], {})
    assert BEYOND in publishers.sums()
    assert publishers.settled({"w": 14})


@pytest.mark.drops("worker-lost")
def test_what_is_pending_or_alive_is_never_added_up():
    board = Board()
    publishers = Publishers(Limits(publishers=3, ended=1), board)
    publishers.arrive("alive", "host")
    busy = one_life(publishers, board, "busy")
    item = Item("cells", "labels", np.zeros((2, 2), "u1"), {"t": 9})
    item.publisher = "busy"
    publishers.count(busy, {"cells": Tally(6, dropped={"busy": 2}, pending=1, sent=3)})
    board.put(item)
    drawing = board.take()
    for n in range(20):
        one_life(publishers, board, f"worker {n}")
    assert {"alive", "busy"} < {publisher.name for publisher in publishers}
    board.shown(drawing)
    assert publishers.ledger().balanced
    publishers.arrive("also alive", "host")
    publishers.arrive("the third", "host")
    assert publishers.ledger()["cells"].selected == 6 + 20 * 5
    with pytest.raises(Rejected, match="too many publishers"):
        publishers.arrive("one more", "host")


@pytest.mark.drops("worker-lost")
def test_counts_of_those_that_ended_leave_room_for_others():
    board = Board()
    publishers = Publishers(Limits(tallies=4), board)
    for n in range(20):
        one_life(publishers, board, f"worker {n}")
    assert publishers.ledger()["cells"].selected == 100


def test_a_publisher_that_was_added_up_starts_over_and_nothing_counts_twice():
    wanted = threading.Event()
    board = Board()
    limits = Limits(heartbeat=0.3, ended=0)

    def shown() -> Ledger:
        board.shown(board.take())
        return receiver.ledger()

    def until(condition) -> None:
        end = threading.Event()
        for _ in range(3000):
            if condition():
                return
            end.wait(0.01)
        raise AssertionError(receiver.ledger())

    with (
        Receiver("tcp://127.0.0.1:*", board, limits=limits) as receiver,
        Publisher(receiver.addresses, name="old", on_new_viewer=wanted.set) as old,
    ):
        old.put(Item("cells", "labels", np.zeros((2, 2), "u1"), {"t": 0}))
        until(lambda: shown().total.shown == 1)
        protocol = receiver.protocol
        with protocol.publishers.lock:  # as after a long silence
            (peer,) = protocol.peers.values()
            protocol.publishers.lose(peer.publisher)
            protocol.peers.clear()
        with Publisher(receiver.addresses, name="new") as new:
            until(lambda: new.state == "connected")
            until(lambda: ("", "cells") in receiver.ledger().tallies)
            old.put(Item("cells", "labels", np.ones((2, 2), "u1"), {"t": 1}))
            until(lambda: shown().tallies.get(("old", "cells")) and not shown().total.pending)
            until(lambda: receiver.ledger().total.shown == 2)
            assert wanted.wait(30)  # it is asked for what is still in memory
            ledger = receiver.ledger()
            assert ledger.balanced
            assert ledger["cells"].selected == 2


@pytest.mark.drops("too many layers")
def test_layers_beyond_what_can_be_counted_are_dropped_and_the_others_go_on():
    """A batch that is refused as a whole would be sent again, for ever."""
    board = Board()
    with (
        Receiver("ipc://*", board, limits=Limits(tallies=8)) as receiver,
        Publisher(receiver.addresses, name="me") as publisher,
    ):
        end = threading.Event()
        for n in range(30):
            publisher.put(Item(f"layer {n}", "image", np.zeros((2, 2), "u1"), {"t": 0}))
            publisher.put(Item("layer 0", "image", np.zeros((2, 2), "u1"), {"t": n + 1}), "keep")
        for _ in range(2000):
            board.shown(board.take())
            total = receiver.ledger().total
            if total.shown + total.dropped["too many layers"] == 60:
                break
            end.wait(0.01)
        ledger = receiver.ledger()
        assert ledger.total.dropped["too many layers"] == 22
        assert ledger.total.shown == 38
        assert ledger["layer 0"].shown == 31
        assert receiver.protocol.epochs == 1
        for _ in range(2000):
            if receiver.ledger().balanced and not receiver.ledger().total.pending:
                break
            end.wait(0.01)
        assert receiver.ledger().balanced
