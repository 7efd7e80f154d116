"""The store: blocks within a limit of memory, the rest on disk, and none lost."""

from __future__ import annotations

import gc
import logging
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from dask_napari.canvas import CanvasAxes
from dask_napari.canvas.pixels import Canvas
from dask_napari.stream.receive._pool import BlockPool
from dask_napari.viewer.storage import BlockStore
from dask_napari.viewer.storage._scratch import Scratch

MIB = 1 << 20


def block(n: int, nbytes: int = MIB) -> np.ndarray:
    return np.full(nbytes, n, np.uint8)


@pytest.fixture
def store(tmp_path):
    with BlockStore(16 * MIB, lambda: Scratch(tmp_path, reserve=0)) as store:
        yield store


class GatedScratch(Scratch):
    """Writes when it is let to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, reserve=0)
        self.asked = threading.Event()
        self.gate = threading.Event()

    def write(self, array):
        self.asked.set()
        assert self.gate.wait(30)
        return super().write(array)


def test_blocks_go_to_disk_and_come_back(store):
    held = [store.hold(block(n)) for n in range(64)]
    assert store.settle(30)
    assert store.in_memory <= store.limit
    assert store.on_disk >= 48 * MIB
    for n, each in enumerate(held):
        np.testing.assert_array_equal(each.get(), block(n))
        assert (each.shape, each.dtype) == ((MIB,), np.uint8)
    assert store.settle(30)
    assert store.in_memory <= store.limit


def test_what_is_looked_at_stays_and_coarser_copies_go_last(store):
    looked_at = store.hold(block(1))
    copy = store.hold(block(2), 1)
    array = looked_at.get()
    held = []
    for n in range(40):
        held.append(store.hold(block(n)))
        assert looked_at.get() is array
        assert store.settle(30)
    assert looked_at.get() is array
    reads = []
    store._scratch.read = lambda *a: reads.append(a)  # a copy that was on disk would be read
    copy.get()
    assert reads == []


def test_a_block_that_was_read_back_is_not_written_again(store):
    held = [store.hold(block(n)) for n in range(40)]
    assert store.settle(30)
    for _ in range(3):
        for each in held:
            each.get()
        assert store.settle(30)
    assert store.on_disk <= 40 * MIB


def test_nobody_waits_for_the_disk(tmp_path):
    scratch = GatedScratch(tmp_path)
    with BlockStore(16 * MIB, lambda: scratch) as store:
        held = [store.hold(block(n)) for n in range(15)]
        assert scratch.asked.wait(30)
        # The writer is in the middle of a write; all go on, and the block is still in memory.
        held += [store.hold(block(n)) for n in range(15, 20)]
        assert [each.get()[0] for each in held] == list(range(20))
        assert store.behind
        assert store.room == 1
        scratch.gate.set()
        assert store.settle(30)
        assert not store.behind
        assert [each.get()[0] for each in held] == list(range(20))


def test_what_is_replaced_is_freed_in_memory_and_on_disk(store):
    held = [store.hold(block(n)) for n in range(64)]
    assert store.settle(30)
    assert store.on_disk > 0
    del held[:32]
    held.clear()
    assert store.in_memory == 0
    freed = threading.Event()
    watch = threading.Thread(target=lambda: _until(lambda: store.on_disk == 0, freed))
    watch.start()
    assert freed.wait(30)
    watch.join()
    assert store._scratch.allocated <= 64 << 10


def _until(condition, event: threading.Event) -> None:
    for _ in range(3000):
        if condition():
            event.set()
            return
        threading.Event().wait(0.01)


def test_a_block_that_dies_while_it_is_written_leaves_nothing(tmp_path):
    scratch = GatedScratch(tmp_path)
    with BlockStore(16 * MIB, lambda: scratch) as store:
        held = [store.hold(block(n)) for n in range(15)]
        assert scratch.asked.wait(30)
        held.clear()
        assert store.in_memory == 0
        scratch.gate.set()
        assert store.settle(30)
        freed = threading.Event()
        _until(lambda: store.on_disk == 0, freed)
        assert freed.is_set()


def test_a_full_disk_is_said_once_and_everything_stays(tmp_path, caplog):
    with (
        caplog.at_level(logging.WARNING),
        BlockStore(16 * MIB, lambda: Scratch(tmp_path, reserve=1 << 60)) as store,
    ):
        held = [store.hold(block(n)) for n in range(64)]
        assert store.settle(30)
        assert not store.behind  # or nothing would be shown any more
        assert "left to others" in store.trouble
        assert [each.get()[0] for each in held] == list(range(64))
        store._retry_at = 0.0
        held.append(store.hold(block(64)))
        assert store.settle(30)
    assert len([r for r in caplog.records if "stay in memory" in r.message]) == 1


def test_a_place_on_disk_that_cannot_be_made_is_no_crash(tmp_path, caplog):
    with BlockStore(16 * MIB, lambda: Scratch(tmp_path / "missing", reserve=0)) as store:
        held = [store.hold(block(n)) for n in range(32)]
        assert store.settle(30)
        assert store.trouble
        assert [each.get()[0] for each in held] == list(range(32))


def test_without_a_limit_nothing_goes_to_disk():
    store = BlockStore()
    held = [store.hold(block(n)) for n in range(32)]
    assert store.in_memory == sum(each.get().nbytes for each in held)
    assert (store.on_disk, store.behind, store._thread) == (0, False, None)


def test_tiny_blocks_alone_do_not_stop_the_stream(store):
    held = [store.hold(block(1, 1000)) for _ in range(20_000)]
    assert store.settle(30)
    assert store.in_memory == 20_000_000 > store.limit
    assert not store.behind
    assert len(held) == 20_000


def test_canvases_share_the_limit_and_show_what_they_would(store):
    axes = CanvasAxes()
    bounded = [Canvas(axes, store=store.hold) for _ in range(2)]
    free = [Canvas(axes) for _ in range(2)]
    for n in range(48):
        picture = np.random.default_rng(n).integers(0, 255, (1024, 512), np.uint8)
        for canvas in bounded[n % 2], free[n % 2]:
            canvas.put({"t": n % 30}, picture)
    assert store.settle(30)
    assert store.on_disk > 0
    for mine, theirs in zip(bounded, free, strict=True):
        for t in range(30):
            np.testing.assert_array_equal(mine[t], theirs[t])


def test_laying_blocks_out_again_reads_nothing_back(store):
    blocks = [store.hold(block(t).reshape(1024, 1024)) for t in range(40)]
    canvas = Canvas(CanvasAxes(), store=store.hold)
    for t, held in enumerate(blocks):
        canvas.put({"t": t}, held)
    assert store.settle(30)
    reads = []
    read = store._scratch.read
    store._scratch.read = lambda *a: reads.append(1) or read(*a)
    other = Canvas(CanvasAxes(), store=store.hold)
    for z, held in enumerate(blocks):
        other.put({"z": z}, held)
    assert reads == []
    assert other[0][0, 0] == 0
    assert reads == [1]


def test_memory_goes_back_to_the_system(tmp_path):
    """What blocks of the receiver's pool took is returned when they have gone to disk."""
    pool = BlockPool()
    process = psutil.Process()
    with BlockStore(64 * MIB, lambda: Scratch(tmp_path, reserve=0)) as store:
        gc.collect()
        before = process.memory_info().rss
        held = []
        for n in range(600):
            array = pool.empty((1024, 512), np.dtype(np.uint16))
            array[:] = n
            held.append(store.hold(array))
            del array
            if store.behind:
                assert store.settle(30)
        assert store.settle(30)
        grown = process.memory_info().rss - before
        # The limit, what the pool keeps warm (128 MiB), and some slack for slabs in part use.
        assert grown < 300 * MIB
        assert pool.lent <= 64 * MIB
        assert store.on_disk > 500 * MIB
        assert [int(each.get()[0, 0]) for each in held] == list(range(600))
        assert process.memory_info().rss - before < 300 * MIB
