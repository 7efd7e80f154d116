"""What a client tells of its cluster: states of tasks in their run, bounded, and commands."""

from __future__ import annotations

import contextlib

import msgspec
import numpy as np
import pytest

from dask_napari.model import (
    ClusterState,
    Command,
    Item,
    ItemMeta,
    Provenance,
    TaskStatus,
    all_to_come,
)
from dask_napari.stream import Board, Control, Publisher, Receiver
from dask_napari.stream.receive import ClusterLink
from dask_napari.stream.receive import _cluster_link as module
from dask_napari.stream.wire import Rejected


def told(key: str) -> TaskStatus:
    return TaskStatus(ItemMeta("cells", "labels", {"t": 0}, Provenance(key)), "expected")


def test_a_client_tells_of_tasks_and_is_handed_commands():
    board = Board()
    with Receiver("ipc://*", board) as receiver:
        with Publisher(receiver.addresses, name="w", group="monday") as publisher:
            publisher.put(Item("cells", "labels", np.ones((2, 2), np.uint8), {"t": 0}))
            publisher.wait(10)
        with contextlib.closing(Control(receiver.addresses)) as control:
            assert not receiver.cluster.command(Command("pause"))
            tasks = [msgspec.to_builtins(told("a"))]
            state = msgspec.to_builtins(ClusterState("tcp://10.0.0.1:8786"))
            for group in ("monday", "tuesday", ""):
                control.request("cluster", {"tasks": tasks, "group": group, "cluster": state})
            assert receiver.cluster.state().scheduler == "tcp://10.0.0.1:8786"
            assert receiver.cluster.take_statuses() == [(run, told("a")) for run in (1, 2, 0)]
            assert receiver.cluster.take_statuses() == []
            assert receiver.begin_run() == 3
            assert receiver.cluster.take_statuses() == [(3, all_to_come())]
            assert receiver.cluster.command(Command("pause"))
            commands = control.request("cluster", {})["commands"]
            assert commands == [{"name": "pause", "arguments": {}}]


@pytest.mark.parametrize("wrong", [{"tasks": [{"meta": {}}]}, {"group": 3}, {"tasks": "all"}])
def test_what_is_malformed_is_refused(wrong):
    link = ClusterLink()
    with pytest.raises(Rejected, match="malformed"):
        link.hear(wrong)
    assert not link.attached


def test_statuses_that_nobody_takes_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "STATUSES_LIMIT", 1000)
    monkeypatch.setattr(module, "UNREAD_LIMIT", 200)
    link = ClusterLink()
    for n in range(4):
        link.tell([told(f"{n}")], 1, 100)
    assert (link.left_out, len(link.take_statuses())) == (2, 2)
    link.left_out = 0
    for n in range(30):
        link.tell([told(f"{n}-{m}") for m in range(2)], 1, 100)
    assert link.left_out == 40
    keys = [status.meta.provenance.key for _, status in link.take_statuses(3)]
    assert keys == ["20-0", "20-1", "21-0", "21-1"]  # a message is not divided
    assert len(link.take_statuses()) == 16
    link.tell([told("x")], 1, 900)
    assert link.left_out == 40


def numbers(commands: list[dict[str, object]]) -> list[object]:
    return [command["number"] for command in commands]


def test_a_command_is_handed_over_until_its_client_says_that_it_came():
    link = ClusterLink()
    link.hear({"group": "a", "taken": []})
    assert link.command(Command("pause"))
    first = link.hear({"group": "a", "taken": []})  # an answer that is lost on its way
    assert numbers(link.hear({"group": "a", "taken": []})) == numbers(first)
    assert link.hear({"group": "b", "taken": []}) == [], "another client does not do it as well"
    assert link.hear({"group": "a", "taken": numbers(first)}) == []
    assert link.take_lost() == []


def test_a_command_that_never_comes_is_lost_and_holds_up_no_other(monkeypatch):
    link = ClusterLink()
    link.hear({"group": "a", "taken": []})
    link.command(Command("retry", {"keys": ["too long"]}))
    for _ in range(module.HANDED_OVER):
        assert len(link.hear({"group": "a", "taken": []})) == 1
    assert link.hear({"group": "a", "taken": []}) == []
    assert [command.name for command in link.take_lost()] == ["retry"]
    assert link.take_lost() == []
    link.command(Command("pause"))
    link.command(Command("arguments", {"key": "a"}))  # nobody misses them
    link.hear({"group": "a", "taken": []})
    link.command(Command("untap", {"layer": "raw"}))
    monkeypatch.setattr(module, "ATTACHED", 0.0)
    assert [command.name for command in link.take_lost()] == ["untap", "pause"]


def test_arguments_are_asked_of_clients_that_tell_them_and_few_are_kept(monkeypatch):
    monkeypatch.setattr(module, "ARGUMENTS_KEPT", 2)
    link = ClusterLink()
    link.hear({})
    link.ask_arguments("a")
    assert link.hear({}) == [], "a client of an older version would complain"
    link.hear({"taken": []})
    link.ask_arguments("a")
    assert [each["arguments"] for each in link.hear({"taken": []})] == [{"key": "a"}]
    for key in "abc":
        link.hear({"taken": [], "arguments": {key: f"of {key}"}})
    assert [link.arguments_of(key) for key in "abc"] == ["", "of b", "of c"]
