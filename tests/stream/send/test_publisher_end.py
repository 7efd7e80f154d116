"""What a publisher says of its items, and what it leaves, when it ends in one way or another."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from dask_napari.model import Item, _polling
from dask_napari.stream import Board, Publisher, Receiver
from headless import DEADLINE, eventually

NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def receiver(board: Board) -> Iterator[Receiver]:
    with Receiver("ipc://*", board) as receiver:
        yield receiver


def item(n: int) -> Item:
    return Item("raw", "image", np.full((4, 4), n, "uint8"), {"n": n})


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "dask-napari-publisher"]


@pytest.mark.parametrize("started", [True, False])
def test_what_no_viewer_took_is_returned_and_logged_once(started, caplog):
    publisher = Publisher(NOWHERE, name="microscope")
    if started:
        publisher.start()
    for n in range(5):
        publisher.put(item(n), "keep")
    ledger = publisher.close(timeout=0.1)
    assert ledger["raw"].dropped == {"closed": 5}
    assert ledger.balanced
    publisher.close()
    said = [r.message for r in caplog.records if "not delivered" in r.message]
    assert said == [f"microscope: 5 of 5 items were not delivered: no viewer answered at {NOWHERE}"]


def test_wait_ends_when_all_has_arrived(receiver, board):
    with Publisher(receiver.addresses, name="microscope") as publisher:
        for n in range(5):
            publisher.put(item(n), "keep")
        ledger = publisher.wait(DEADLINE)
        assert len(board) == 5
        assert (ledger["raw"].selected, ledger["raw"].sent) == (5, 5)
        assert "5 sent" in str(ledger)
        assert not publisher.close().total.dropped


def test_wait_says_what_it_waits_for(monkeypatch, caplog):
    monkeypatch.setattr(_polling, "TELL_INTERVAL", 0.1)
    with Publisher(NOWHERE, name="microscope") as publisher:
        publisher.put(item(0))
        with pytest.raises(TimeoutError, match=r"1 items not delivered.*\n.*1 pending"):
            publisher.wait(timeout=0.5)
        publisher.close(timeout=0.0)
    said = [r for r in caplog.records if r.levelname == "WARNING" and "waiting for" in r.message]
    assert NOWHERE in said[0].message


def test_a_publisher_that_is_forgotten_delivers_its_items_and_is_gone(receiver, board):
    # With the first of a process come ZeroMQ's own threads and files, which stay.
    with Publisher(receiver.addresses, name="first", arena_bytes=1 << 20) as first:
        first.put(item(3), "keep")
        first.wait(DEADLINE)
    eventually(lambda: not threads())
    files = psutil.Process().num_fds()
    for n in range(3):
        publisher = Publisher(receiver.addresses, name=f"p{n}", arena_bytes=1 << 20)
        publisher.start()
        publisher.put(item(n))
    del publisher
    gc.collect()
    eventually(lambda: not threads() and psutil.Process().num_fds() <= files)
    assert len(board) == 4


SCRIPT = """
import sys
import numpy as np
from dask_napari.model import Item
from dask_napari.stream import Publisher

publisher = Publisher(sys.argv[1:], name="script", arena_bytes=1 << 20)
publisher.start()
publisher.put(Item("raw", "image", np.ones((4, 4)), {"n": 0}))
"""


def test_a_script_that_ends_without_close_delivers_its_items(receiver, board, tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    subprocess.run([sys.executable, script, *receiver.addresses], check=True, timeout=DEADLINE)
    assert board.wait(DEADLINE)
