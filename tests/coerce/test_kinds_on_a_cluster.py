"""Kinds on a real cluster: from a task's return value to the board of a receiver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from distributed import Client, wait

import cluster_tasks as tasks
from dask_napari.model import Item
from dask_napari.sink import SINK_NAME, NapariSink
from dask_napari.stream.receive import Board, Receiver
from dask_napari.tap import Tap

DEADLINE = 60.0


@pytest.fixture
def shown(client: Client) -> Iterator[Callable[..., tuple[list[Item], dict[str, int]]]]:
    """Run a function on some arguments under a tap; the items, and the ledger of the layer."""
    board = Board()
    with Receiver(["ipc://*", "tcp://127.0.0.1:*"], board) as receiver:

        def run(tap: Tap, function: Callable, arguments: list) -> tuple[list[Item], dict[str, int]]:
            client.register_plugin(NapariSink(receiver.addresses, [tap]))
            futures = client.map(function, arguments)
            wait(futures)
            items: list[Item] = []
            deadline = time.monotonic() + DEADLINE
            while True:
                board.wait(timeout=0.1)
                found = board.take()
                board.shown(found)
                items += found
                total = receiver.ledger().total
                if total.selected >= len(arguments) and not total.pending:
                    return items, {"shown": total.shown, **total.dropped}
                assert time.monotonic() < deadline, receiver.ledger()

        yield run
    client.unregister_worker_plugin(SINK_NAME)


def test_regions_are_outlines_and_none_is_an_item_too(shown):
    tap = Tap("measured", kind="shapes", options={"text": "{area:.0f}"})
    items, _ = shown(tap, tasks.measured, [0, 1, 2])
    assert sorted(len(item.arrays["types"]) for item in items) == [0, 1, 2]
    assert all((item.features["area"] == 14).all() for item in items if item.features)


@pytest.mark.parametrize("value", [0, lambda output: output[0]])
def test_a_part_of_an_output_arrives(shown, value):
    items, _ = shown(
        Tap("segmented", kind="labels", layer="cells", value=value), tasks.segmented, [3]
    )
    assert [(item.kind, item.part, int(item.data.max())) for item in items] == [("labels", "", 3)]


@pytest.mark.drops("not an array")
def test_layers_arrive_at_their_position_without_the_bad_one(shown):
    items, counts = shown(Tap("layers", layer="all"), tasks.layers, [0, 1])
    names = {(item.kind, item.part, item.position["t"]) for item in items}
    kinds = [("image", "raw"), ("labels", "cells"), ("points", "spots")]
    assert names == {(kind, part, t) for kind, part in kinds for t in (0, 1)}
    assert counts["not an array"] == 2
    (spots,) = [i for i in items if i.part == "spots" and i.position["t"] == 1]
    assert spots.features["area"].tolist() == [1.5]
