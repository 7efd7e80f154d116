"""Keys that a viewer leaves for its own user on its own host, and for nobody else."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import zmq

from dask_napari.model import Item
from dask_napari.stream import Control
from dask_napari.stream.auth import Security, local_keys
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher
from dask_napari.stream.wire import messages as wire
from dask_napari.system import RuntimeDirectory

DEADLINE = 20.0
QUIET = 0.5
"""Seconds in which a message that may pass would have, many times over."""


@pytest.fixture(autouse=True)
def private(tmp_path, monkeypatch) -> Path:
    """Viewers of others, and of other tests, are not looked at."""
    monkeypatch.setattr("dask_napari.system._private_directories.bases", lambda: [tmp_path])
    for name in ("bases", "meeting_places"):
        monkeypatch.setattr(local_keys, name, lambda: [tmp_path])
    return tmp_path


def eventually(condition) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def shared(board: Board | None = None) -> Receiver:
    return Receiver(
        ["tcp://127.0.0.1:*", "ipc://*"],
        Board() if board is None else board,
        security=Security.generate(),
        share_keys=True,
    )


def port(receiver: Receiver) -> str:
    return receiver.addresses[0].rsplit(":", 1)[1]


def test_a_sink_of_the_same_user_needs_no_keys():
    board = Board()
    with shared(board) as receiver:
        for address in (*receiver.addresses, f"tcp://localhost:{port(receiver)}"):
            with Publisher(address, name=address) as publisher:
                publisher.put(Item("raw", "image", np.ones((4, 4)), {"t": address}))
                eventually(lambda a=address: a in {i.position["t"] for i in board.take()})
        control = Control(receiver.addresses[:1])
        assert control.ledger().total.selected == 3
        control.close()


def test_the_file_is_private_holds_no_secret_and_goes_with_the_viewer(private):
    with shared():
        (path,) = private.glob(f"*/{local_keys.FILE}")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert Security.loads(json.loads(path.read_text())["keys"]).server_secret == ""
    assert not list(private.iterdir())


FINDER = """
import sys
from dask_napari.stream.auth import local_keys
print(local_keys.find(sys.argv[1]) is not None)
"""


@pytest.mark.parametrize("variable", ["TMPDIR", "XDG_RUNTIME_DIR"])
def test_keys_are_found_from_another_environment(variable, tmp_path, monkeypatch):
    """A viewer on a desktop, and a worker that ssh or a batch system has started."""
    monkeypatch.undo()
    everywhere = local_keys.meeting_places.__wrapped__  # the suite has its own
    monkeypatch.setattr(local_keys, "meeting_places", everywhere)
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv(variable, str(tmp_path))
    with Receiver("tcp://127.0.0.1:*", Board()) as receiver:
        bare = {"PYTHONPATH": os.pathsep.join(sys.path)}
        for environment in (bare, {**bare, variable: str(tmp_path.parent)}):
            found = subprocess.run(
                [sys.executable, "-c", FINDER, receiver.addresses[0]],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            assert found.stdout == "True\n"


@pytest.mark.parametrize(
    "address", ["tcp://192.0.2.1:{}", "tcp://viewer.example:{}", "tcp://127.0.0.1:1", "nonsense"]
)
def test_keys_never_go_to_another_address(address):
    with shared() as receiver:
        assert local_keys.find(address.format(port(receiver))) is None


def test_keys_of_a_viewer_that_has_ended_are_not_used(private):
    directory = local_keys.leave(["tcp://127.0.0.1:5577"], Security.generate())
    assert local_keys.find("tcp://127.0.0.1:5577") is not None
    os.close(directory._descriptor)  # as a SIGKILL would
    assert local_keys.find("tcp://127.0.0.1:5577") is None


@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_others_could_have_written_is_not_believed(private, what):
    with local_keys.leave(["tcp://127.0.0.1:5577"], Security.generate()) as directory:
        changed = directory.path if what == "directory" else directory.path / local_keys.FILE
        changed.chmod(0o666 if what == "file" else 0o777)
        assert local_keys.find("tcp://127.0.0.1:5577") is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_keys_of_another_user_are_not_believed(private):
    with local_keys.leave(["tcp://127.0.0.1:5577"], Security.generate()) as directory:
        os.chown(directory.path, 12345, 12345)
        assert local_keys.find("tcp://127.0.0.1:5577") is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"addresses": 3}', "\xff", '{"addresses": [1]}']
)
def test_rubbish_in_the_file_is_passed_over(private, content):
    with RuntimeDirectory(private) as directory:
        (directory.path / local_keys.FILE).write_text(content, "latin1")
        (directory.path / local_keys.FILE).chmod(0o600)
        assert local_keys.find("tcp://127.0.0.1:5577") is None


@pytest.mark.parametrize("keys", ["none", "of another viewer", "right key, wrong token"])
def test_a_stranger_gets_nothing_sees_nothing_and_costs_nothing(keys):
    """Measured on a viewer that listens on TCP with keys, as `dask-napari view` does."""
    security = Security.generate()
    theirs = {
        "none": None,
        "of another viewer": Security.generate().client(),
        "right key, wrong token": Security("guess", security.server_key),
    }[keys]
    with (
        Receiver("tcp://127.0.0.1:*", Board(), security=security) as receiver,
        zmq.Context() as context,
    ):
        links = []
        rss = psutil.Process().memory_info().rss
        for n in range(50):
            link = context.socket(zmq.DEALER)
            link.linger = 0
            if theirs is not None:
                theirs.secure_client(link, receiver.addresses[0])
            link.connect(receiver.addresses[0])
            token = theirs.token if theirs else ""
            hellos = [
                wire.encode(wire.Hello(wire.WIRE_VERSION, "0", role, f"s{n}", token))
                for role in ("publisher", "client")
            ]
            # Once it was turned away, a socket takes no more: it would block.
            with contextlib.suppress(zmq.Again):
                for frame in (
                    *hellos,
                    wire.encode(wire.RequestMessage(1, "ledger")),
                    bytes(1 << 20),
                ):
                    link.send(frame, zmq.NOBLOCK)
            links.append(link)
        # A friend's answer shows that the viewer has had the time to answer strangers.
        control = Control(receiver.addresses, security=security.client())
        assert control.ledger().total.selected == 0
        threading.Event().wait(QUIET)
        answers: list[object] = []
        for link in links:
            while link.poll(0):
                answers.append(wire.decode_from_receiver(link.recv()))
        if keys == "right key, wrong token":
            assert all(isinstance(answer, wire.Refused) for answer in answers)
        else:
            assert not answers
        assert not receiver.peers()
        assert not receiver.protocol.peers
        assert len(receiver.protocol.clients) == 1
        assert control.ledger().total.selected == 0
        control.close()
        for link in links:
            link.close()
        assert psutil.Process().memory_info().rss - rss < 120 << 20
