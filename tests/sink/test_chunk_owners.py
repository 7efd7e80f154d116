"""A chunk that several tasks have in hands is streamed by one of them."""

from __future__ import annotations

from types import SimpleNamespace

import dask.array as da
import pytest
from dask._task_spec import Alias, Task

from dask_napari.sink import tapped
from dask_napari.sink._chunk_owners import is_source_stored, is_streamed_elsewhere, source_task
from dask_napari.tap import Tap, TapSet

ARRAY = da.zeros((8, 8), chunks=4, name="zeros")
_, (WRITTEN,) = tapped(ARRAY, layer="a")
WATCHED = WRITTEN.compile()
KEY = WRITTEN.select.name, 0, 1
SOURCE = "zeros", 0, 1


def task(*dependencies: tuple, spec: object = None, state: str = "memory") -> SimpleNamespace:
    others = [SimpleNamespace(key=key, state=state) for key in dependencies]
    return SimpleNamespace(key=KEY, run_spec=spec or Task("a", sum, [1]), dependencies=others)


@pytest.mark.parametrize(
    ("taps", "dependencies", "expected"),
    [
        ([Tap(ARRAY, layer="a")], [SOURCE], True),
        ([Tap(ARRAY, layer="a")], [("zeros", 0, 0)], False),
        ([Tap(ARRAY, layer="b")], [SOURCE], False),  # there it is another layer's
        ([Tap("zeros", layer="a")], [SOURCE], False),  # by name, which says nothing of chunks
        ([], [SOURCE], False),
    ],
)
def test_a_chunk_of_a_source_that_is_tapped_is_streamed_there(taps, dependencies, expected):
    taps = TapSet([*taps, WRITTEN])
    assert bool(source_task(taps, WATCHED, KEY, task(*dependencies))) is expected
    assert is_streamed_elsewhere(taps, WATCHED, task(*dependencies)) is expected
    assert is_source_stored(taps, WATCHED, task(*dependencies)) is expected


def test_without_a_task_there_is_none_of_the_source():
    assert not source_task(TapSet([Tap(ARRAY, layer="a"), WRITTEN]), WATCHED, KEY, None)


def test_a_source_that_was_released_is_not_in_memory():
    taps = TapSet([Tap(ARRAY, layer="a"), WRITTEN])
    assert not is_source_stored(taps, WATCHED, task(SOURCE, state="released"))


def test_an_alias_of_a_watched_chunk_has_been_streamed():
    alias = task(spec=Alias(KEY, ("fused", 0, 1)))
    assert is_streamed_elsewhere(TapSet([WRITTEN]), WATCHED, alias)
    assert not is_streamed_elsewhere(TapSet([WRITTEN]), WATCHED, task())


def test_other_taps_watch_nothing():
    plain = Tap(ARRAY, layer="a")
    alias = task(SOURCE, spec=Alias(KEY, ("fused", 0, 1)))
    assert not is_streamed_elsewhere(TapSet([plain]), plain.compile(), alias)
    assert not is_source_stored(TapSet([plain]), plain.compile(), alias)
