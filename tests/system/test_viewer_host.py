"""A viewer and a client on a host that lacks what Windows lacks, with a cluster elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from dask_napari.stream.shm import janitor

# On macOS and Windows themselves, nothing need be pretended.
PRETENCE = {"DASK_NAPARI_TEST_SYSTEM": "windows"} if sys.platform == "linux" else {}

CLIENT = """
import json, sys
import numpy as np
from distributed import Client
import dask_napari as dn
from dask_napari.stream import Board, Item, Publisher, Receiver
from dask_napari.stream.auth import local_keys
from dask_napari.stream.shm import janitor
from dask_napari.system import HAS_IPC
from dask_napari.viewer.storage._scratch import Scratch
from pathlib import Path

def frame(number):
    import numpy
    return numpy.full((8, 8), number, "uint8")

told = {"has ipc": HAS_IPC}
with Client(sys.argv[1], set_as_default=False) as client, dn.watch(client) as live:
    live.tap("frame")
    client.gather(client.map(frame, range(8)))
    ledger = live.wait(60)
    told["shown"] = [ledger.total.shown, ledger.total.selected, ledger.balanced]
    told["addresses"] = live.addresses

with Receiver("ipc://*", Board()) as receiver:
    # Nobody gave it keys: it finds those that the receiver has left for this user.
    with Publisher(receiver.addresses, name="me") as publisher:
        publisher.put(Item("raw", "image", np.zeros((4, 4), "uint8"), {"t": 0}))
        publisher.wait(30)
    told["received"] = receiver.ledger().total.selected
    told["alive"] = [leftover.alive for leftover in janitor.find()]
    address = receiver.addresses[0]
told["keys of the dead"] = repr(local_keys.find(address))
told["left"] = len(janitor.find())
with Scratch(Path(sys.argv[2]), reserve=0) as scratch:
    extents = [scratch.write(np.full(5000, n, "uint8")) for n in range(3)]
    told["scratch"] = [int(scratch.read(e, np.empty(5000, "uint8")).max()) for e in extents]
print(json.dumps(told))
"""


def test_a_viewer_and_a_client_work_without_what_windows_lacks(client, tmp_path):
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    done = subprocess.run(
        [sys.executable, script, client.scheduler.address, str(tmp_path)],
        env={**os.environ, **PRETENCE},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["has ipc"] == (sys.platform == "darwin")
    assert told["shown"] == [8, 8, True]
    assert told["has ipc"] or all(a.startswith("tcp://") for a in told["addresses"])
    assert told["received"] == 1
    assert told["alive"] == [True]
    assert told["keys of the dead"] == "None"
    assert told["left"] == 0
    assert told["scratch"] == [0, 1, 2]
    assert not janitor.find()
