"""Attacks with real sockets, next to a publisher whose items must arrive all the while."""

from __future__ import annotations

import contextlib
import resource
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import msgspec
import numpy as np
import psutil
import pytest
import zmq

from dask_napari.model import Item, ItemMeta
from dask_napari.stream import Control
from dask_napari.stream.auth import Security
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher
from dask_napari.stream.wire import Limits
from dask_napari.stream.wire import messages as wire

DEADLINE = 20.0
"""Seconds in which the good publisher's items must arrive; they take a few milliseconds."""

HALF_OPEN = 1000


def eventually(condition, what: object = "") -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DEADLINE} s: {what or condition}")
        threading.Event().wait(0.005)


class Neighbour:
    """A receiver with a viewer that takes everything, and a good publisher."""

    def __init__(self, **limits: object) -> None:
        self.board = Board()
        self.receiver = Receiver(
            ["ipc://*", "tcp://127.0.0.1:*"],
            self.board,
            limits=Limits(**{"heartbeat": 0.5, **limits}),  # type: ignore[arg-type]
            insecure=True,
        )
        self.seen: set[object] = set()
        self.sent = 0

    @property
    def address(self) -> str:
        return next(a for a in self.receiver.addresses if a.startswith("tcp"))

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def take(self) -> None:
        items = self.board.take()
        self.seen.update(i.position["t"] for i in items if i.publisher == "good")
        self.board.shown(items)

    def serves(self, publisher: Publisher, n: int = 20) -> float:
        """Seconds in which so many items go through."""
        start = time.monotonic()
        wanted = range(self.sent, self.sent + n)
        for t in wanted:
            publisher.put(Item("raw", "image", np.zeros((64, 64), "u2"), {"t": t}))
        self.sent += n

        def arrived() -> bool:
            self.take()
            return self.seen.issuperset(wanted)

        eventually(arrived, "the good publisher's items")
        return time.monotonic() - start


@pytest.fixture
def neighbour() -> Iterator[Neighbour]:
    neighbour = Neighbour()
    with neighbour.receiver:
        yield neighbour


@pytest.fixture
def good(neighbour) -> Iterator[Publisher]:
    with Publisher(neighbour.address, name="good", insecure=True) as publisher:
        neighbour.serves(publisher)
        yield publisher


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Room for both ends of a thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * HALF_OPEN
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this system allows {hard} descriptors, and the test needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def hello(name: str, **changes: object) -> bytes:
    return wire.encode(wire.Hello(wire.WIRE_VERSION, "0", "publisher", name, **changes))


@contextlib.contextmanager
def attacker(neighbour: Neighbour, name: str = "bad") -> Iterator[tuple[zmq.Socket, int]]:
    """A socket that has said HELLO, and its epoch."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        link.linger = 0
        link.sndhwm = link.rcvhwm = 0
        link.connect(neighbour.address)
        link.send(hello(name))
        assert link.poll(DEADLINE * 1000)
        welcome = wire.decode_from_receiver(link.recv())
        assert isinstance(welcome, wire.Welcome)
        yield link, welcome.epoch


def batch(
    epoch: int, number: int, shape: tuple[int, ...], layer: str = "bad", kind: str = "image"
) -> bytes:
    dtype = "|u1" if kind == "image" else "<f4"
    nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    array = wire.ArrayHeader("data", dtype, shape, 0, nbytes)
    header = wire.ItemHeader(number, ItemMeta(layer, kind, {"t": number}), [array])
    return wire.encode(wire.Batch(epoch, number, [header], {}))


def test_a_thousand_connections_that_say_nothing(descriptors, neighbour, good):
    with contextlib.ExitStack() as stack:
        for _ in range(HALF_OPEN):
            stack.enter_context(socket.create_connection(("127.0.0.1", neighbour.port), timeout=5))
        neighbour.serves(good)
        with Publisher(neighbour.address, name="late", insecure=True) as late:
            eventually(lambda: late.state == "connected")
        assert len(neighbour.receiver.protocol.peers) <= 2


def test_a_thousand_peers_that_say_hello_and_nothing_else(descriptors, neighbour, good):
    context = zmq.Context()
    context.max_sockets = 2 * HALF_OPEN
    try:
        links = [context.socket(zmq.DEALER) for _ in range(HALF_OPEN)]
        for n, link in enumerate(links):
            link.linger = 0
            link.connect(neighbour.address)
            link.send(hello(f"half open {n}"))
        eventually(lambda: neighbour.receiver.protocol.epochs > HALF_OPEN)
        neighbour.serves(good)
        # Given up after a few silent intervals, and no longer counted as workers.
        eventually(lambda: [p.name for p in neighbour.receiver.peers() if p.alive] == ["good"])
        assert len(neighbour.receiver.protocol.peers) == 1
    finally:
        context.destroy(linger=0)


def test_a_flood_of_hellos_neither_fills_memory_nor_shuts_workers_out():
    neighbour = Neighbour(peers=20, publishers=50, clients=10)
    with (
        neighbour.receiver as receiver,
        Publisher(neighbour.address, name="good", insecure=True) as good,
        zmq.Context() as context,
        contextlib.ExitStack() as stack,
    ):
        neighbour.serves(good)
        links = [stack.enter_context(context.socket(zmq.DEALER)) for _ in range(30)]
        for link in links:
            link.linger = 0
            link.connect(neighbour.address)
        for turn in range(30):
            for n, link in enumerate(links):
                link.send(hello(f"{turn} {n}"))
                link.send(wire.encode(wire.Hello(wire.WIRE_VERSION, "0", "client", f"{turn} {n}")))
        eventually(lambda: receiver.protocol.epochs > 1000)
        neighbour.serves(good)
        assert len(receiver.protocol.peers) <= 20
        assert len(receiver.protocol.clients) <= 10
        assert len(receiver.peers()) <= 50
        with Publisher(neighbour.address, name="late", insecure=True) as late:
            eventually(lambda: late.state == "connected", lambda: receiver.rejected)


def test_a_peer_that_ignores_its_credit_is_cut_off(neighbour, good):
    limits = neighbour.receiver.limits
    payload = bytes(1 << 20)
    with attacker(neighbour) as (link, epoch):
        neighbour.board.limit = 8 << 20  # the viewer is slow
        for number in range(1, 201):
            link.send_multipart([batch(epoch, number, (1 << 10, 1 << 10)), payload], copy=False)
        eventually(lambda: neighbour.receiver.rejected["more than the credit"])
        assert neighbour.board.nbytes <= limits.credit + (9 << 20)
        neighbour.serves(good)


def test_items_without_pixels_need_credit_too():
    neighbour = Neighbour(credit=1 << 20)
    with neighbour.receiver as receiver, attacker(neighbour) as (link, epoch):
        neighbour.board.limit = 1 << 18  # the viewer is slow
        for number in range(1, 3000):
            link.send_multipart([batch(epoch, number, (0, 2), kind="points"), b""])
        eventually(lambda: receiver.rejected["more than the credit"])
        assert len(neighbour.board) < 1500
        with Publisher(neighbour.address, name="good", insecure=True) as good:
            neighbour.serves(good)


GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
READY = READY[:1] + bytes([len(READY) - 2]) + READY[2:]


@pytest.mark.parametrize(
    "tail",
    {
        "nothing": b"",
        "a frame of 2^62 bytes": b"\x02" + struct.pack(">Q", 1 << 62) + bytes(1000),
        "half a frame": b"\x02" + struct.pack(">Q", 1 << 30) + bytes(1000),
        "more frames than one message has": b"\x01\x01x" * 50_000,
        "a command of no kind": b"\x04\x05\x04ODD!",
        "rubbish": b"\xfe" * 5000,
    }.items(),
    ids=lambda tail: tail[0].replace(" ", "-"),
)
def test_half_and_broken_frames(neighbour, good, tail):
    before = psutil.Process().memory_info().rss
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            link = stack.enter_context(
                socket.create_connection(("127.0.0.1", neighbour.port), timeout=5)
            )
            with contextlib.suppress(ConnectionError):  # it may be cut before all is sent
                link.sendall(GREETING + READY + tail[1])
        neighbour.serves(good)
    # A frame that is announced takes memory as its bytes come, not before.
    assert psutil.Process().memory_info().rss - before < 200 << 20


def test_every_kind_of_rubbish_is_counted_by_one_of_a_few_reasons(neighbour, good):
    receiver = neighbour.receiver
    with attacker(neighbour) as (link, _):
        for n in range(2000):
            link.send(msgspec.msgpack.encode({"type": f"ODD{n}", "x": n}))
            link.send(bytes([n % 256]) * (n % 50))
            link.send(hello("x" * (n + 1), host=str(n)))
        eventually(lambda: receiver.rejected.total() >= 4000)
    assert len(receiver.rejected) < 10
    neighbour.serves(good)


def test_a_client_that_was_forgotten_introduces_itself_again():
    neighbour = Neighbour(clients=2)
    with neighbour.receiver as receiver, contextlib.ExitStack() as stack:
        controls = [Control(receiver.addresses) for _ in range(4)]
        for control in controls:
            stack.callback(control.close)
        for _ in range(3):
            for control in controls:
                assert control.ledger().balanced
        assert len(receiver.protocol.clients) <= 2


def test_questions_that_nobody_answers_do_not_pile_up():
    security = Security.generate(encrypt=False)
    with (
        Receiver("ipc://*", Board(), security=security) as receiver,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as link,
    ):
        link.linger = 0
        link.connect(receiver.addresses[0])
        hello = wire.Hello(wire.WIRE_VERSION, "0", "client", "curious", security.token)
        link.send(wire.encode(hello))
        for n in range(1000):
            link.send(wire.encode(wire.RequestMessage(n, "screenshot", {"x": "y" * 1000})))
        eventually(lambda: receiver.rejected["too many requests"] > 900)
        assert receiver.requests.qsize() == receiver.limits.requests


TRUNCATED = """
import os, sys, tempfile, time
from pathlib import Path
import zmq
from dask_napari.model import ItemMeta
from dask_napari.stream import Board, Receiver
from dask_napari.stream.shm import arena
from dask_napari.stream.wire import messages as wire

arena.DIRECTORY = Path(tempfile.mkdtemp())
with Receiver("tcp://127.0.0.1:*", Board(), insecure=True) as receiver, zmq.Context() as context:
    mine = arena.Arena.create("me", 1 << 20)
    path = arena.DIRECTORY / mine.name
    with context.socket(zmq.DEALER) as link:
        link.linger = 0
        link.connect(receiver.addresses[0])
        def ask(message):
            link.send(wire.encode(message))
            assert link.poll(10_000)
            return wire.decode_from_receiver(link.recv())
        epoch = ask(wire.Hello(wire.WIRE_VERSION, "0", "publisher", "me")).epoch
        assert ask(wire.Offer(epoch, mine.name, mine.size)).token == mine.token
        os.truncate(path, 4096)
        array = wire.ArrayHeader("data", "|u1", (512, 1024), 0, 1 << 19)
        item = wire.ItemHeader(1, ItemMeta("raw", "image"), [array])
        answer = ask(wire.Batch(epoch, 1, [item], {}, wire.SlotHeader(1 << 19, 1 << 19, 1)))
        assert isinstance(answer, wire.Refused) and answer.again, answer
        end = time.monotonic() + 10  # it is counted after the answer
        while receiver.rejected["slot outside of the arena"] != 1:
            assert time.monotonic() < end, receiver.rejected
            time.sleep(0.01)
    mine.close()
    arena.DIRECTORY.rmdir()
print("alive")
"""


def test_an_arena_that_was_made_smaller_does_not_kill_the_viewer():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TRUNCATED)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr
