"""A real cluster with two viewers at once, and a recorder that is killed while it streams."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster

import cluster_tasks as tasks
from dask_napari.model import Item
from dask_napari.record import Record, Recorder
from dask_napari.record._store import Store
from dask_napari.sink import NapariSink
from dask_napari.stream import Control
from dask_napari.stream.auth import local_keys
from dask_napari.stream.send import Publisher
from dask_napari.tap import Tap
from headless import Headless, eventually

COMMAND = Path(sys.executable).with_name("dask-napari")
COUNT = 60


def by_number(key: object, value: object, args: tuple[int, ...]) -> dict[str, int]:
    return {"n": args[0]}


TAPS = [
    Tap("slow_frame", layer="frames", at=by_number),
    Tap("measured", kind="shapes", layer="cells", at=by_number),
]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def compute(client: Client) -> list:
    frames = client.map(tasks.slow_frame, range(COUNT), pure=False)
    return frames + client.map(tasks.measured, [n % 5 for n in range(5)], pure=False)


def check(record: Record) -> None:
    found: dict[str, dict[int, np.ndarray]] = {}
    for item in record.items():
        found.setdefault(item.layer, {})[item.position["n"]] = item.data
    assert sorted(found["frames"]) == list(range(COUNT))
    assert all((pixels == n).all() for n, pixels in found["frames"].items())
    assert sorted(found["cells"]) == [0, 1, 2, 3, 4]


def test_a_viewer_and_a_recorder_both_get_everything(client, tmp_path):
    with (
        Headless() as viewer,
        Recorder(tmp_path / "run.zarr", ["ipc://*", "tcp://127.0.0.1:*"]) as recorder,
    ):
        thread = threading.Thread(target=recorder.run)
        thread.start()
        client.register_plugin(NapariSink(viewer.receiver.addresses, TAPS))
        client.register_plugin(NapariSink(recorder.receiver.addresses, TAPS, name="record"))
        futures = compute(client)
        viewer.until_shown("frames", COUNT)
        viewer.until_shown("cells", 5)
        eventually(lambda: recorder.receiver.ledger().total.shown >= COUNT + 5)
        for receiver in (viewer.receiver, recorder.receiver):
            eventually(lambda r=receiver: not r.ledger().total.pending)
            ledger = receiver.ledger()
            assert ledger.balanced, ledger
            assert ledger.total.selected == ledger.total.shown == COUNT + 5
        for name in ("dask-napari", "record"):
            client.unregister_worker_plugin(name)
        recorder.ended.set()
        thread.join()
        seen = {layer: dict(places) for layer, places in viewer.seen.items()}
    record = Record(tmp_path / "run.zarr")
    check(record)
    for item in record.items():
        assert (seen[item.layer][item.place[1:]] == item.data).all()
    del futures


@contextmanager
def recording(path: Path, folder: Path, *how: str) -> Iterator[tuple[subprocess.Popen, list[str]]]:
    process = subprocess.Popen(
        [str(COMMAND), "record", str(path), "--listen", "tcp://127.0.0.1:0", *how],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder), "COLUMNS": "200"},
    )
    assert process.stderr is not None
    try:
        addresses, line = [], ""
        while "recording into" not in line:
            line = process.stderr.readline()
            assert line, "the recorder ended"
            addresses += [word for word in line.split() if "://" in word]
        yield process, addresses
    finally:
        process.kill()
        process.communicate()


def test_a_recorder_that_is_killed_leaves_a_record_and_may_go_on(client, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    path = tmp_path / "run.zarr"
    with recording(path, tmp_path) as (process, addresses):
        control = Control(addresses)
        keys = control_keys(addresses[0])
        sink = NapariSink(addresses, TAPS, name="record", security=keys)
        client.register_plugin(sink)
        futures = compute(client)
        eventually(lambda: control.request("recorded")["items"] >= 10)
        at_least = control.request("recorded")["items"]
        process.send_signal(signal.SIGKILL)
        process.wait()
        control.close()
    left = Record(path)
    assert not left.closed
    assert len(left) >= at_least
    for item in left.items():
        if item.layer == "frames":
            assert (item.data == item.position["n"]).all()
    # Another goes on where that one ended; the sinks send it what the workers still have.
    with recording(path, tmp_path, "--append") as (process, addresses):
        keys = control_keys(addresses[0])
        moved = NapariSink(addresses, TAPS, name="record", security=keys)
        moved.group = sink.group  # those sinks, at the other address: another group is another run
        client.register_plugin(moved)
        control = Control(addresses)
        eventually(lambda: control.request("recorded")["items"] == COUNT + 5)
        eventually(lambda: not control.ledger().total.pending, control.ledger)
        assert control.ledger().balanced
        client.unregister_worker_plugin("record")
        control.request("quit")
        control.close()
        assert process.wait(30) == 0
    record = Record(path)
    assert record.closed
    check(record)
    del futures


def control_keys(address: str) -> object:
    keys = local_keys.find(address)
    assert keys is not None
    return keys


def test_a_replay_from_the_command_line(tmp_path):
    with Recorder(tmp_path / "run.zarr", "tcp://127.0.0.1:*") as recorder:
        with Publisher(recorder.receiver.addresses, name="me") as publisher:
            publisher.put(Item("raw", "image", np.ones((4, 4), "u1"), {"t": 0}))
            publisher.close(30)
        recorder.run(until_done=True)
    with Headless("tcp://127.0.0.1:*") as viewer:
        command = [str(COMMAND), "replay", str(tmp_path / "run.zarr")]
        command += ["--address", *viewer.receiver.addresses]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        viewer.until_shown("raw", 1)
        assert "1 of 1 items sent" in process.communicate(timeout=60)[1]
        assert process.returncode == 0


@pytest.mark.parametrize("keys", [[], ["--insecure"]])
def test_a_replay_to_where_nobody_listens_ends(tmp_path, keys):
    store = Store(tmp_path / "run.zarr")
    store.put([Item("raw", "image", np.ones((8, 8), "u1"), {"t": 0})])
    store.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        command = [str(COMMAND), "replay", str(tmp_path / "run.zarr"), "--address", address]
        done = subprocess.run(
            [*command, "--timeout", "1", *keys],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert f"no viewer has answered at {address} for 1 s; 0 of 1 items were sent" in done.stderr


def test_a_replay_opens_a_window_and_ends_with_it(tmp_path):
    store = Store(tmp_path / "run.zarr")
    store.put([Item("raw", "image", np.full((8, 8), n, "u1"), {"t": n}) for n in range(3)])
    store.close()
    process = subprocess.Popen(
        [str(COMMAND), "replay", str(tmp_path / "run.zarr")], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        while "3 of 3 items shown" not in (line := process.stderr.readline()):
            assert line, "the replay ended"
        children = psutil.Process(process.pid).children()
        (window,) = [child for child in children if "dask_napari.viewer" in child.cmdline()]
        window.terminate()  # as its button does
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["replay", "nothing.zarr"], 1, "no record at"),
        (["replay", "."], 1, "not a record of dask-napari"),
        (["record", ".", "--listen", "tcp://127.0.0.1:0"], 1, "is there already"),
        (["record", "r.zarr", "--append", "--overwrite"], 2, "not both"),
        (["record", "r.zarr", "--listen", "tcp://0.0.0.0:0"], 2, "--security-file"),
    ],
)
def test_wrong_usage_names_the_remedy(arguments, code, said, tmp_path):
    (tmp_path / "something").touch()
    done = subprocess.run(
        [str(COMMAND), *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=100,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == code
    assert said in done.stderr
    assert not (tmp_path / "r.zarr").exists()
