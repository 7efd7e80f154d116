"""Tasks in the catalogue: their states until an item arrives and after, in any order of news."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dask_napari.catalog import Catalogue
from dask_napari.catalog import _catalogue as catalogue_module
from dask_napari.catalog import _task_news as news_module
from dask_napari.model import (
    TASK_STATES,
    Item,
    ItemMeta,
    Provenance,
    TaskStatus,
    all_to_come,
    running_on,
)

DATA = np.zeros((2, 2), np.uint8)
ORDER = ("running", "computed", "failed")


def told(state, run_id=0, key="segment-1", error="", traceback="", layer="cells", **position):
    meta = ItemMeta(layer, "labels", position, Provenance(key, "tcp://w:1", run_id))
    return TaskStatus(meta, state, error, traceback)


def item(run_id=1, key="segment-1", layer="cells", part="", run=1, **position):
    made = Item(layer, "labels", DATA, position, Provenance(key, "tcp://w:1", run_id), run=run)
    made.amend(part=part)
    return made


def states(catalogue):
    return [(entry.state, dict(entry.meta.position)) for entry in catalogue.entries()]


def test_a_task_is_at_its_place_until_its_item_comes():
    catalogue = Catalogue()
    for state in ("expected", "running", "computed"):
        catalogue.learn(told(state, run_id=3 * (state != "expected"), well="A01"))
        assert states(catalogue) == [(state, {"well": "A01"})]
    entry = next(catalogue.entries())
    assert (entry.item, catalogue.runs(("cells", ""))) == (None, ())
    assert catalogue.put(item(3, well="A01")) is entry
    assert catalogue.counts("cells") == {"shown": 1}
    for late in ("running", "computed", "expected"):
        catalogue.learn(told(late, run_id=3 * (late != "expected"), well="A01"))
    assert catalogue.counts("cells") == {"shown": 1}
    assert catalogue.status(entry) is None


def test_a_failed_task_keeps_its_error_until_it_runs_again():
    catalogue = Catalogue()
    catalogue.learn(told("failed", 3, error="OSError: camera", traceback="in read", well="A01"))
    (entry,) = catalogue.failed("cells")
    status = catalogue.status(entry)
    assert (entry.state, status.error, status.traceback) == ("failed", "OSError: camera", "in read")
    catalogue.learn(told("running", 3, well="A01"))  # late
    catalogue.learn(told("withdrawn", 4, well="A01"))  # what has failed stays in sight
    assert catalogue.failed() == [entry]
    catalogue.learn(told("expected", 3, well="A01"))  # to be tried once more
    assert (entry.state, catalogue.failed("cells"), catalogue.status(entry)) == (
        "expected",
        [],
        None,
    )
    catalogue.learn(told("running", 5, well="A01"))
    catalogue.put(item(5, well="A01"))
    assert catalogue.counts("cells") == {"shown": 1}


def test_a_picture_stays_when_its_task_fails_later():
    catalogue = Catalogue()
    entry = catalogue.put(item(3, well="A01"))
    held, before = entry.item, catalogue.version
    catalogue.learn(told("failed", 5, error="OSError: camera", well="A01"))
    assert (entry.item, entry.state) == (held, "shown")
    assert catalogue.status(entry).error == "OSError: camera"
    assert catalogue.failed("cells") == catalogue.changes(before) == [entry]
    catalogue.put(item(6, well="A01"))
    assert (catalogue.status(entry), catalogue.failed()) == (None, [])


def test_a_task_whose_output_alone_tells_its_place_is_found_by_its_key():
    catalogue = Catalogue()
    catalogue.learn(told("running", 2, key="a"))
    catalogue.learn(told("expected", key="b"))
    assert catalogue.counts("cells") == {"running": 1, "expected": 1}
    shown = catalogue.put(item(2, key="a", well="A01"))
    assert catalogue.counts("cells") == {"shown": 1, "expected": 1}
    catalogue.learn(told("computed", 2, key="a"))  # late
    catalogue.learn(told("failed", 3, key="a", error="anew"))
    assert catalogue.counts("cells") == {"shown": 1, "expected": 1}
    assert catalogue.failed() == [shown]
    catalogue.learn(told("running", 4, key="b", well="B01"))  # another one knows its place
    assert states(catalogue) == [("shown", {"well": "A01"}), ("running", {"well": "B01"})]
    catalogue.learn(told("running", 4, key=""))  # nobody can tell which
    assert len(catalogue) == 2


def test_items_of_parts_take_the_place_of_their_task():
    catalogue = Catalogue()
    catalogue.learn(told("running", 2, well="A01"))
    for part in ("nuclei", "spots"):
        catalogue.put(item(2, part=part, well="A01"))
    catalogue.learn(told("computed", 2, well="A01"))
    assert catalogue.counts("cells") == {"shown": 2}
    assert catalogue.streams == (("cells", "nuclei"), ("cells", "spots"))


def test_a_status_belongs_to_its_run_or_to_the_newest_of_its_layer():
    catalogue = Catalogue()
    catalogue.put(item(1, layer="other", run=2, well="A01"))
    catalogue.learn(told("expected", well="A01"))
    assert [entry.run for entry in catalogue.entries(("cells", ""))] == [2]  # to come
    catalogue.learn(told("expected", well="A01"), run=3)
    catalogue.learn(told("expected", well="A02"))
    assert [(e.run, e.meta.position["well"]) for e in catalogue.entries(("cells", ""))] == [
        (2, "A01"),
        (3, "A01"),
        (3, "A02"),
    ]
    assert catalogue.counts("cells", run=3) == {"expected": 2}
    assert (catalogue.newest_run("cells"), catalogue.newest_run("new")) == (3, 3)


def test_a_withdrawn_task_has_no_entry():
    catalogue = Catalogue()
    catalogue.learn(told("expected", well="A01"))
    catalogue.learn(told("running", 2, well="A02"))
    before, gone = catalogue.version, list(catalogue.entries())
    for well, run_id in (("A01", 0), ("A02", 2), ("A03", 2)):
        catalogue.learn(told("withdrawn", run_id, well=well))
    assert len(catalogue) == 0 == len(catalogue.streams)
    assert catalogue.changes(before) == gone
    assert {entry.state for entry in gone} == {"withdrawn"}
    catalogue.learn(told("expected", 2, well="A02"))  # of an attempt later than the one withdrawn
    catalogue.learn(told("withdrawn", 2, well="A02"))
    assert states(catalogue) == [("expected", {"well": "A02"})]


def test_tasks_that_run_on_a_worker_are_withdrawn_with_it():
    catalogue = Catalogue()
    for well, state in (("A01", "running"), ("A02", "failed"), ("A03", "expected")):
        catalogue.learn(told(state, 2, well=well))
    catalogue.learn(told("running", 2, well="A01"), run=2)
    catalogue.learn(running_on("tcp://other:1"), 1)
    assert catalogue.count("cells", "running") == 2
    catalogue.learn(running_on("tcp://w:1"), 1)
    assert catalogue.counts("cells", run=1) == {"failed": 1, "expected": 1}
    assert catalogue.counts("cells", run=2) == {"running": 1}
    catalogue.learn(told("running", 2, well="A01"), run=1)  # the worker is there after all
    assert catalogue.count("cells", "running", run=1) == 1


def test_tasks_to_come_are_of_a_run_that_is_begun_meanwhile():
    catalogue = Catalogue()
    for well, state in (("A01", "running"), ("A02", "failed"), ("A03", "expected")):
        catalogue.learn(told(state, 2, well=well), run=1)
    catalogue.put(item(2, well="B01"))
    catalogue.learn(told("running", 3, well="B01"), run=1)  # once more
    catalogue.learn(all_to_come(), run=2)
    assert catalogue.counts("cells", run=1) == {"failed": 1, "shown": 1}
    assert catalogue.counts("cells", run=2) == {"running": 1, "expected": 1}
    catalogue.put(item(2, run=2, well="A01"))
    assert catalogue.counts("cells", run=2) == {"shown": 1, "expected": 1}


def test_a_refused_output_and_a_failed_task_are_told_apart():
    catalogue = Catalogue()
    catalogue.learn(told("running", 2, well="A01"))
    catalogue.drop(item(2, well="A01"), "dtype")
    assert catalogue.counts("cells") == {"dropped": 1}
    catalogue.learn(told("failed", 3, error="why", well="A01"))
    assert catalogue.counts("cells") == {"failed": 1}
    catalogue.drop(item(2, well="A01"), "dtype")  # late
    assert catalogue.counts("cells") == {"failed": 1}
    (entry,) = catalogue.entries()
    assert (entry.reason, catalogue.status(entry).error) == ("", "why")


def test_tasks_and_tracebacks_are_bounded(monkeypatch):
    monkeypatch.setattr(catalogue_module, "MOST_TASKS", 5)
    monkeypatch.setattr(news_module, "MOST_TRACEBACKS", 2)
    catalogue = Catalogue()
    for t in range(8):
        catalogue.learn(told("failed", 1, key=f"k-{t}", error="why", traceback="where", t=t))
    kept = [catalogue.status(entry) for entry in catalogue.failed()]
    assert [(status.error, status.traceback) for status in kept] == [
        *[("why", "")] * 3,
        *[("why", "where")] * 2,
    ]
    assert catalogue.left_out == 3
    catalogue.put(item(2, t=0))
    catalogue.learn(told("running", 1, t=7))
    assert catalogue.counts("cells") == {"failed": 4, "shown": 1, "running": 1}
    monkeypatch.setattr(catalogue_module, "MOST_TASKS", 50)
    monkeypatch.setattr(catalogue_module, "MOST_STREAMS", 3)
    for n in range(9):
        catalogue.learn(told("running", 1, layer=f"layer {n}", t=0))
    assert len(catalogue.streams) == 3


def test_changes_are_told_by_version_as_far_as_they_are_remembered(monkeypatch):
    monkeypatch.setattr(catalogue_module, "MOST_CHANGES", 4)
    catalogue = Catalogue()
    first, second = catalogue.put(item(t=0)), catalogue.put(item(t=1))
    assert catalogue.changes(0) == [first, second]
    assert catalogue.changes(catalogue.version) == []
    before = catalogue.version
    catalogue.set_state([first, second], "hidden")
    catalogue.set_state([first], "shown")
    assert catalogue.changes(before) == [second, first]
    catalogue.remove([second])
    assert catalogue.changes(before) is None
    (last,) = catalogue.changes(catalogue.version - 1)
    assert (last, last.state, last.item) == (second, "withdrawn", None)


news = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from([*TASK_STATES, "item"])), max_size=8
).flatmap(lambda told: st.tuples(st.just(told), st.permutations(told), st.booleans()))


@given(news)
@example(([], [(1, "item"), (2, "failed"), (2, "running")], False))
def test_a_task_ends_in_its_last_state_in_whatever_order_the_news_come(news):
    _, events, is_placed = news
    position = {"well": "A01"} if is_placed else {}
    # Items of one place come in the order in which they were made.
    items = iter(sorted(run_id for run_id, state in events if state == "item"))
    catalogue, heard, made = Catalogue(), [], 0
    for run_id, state in events:
        if state == "item":
            made = next(items)
            catalogue.put(item(made, well="A01"))
        else:
            heard.append((run_id, TASK_STATES.index(state) or len(TASK_STATES), state))
            catalogue.learn(told(state, run_id, **position))
        last = max(heard, default=None)
        is_later = last is not None and last[0] >= made + (last[2] != "expected")
        entries = list(catalogue.entries())
        (entry,) = entries
        if made:
            assert (entry.state, entry.item is not None) == ("shown", True)
            assert (catalogue.status(entry) is not None) == is_later
        else:
            assert (entry.state, entry.item) == (last[2], None)
        is_failed = is_later and last[2] == "failed"
        assert (entry in catalogue.failed()) == is_failed
        assert catalogue.counts("cells") == {entry.state: 1}


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "remove", "withdrawn", *TASK_STATES]),
        st.sampled_from(["", "nuclei"]),
        st.sampled_from([{}, {"t": 0}, {"t": 1}]),
        st.sampled_from(["a", "b", ""]),
        st.integers(0, 3),
        st.integers(1, 2),
    ),
    max_size=40,
)


@given(steps)
def test_counts_changes_and_failures_agree_with_the_entries_whatever_happens(steps):
    catalogue, seen, version = Catalogue(), {}, 0
    for name, part, position, key, run_id, run in steps:
        arriving = item(run_id, key, part=part, run=run, **position)
        match name:
            case "put":
                catalogue.put(arriving)
            case "drop":
                catalogue.drop(arriving, "why")
            case "remove":
                found = catalogue.find(arriving.meta, run)
                catalogue.remove([found] if found else [])
            case _:
                catalogue.learn(told(name, run_id, key, **position), run)
        for entry in catalogue.changes(version):
            seen[entry] = entry.state
            if entry.state == "withdrawn":
                del seen[entry]
        version = catalogue.version
        entries = list(catalogue.entries())
        assert seen == {entry: entry.state for entry in entries}
        for number in (1, 2):
            found = [entry.state for entry in entries if entry.run == number]
            assert catalogue.counts("cells", number) == {s: found.count(s) for s in found}
        for entry in entries:
            assert (entry.item is not None) == (entry.state == "shown")
            assert catalogue.find(entry.meta, entry.run) is entry
            status = catalogue.status(entry)
            if entry.state == "failed":
                assert status is not None
            assert (entry in catalogue.failed()) == (
                status is not None and status.state == "failed"
            )
    catalogue.remove(list(catalogue.entries()))
    assert (len(catalogue), catalogue.failed(), catalogue.streams) == (0, [], ())
    assert not any(vars(catalogue._table)[name] for name in ("_parts", "keys"))


@pytest.mark.parametrize("state", TASK_STATES)
def test_a_status_tells_what_it_is(state):
    catalogue = Catalogue()
    catalogue.learn(told(state, 1, well="A01"))
    assert f"{state}" in repr(next(catalogue.entries()))
    assert f"{{'{state}': 1}}" in repr(catalogue)


def test_a_task_whose_output_has_axes_of_its_own_is_done_with_its_first_item():
    """An output with named channels makes an item for each, at places that nobody foresaw."""
    catalogue = Catalogue()
    task = Provenance("stack-1", run_id=1)
    expected = ItemMeta("raw", "image", {"well": "A01"}, task)
    other = ItemMeta("raw", "image", {"well": "A02"}, Provenance("stack-2"))
    for meta in (expected, other):
        catalogue.learn(TaskStatus(meta, "running"))
    for channel in ("DAPI", "GFP"):
        position = {"well": "A01", "channel": channel}
        catalogue.put(Item("raw", "image", np.zeros((2, 2), "u1"), position, task))
    catalogue.learn(TaskStatus(expected, "computed"))  # told late
    assert catalogue.counts("raw") == {"shown": 2, "running": 1}
    assert [entry.meta.position for entry in catalogue.tasks()] == [{"well": "A02"}]
