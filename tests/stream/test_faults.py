"""The ends of a stream that go without a word, each in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from dask_napari.model import Item
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher
from dask_napari.stream.shm import janitor
from dask_napari.stream.wire import Limits

DEADLINE = 20.0

VIEWER = """
import sys
from dask_napari.stream import Board, Receiver
board = Board()
with Receiver(sys.argv[1:], board) as receiver:
    print(*receiver.addresses, flush=True)
    while board.wait(60):
        board.shown(board.take())
"""

OWNER = """
import sys
from dask_napari.stream.shm.arena import Arena
arena = Arena.create("killed-in-its-handshake", 1 << 20)
print(arena.path, flush=True)
sys.stdin.read()
"""


def eventually(condition: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        threading.Event().wait(0.01)


@contextmanager
def process(code: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process, and the first line that it says."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            yield child, child.stdout.readline().strip()
        finally:
            child.kill()


def stopped(pid: int) -> bool:
    """Whether all threads of a process stand still; a signal takes its time to reach them."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


@pytest.fixture(autouse=True)
def _private(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))


def image(n: int) -> Item:
    return Item("raw", "image", np.full((64, 64), n, np.uint16), {"t": n})


@pytest.mark.parametrize("listen", ["ipc://*", "tcp://127.0.0.1:*"])
def test_a_publisher_learns_at_once_that_its_viewer_was_killed(listen):
    with (
        process(VIEWER, listen) as (viewer, addresses),
        Publisher(addresses.split(), name="me") as publisher,
    ):
        publisher.put(image(0))
        eventually(lambda: publisher.state == "connected" and not len(publisher.outbox))
        viewer.kill()
        # Three heartbeats would be six seconds.
        eventually(lambda: publisher.state == "connecting", seconds=3.0)
        if listen == "ipc://*":
            folder = Path(addresses.removeprefix("ipc://")).parent
            eventually(lambda: not folder.exists(), seconds=3.0)


def test_a_stopped_viewer_is_not_an_ended_one():
    with (
        process(VIEWER, "tcp://127.0.0.1:*") as (viewer, address),
        Publisher(address, name="me") as publisher,
    ):
        publisher.put(image(0))
        eventually(lambda: publisher.state == "connected" and not len(publisher.outbox))
        viewer.send_signal(signal.SIGSTOP)
        threading.Event().wait(0.5)
        assert publisher.state == "connected"
        viewer.send_signal(signal.SIGCONT)


def test_a_receiver_sweeps_the_segment_of_a_publisher_killed_in_its_handshake():
    with (
        Receiver("tcp://127.0.0.1:*", Board()),
        process(OWNER) as (owner, path),
    ):
        threading.Event().wait(1.5)
        assert Path(path).exists(), "that of a live one was swept"
        owner.kill()
        eventually(lambda: not Path(path).exists(), 3.0)


def test_a_publisher_that_starts_sweeps_too():
    with process(OWNER) as (owner, path):
        owner.kill()
        owner.wait()
        with Publisher("tcp://127.0.0.1:1", name="me"):
            eventually(lambda: not Path(path).exists(), 3.0)
    assert path not in [str(left.path) for left in janitor.find()]


def test_a_close_after_a_lost_connection_still_delivers_what_it_had_sent(tmp_path):
    """What was sent and not acknowledged is as good as queued."""
    address = f"ipc://{tmp_path}/viewer"
    with process(VIEWER, address) as (viewer, _):
        publisher = Publisher(address, name="me", transport="inline")
        publisher.start()
        eventually(lambda: publisher.state == "connected")
        viewer.send_signal(signal.SIGSTOP)
        eventually(lambda: stopped(viewer.pid))
        publisher.put(image(0))
        eventually(lambda: any(tally.sent for tally in publisher.counts().values()))
        viewer.kill()
        eventually(lambda: publisher.state == "connecting")
        assert not len(publisher.outbox)
    board = Board()
    with Receiver(address, board, limits=Limits(heartbeat=0.3)) as receiver:
        publisher.close(timeout=10.0)  # much, for a host that is busy
        assert [item.position for item in board.take()] == [{"t": 0}]
        assert receiver.ledger().balanced


def test_a_second_viewer_on_the_same_socket_is_an_error_and_harms_nobody(tmp_path):
    address = f"ipc://{tmp_path}/viewer"
    board = Board()
    with Receiver(address, board):
        with pytest.raises(OSError, match="taken by another program"):
            Receiver(address, Board()).start()
        with Publisher(address, name="me") as publisher:
            publisher.put(image(0))
            assert board.wait(DEADLINE)


def test_a_viewer_takes_the_socket_that_a_killed_one_has_left(tmp_path):
    address = f"ipc://{tmp_path}/viewer"
    with process(VIEWER, address) as (viewer, _):
        viewer.kill()
        viewer.wait()
    assert (tmp_path / "viewer").is_socket()
    with Receiver(address, Board()):
        pass
    assert not (tmp_path / "viewer").exists()
