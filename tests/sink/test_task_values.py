"""Values shown from inside tasks, on a real cluster; what is copied and what is not."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from distributed import wait

from dask_napari.placement import Placement
from dask_napari.sink import SINK_NAME, NapariSink, current_sinks, show_in_sinks, worker_counts
from dask_napari.sink._snapshots import snapshot
from dask_napari.tap import Tap

TAP = Tap("shown", layer="shown")


def draw(n: int) -> bool:
    image = np.full((8, 8), n, np.uint8)
    shown = show_in_sinks(image, TAP, Placement({"n": n}))
    image[:] = 255  # later writes do not matter
    return shown


async def draw_async(n: int) -> bool:
    await asyncio.sleep(0)
    return draw(n)


def draw_in_thread(n: int) -> bool:
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(draw(n)))
    thread.start()
    thread.join()
    return answers[0]


@pytest.mark.parametrize("function", [draw, draw_async, draw_in_thread])
def test_a_task_shows_what_it_has_in_hands(client, viewer, function):
    futures = client.map(function, range(20), pure=False)
    assert client.gather(futures) == [True] * 20
    viewer.until_shown("shown", 20)
    for place, data in viewer.seen["shown"].items():
        assert (data == dict(place[-1])["n"]).all()
    keys = viewer.keys["shown"]
    if function is draw_in_thread:
        assert set(keys) == {""}
    else:
        assert set(keys) == {future.key for future in futures}
    ledger = viewer.receiver.ledger()
    assert ledger.balanced
    assert ledger["shown"].selected == 20


@pytest.mark.drops("error: RuntimeError", "not an array")
def test_what_cannot_be_shown_is_counted_and_the_task_goes_on(client, viewer):
    class Awkward:
        def __deepcopy__(self, memo: object) -> object:
            raise RuntimeError("no copies")

    def awkward(n: int) -> bool:
        return show_in_sinks(Awkward(), TAP)

    def text(n: int) -> bool:
        return show_in_sinks("not a picture", TAP)

    assert client.gather(client.map(awkward, range(3), pure=False)) == [False] * 3
    assert client.gather(client.map(text, range(3), pure=False)) == [True] * 3
    viewer.until(lambda: viewer.receiver.ledger().total.selected == 6)
    viewer.until_settled()
    ledger = viewer.receiver.ledger()
    assert ledger.balanced
    assert ledger["shown"].dropped == {"error: RuntimeError": 3, "not an array": 3}


@pytest.mark.drops("queue-full")
def test_over_the_budget_nothing_is_copied_and_all_is_counted(client):
    client.register_plugin(NapariSink("tcp://127.0.0.1:1"))
    try:

        def large(n: int) -> bool:
            return show_in_sinks(np.broadcast_to(np.uint8(n), (64 << 20,)).reshape(8192, 8192), TAP)

        answers = client.gather(client.map(large, range(4), pure=False))
        (worker,) = client.run(worker_counts).values()
        (tally,) = worker["counts"].values()
        assert tally.selected == 4
        assert tally.pending == 2
        assert tally.dropped == {"queue-full": 2}
        assert 2 <= sum(answers) <= 3  # two tasks at once may both see room
    finally:
        client.unregister_worker_plugin(SINK_NAME)


def test_without_a_sink_nothing_is_shown(client):
    wait(client.submit(draw, 0, pure=False))
    assert client.submit(draw, 0, pure=False).result() is False
    assert client.submit(draw_async, 0, pure=False).result() is False


def test_outside_of_a_worker_nothing_is_shown():
    assert current_sinks() == []
    assert show_in_sinks(np.zeros((4, 4)), TAP) is False


def test_only_what_nobody_can_write_to_is_kept_by_reference():
    array = np.arange(12).reshape(3, 4)
    view = array[1:]
    view.flags.writeable = False
    assert snapshot(view) is not view  # its base can be written to
    buffer = np.frombuffer(bytes(8), np.uint8)
    assert snapshot(buffer) is buffer
    assert snapshot(np.frombuffer(bytearray(8), np.uint8)).flags.owndata
    parts = [array]
    assert snapshot(parts)[0] is not array
