"""What a task of Dask's is: an alias, a chunk fused with what returns it, a copy from elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import dask
import dask.array as da
from dask._task_spec import Alias, Task, convert_legacy_graph

from dask_napari.sink._tasks import chunk_within, is_alias, ran_here


def specs_of_compute(array: da.Array) -> list[object]:
    """What workers get for ``array.compute()``: optimized, the chunks joined, and fused."""
    from dask.base import collections_to_expr

    graph = collections_to_expr(array).optimize().finalize_compute().optimize().__dask_graph__()
    return [*convert_legacy_graph(dict(graph)).values()]


def test_the_only_chunk_of_an_array_is_found_within_what_returns_it():
    with dask.config.set({"array.query-planning": False}):
        array = da.ones((4, 4), chunks=4) + 1
        (found,) = filter(None, map(chunk_within, specs_of_compute(array)))
        assert found == (array.name, 0, 0)
        several = da.ones((4, 4), chunks=2) + 1
        assert not any(map(chunk_within, specs_of_compute(several)))


def test_an_alias_is_one():
    assert is_alias(SimpleNamespace(run_spec=Alias("a", "b")))
    assert not is_alias(SimpleNamespace(run_spec=Task("a", sum, [1])))


def test_what_was_fetched_did_not_run_here():
    def task(spec: object, *actions: str) -> SimpleNamespace:
        return SimpleNamespace(run_spec=spec, startstops=[{"action": a} for a in actions])

    spec = Task("a", sum, [1])
    assert ran_here(task(spec, "transfer", "compute"))
    assert not ran_here(task(None, "transfer"))
    assert not ran_here(task(spec, "transfer"))
