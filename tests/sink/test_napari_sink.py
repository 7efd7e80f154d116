"""The plugin where a worker has no room for it, on one that lives long, and what of it travels."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap

import cloudpickle
import numpy as np
import pytest
from distributed import wait

from dask_napari.sink import SINK_NAME, NapariSink
from dask_napari.tap import Tap
from headless import Headless

STARVED = """
import asyncio, os, resource, time
from distributed import Client, LocalCluster
from dask_napari.sink import NapariSink, _napari_sink
from dask_napari.tap import Tap

_napari_sink.RETRY = 0.1

async def register(worker, sink):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
    fill = []
    try:
        while True:
            fill.append(os.dup(0))
    except OSError:
        pass
    try:
        answer = await worker.plugin_add(plugin=sink)
        first = sink.counts()["state"]
        await asyncio.sleep(0.3)  # in which it tries again in vain
    finally:
        for descriptor in fill:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(answer["status"], first, sink.counts()["state"])
    end = time.monotonic() + 30
    while sink.counts()["state"] == "closed":
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    print(sink.counts()["state"])

with (
    LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
    Client(cluster) as client,
):
    (worker,) = cluster.workers.values()
    cluster.sync(register, worker, NapariSink("tcp://127.0.0.1:1", [Tap("frame")]))
"""


def test_a_worker_without_descriptors_gets_its_sink_when_it_has_some():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STARVED)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "OK closed closed\nconnecting\n", done.stderr
    assert done.stderr.count("not streaming yet") == 1


def test_only_what_it_was_given_travels():
    sink = NapariSink("tcp://127.0.0.1:1", {"a": Tap("frame")}, name="recorder")
    again = cloudpickle.loads(cloudpickle.dumps(sink))
    assert (again.name, again.addresses) == ("recorder", ("tcp://127.0.0.1:1",))
    assert again.counts() == sink.counts()
    assert again.counts()["state"] == "closed"
    assert again.memory() == {}


def test_taps_that_contradict_each_other_change_nothing():
    frames = Tap("frame", layer="a")
    sink = NapariSink("tcp://127.0.0.1:1", {"a": frames})
    with pytest.raises(ValueError, match="both"):
        sink.set_taps({"a": frames, "b": Tap("segment", kind="labels", layer="a")})
    assert list(cloudpickle.loads(cloudpickle.dumps(sink))._taps) == [frames.compile()]


def phases(n: int) -> np.ndarray:
    """A picture of complex numbers, which are shown by their magnitude."""
    return np.full((8, 8), n + 1j)


class Heard(logging.Handler):
    """Keep the lines of a worker's log that tell of the magnitude."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "magnitude" in record.getMessage():
            self.lines.append(record.getMessage())


def test_each_session_of_a_worker_is_told_once_how_outputs_are_shown(client):
    def listen(dask_worker: object) -> None:
        dask_worker.heard = Heard()
        logging.getLogger("dask_napari").addHandler(dask_worker.heard)

    client.run(listen)
    for session in (1, 2):
        with Headless() as viewer:
            receiver = viewer.receiver
            client.register_plugin(NapariSink(receiver.addresses, [Tap("phases")]))
            wait(client.map(phases, range(5), pure=False))
            viewer.until_shown("phases", 5)
            viewer.until(
                lambda receiver=receiver: any("magnitude" in t.text for _, t in receiver.reports())
            )
            client.unregister_worker_plugin(SINK_NAME)
        (lines,) = client.run(lambda dask_worker: dask_worker.heard.lines).values()
        assert len(lines) == session
