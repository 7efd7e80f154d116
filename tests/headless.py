"""A viewer without a screen for tests: takes everything off the board and keeps it by place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from dask_napari.model import Item
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.wire import Limits

DEADLINE = 60.0


def eventually(condition: Callable[[], object], what: object = "") -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DEADLINE} s: {what() if callable(what) else what}")
        threading.Event().wait(0.02)


@contextmanager
def windowless() -> Iterator[None]:
    """Have viewers that start meanwhile, in whichever process, do without napari.

    For tests of clients, sinks and processes, where its seconds would prove nothing more.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASK_NAPARI_TEST_WINDOWLESS", "1")
        yield


class Headless:
    """Receiver and board, with what has arrived."""

    def __init__(self, *addresses: str) -> None:
        self.board = Board()
        self.receiver = Receiver(
            addresses or ["ipc://*", "tcp://127.0.0.1:*"], self.board, limits=Limits(heartbeat=0.5)
        )
        self.items: list[Item] = []
        self.seen: dict[str, dict[Any, np.ndarray]] = {}
        self.keys: dict[str, list[str]] = {}

    def __enter__(self) -> Headless:
        self.receiver.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.receiver.__exit__(*exc)

    def take(self) -> None:
        items = self.board.take()
        for item in items:
            self.items.append(item)
            self.seen.setdefault(item.layer, {})[self.place(item)] = item.data
            self.keys.setdefault(item.layer, []).append(item.provenance.key)
        self.board.shown(items)

    def place(self, item: Item) -> Hashable:
        """By what items are told apart in `seen`."""
        return tuple(item.place[1:])

    def until(self, condition: Callable[[], object]) -> None:
        def done() -> object:
            self.take()
            return condition()

        eventually(done, lambda: self.receiver.ledger())

    def until_shown(self, layer: str, n: int) -> None:
        self.until(lambda: len(self.seen.get(layer, ())) >= n)

    def until_settled(self) -> None:
        self.until(lambda: not self.receiver.ledger().total.pending)
