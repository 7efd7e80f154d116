"""Compare every pixel on the screen with its task, for a long time: ``make audit``.

Rounds of tasks on two workers return pictures, labels, points and shapes: views of much larger
arrays, arrays of many types, outputs that cannot be read or whose size is a lie; some tasks fail.
Workers and the viewer, a napari window, are killed and restarted in the middle of rounds. After
each round every place of it, and of one round before it, is read from the napari layers and
compared with the value that its task returned: none may be missing, wrong, or there without a
task. At the end, all rounds since the viewer began are compared. The exit status is 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client, Future, LocalCluster, Worker, wait

from benchmarks import audit_tasks as tasks
from benchmarks.report import publish, table
from benchmarks.viewer_process import ViewerProcess
from dask_napari import mosaic
from dask_napari.sink import NapariSink
from dask_napari.stream.auth import Security
from dask_napari.tap import Tap

DEADLINE = 120.0
"""Seconds for a round to be on the screen, after kills of both ends on a busy machine."""

PLATE = [mosaic("well", plate=24, gutter=0.25)]
PITCH = tasks.TILE[0] * 5 // 4, tasks.TILE[1] * 5 // 4
"""Pixels from one well to the next, with the gutter."""

ON_PLATE = ("crop", "label")

TAPS = (
    Tap("crop", layer="crop", at=tasks.on_plate, axes=PLATE, policy="keep"),
    Tap("label", layer="label", kind="labels", at=tasks.on_plate, axes=PLATE, policy="keep"),
    Tap("film", layer="film", at=tasks.on_slider, policy="keep"),
    Tap("find", layer="find", kind="points", at=tasks.on_slider, policy="keep"),
    Tap("trace", layer="trace", kind="shapes", at=tasks.on_slider, policy="keep"),
    Tap("misbehave", layer="misbehave", at=tasks.on_slider, policy="keep"),
    Tap("fail", layer="fail", at=tasks.on_slider, policy="keep"),
)

EVENTS = ("kill worker", "kill viewer", "restart worker", "restart viewer")


def expected(layer: str, turn: int, place: int) -> np.ndarray | None:
    """Return the value that a layer must show at a place; None if nothing is to be there."""
    if layer == "fail" and place % 4 == 0:
        return None
    if layer == "misbehave" and place % 3 == 1:
        return None
    match layer:
        case "label":
            return tasks.mask(turn, place)
        case "film":
            return tasks.frame(turn, place)
        case "find":
            return tasks.spot(turn, place)
        case "trace":
            return tasks.outline(turn, place)
        case _:
            return tasks.tile(turn, place)


async def close_worker(dask_worker: Worker) -> None:
    """Close a worker as its nanny does, which starts another one."""
    asyncio.get_running_loop().call_later(
        0.1, lambda: asyncio.ensure_future(dask_worker.close(nanny=False))
    )


# -- the viewer's process ------------------------------------------------------------------------


class Screen:
    """napari window with a receiver, and the comparison of its layers with the tasks."""

    def __init__(self, address: str, security: Security) -> None:
        import napari

        from dask_napari.stream.receive import Receiver
        from dask_napari.stream.shm import janitor
        from dask_napari.viewer.app import LiveViewer
        from dask_napari.viewer.storage import board_and_store

        janitor.sweep()  # leftovers of a viewer that was killed, as the real one does
        board, store = board_and_store(64 << 20)  # a part of the pictures lies on disk
        self.receiver = Receiver([address], board, security=security)
        self.receiver.start()
        self.viewer = napari.Viewer()
        self.live = LiveViewer(self.viewer, self.receiver, board, store)

    def run(self) -> None:
        """Answer the lines of standard input until it closes."""
        import napari
        from qtpy.QtCore import QSocketNotifier

        notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)

        def read() -> None:
            line = sys.stdin.readline()
            if not line:
                notifier.setEnabled(False)
                self.viewer.close()
                return
            print(json.dumps(self.answer(json.loads(line))), flush=True)

        notifier.activated.connect(read)
        print(json.dumps({"addresses": self.receiver.addresses}), flush=True)
        napari.run()
        self.live.close()
        self.receiver.close()

    def answer(self, turns: list[int]) -> dict[str, Any]:
        """Return the ledger, and the faults of some rounds."""
        self.live.pump.drain()
        total = self.receiver.ledger().total
        faults = [fault for turn in turns for fault in self.compare(turn)]
        return {
            "balanced": self.receiver.ledger().balanced,
            "selected": total.selected,
            "shown": total.shown,
            "dropped": dict(total.dropped),
            "pending": total.pending,
            "faults": faults,
            "places": len(turns) * len(TAPS) * tasks.PLACES,
        }

    def compare(self, turn: int) -> list[tuple[str, str]]:
        """Return the places of a round that are not as they must be, and how they are."""
        faults = []
        for tap in TAPS:
            assert isinstance(tap.layer, str)
            for place in range(tasks.PLACES):
                value = expected(tap.layer, turn, place)
                try:
                    found = self.read(tap.layer, turn, place, value)
                except (KeyError, IndexError):  # the layer, the round or the place is unknown
                    found = None
                empty = found is None or not np.any(found)
                if value is None:
                    fault = "" if empty else "there without a task"
                elif empty:
                    fault = "missing"
                else:
                    fault = "" if np.array_equal(found, value) else "wrong"  # type: ignore[arg-type]
                if fault:
                    faults.append((fault, f"{tap.layer} {tasks.name_of(turn, place)}"))
        return faults

    def read(self, layer: str, turn: int, place: int, value: np.ndarray | None) -> np.ndarray:
        """Return the pixels or vertices that a napari layer shows at a place."""
        data = self.viewer.layers[layer].data
        steps = {"round": self.live.layers.axes["round"].index(turn)}
        if layer not in ON_PLATE:
            steps["n"] = self.live.layers.axes["n"].index(place)
        names = self.live.layers.axes.names
        if layer in ("find", "trace"):
            return self.vertices(data, names, steps)
        plane = np.asarray(data[tuple(steps.get(name, 0) for name in names)])
        if layer in ON_PLATE:
            row, column = divmod(place, tasks.COLUMNS)
            corner = plane[row * PITCH[0] :, column * PITCH[1] :]
            return corner[: tasks.TILE[0], : tasks.TILE[1]]
        shape = tasks.TILE if value is None else value.shape
        return plane[: shape[0], : shape[1]]

    def vertices(self, data: Any, names: tuple[str, ...], steps: dict[str, int]) -> np.ndarray:
        """Return the (y, x) of a layer's elements at some steps."""
        if not len(data):
            raise KeyError("the layer is empty")
        rows = np.concatenate(data) if isinstance(data, list) else np.asarray(data)
        at_place = np.ones(len(rows), bool)
        for name, step in steps.items():
            at_place &= rows[:, names.index(name)] == step
        return rows[at_place][:, -2:]


# -- the audit -----------------------------------------------------------------------------------


class Audit:
    """Rounds, disturbances and comparisons, with the counts of both."""

    def __init__(self, client: Client, cluster: LocalCluster, screen: ViewerProcess) -> None:
        self.client = client
        self.cluster = cluster
        self.screen = screen
        self.turn = 0
        self.since = 0
        """First round of the present viewer: those before it are no longer in memory."""
        self.outputs = self.places = 0
        self.faults: Counter[str] = Counter()
        self.events: Counter[str] = Counter()

    def run(self, minutes: float, every: float) -> None:
        """Compute and compare until the time is over."""
        end = time.monotonic() + 60 * minutes
        disturbed = time.monotonic()
        while time.monotonic() < end:
            due = time.monotonic() - disturbed > every
            self.round(EVENTS[self.events.total() % len(EVENTS)] if due else "")
            if due:
                disturbed = time.monotonic()
        self.look([*range(self.since, self.turn)])

    def round(self, event: str) -> None:
        """Compute one round, with a disturbance in its middle, and compare it."""
        names = [tasks.name_of(self.turn, place) for place in range(tasks.PLACES)]
        futures: list[Future] = []
        for tap in TAPS:
            futures += self.client.map(getattr(tasks, str(tap.layer)), names, pure=False)
        if event:
            wait(futures[: len(futures) // 2], timeout=DEADLINE)
            self.disturb(event)
        wait(futures, timeout=DEADLINE)
        self.outputs += sum(future.status == "finished" for future in futures)
        self.turn += 1
        earlier = range(self.since, self.turn - 1)
        self.look([self.turn - 1, *([earlier[self.turn * 7 % len(earlier)]] if earlier else [])])

    def disturb(self, event: str) -> None:
        """Kill or restart a worker or the viewer."""
        self.events[event] += 1
        print(f"{event} after {self.outputs} outputs", flush=True)
        if event.endswith("viewer"):
            self.screen.end(kill=event.startswith("kill"))
            self.screen.start()
            self.since = self.turn
            return
        address = sorted(self.client.scheduler_info()["workers"])[self.turn % 2]
        if event.startswith("kill"):
            nanny = next(n for n in self.cluster.workers.values() if n.worker_address == address)
            assert nanny.process is not None
            os.kill(nanny.process.pid, signal.SIGKILL)
        else:
            # `Client.restart_workers` loses a worker once in some ten times, with Dask alone too.
            self.client.run(close_worker, workers=[address])
        deadline = time.monotonic() + DEADLINE
        while len(workers := self.client.scheduler_info()["workers"]) < 2 or address in workers:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{event}: no worker came back")
            time.sleep(0.1)

    def look(self, turns: list[int]) -> None:
        """Wait until rounds are on the screen, and count the faults that stay."""
        deadline = time.monotonic() + DEADLINE
        while True:
            state = self.screen.ask(json.dumps(turns))
            if not state["balanced"]:
                self.fault("the ledger does not balance", str(state))
            if not state["pending"] and not state["faults"]:
                break
            if time.monotonic() > deadline:
                for fault, place in state["faults"] or [("pending", str(state))]:
                    self.fault(fault, place)
                break
            time.sleep(0.2)
        self.places += state["places"]

    def fault(self, kind: str, text: str) -> None:
        """Count a fault, and say it."""
        self.faults[kind] += 1
        print(f"FAULT: {kind}: {text}", flush=True)


def main() -> int:
    """Run the audit; the exit status is 1 if anything was not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=45.0, help="seconds between disturbances")
    parser.add_argument("--viewer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.viewer:
        Screen(options.viewer, Security.loads(sys.stdin.readline())).run()
        return 0
    folder = tempfile.TemporaryDirectory(prefix="audit-")
    security = Security.generate()
    screen = ViewerProcess("benchmarks.audit", "tcp://127.0.0.1:0", greeting=security.dumps())
    try:
        with (
            folder,
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                dashboard_address=None,
                # Tasks that fail are part of the audit; each would be logged with its traceback.
                silence_logs=logging.CRITICAL,
                local_directory=Path(folder.name),
            ) as cluster,
            Client(cluster) as client,
        ):
            sink = NapariSink([screen.address], TAPS, security=security.client())
            client.register_plugin(sink)
            audit = Audit(client, cluster, screen)
            audit.run(options.minutes, options.every)
            state = screen.ask("[]")
    finally:
        screen.end(kill=False)
    rows = [
        ("outputs", audit.outputs),
        ("places compared", audit.places),
        *audit.events.items(),
        *{"missing": 0, "wrong": 0, "there without a task": 0, **audit.faults}.items(),
        ("dropped, of the last viewer", state["dropped"]),
    ]
    text = table(f"{options.minutes:g} minutes, {audit.turn} rounds", ["", ""], rows)
    publish("audit", "make audit", text)
    return 1 if audit.faults else 0


if __name__ == "__main__":
    sys.exit(main())
