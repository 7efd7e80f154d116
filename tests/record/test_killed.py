"""Killed at every step: what is there is whole, and nothing that is not there is counted."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import zarr

from dask_napari.model import Item
from dask_napari.record import Record
from dask_napari.record._files import FULL, PART
from dask_napari.record._store import Store
from record_items import IN_MEMORY, assert_holds, assert_same


class Killed(BaseException):
    """Nothing runs after it that a SIGKILL would not let run, either."""


@contextmanager
def killed_at(step: int, error: BaseException | None = None) -> Iterator[list[int]]:
    """Raise at the call of that number of any function that changes a disk.

    All calls that follow raise, too, since a process ends once; but if ``error`` is given, it is
    raised once.
    """
    calls = [0]

    def deadly(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **how: object) -> object:
            calls[0] += 1
            if calls[0] == step and error is not None:
                raise error
            if calls[0] >= step and error is None:
                raise Killed
            return function(*arguments, **how)

        return call

    names = ("write", "replace", "link", "mkdir")
    if error is None:
        names += ("unlink", "ftruncate")  # which need no room
    with (
        patch.multiple(os, **{name: deadly(getattr(os, name)) for name in names}),
        patch("shutil.rmtree", deadly(__import__("shutil").rmtree)),
    ):
        yield calls


def frames(order: tuple[int, ...], value: int, size: int = 4) -> list[Item]:
    made = [
        Item("raw", "image", np.full((size, size), value + t, "u2"), {"t": f"t{t}"}) for t in order
    ]
    for t in order:
        spots = np.full((t + 1, 2), float(value + t))
        made.append(Item("spots", "points", spots, {"t": t}, arrays={"feature:v": spots[:, 0]}))
    return made


def every_step(play: Callable[[Path, int], bool]) -> int:
    """Play with a kill at each step until none comes any more."""
    for step in range(1, 1000):
        with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
            if not play(Path(folder) / "run.zarr", step):
                return step
    raise AssertionError("it never comes to an end")


def test_while_items_are_written_and_replaced():
    old, new = frames((2, 0, 1), 10), frames((2, 0, 1), 50)
    new += [Item("late", "labels", np.ones((3, 3), "u1"), {"t": 0})]
    # One of another size takes another array.
    new[0] = Item("raw", "image", np.full((9, 9), 7, "u2"), {"t": "t2"})

    def play(path: Path, step: int) -> bool:
        store = Store(path)
        assert set(store.put(old)) == {None}
        dead = False
        with killed_at(step):
            try:
                for item in new:
                    store.put([item])
            except Killed:
                dead = True
        store.close()
        versions = {item.place: [item] for item in old}
        for item in new:
            versions.setdefault(item.place, []).append(item)
        found = list(Record(path).items())
        for item in found:
            same = [other for other in versions[item.place] if same_as(item, other)]
            assert same, item  # the old one or the new one, and never something between
        # At most the one that was being replaced is missing.
        assert len({item.place for item in old} - {item.place for item in found}) <= 1
        # Goes on as if nothing had been.
        store = Store(path, append=True)
        assert set(store.put(new)) == {None}
        store.finish()
        store.close()
        assert_holds(Record(path).items(), [*old, *new])
        assert not list(path.rglob(f"*{PART}"))
        # Two frames of the first size and one of the other, and the late one.
        assert len(list(path.rglob("c.*"))) == 3 + 1
        assert len(list(path.rglob("*.npz"))) == 3
        return dead

    assert every_step(play) > 40


@pytest.mark.errors("disk-full; make room there")
def test_while_the_disk_is_full_for_a_moment():
    old, new = frames((2, 0, 1), 10), frames((2, 0, 1), 50)
    new[0] = Item("raw", "image", np.full((9, 9), 7, "u2"), {"t": "t2"})
    full = OSError(errno.ENOSPC, "no space left")

    def play(path: Path, step: int) -> bool:
        store = Store(path)
        assert set(store.put(old)) == {None}
        with killed_at(step, full) as calls:
            refusals = [store.put([item])[0] for item in new]
        assert {refusal.reason for refusal in refusals if refusal} <= {FULL}
        found = {item.place: item for item in Record(path).items()}
        assert len(store) == len(found)
        for before, item, refusal in zip(old, new, refusals, strict=True):
            if not refusal:
                assert_same(found[item.place], item)
            elif item.place in found:
                assert_same(found[item.place], before)
        lines = list(Record(path).lines)
        assert len(list(path.rglob("c.*"))) == sum(bool(line.image) for line in lines)
        assert len(list(path.rglob("*.npz"))) == sum(bool(line.file) for line in lines)
        assert not list(path.rglob(f"*{PART}"))
        # With room again, in the same recorder.
        assert set(store.put(new)) == {None}
        store.close()
        assert_holds(Record(path).items(), new)
        return calls[0] >= step

    assert every_step(play) > 20


def same_as(found: Item, sent: Item) -> bool:
    try:
        assert_same(found, sent)
    except AssertionError:
        return False
    return True


def test_while_it_is_sorted():
    sent = frames((5, 3, 4, 1), 10)

    def play(path: Path, step: int) -> bool:
        store = Store(path)
        assert set(store.put(sent)) == {None}
        dead = False
        with killed_at(step):
            try:
                store.finish()
            except Killed:
                dead = True
        store.close()
        assert_holds(Record(path).items(), sent)
        store = Store(path, append=True)
        store.finish()
        store.close()
        assert_holds(Record(path).items(), sent)
        group = zarr.open_group(str(path / "raw"), mode="r")
        (name,) = [p.name for p in (path / "raw").iterdir() if p.is_dir()]
        assert group.attrs["ome"]["multiscales"][0]["datasets"][0]["path"] == name
        assert np.asarray(group[name])[:, 0, 0].tolist() == [11, 13, 14, 15]
        return dead

    assert every_step(play) > 10
