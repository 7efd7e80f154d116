"""What a publisher holds when its viewer hangs: within the budget, then nothing, and none lost."""

from __future__ import annotations

import dis
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from types import FrameType

import numpy as np
import pytest

from dask_napari.model import Item, Policy, Refusal
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher
from dask_napari.stream.send import _pacing as pacing
from dask_napari.stream.send._budget import SQUEEZED

DEADLINE = 60.0
MIB = 1 << 20
THREAD = "dask-napari-publisher"

VIEWER = """
import json, sys
from dask_napari.stream import Board, Limits, Receiver
board = Board()
with Receiver("tcp://127.0.0.1:*", board, limits=Limits(heartbeat=0.3)) as receiver:
    print(receiver.addresses[0], flush=True)
    seen = set()
    while len(seen) < int(sys.argv[1]) and board.wait(60):
        items = board.take()
        seen |= {item.position["t"] for item in items}
        board.shown(items)
    total = receiver.ledger().total
    print(len(seen), receiver.ledger().balanced, flush=True)
    sys.stdin.read()
"""


class Stored:
    """An entry like a task's output: its value is in a mapping, where it is found by its key."""

    layer = "raw"
    owner = 0
    foreign = False
    policy: Policy = "keep"

    def __init__(self, store: dict[int, np.ndarray], key: int) -> None:
        self.store, self.key = store, key
        self.value: np.ndarray | None = store[key]
        self.nbytes = store[key].nbytes
        self.read = 0

    def place(self) -> int:
        return self.key

    def items(self) -> Sequence[Item | Refusal]:
        self.read += 1
        value = self.store[self.key].copy() if self.value is None else self.value
        return (Item("raw", "image", value, {"t": self.key}),)

    def forget(self) -> bool:
        self.value, self.nbytes = None, 0
        return True


def eventually(condition, what=lambda: "") -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, what()
        threading.Event().wait(0.02)


def test_a_viewer_that_hangs_costs_no_more_than_the_budget_and_then_nothing(monkeypatch):
    monkeypatch.setattr(pacing, "ALONE_GRACE", 0.2)
    n, budget = 64, 16 * MIB
    store = {key: np.full((1024, 512), key, np.uint16) for key in range(n)}
    viewer = subprocess.Popen(
        [sys.executable, "-c", VIEWER, str(n)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert viewer.stdout is not None
    try:
        address = viewer.stdout.readline().strip()
        with Publisher(address, name="me", transport="inline", queue_bytes=budget) as publisher:
            eventually(lambda: publisher.state == "connected")
            os.kill(viewer.pid, signal.SIGSTOP)
            entries = [Stored(store, key) for key in range(n)]
            most = 0
            for entry in entries:
                publisher.put(entry)
                most = max(most, sum(e.nbytes for e in entries if e.value is not None))
            eventually(lambda: publisher.memory()["sent_bytes"] > 0)
            while publisher.state == "connected":  # until its silence is noticed
                held = publisher.memory()
                # A batch more: it is made when there is room for the first byte of it.
                assert held["queued_bytes"] + held["sent_bytes"] <= budget + 5 * MIB
                threading.Event().wait(0.01)
            eventually(lambda: publisher.memory()["sent_bytes"] == 0, publisher.memory)
            eventually(lambda: publisher.memory()["queued_bytes"] == 0, publisher.memory)
            # Nothing refers to the arrays any more but those whose they are.
            arrays = [weakref.ref(array) for array in store.values()]
            copies = {key: array.copy() for key, array in store.items()}
            store.clear()
            store.update(copies)
            eventually(lambda: not any(array() is not None for array in arrays))
            os.kill(viewer.pid, signal.SIGCONT)
            assert viewer.stdout.readline().split() == [str(n), "True"]
            assert sum(count.sent for count in publisher.counts().values()) == n
    finally:
        viewer.kill()
        viewer.communicate()


@pytest.mark.drops("queue-full")
def test_items_beyond_the_budget_are_counted():
    publisher = Publisher("tcp://127.0.0.1:1", name="me", queue_bytes=4 * MIB)
    for n in range(16):
        publisher.put(Item("raw", "image", np.zeros((1024, 512), np.uint16), {"t": n}), "keep")
    (count,) = publisher.counts().values()
    assert publisher.memory()["queued_bytes"] == 4 * MIB
    assert (count.pending, count.dropped) == (4, {"queue-full": 12})


def test_near_the_limits_of_a_worker_little_is_held():
    store = {key: np.full((1024, 512), key, np.uint16) for key in range(64)}
    publisher = Publisher("tcp://127.0.0.1:1", name="me")
    publisher.squeeze(True)
    for key in range(64):
        publisher.put(Stored(store, key))
    assert publisher.memory()["queued_bytes"] <= SQUEEZED
    assert len(publisher.outbox) == 64  # by key
    assert publisher.outbox.no_room(9 * MIB, "latest") == "worker-memory"
    publisher.squeeze(False)
    assert publisher.outbox.no_room(9 * MIB, "latest") == ""


class Stops:
    """Hold the publisher's thread where it has worked out an attribute's value and stores it."""

    def __init__(self) -> None:
        self._left = 0
        self._reached, self._go = threading.Event(), threading.Event()

    def trace(self, frame: FrameType, event: str, arg: object):
        if "/stream/send/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and self._left and threading.current_thread().name == THREAD:
            self._left -= frame.f_code.co_code[frame.f_lasti] == dis.opmap["STORE_ATTR"]
            if not self._left:
                self._reached.set()
                self._go.wait(DEADLINE)
        return self.trace

    def hold_at(self, store: int) -> None:
        self._reached.clear()
        self._go.clear()
        self._left = store

    def reached(self) -> bool:
        return self._reached.wait(1.0)

    def let_go(self) -> None:
        self._left = 0
        self._go.set()


def test_a_worker_that_goes_on_is_never_taken_for_paused():
    """The end of a pause comes whenever the publisher's thread is about to store something."""
    stops = Stops()
    threading.settrace(stops.trace)
    try:
        with (
            Receiver("tcp://127.0.0.1:*", Board()) as receiver,
            Publisher(receiver.addresses, name="me") as publisher,
        ):
            threading.settrace(None)
            eventually(lambda: publisher.state == "connected")
            put = store = 0
            reached = True
            while reached:  # until it sleeps before it stores so many
                store += 1
                stops.hold_at(store)
                publisher.pause(True)
                reached = stops.reached()
                ending = threading.Thread(target=publisher.pause, args=(False,))
                ending.start()
                ending.join(0.05)  # longer only if it waits for a lock of the thread that is held
                stops.let_go()
                ending.join()
                for _ in range(2):  # the first of them takes the thread past that place
                    item = Item("raw", "image", np.zeros((2, 2), "u1"), {"t": put})
                    publisher.put(item, "keep")
                    put += 1
                    eventually(lambda: not any(t.pending for t in publisher.counts().values()))
                    assert not any(tally.dropped for tally in publisher.counts().values())
    finally:
        threading.settrace(None)
    assert store > 1
