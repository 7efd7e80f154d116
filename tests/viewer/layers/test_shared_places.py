"""Tasks that replace each other's outputs are noted, others are not."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel

from dask_napari.model import Item, Provenance
from dask_napari.viewer.layers import Layers


def output(task: str, step: int, run: int = 1) -> Item:
    data = np.zeros((4, 4), "uint8")
    return Item("raw", "image", data, {"step": step}, Provenance(task), run=run)


def test_tasks_that_share_places_are_noted():
    layers = Layers(ViewerModel())
    for task in ("a", "b", "c"):
        for step in (0, 1):
            layers.put(output(task, step), None)
    (report,) = layers.reports.all()
    assert report.note
    assert report.text.startswith("3 tasks fill 2 places, and replace each other's outputs there")


def test_a_task_that_runs_again_and_another_run_share_no_place():
    layers = Layers(ViewerModel())
    for item in (output("a", 0), output("a", 0), output("b", 1), output("b", 0, run=2)):
        layers.put(item, None)
    assert not any("tasks" in report.text for report in layers.reports.all())
