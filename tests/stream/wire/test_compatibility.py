"""Two versions that meet say which side to upgrade, whichever side is the newer one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
import zmq

from dask_napari.model import Item, Reports
from dask_napari.stream import Control, ViewerGone
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher
from dask_napari.stream.send._connection import Connection
from dask_napari.stream.send._loader import Loader
from dask_napari.stream.send._options import PublisherOptions
from dask_napari.stream.send._outbox import Outbox
from dask_napari.stream.send._publisher_socket import ConnectionLost
from dask_napari.stream.send._task_notices import TaskNotices
from dask_napari.stream.wire import messages as wire

DEADLINE = 20.0
NOW = wire.WIRE_VERSION

HELLOS = {
    "with news": {"type": "HELLO", "role": "publisher", "news": {"of": [1, 2]}},
    "of another role": {"type": "HELLO", "role": "recorder"},
    "without a role": {"type": "HELLO"},
    "with other types": {"type": "HELLO", "role": 7, "token": ["a", "b"], "pid": "12"},
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver("tcp://127.0.0.1:*", Board(), insecure=True) as receiver:
        yield receiver


def ask(receiver: Receiver, *messages: object) -> wire.FromReceiver:
    """The answer to the last of the messages."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        link.linger = 0
        link.connect(receiver.addresses[0])
        for message in messages:
            link.send(msgspec.msgpack.encode(message))
            assert link.poll(DEADLINE * 1000)
            answer = wire.decode_from_receiver(link.recv())
        return answer


@pytest.mark.parametrize("hello", HELLOS.values(), ids=HELLOS.keys())
@pytest.mark.parametrize(
    ("version", "older"), [(NOW + 1, "the viewer"), (NOW - 1, "the cluster's workers")]
)
def test_a_viewer_tells_a_worker_of_another_version(receiver, hello, version, older):
    answer = ask(receiver, {**hello, "wire": version, "software": "9.9", "name": "w1"})
    assert isinstance(answer, wire.Refused)
    assert not answer.again
    assert f"w1 (dask-napari 9.9) version {version}" in answer.reason
    assert answer.reason.split("upgrade dask-napari on ")[1].startswith(older)
    deadline = time.monotonic() + DEADLINE  # it is counted after the answer was sent
    while receiver.rejected != {"another version of the wire": 1}:
        assert time.monotonic() < deadline, receiver.rejected
        threading.Event().wait(0.01)


def test_a_viewer_says_plainly_that_it_does_not_know_a_message(receiver):
    hello = wire.Hello(NOW, "9.9", "publisher", "w1")
    answer = ask(receiver, hello, {"type": "NEWS", "epoch": 1})
    assert isinstance(answer, wire.Refused)
    assert "knows no message 'NEWS': upgrade dask-napari on the viewer" in answer.reason


def test_new_optional_fields_are_passed_over(receiver):
    hello = msgspec.to_builtins(wire.Hello(NOW, "9.9", "publisher", "w1"))
    assert isinstance(ask(receiver, hello | {"news": 1}), wire.Welcome)


class Viewer:
    """Answers a HELLO with what it is told to: a viewer of some other version."""

    def __init__(self, answer: object) -> None:
        self.context = zmq.Context()
        self.link = self.context.socket(zmq.ROUTER)
        self.link.linger = 0
        self.address = f"tcp://127.0.0.1:{self.link.bind_to_random_port('tcp://127.0.0.1')}"
        self.answer = msgspec.msgpack.encode(answer)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.stop.is_set():
            if self.link.poll(20):
                identity = self.link.recv_multipart()[0]
                self.link.send_multipart([identity, self.answer])

    def __enter__(self) -> str:
        self.thread.start()
        return self.address

    def __exit__(self, *exc: object) -> None:
        self.stop.set()
        self.thread.join()
        self.context.destroy(linger=0)


ANSWERS = {
    "newer welcome": (
        {"type": "WELCOME", "wire": NOW + 1, "software": "9.9", "epoch": "e", "credits": [1]},
        f"the viewer (dask-napari 9.9) version {NOW + 1}: upgrade dask-napari on the cluster's",
    ),
    "newer welcome that decodes": (
        msgspec.to_builtins(wire.Welcome(NOW + 1, "9.9", "i", 1, 0, 1 << 20, 2.0, 1 << 20, 0)),
        f"the viewer (dask-napari 9.9) version {NOW + 1}: upgrade dask-napari on the cluster's",
    ),
    "older welcome": (
        {"type": "WELCOME", "wire": NOW - 1, "software": "0.0"},
        f"the viewer (dask-napari 0.0) version {NOW - 1}: upgrade dask-napari on the viewer",
    ),
    "refusal": ({"type": "REFUSED", "reason": "upgrade yourself"}, "refused: upgrade yourself"),
    "odd refusal": (
        {"type": "REFUSED", "reason": "upgrade yourself", "again": "later"},
        "refused: upgrade yourself",
    ),
    "unknown": ({"type": "NEWS"}, "knows no message 'NEWS': upgrade dask-napari on the cluster's"),
}


@pytest.mark.parametrize(("answer", "said"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_worker_says_which_side_to_upgrade_and_its_tasks_go_on(answer, said, caplog):
    with Viewer(answer) as address, caplog.at_level(logging.WARNING):
        with Publisher(address, name="w1", insecure=True) as publisher:
            deadline = time.monotonic() + DEADLINE
            while not any(said in record.getMessage() for record in caplog.records):
                assert time.monotonic() < deadline, caplog.text
                publisher.put(Item("raw", "image", np.zeros((8, 8)), {"t": 0}))
                threading.Event().wait(0.01)
            assert publisher.state == "connecting"
        # Once, however often it tries.
        assert sum(said in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize(("answer", "said"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_client_says_which_side_to_upgrade(answer, said):
    with Viewer(answer) as address, pytest.raises(ViewerGone) as error:
        Control([address], insecure=True)
    assert said in str(error.value)


def test_rubbish_from_a_viewer_ends_that_connection_only():
    with Viewer([1, 2, 3]) as address, zmq.Context() as context:
        connection = Connection(
            context,
            address,
            PublisherOptions(addresses=(address,), name="w1", arena_bytes=1 << 20),
            Loader(Outbox(1000), Reports()),
            Reports(),
            iter(range(9)),
            TaskNotices(Reports()),
        )
        try:
            poller = zmq.Poller()
            connection.register(poller)
            assert poller.poll(DEADLINE * 1000)
            with pytest.raises(ConnectionLost, match="does not decode"):
                connection.receive()
        finally:
            connection.close()
