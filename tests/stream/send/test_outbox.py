"""The outbox: bounded bytes, coalescing, and counts that balance whatever happens."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.model import Item, Policy, Refusal, Reports
from dask_napari.stream.send._entries import ItemEntry
from dask_napari.stream.send._loader import Loader
from dask_napari.stream.send._outbox import Outbox
from dask_napari.stream.send._output_counts import LAYERS, OTHERS
from dask_napari.stream.send._undelivered import RetriedEntry
from dask_napari.stream.wire import messages as wire


@dataclass(eq=False)
class Output:
    """An entry whose value can be read back by key, like a task's output."""

    place_: str
    nbytes: int = 10
    policy: Policy = "latest"
    layer: str = "cells"
    owner: int = 0
    foreign: bool = False
    keyed: bool = True
    error: Exception | None = None
    forgotten: bool = field(default=False, init=False)

    def place(self) -> str:
        if self.error is not None:
            raise self.error
        return self.place_

    def items(self) -> list[Item]:
        return [Item(self.layer, "labels", np.zeros(1, "u1"), {"at": self.place_})]

    def forget(self) -> bool:
        if self.keyed:
            self.forgotten, self.nbytes, self.owner = True, 0, 0
        return self.keyed


def count(outbox: Outbox):
    (found,) = outbox.counts().values()
    assert found.balanced
    return found


def sort_intake(outbox: Outbox) -> None:
    loader = Loader(outbox, Reports())
    loader.look()
    loader.advance()


def drain(outbox: Outbox) -> list[str]:
    sort_intake(outbox)
    places = []
    while (entry := outbox.pop()) is not None:
        outbox.sent([entry.layer])
        places.append(entry.place())
    return places


def test_latest_replaces_what_waits_for_the_same_place_and_keeps_its_turn():
    outbox = Outbox(1000)
    for place in "abca":
        outbox.put(Output(place))
    assert drain(outbox) == ["a", "b", "c"]
    assert count(outbox).coalesced == 1


def test_keep_replaces_nothing():
    outbox = Outbox(1000)
    for place in "aa":
        outbox.put(Output(place, policy="keep"))
    assert drain(outbox) == ["a", "a"]


@pytest.mark.drops("drop-oldest")
def test_drop_oldest_makes_room_for_the_new():
    outbox = Outbox(20)
    for place in "abc":
        outbox.put(Output(place, policy="drop-oldest"))
    assert drain(outbox) == ["b", "c"]
    assert count(outbox).dropped == {"drop-oldest": 1}


@pytest.mark.parametrize("policy", ["latest", "keep"])
def test_over_the_budget_only_the_key_is_held(policy: Policy):
    outbox = Outbox(20)
    entries = [Output(place, policy=policy) for place in "abc"]
    for entry in entries:
        outbox.put(entry)
    assert [entry.forgotten for entry in entries] == [False, False, True]
    assert outbox.nbytes == 20
    assert drain(outbox) == ["a", "b", "c"]
    assert outbox.nbytes == 0


@pytest.mark.drops("queue-full")
def test_over_the_budget_an_output_without_a_key_is_dropped():
    outbox = Outbox(5)
    outbox.put(Output("a", keyed=False))
    assert count(outbox).dropped == {"queue-full": 1}


@pytest.mark.drops("worker-paused")
def test_nothing_is_held_while_the_worker_is_paused():
    outbox = Outbox(100)
    waiting = Output("a")
    outbox.put(waiting)
    assert outbox.budget.pause(True)
    assert outbox.forget()
    outbox.put(Output("b"))
    outbox.put(Output("c", keyed=False))
    assert outbox.nbytes == 0
    assert waiting.forgotten
    assert drain(outbox) == ["a", "b"]
    assert count(outbox).dropped == {"worker-paused": 1}


@pytest.mark.drops("queue-full")
def test_entries_are_bounded_too():
    outbox = Outbox(1000, limit=2)
    for place in "abc":
        outbox.put(Output(place))
    assert count(outbox).dropped == {"queue-full": 1}


@pytest.mark.drops("error: ZeroDivisionError", "no position")
def test_an_entry_that_cannot_be_placed_is_dropped_with_its_reason():
    outbox = Outbox(1000)
    outbox.put(Output("a", error=Refusal("no position")))
    outbox.put(Output("b", error=ZeroDivisionError("oops")))
    outbox.put(Output("c"))
    assert drain(outbox) == ["c"]
    assert set(count(outbox).dropped) == {"no position", "error: ZeroDivisionError"}


def test_only_the_first_entry_after_a_pause_wakes():
    outbox = Outbox(1 << 30)
    assert outbox.may_sleep()
    assert outbox.put(Output("a"))
    assert not outbox.put(Output("b"))
    assert not outbox.may_sleep()


def test_a_full_batch_wakes_early():
    outbox = Outbox(1 << 30)
    assert not outbox.put(Output("a", nbytes=3 << 20))
    assert outbox.put(Output("b", nbytes=3 << 20))
    small = Outbox(1 << 30)
    assert [small.put(Output(str(n))) for n in range(65)].index(True) == 63


def test_lost_items_are_sent_again_before_the_others():
    outbox = Outbox(1000)
    outbox.put(Output("new"))
    sort_intake(outbox)
    lost = [Item("cells", "labels", np.zeros(1, "u1"), {"at": n}) for n in range(2)]
    for item in lost:
        outbox.put(ItemEntry(item))
    sort_intake(outbox)
    sent = [outbox.pop() for _ in range(3)]
    for entry in sent:
        outbox.sent([entry.layer])
    outbox.put(Output("later"))
    outbox.unsend(map(RetriedEntry, lost))
    found = count(outbox)
    assert (found.sent, found.pending) == (1, 3)
    sort_intake(outbox)
    assert [outbox.pop().items()[0].position["at"] for _ in range(3)] == [0, 1, "later"]


@pytest.mark.drops("queue-full")
def test_what_is_away_counts_against_the_budget():
    outbox = Outbox(20)
    outbox.budget.away = 15
    kept, unkeyed = Output("a"), Output("b", keyed=False)
    outbox.put(kept)
    assert (kept.forgotten, outbox.budget.held) == (True, 15)
    outbox.put(unkeyed)
    assert count(outbox).dropped == {"queue-full": 1}
    assert outbox.no_room(10, "latest") == "queue-full"
    assert outbox.budget.squeeze(True)
    assert outbox.no_room(10, "drop-oldest") == "worker-memory"
    outbox.budget.away = 0
    assert outbox.no_room(10, "latest") == ""


def test_what_was_made_lets_go_of_its_entry_and_can_be_made_again():
    outbox = Outbox(1000)
    outbox.put(output := Output("a"))
    loader = Loader(outbox, Reports())
    loader.look()
    loader.advance(1)
    (item,) = loader.take()
    assert output.forgotten
    again = RetriedEntry(item)
    assert (again.nbytes, again.items()) == (1, (item,))
    assert again.forget()
    assert again.nbytes == 0
    (made,) = again.items()
    assert made is not item
    assert made.position == {"at": "a"}


def test_what_cannot_be_made_again_is_given_up_with_a_reason():
    again = RetriedEntry(Item("cells", "labels", np.zeros(1, "u1"), {"at": 0}))
    assert not again.forget()
    again.give_up("queue-full")
    assert again.nbytes == 0
    with pytest.raises(Refusal, match="queue-full"):
        again.items()


def test_counts_start_over_for_another_viewer():
    outbox = Outbox(1000)
    for place in "aab":
        outbox.put(Output(place))
    sort_intake(outbox)
    outbox.pop()
    outbox.sent(["cells"])
    outbox.start_over()
    found = count(outbox)
    assert (found.selected, found.pending, found.sent, found.coalesced) == (1, 1, 0, 0)


def test_changed_counts_are_told_once():
    outbox = Outbox(1000)
    outbox.put(Output("a"))
    assert len(outbox.counts(changed=True)) == 1
    assert outbox.counts(changed=True) == {}


POLICIES = st.sampled_from(["latest", "keep", "drop-oldest"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc"), POLICIES, st.integers(0, 12)),
        st.sampled_from(["sort_intake", "pop", "unpop", "forget", "pause", "go on", "start_over"]),
    ),
    max_size=60,
)


@pytest.mark.drops("drop-oldest", "queue-full")
@given(STEPS)
def test_counts_balance_and_bytes_stay_in_the_budget(steps):
    outbox = Outbox(20, limit=8)
    for step in steps:
        match step:
            case ("put", place, policy, nbytes):
                outbox.put(Output(place, nbytes, policy))
            case "pop":
                entry = outbox.pop()
                if entry is not None:
                    outbox.sent([entry.layer])
            case "unpop":
                entry = outbox.pop()
                if entry is not None:
                    outbox.unpop([entry])
            case "pause":
                outbox.budget.pause(True)
            case "go on":
                outbox.budget.pause(False)
            case "sort_intake":
                sort_intake(outbox)
            case name:
                getattr(outbox, name)()
        if outbox.counts():
            assert count(outbox).pending == len(outbox)
        assert outbox.nbytes <= 20
    drain(outbox)
    assert outbox.nbytes == 0
    assert len(outbox) == 0


@pytest.mark.drops("dtype", "empty")
def test_an_output_with_parts_counts_as_its_parts():
    outbox = Outbox(1000)
    outbox.put(Output("a"))
    sort_intake(outbox)
    entry = outbox.pop()
    (item,) = entry.items()
    parts = [item, Refusal("dtype"), item]
    assert outbox.split(entry.layer, parts) == [item, item]
    assert (count(outbox).selected, count(outbox).pending) == (3, 2)
    assert count(outbox).dropped == {"dtype": 1}
    outbox.put(Output("b"))
    sort_intake(outbox)
    assert outbox.split(outbox.pop().layer, []) == []
    assert count(outbox).dropped == {"dtype": 1, "empty": 1}


@pytest.mark.drops("too many layers")
def test_layers_are_bounded_and_those_beyond_are_counted_together():
    """A task that shows each of its images on a layer of its own, say."""
    outbox = Outbox(1 << 20)
    for n in range(LAYERS + 10):
        name = f"layer {n}"
        if refusal := outbox.refusal(name):
            outbox.refuse(name, refusal.reason)
        else:
            outbox.put(ItemEntry(Item(name, "image", np.zeros((2, 2), "u1"), {"t": 0})))
    counts = outbox.counts()
    assert len(counts) == LAYERS + 1
    assert counts[OTHERS].dropped == {"too many layers": 10}
    assert outbox.refusal("layer 3") is None  # of those in use


@pytest.mark.drops("error: ", "xxx", "name that is not Unicode", "name too long")
@pytest.mark.parametrize(
    ("name", "reason"),
    [("x" * 2000, "name too long"), ("caf\udce9", "name that is not Unicode")],
)
def test_what_is_counted_can_always_be_sent(name, reason):
    outbox = Outbox(1 << 20)
    refusal = outbox.refusal(name)
    assert refusal is not None
    assert refusal.reason == reason
    outbox.refuse(name, reason)
    outbox.refuse("cells", "error: \udce9")
    outbox.refuse("cells", "x" * 2000)
    status = wire.Status(1, outbox.counts())
    assert wire.decode_from_publisher(wire.encode(status)) == status
