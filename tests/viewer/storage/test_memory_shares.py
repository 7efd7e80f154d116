"""A window within a limit of memory: what is on disk is shown, and the dock says how much is."""

from __future__ import annotations

import numpy as np
import pytest

from dask_napari.model import Item, LayerSpec
from dask_napari.stream.receive import IDLE_BYTES
from dask_napari.viewer.app._live_viewer import LiveViewer
from dask_napari.viewer.storage import BlockStore, board_and_store
from dask_napari.viewer.storage._scratch import Scratch

MIB = 1 << 20


@pytest.fixture
def store(tmp_path):
    return BlockStore(16 * MIB, lambda: Scratch(tmp_path, reserve=0))


@pytest.fixture
def live(viewer, source, store):
    live = LiveViewer(viewer, source, source.board, store)
    live.pump.stop()
    yield live
    live.close()
    live.dock.close()


def frame(t: int, **more) -> Item:
    picture = np.full((512, 1024), t, np.uint16)
    return Item("raw", "image", picture, {"t": t, "c": t % 2}, **more)


def test_pictures_on_disk_are_shown_when_they_are_looked_at(live, put, store, viewer):
    put(*map(frame, range(40)))
    assert store.settle(30)
    assert store.in_memory <= store.limit
    assert store.on_disk >= 24 * MIB
    layer = viewer.layers["raw"]
    for t in (0, 17, 39):
        viewer.dims.set_current_step(0, t)
        viewer.dims.set_current_step(1, t % 2)
        live.pump.tick()
        assert int(np.asarray(layer._slice.image.raw).max()) == t
    live.dock.refresh()
    assert "of 0.0 GiB in memory" in live.dock.memory.text()
    assert "GiB on disk" in live.dock.memory.text()


def test_another_layout_reads_nothing_back_and_keeps_the_contrast(live, put, store, viewer):
    put(*map(frame, range(40)))
    assert store.settle(30)
    reads = []
    read = store._scratch.read
    store._scratch.read = lambda *a: reads.append(1) or read(*a)
    live.layers.choose("c", "layer")
    assert len(reads) == 0
    live.pump.tick(force=True)
    assert len(reads) <= 4  # what is on the screen
    low, high = viewer.layers["raw [1]"].contrast_limits
    assert (low, high) == (0, 39)  # flat pictures: with 0, to be told from black


def test_what_is_replaced_leaves_memory_and_disk(live, put, store):
    for _ in range(4):
        put(*map(frame, range(40)))
    assert store.settle(30)
    assert store.in_memory <= store.limit
    assert store.on_disk <= 40 * MIB


def test_what_waits_for_the_disk_waits_on_the_board(viewer, source, tmp_path):
    store = BlockStore(16 * MIB, lambda: Scratch(tmp_path, reserve=0))
    live = LiveViewer(viewer, source, source.board, store)
    live.pump.stop()
    try:
        source.specs["raw"] = LayerSpec("raw", "image")
        for t in range(200):
            source.board.put(frame(t))
        most = 0
        while len(source.board):
            live.pump.tick()
            most = max(most, store.in_memory)
            if store.behind:
                assert store.settle(30)
        assert most <= store.limit + 16 * MIB
        assert source.board.tallies()["", "raw"].shown == 200
    finally:
        live.close()
        live.dock.close()


def test_memory_is_shared_out():
    board, store = board_and_store(1 << 30)
    assert board.limit + store.limit + IDLE_BYTES == 1 << 30
    assert board_and_store(None)[1].limit is None
    assert board_and_store(64)[0].limit == 16
