"""A publisher and a receiver, with real sockets and real shared memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq

from dask_napari.model import Item, ItemMeta, LayerSpec, Tally
from dask_napari.stream import Control, ViewerGone
from dask_napari.stream.auth import Security
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher
from dask_napari.stream.wire import MESSAGE, Limits
from dask_napari.stream.wire import messages as wire

DEADLINE = 20.0


def eventually(condition, what: str = "") -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DEADLINE} s: {what or condition}")
        threading.Event().wait(0.01)


def image(n: int, shape=(64, 64), layer="raw") -> Item:
    return Item(layer, "image", np.full(shape, n % 251, np.uint16), {"t": n})


class Consumer:
    """Takes everything off a board, as the viewer does, and remembers it by position."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.seen: dict[int, np.ndarray] = {}

    def take(self) -> None:
        items = self.board.take()
        self.seen.update((item.position["t"], item.data) for item in items)
        self.board.shown(items)

    def until(self, n: int) -> None:
        def done() -> bool:
            self.take()
            return len(self.seen) >= n

        eventually(done, f"{n} items; ledger {self.board.tallies()}")


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def receiver(board) -> Iterator[Receiver]:
    limits = Limits(heartbeat=0.3)
    # Without keys: some tests speak to it by sockets of their own.
    listen = ["ipc://*", "tcp://127.0.0.1:*"]
    with Receiver(listen, board, limits=limits, insecure=True) as receiver:
        yield receiver


def settled(receiver: Receiver) -> bool:
    total = receiver.ledger().total
    return total.selected > 0 and total.pending == 0


@pytest.mark.parametrize("transport", ["auto", "shared-memory", "inline"])
@pytest.mark.parametrize("scheme", ["ipc", "tcp"])
@pytest.mark.parametrize("shape", [(8, 8), (300, 500)])
def test_items_arrive_as_they_were(receiver, board, transport, scheme, shape):
    (address,) = [a for a in receiver.addresses if a.startswith(scheme)]
    consumer = Consumer(board)
    with Publisher(address, name="me", transport=transport, insecure=True) as publisher:
        for n in range(200):
            publisher.put(image(n, shape))
        consumer.until(200)
        assert publisher.transport == ("inline" if transport == "inline" else "shared-memory")
        eventually(lambda: settled(receiver))
    for n, data in consumer.seen.items():
        np.testing.assert_array_equal(data, image(n, shape).data)
    ledger = receiver.ledger()
    assert ledger.balanced
    assert ledger["raw"].shown == 200


@pytest.mark.parametrize("transport", ["auto", "inline"])
@pytest.mark.parametrize("scheme", ["ipc", "tcp"])
def test_an_item_larger_than_a_message_arrives(scheme, transport):
    board, security = Board(), Security.generate()
    shape = (9, 4 << 10, 2 << 10)
    with (
        Receiver(["ipc://*", "tcp://127.0.0.1:*"], board, security=security) as receiver,
        Publisher(
            next(a for a in receiver.addresses if a.startswith(scheme)),
            name="me",
            transport=transport,
            security=security,
            queue_bytes=1 << 30,
        ) as publisher,
    ):
        large = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
        assert large.nbytes > 2 * MESSAGE
        publisher.put(Item("raw", "image", large, {"t": 0}))
        publisher.put(image(1))
        consumer = Consumer(board)
        consumer.until(2)
        np.testing.assert_array_equal(consumer.seen[0], large)
        assert receiver.protocol.epochs == 1
        eventually(lambda: settled(receiver))
        assert receiver.ledger().balanced


def test_an_item_larger_than_the_arena_arrives(receiver, board):
    consumer = Consumer(board)
    with Publisher(receiver.addresses, name="me", arena_bytes=1 << 20) as publisher:
        publisher.put(image(1, (3000, 1000)))
        publisher.put(image(2))
        consumer.until(2)
    np.testing.assert_array_equal(consumer.seen[1], image(1, (3000, 1000)).data)


@pytest.mark.drops(
    "malformed: an image without pixels or axes", "malformed: pixels of a type that cannot be drawn"
)
def test_awkward_arrays_arrive(receiver, board):
    base = np.arange(4 * 600 * 500, dtype=">u2").reshape(4, 600, 500)
    arrays = [
        base[:, ::2, ::-1],
        np.broadcast_to(np.uint8(7), (700, 300)),
        base.T,
        np.ones((300, 300), "u1")[::-1],
    ]
    # What no layer can show is counted, and does not hold the others up.
    odd = [np.float32(5).reshape(()), np.zeros((0, 3), "u1"), np.ones((300, 300), bool)]
    got = {}
    with Publisher(receiver.addresses, name="me") as publisher:
        for n, array in enumerate([*odd, *arrays], -len(odd)):
            publisher.put(Item("raw", "image", array, {"t": n}))
        eventually(
            lambda: got.update({i.position["t"]: i.data for i in board.take()}) or len(got) == 4
        )
        assert receiver.ledger()["raw"].dropped.total() == len(odd)
    for n, array in enumerate(arrays):
        np.testing.assert_array_equal(got[n], array)


@pytest.mark.drops("drop-oldest")
def test_a_viewer_that_does_not_take_gets_no_more_than_the_credit(board):
    board.limit = 1 << 20
    limits = Limits(credit=4 << 20)
    data = image(0, (512, 1024)).data  # 1 MiB
    with (
        Receiver("ipc://*", board, limits=limits) as receiver,
        Publisher(receiver.addresses, name="me", queue_bytes=8 << 20) as publisher,
    ):
        eventually(lambda: publisher.state == "connected")
        for n in range(200):
            publisher.put(Item("raw", "image", data, {"t": n}), "drop-oldest")
        eventually(lambda: board.full)
        # What was sent before the board was full: the credit, and the batch that crossed it.
        assert board.nbytes <= limits.credit + (5 << 20)
        assert publisher.outbox.nbytes <= 8 << 20
        consumer = Consumer(board)

        def done() -> bool:
            consumer.take()
            return settled(receiver) and receiver.ledger().total.selected == 200

        eventually(done)
        ledger = receiver.ledger()
        assert ledger.balanced
        assert ledger.total.dropped["drop-oldest"] == 200 - ledger.total.shown > 0


@pytest.mark.drops("queue-full")
def test_put_never_waits_for_a_viewer_that_is_not_there():
    with Publisher("tcp://127.0.0.1:1", name="me", queue_bytes=1 << 20) as publisher:
        for n in range(1000):
            publisher.put(image(n, (128, 128)))
        assert publisher.outbox.nbytes <= 1 << 20
        (count,) = publisher.counts().values()
        assert count.selected == 1000 == count.pending + sum(count.dropped.values())
    assert publisher.state == "closed"


def test_a_late_viewer_gets_what_waits(tmp_path, board):
    address = f"ipc://{tmp_path}/late"
    with Publisher(address, name="me") as publisher:
        for n in range(10):
            publisher.put(image(n))
        with Receiver(address, board):
            Consumer(board).until(10)


def test_a_restarted_viewer_is_found_again_and_asked_to_be_filled(tmp_path):
    address = f"ipc://{tmp_path}/again"
    wanted = threading.Event()
    with Publisher(address, name="me", on_new_viewer=wanted.set) as publisher:
        publisher.declare([LayerSpec("raw", "image", {"t": "slider"})])
        first = Board()
        with Receiver(address, first, limits=Limits(heartbeat=0.2)) as receiver:
            publisher.put(image(1))
            Consumer(first).until(1)
            assert not wanted.is_set()
            eventually(lambda: "raw" in receiver.layers())
        second = Board()
        with Receiver(address, second) as receiver:
            publisher.put(image(2))
            Consumer(second).until(1)
            assert wanted.wait(DEADLINE)
            assert receiver.layers()["raw"].axes == {"t": "slider"}
            eventually(lambda: settled(receiver))
            ledger = receiver.ledger()
            assert ledger.balanced
            assert ledger.total.selected == 1


def test_a_receiver_that_forgot_a_peer_loses_nothing(receiver, board):
    """As after a silence: the receiver gave the connection up while batches were on the way."""
    consumer = Consumer(board)
    with Publisher(receiver.addresses, name="me") as publisher:
        publisher.put(image(0))
        consumer.until(1)
        for n in range(1, 300):
            publisher.put(image(n))
            if n % 100 == 0:
                for peer in list(receiver.protocol.peers.values()):
                    receiver.protocol.forget(peer)
        consumer.until(300)
        eventually(lambda: settled(receiver))
    assert receiver.ledger().balanced
    assert receiver.ledger()["raw"].shown == 300


def test_close_delivers_the_tail_over_tcp(receiver, board):
    (address,) = [a for a in receiver.addresses if a.startswith("tcp")]
    publisher = Publisher(address, name="me", transport="inline", insecure=True)
    publisher.start()
    for n in range(500):
        publisher.put(image(n))
    publisher.close(timeout=10)
    consumer = Consumer(board)
    consumer.take()
    assert len(consumer.seen) == 500
    assert receiver.ledger().balanced
    assert not receiver.peers()[0].alive


SENDER = """
import sys, numpy as np
from dask_napari.stream import Item, Publisher
publisher = Publisher(sys.argv[1], name="doomed", transport=sys.argv[2], insecure=True)
publisher.start()
data = np.zeros((512, 512), np.uint16)
n = 0
while True:
    if len(publisher.outbox) < 50:
        publisher.put(Item("raw", "image", data, {"t": n}))
        n += 1
"""


@pytest.mark.drops("worker-lost")
@pytest.mark.parametrize("transport", ["shared-memory", "inline"])
def test_a_killed_publisher_leaves_nothing_and_is_accounted_for(receiver, board, transport):
    consumer = Consumer(board)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SENDER), receiver.addresses[0], transport]
    )
    try:
        consumer.until(50)
        # The name is gone while the stream runs, so there is nothing a SIGKILL could leave.
        assert not [p for p in Path("/dev/shm").iterdir() if "-doomed-" in p.name]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()

    def over() -> bool:
        consumer.take()
        return settled(receiver) and not receiver.peers()[0].alive

    eventually(over)
    assert receiver.ledger().balanced
    eventually(lambda: not receiver.protocol.peers)


@pytest.mark.drops("worker-lost")
def test_a_stopped_and_continued_publisher_goes_on(receiver, board):
    consumer = Consumer(board)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SENDER), receiver.addresses[0], "auto"]
    )
    try:
        consumer.until(20)
        os.kill(process.pid, signal.SIGSTOP)

        def given_up() -> bool:
            consumer.take()
            return not receiver.protocol.peers

        eventually(given_up)
        before = len(consumer.seen)
        os.kill(process.pid, signal.SIGCONT)
        consumer.until(before + 100)
        assert receiver.peers()[0].alive
    finally:
        process.kill()
        process.wait()


def test_the_right_token_is_needed(board):
    security = Security.generate(encrypt=False)
    with Receiver("ipc://*", board, security=security) as receiver:
        with Publisher(receiver.addresses, name="stranger") as publisher:
            publisher.put(image(1))
            eventually(lambda: receiver.rejected["wrong token"])
        with Publisher(receiver.addresses, name="friend", security=security.client()) as publisher:
            publisher.put(image(2))
            consumer = Consumer(board)
            consumer.until(1)
    assert list(consumer.seen) == [2]


def test_keys_encrypt_and_authenticate(board):
    security = Security.generate()
    with Receiver(["ipc://*", "tcp://127.0.0.1:*"], board, security=security) as receiver:
        for address in receiver.addresses:
            with Publisher(address, name=address, security=security.client()) as publisher:
                publisher.put(Item("raw", "image", np.ones((64, 64)), {"t": address}))
                eventually(
                    lambda address=address: address in {i.position["t"] for i in board.take()}
                )


def test_a_taken_port_is_a_clear_error(receiver):
    (address,) = [a for a in receiver.addresses if a.startswith("tcp")]
    with pytest.raises(OSError, match="taken by another program"):
        Receiver(address, Board()).start()


def test_the_socket_file_is_private_and_removed(board):
    with Receiver("ipc://*", board) as receiver:
        path = Path(receiver.addresses[0].removeprefix("ipc://"))
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.parent.exists()


def test_another_version_of_the_wire_is_told_whom_to_upgrade(receiver):
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(receiver.addresses[0])
        for version, older in ((wire.WIRE_VERSION + 1, "viewer"), (3, "workers"), (0, "workers")):
            socket.send(wire.encode(wire.Hello(version, "9.9", "publisher", "w")))
            assert socket.poll(DEADLINE * 1000)
            answer = wire.decode_from_receiver(socket.recv())
            assert isinstance(answer, wire.Refused)
            assert answer.reason.endswith(f"upgrade dask-napari on the {older}") or (
                older == "workers" and "workers" in answer.reason
            )


def hostile_messages():
    header = wire.ItemHeader(
        1, ItemMeta("raw", "image"), [wire.ArrayHeader("data", "|u1", (8,), 0, 8)]
    )
    batch = wire.Batch(1, 1, [header], {})
    yield [b""]
    yield [b"\xff" * 100]
    yield []
    yield [wire.encode(batch)]
    yield [wire.encode(msgspec.structs.replace(batch, slot=wire.SlotHeader(0, 1 << 60, 0)))]
    yield [wire.encode(wire.Ping(99))]
    yield [wire.encode(wire.Hello(wire.WIRE_VERSION, "", "publisher", ""))]
    yield [wire.encode(wire.Offer(1, "../../etc/passwd", 64))]
    yield [wire.encode(wire.RequestMessage(1, "ledger"))]


def test_rubbish_neither_harms_nor_stops_the_others(receiver, board):
    consumer = Consumer(board)
    with Publisher(receiver.addresses, name="good") as publisher, zmq.Context() as context:
        publisher.put(image(0))
        consumer.until(1)
        for known in (False, True):
            with context.socket(zmq.DEALER) as socket:
                socket.linger = 0
                socket.connect(receiver.addresses[0])
                for frames in hostile_messages():
                    if known:
                        hello = wire.Hello(wire.WIRE_VERSION, "", "publisher", "bad")
                        socket.send(wire.encode(hello))
                        socket.recv()
                    socket.send_multipart(frames or [b"\x00"])
                eventually(lambda: receiver.rejected.total() >= 6)
        publisher.put(image(1))
        consumer.until(2)


def test_a_client_asks_and_is_answered(board):
    security = Security.generate(encrypt=False)
    receiver = Receiver("ipc://*", board, security=security)
    receiver.start()
    with Publisher(receiver.addresses, name="me", security=security.client()) as publisher:
        publisher.put(image(0))
        Consumer(board).until(1)
    control = Control(receiver.addresses, security=security.client())
    try:
        eventually(lambda: control.ledger()["raw"].shown == 1)
        assert control.ledger().balanced
        control.request("known", {"raw": 12})
        assert receiver.known() == {"raw": 12}
        answering = threading.Thread(
            target=lambda: receiver.requests.get(timeout=DEADLINE).reply({"png": b"x"})
        )
        answering.start()
        assert control.request("screenshot") == {"png": b"x"}
        answering.join()
        failing = threading.Thread(
            target=lambda: receiver.requests.get(timeout=DEADLINE).fail("no screen")
        )
        failing.start()
        with pytest.raises(RuntimeError, match="no screen"):
            control.request("screenshot")
        failing.join()
        receiver.close()
        with pytest.raises(ViewerGone):
            control.request("ledger", timeout=0.5)
    finally:
        control.close()


def test_without_a_token_nobody_takes_pictures_or_closes_the_window(receiver):
    control = Control(receiver.addresses)
    try:
        for request in ("screenshot", "quit"):
            with pytest.raises(RuntimeError, match="no token"):
                control.request(request)
        assert receiver.requests.empty()
        assert control.ledger().balanced
    finally:
        control.close()


def test_no_one_listens(tmp_path):
    with pytest.raises(ViewerGone, match="no viewer"):
        Control([f"ipc://{tmp_path}/nobody"])


def test_nothing_is_left(receiver, board):
    threads = {t.ident for t in threading.enumerate()}
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with Publisher(receiver.addresses, name="me") as publisher:
            publisher.put(image(0))
            Consumer(board).until(1)
    eventually(lambda: not receiver.protocol.peers)
    assert {t.ident for t in threading.enumerate()} == threads
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= descriptors, "descriptors closed")


@pytest.mark.parametrize("transport", ["fast", ""])
def test_an_unknown_transport_is_an_error(transport):
    with pytest.raises(ValueError, match="use 'auto'"):
        Publisher("tcp://127.0.0.1:1", name="me", transport=transport)


def test_no_address_is_an_error(board):
    with pytest.raises(ValueError, match="empty"):
        Publisher([], name="me")
    with pytest.raises(ValueError, match="empty"):
        Receiver([], board)


def test_what_is_put_just_before_the_close_is_delivered(receiver, board):
    for transport in ("shared-memory", "inline"):
        with Publisher(receiver.addresses, name=transport, transport=transport) as publisher:
            publisher.put(Item("raw", "image", np.ones((8, 8)), {"t": transport}))
    assert {item.position["t"] for item in board.take()} == {"shared-memory", "inline"}


def known_peer(socket: zmq.Socket, receiver: Receiver, name: str = "parts") -> int:
    socket.linger = 0
    socket.connect(receiver.addresses[0])
    socket.send(wire.encode(wire.Hello(wire.WIRE_VERSION, "", "publisher", name)))
    assert socket.poll(DEADLINE * 1000)
    welcome = wire.decode_from_receiver(socket.recv())
    assert isinstance(welcome, wire.Welcome)
    return welcome.epoch


def answer(socket: zmq.Socket) -> wire.Message:
    assert socket.poll(DEADLINE * 1000)
    return wire.decode_from_receiver(socket.recv())


def test_a_payload_that_went_ahead_in_parts_is_put_together(receiver, board):
    data = np.arange(100_000, dtype=np.uint8).tobytes()
    header = wire.ItemHeader(
        1,
        ItemMeta("raw", "image", {"t": 0}),
        [wire.ArrayHeader("data", "|u1", (300, 300), 0, 90_000, 1)],
    )
    count = {"raw": Tally(1, sent=1)}
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        epoch = known_peer(socket, receiver)
        for number, start in enumerate(range(0, len(data), 30_000), 1):
            part = wire.encode(wire.PayloadPart(epoch, number, len(data), start))
            socket.send_multipart([part, data[start : start + 30_000]])
        batch = wire.Batch(epoch, 5, [header], count, None, (10_000, 90_000))
        socket.send(wire.encode(batch))
        eventually(lambda: len(board))
        (item,) = board.take()
        assert item.data.tobytes() == data[10_000:]
        acknowledged, given = 0, 0
        while acknowledged < 5:
            credit = answer(socket)
            assert isinstance(credit, wire.Credit)
            acknowledged, given = credit.acknowledged, given + credit.nbytes
        assert given >= len(data)


@pytest.mark.parametrize(
    "parts",
    [
        [wire.PayloadPart(0, 1, 100, 10)],
        [wire.PayloadPart(0, 1, 5, 0)],
        [wire.PayloadPart(0, 1, 5 << 30, 0)],
        [wire.PayloadPart(0, 1, 0, 0)],
        [wire.PayloadPart(0, 2, 100, 0)],
        [wire.PayloadPart(0, 1, 100, 0), wire.PayloadPart(0, 2, 100, 20)],
        [wire.PayloadPart(0, 1, 100, 0), wire.PayloadPart(0, 2, 200, 10)],
        [wire.PayloadPart(0, 1, 100, 0), wire.Batch(0, 2, [], {}, None, (100,))],
        [wire.PayloadPart(0, 1, 10, 0), wire.Batch(0, 2, [], {}, None, (20, 10))],
        [wire.Batch(0, 1, [], {}, None, (10,))],
    ],
)
def test_parts_that_do_not_fit_end_the_connection_and_nothing_else(receiver, board, parts):
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        epoch = known_peer(socket, receiver)
        for part in parts:
            message = msgspec.structs.replace(part, epoch=epoch)
            frames = [bytes(10)] if isinstance(part, wire.PayloadPart) else []
            socket.send_multipart([wire.encode(message), *frames])
        while not isinstance(refused := answer(socket), wire.Refused):
            pass
        assert refused.again
    eventually(lambda: not receiver.protocol.peers)
    with Publisher(receiver.addresses, name="good") as publisher:
        publisher.put(image(1))
        Consumer(board).until(1)


def test_any_number_of_layers_may_be_declared_and_one_that_cannot_travel_stops_none(
    receiver, board
):
    consumer = Consumer(board)
    large = {"colormap": "c" * 60_000}
    with Publisher(receiver.addresses, name="me") as publisher:
        eventually(lambda: publisher.state == "connected")
        publisher.declare([LayerSpec("odd", "image", options={"colormap": object()})])
        publisher.declare([LayerSpec("odd", "image", {"a" * 2000: "slider"})])
        publisher.declare(LayerSpec(f"large {n}", "image", options=large) for n in range(200))
        publisher.declare(LayerSpec(f"layer {n}", "image") for n in range(6000))
        publisher.put(image(0))
        consumer.until(1)
        declared = receiver.layers()
        assert sum(name.startswith("large") for name in declared) == 200
        assert receiver.protocol.epochs == 1
        eventually(lambda: [trouble.layer for _, trouble in receiver.reports()] == ["odd"])


def test_a_client_can_ask_a_viewer_that_is_gone_as_often_as_it_likes():
    with Receiver("tcp://127.0.0.1:*", Board()) as receiver:
        control = Control(receiver.addresses)
    for _ in range(1100):  # more than a socket queues
        with pytest.raises(ViewerGone):
            control.ledger(timeout=0)
    control.close()


def test_an_answer_may_be_as_large_as_a_picture_of_a_large_window():
    security = Security.generate()
    png = bytes(20 << 20)
    with Receiver("tcp://127.0.0.1:*", Board(), security=security) as receiver:
        control = Control(receiver.addresses, security=security)

        def answer() -> None:
            receiver.requests.get().reply({"png": png})

        viewer = threading.Thread(target=answer)
        viewer.start()
        assert control.request("screenshot", timeout=DEADLINE)["png"] == png
        viewer.join()
        control.close()
