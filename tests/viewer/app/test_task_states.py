"""States of tasks on their way into the catalogue of a viewer."""

from __future__ import annotations

import numpy as np

from dask_napari.model import Item, ItemMeta, Provenance, TaskStatus
from dask_napari.viewer.app import _pump as module


def told(state: str, key: str, run_id: int = 0, **position) -> TaskStatus:
    return TaskStatus(ItemMeta("cells", "labels", position, Provenance(key, "w", run_id)), state)


def cells(key: str, run_id: int, **position) -> Item:
    return Item(
        "cells", "labels", np.ones((8, 8), np.uint8), position, Provenance(key, "w", run_id)
    )


def test_tasks_without_items_make_no_layers_and_their_items_do(live, source, viewer, put):
    catalogue = live.layers.catalogue
    source.cluster.tell([told("expected", f"k{n}", t=n) for n in range(3)], 1, 100)
    source.cluster.tell([told("running", "k0", 7, t=0)], 1, 100)
    live.pump.tick()
    assert catalogue.counts("cells") == {"expected": 2, "running": 1}
    assert list(viewer.layers) == []
    assert live.layers.runs == ()
    put(cells("k0", 7, t=0))
    assert catalogue.counts("cells") == {"expected": 2, "shown": 1}
    assert [layer.name for layer in viewer.layers] == ["cells"]
    live.layers.clear_run(1)
    assert len(catalogue) == 0


def test_a_tick_enters_a_bounded_number_of_states(live, source, monkeypatch):
    monkeypatch.setattr(module, "STATUSES", 10)
    for first in range(0, 40, 8):
        statuses = [told("expected", f"k{n}", t=n) for n in range(first, first + 8)]
        source.cluster.tell(statuses, 1, 100)
    live.pump.tick()
    assert live.layers.catalogue.count("cells", "expected") == 16
    for _ in range(2):
        live.pump.tick()
    assert live.layers.catalogue.count("cells", "expected") == 40
