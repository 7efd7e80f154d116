"""Measure what the dock costs the window, and the feed and the dashboard's page the scheduler.

The window has 100 taps of 1000 tasks each, and 200 workers; the peer is one frame of napari's
canvas, which it draws whenever something moves. The scheduler has 100 000 tasks that wait, and the
ceiling is the 10 ms for which the feed may keep its event loop. ``benchmarks.pointer`` measures the
pointer, and the states over the pictures.
"""

from __future__ import annotations

import gc
import itertools
import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import napari
import numpy as np
from distributed import Client, Event, LocalCluster

from benchmarks.report import milliseconds, publish, table
from dask_napari.live._cluster_feed import KEYS_TOLD, ClusterFeed
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.model import Item, ItemMeta, LayerSpec, Provenance, TaskStatus
from dask_napari.sink import NapariSink
from dask_napari.stream import Control
from dask_napari.stream.receive import ANY_IPC, Board, PeerInfo, Receiver
from dask_napari.tap import Tap
from dask_napari.viewer.dock import LiveDock
from dask_napari.viewer.layers import Layers

TAPS, TASKS, WORKERS = 100, 1000, 200

CEILING = 10.0
"""Milliseconds for which the feed may keep the event loop of a scheduler."""


class CrowdedReceiver(Receiver):
    """A receiver to which 200 workers stream, as the dock sees it."""

    def peers(self) -> list[PeerInfo]:
        """Return the workers."""
        return [
            PeerInfo(f"tcp://10.0.0.{n}:1", f"10.0.0.{n}", "inline", True, 9, 1000)
            for n in range(WORKERS)
        ]


def window() -> list[list[object]]:
    """Return what looks of the dock cost."""
    viewer = napari.Viewer()
    layers, receiver = Layers(viewer), CrowdedReceiver([ANY_IPC], Board())
    dock = LiveDock(receiver, layers)
    dock._timer.stop()
    viewer.window.add_dock_widget(dock, name="Dask live", area="right")
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    layers.put(
        Item("picture", "image", np.ones((512, 512), "u2"), {}), LayerSpec("picture", "image")
    )
    layers.update(0.0, force=True)

    def learn(tap: int, task: int, state: str, run_id: int = 0) -> None:
        key = Provenance(f"task_{tap}-{task}", "tcp://10.0.0.1:1", run_id)
        meta = ItemMeta(f"layer {tap}", "labels", {"n": task}, key)
        layers.catalogue.learn(TaskStatus(meta, state, "RuntimeError: camera"))  # type: ignore

    def tell(done: int) -> None:
        taps = [
            {
                "layer": f"layer {n}",
                "kind": "labels",
                "select": f"task_{n}",
                "counts": [TASKS - done - 2, 1, done, 1],
                "groups": [f"task_{n}"],
            }
            for n in range(TAPS)
        ]
        groups = [{"name": f"task_{n}"} for n in range(2 * TAPS)]
        state = {"scheduler": "tcp://s:1", "workers": WORKERS, "taps": taps, "groups": groups}
        receiver.cluster.hear({"cluster": state})

    for tap in range(TAPS):
        for task in range(TASKS):
            learn(tap, task, "expected" if task else "failed", run_id=int(not task))
    tell(0)
    dock.refresh()
    turn = iter(range(1, 10**6))

    def move() -> None:
        tell(next(turn))
        dock.refresh()

    def fail() -> None:
        number = next(turn)
        for task in range(1, 101):
            learn(number % TAPS, task, "failed", number)
        dock.refresh()

    frame = milliseconds(canvas.render)
    rows = [
        ["one frame of the canvas", frame],
        ["a look in which nothing has changed", milliseconds(dock.refresh)],
        ["a look after all rows have changed, and the news itself", milliseconds(move)],
        ["a look after 100 tasks have failed, and the news itself", milliseconds(fail)],
    ]
    dock.close()
    viewer.close()
    return [[name, took, took / frame] for name, took in rows]


def on_scheduler(dask_scheduler: Any, many: list[str]) -> dict[str, float]:
    """Return the milliseconds that requests of the feed take a scheduler."""
    (name,) = (n for n in dask_scheduler.plugins if n.endswith("-tasks"))
    watch, handlers = dask_scheduler.plugins[name], dask_scheduler.handlers

    def longest(requests: Iterable[Callable[[], Any]]) -> float:
        slowest = 0.0
        for request in requests:
            began = time.thread_time()
            answer = request()
            slowest = max(slowest, 1e3 * (time.thread_time() - began))
            if answer and not answer["more"]:
                break
        return slowest

    gc.collect()
    gc.disable()  # a collection takes 0.7 s, whoever's turn it is
    turns = itertools.repeat(handlers[name])
    took = {"the longest turn after a tap by name": longest(turns)}
    took["a turn in which nothing has changed"] = milliseconds(handlers[name])
    handlers[name]([("keys", "many", 2, "some")])
    parts = [many[first : first + KEYS_TOLD] for first in range(0, len(many), KEYS_TOLD)]
    keys = (partial(handlers[f"{name}-keys"], name="many", keys=part) for part in parts)
    took[f"the longest part of {len(many):,} keys that are told"] = longest([*keys])
    took["the longest turn after that"] = longest(turns)
    took["the rows of the dashboard's page"] = milliseconds(watch.rows)
    gc.enable()
    return took


def scheduler() -> list[list[object]]:
    """Return what the feed costs a scheduler."""
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        Receiver([ANY_IPC], Board()) as receiver,
    ):
        gate = Event("gate")
        first = client.submit(gate.wait, 600, pure=False)
        while not any(client.processing().values()):
            time.sleep(0.1)
        # They wait in the scheduler's queue, for the one thread that there is.
        keys = [f"inc-{n}" for n in range(TAPS * TASKS)]
        futures = client.map(max, keys, key=keys)
        sink = NapariSink(receiver.addresses, name=f"dask-napari-{uuid.uuid4().hex[:8]}")
        sinks, control = ClusterSinks(client, sink), Control(receiver.addresses)
        sinks.register()
        feed = ClusterFeed(sinks, control, receiver.addresses)
        feed.start()
        sinks.change(lambda taps: taps.added([Tap("inc", layer="raw", at="{n:d}")]))
        while not receiver.cluster.take_statuses():
            time.sleep(0.1)
        feed._closed.set()  # it asks no more, and its plugin stays
        feed._thread.join()
        took = client.run_on_scheduler(on_scheduler, many=keys)
        sinks.close()
        control.close()
        del futures, first
    return [[name, number, number / CEILING] for name, number in took.items()]


def main() -> None:
    """Measure both, and publish the figures."""
    title = f"The window: {TAPS * TASKS:,} tasks, {WORKERS} workers"
    texts = [table(title, ["", "ms", "frames"], window())]
    title = f"The scheduler: {TAPS * TASKS:,} tasks"
    texts.append(table(title, ["", "ms", "of the 10 ms"], scheduler()))
    publish("Dock", "python -m benchmarks.dock", "\n".join(texts))


if __name__ == "__main__":
    main()
