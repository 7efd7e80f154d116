"""A tap that matches nothing is named, with what the tasks are called, until it matches."""

from __future__ import annotations

import numpy as np
from distributed import wait

from dask_napari.model import TASK_NAMES_LIMIT
from dask_napari.sink import SINK_NAME, TapsUpdate, worker_counts
from dask_napari.sink._seen_tasks import SeenTasks
from dask_napari.tap import Tap

NEARLY = 'tap "segment" on layer "cells" has matched no task yet; did you mean "segment-cell"?'


def segment(name: str) -> np.ndarray:
    return np.ones((4, 4), "uint8")


def test_a_tap_is_named_until_it_matches(client, viewer):
    taps = {
        "a": Tap("segment", kind="labels", layer="cells"),
        "b": Tap("segment-cell", kind="labels"),
    }
    client.register_plugin(TapsUpdate(taps))
    wait(client.submit(segment, "cell", key="segment-cell"))
    viewer.until(lambda: viewer.receiver.unmatched() == [NEARLY])
    (counts,) = client.run(worker_counts, SINK_NAME).values()
    assert counts["taps"].matched == ['"segment-cell"']
    wait(client.submit(segment, "cell", pure=False))
    viewer.until(lambda: not viewer.receiver.unmatched())


def test_a_tap_that_is_removed_is_not_named(client, viewer):
    client.register_plugin(TapsUpdate({"a": Tap("nothing")}))
    wait(client.submit(segment, "cell", pure=False))
    viewer.until(lambda: "tasks are called" in "".join(viewer.receiver.unmatched()))
    client.register_plugin(TapsUpdate({}))
    viewer.until(lambda: not viewer.receiver.unmatched())


def test_names_are_bounded_and_told_when_they_are_new():
    told = []
    seen = SeenTasks(told.append)
    seen.set_taps([Tap("x").compile()])
    for n in range(2 * TASK_NAMES_LIMIT):
        seen.note(f"task-{n}", ())
        seen.note(f"task-{n}", ())
    seen.note("half of a pair: \ud800", ())
    assert len(told) == 1 + TASK_NAMES_LIMIT
    assert len(told[-1].names) == TASK_NAMES_LIMIT
