"""The catalogue: one entry a place, stream and run; states are counted and told to views."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.catalog import Catalogue, HeldItem
from dask_napari.catalog import _catalogue as module
from dask_napari.model import Item, Provenance

DATA = np.zeros((2, 2), np.uint8)


def item(layer="raw", run=1, key="task", **position) -> Item:
    return Item(layer, "image", DATA, position, Provenance(key), run=run)


def test_a_newer_item_at_a_place_replaces_the_older_one_of_its_run_alone():
    catalogue = Catalogue()
    first = catalogue.put(item(well="A01", t=1))
    again = item(t=1, well="A01")
    assert catalogue.put(again) is first
    assert first.item is again
    assert catalogue.put(item(well="A01", t=1, run=2)) is not first
    assert len(catalogue) == 2
    assert catalogue.runs(("raw", "")) == (1, 2)
    assert [entry.run for entry in catalogue.entries(("raw", ""))] == [1, 2]


def test_items_without_a_position_are_told_apart_by_their_tasks_and_chunks_by_their_origins():
    catalogue = Catalogue()
    for key in ("a", "b", "a"):
        catalogue.put(item(key=key))
    for origin in ((0, 0), (0, 2), (0, 0)):
        chunk = item(layer="chunks")
        chunk.amend(origin=origin, array_shape=(2, 4))
        catalogue.put(chunk)
    assert len(list(catalogue.entries(("raw", "")))) == 2
    assert len(list(catalogue.entries(("chunks", "")))) == 2


def test_a_refused_item_leaves_what_is_shown_and_is_forgotten_when_there_are_many(monkeypatch):
    monkeypatch.setattr(module, "MOST_DROPPED", 3)
    catalogue = Catalogue()
    shown = catalogue.put(item(t=0))
    for t in range(6):
        catalogue.drop(item(t=t), "dtype")
    assert shown.state == "shown"
    dropped = [entry for entry in catalogue.entries() if entry.state == "dropped"]
    assert [(entry.meta.position["t"], entry.reason) for entry in dropped] == [
        (3, "dtype"),
        (4, "dtype"),
        (5, "dtype"),
    ]
    assert (catalogue.count("raw", "shown"), catalogue.count("raw", "dropped")) == (1, 3)
    catalogue.put(item(t=5))  # computed anew, and fine
    assert (catalogue.count("raw", "shown"), catalogue.count("raw", "dropped")) == (2, 2)


def test_pixels_in_a_store_take_no_other_memory():
    class Handle:
        shape, dtype = (1000, 1000), np.dtype(np.uint16)

        def get(self):
            raise AssertionError("read")

    held = HeldItem.kept(item(t=1), lambda data: Handle())
    assert (held.data.shape, held.data.dtype, held.at) == ((1000, 1000), np.uint16, {"t": 1})
    assert held.data.base.nbytes == 2


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "hide", "show", "remove"]),
        st.sampled_from(["raw", "cells"]),
        st.integers(1, 2),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(steps)
def test_counts_and_views_agree_with_the_entries_whatever_happens(steps):
    catalogue = Catalogue()
    told = Counter()

    def view(changed):
        for entry, before in changed:
            told[entry.state] += 1
            told[before] -= 1

    catalogue.views.append(view)
    for name, layer, run, t in steps:
        before = catalogue.version
        entry = catalogue.find(item(layer, t=t).meta, run)
        match name:
            case "put":
                catalogue.put(item(layer, run, t=t))
                assert catalogue.version > before
            case "drop":
                catalogue.drop(item(layer, run, t=t), "why")
            case "hide" | "show":
                state = {"hide": "hidden", "show": "shown"}[name]
                catalogue.set_state([entry] if entry else [], state)
            case "remove":
                catalogue.remove([entry] if entry else [])
                assert catalogue.find(item(layer, t=t).meta, run) is None
        entries = list(catalogue.entries())
        assert len(entries) == len(catalogue)
        for each in ("raw", "cells"):
            for state in ("shown", "hidden", "dropped"):
                found = [e for e in entries if (e.meta.layer, e.state) == (each, state)]
                assert catalogue.count(each, state) == len(found)
        assert all((e.item is None) == (e.state == "dropped") for e in entries)
        assert all(e.item is None or e.item.run == e.run for e in entries)
    assert told.total() == 0
