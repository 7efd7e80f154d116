"""Dask's internals: aliases, fused chunks, spilled outputs; and the two modules that touch them."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from dask._task_spec import Alias, Task, convert_legacy_graph
from distributed.spill import SpillBuffer

import dask_napari
from dask_napari.sink.dask_internals import (
    is_alias,
    only_chunk_in,
    read_output,
    was_computed_here,
)

PACKAGE = Path(dask_napari.__file__).parent

INTERNALS = {
    # of TaskState and Task
    *("run_spec", "startstops", "dependencies", "start_time", "task_counter"),
    # of a worker
    *("who_has", "memory_manager", "monitor", "metrics", "active_threads", "active_keys"),
    *("_instances", "require_encryption", "plugins"),
    # of its data
    *("fast", "slow"),
    # of a scheduler and a client
    *("task_prefixes", "worker_plugins", "has_what", "scheduler_comm"),
}
"""Attributes that nothing of ours has, so that who names one means Dask's."""

MODULES = ("dask._task_spec", "distributed.comm", "distributed.core", "distributed.utils", "zict")
"""Modules of Dask's without documentation; types for annotations may come from elsewhere."""


def named_internals(path: Path) -> set[str]:
    """Return which internals of Dask a file names: by attribute, and by import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in INTERNALS:
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(MODULES):
            found.add(str(node.module))
        elif isinstance(node, ast.Constant) and node.value == "_execute_subgraph":
            found.add(node.value)
    return found


def test_two_modules_alone_touch_the_internals_of_dask():
    named = {path.relative_to(PACKAGE): named_internals(path) for path in PACKAGE.rglob("*.py")}
    of_workers = named.pop(Path("sink/dask_internals.py"))
    of_schedulers = named.pop(Path("sink/scheduler_internals.py"))
    assert {path: found for path, found in named.items() if found} == {}
    assert of_workers >= {"run_spec", "startstops", "slow", "memory_manager"}
    assert "task_prefixes" in of_schedulers


# -- tasks -------------------------------------------------------------------------------------


def tasks_of_compute(array: da.Array) -> list[Any]:
    """What workers get for ``array.compute()``: optimized, the chunks joined, and fused."""
    from dask.base import collections_to_expr

    graph = collections_to_expr(array).optimize().finalize_compute().optimize().__dask_graph__()
    specs = convert_legacy_graph(dict(graph)).values()
    return [SimpleNamespace(run_spec=spec) for spec in specs]


def test_the_only_chunk_of_an_array_is_found_within_what_returns_it():
    with dask.config.set({"array.query-planning": False}):
        array = da.ones((4, 4), chunks=4) + 1
        (found,) = filter(None, map(only_chunk_in, tasks_of_compute(array)))
        assert found == (array.name, 0, 0)
        several = da.ones((4, 4), chunks=2) + 1
        assert not any(map(only_chunk_in, tasks_of_compute(several)))


def test_an_alias_is_one():
    assert is_alias(SimpleNamespace(run_spec=Alias("a", "b")))
    assert not is_alias(SimpleNamespace(run_spec=Task("a", sum, [1])))


def test_an_output_that_was_fetched_was_not_computed_here():
    def task(spec: object, *actions: str) -> SimpleNamespace:
        return SimpleNamespace(run_spec=spec, startstops=[{"action": a} for a in actions])

    spec = Task("a", sum, [1])
    assert was_computed_here(task(spec, "transfer", "compute"))
    assert not was_computed_here(task(None, "transfer"))
    assert not was_computed_here(task(spec, "transfer"))


# -- spilled outputs ---------------------------------------------------------------------------

KEYS = ("a", "b", "c")


@pytest.fixture
def spill(tmp_path: Path) -> SpillBuffer:
    """Dask's own buffer of outputs, with three in memory."""
    buffer = SpillBuffer(str(tmp_path), target=10 << 20)
    for number, key in enumerate(KEYS):
        buffer[key] = np.full(100, number)
    return buffer


def worker_with(data: object) -> Any:
    return SimpleNamespace(data=data, state=SimpleNamespace(actors={}))


def test_a_read_changes_nothing_of_what_dask_spills_next(spill):
    spill.fast.evict("c")
    for key in KEYS:
        assert read_output(worker_with(spill), key)[0] == KEYS.index(key)
    assert (list(spill.fast.order), list(spill.slow)) == (["a", "b"], ["c"])
    with pytest.raises(KeyError):
        read_output(worker_with(spill), "released")


def test_an_output_that_dask_moves_meanwhile_is_not_taken_for_released(spill):
    class Moving:
        """A mapping that lacks the output because Dask is moving it at this moment."""

        def __init__(self, data: Any, move: Any) -> None:
            self.data, self.move, self.moves = data, move, 0

        def __contains__(self, key: str) -> bool:
            return key in self.data

        def __getitem__(self, key: str) -> object:
            self.move(key)
            self.moves += 1
            return self.data[key]

    def restore(key: str) -> None:
        """What Dask does when a task needs a spilled output."""
        spill[key]

    # Looked for in memory, while Dask spills it; then on disk, while Dask takes it back.
    fast, slow = Moving(spill.fast.d, spill.fast.evict), Moving(spill.slow, restore)
    racing = SimpleNamespace(fast=SimpleNamespace(d=fast), slow=slow)
    fast.move = lambda key: spill.fast.evict(key) if not fast.moves else None
    assert read_output(worker_with(racing), "a")[0] == 0
    assert (fast.moves, slow.moves) == (2, 1)


def test_outputs_are_read_where_nothing_is_spilled():
    assert read_output(worker_with({"a": 1}), "a") == 1
