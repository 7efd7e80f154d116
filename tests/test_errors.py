"""Whatever users' code raises: the task succeeds, the ledger counts it, people see why."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from distributed import Client, LocalCluster, wait

import cluster_tasks as tasks
from dask_napari.model import REPORTS_LIMIT, Reports
from dask_napari.sink import NapariSink
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.wire import Limits
from dask_napari.stream.wire import messages as wire
from dask_napari.tap import Tap

DEADLINE = 60.0


class Own(BaseException):
    """Not even an `Exception`."""


ERRORS = (
    ValueError,
    KeyError,
    MemoryError,
    RecursionError,
    StopIteration,
    AssertionError,
    OSError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    asyncio.CancelledError,
    Own,
)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


def raising(error: type[BaseException]):
    def call(*_: object) -> object:
        raise error(f"raised on purpose: {error.__name__}")

    return call


def odd(n: int):
    """An output that raises where it is looked at."""

    class Odd:
        shape = (2, 2)
        dtype = np.dtype("u1")
        ndim = 2

        def __array__(self, *_: object, **__: object) -> np.ndarray:
            raise ERRORS[n](f"raised on purpose: {ERRORS[n].__name__}")

        def __deepcopy__(self, memo: object) -> object:
            raise ERRORS[n](f"raised on purpose: {ERRORS[n].__name__}")

    return Odd()


def taps(where: str, n: int, error: type[BaseException]) -> Tap:
    layer = f"{where} {error.__name__}"
    match where:
        case "select":
            return Tap(raising(error), layer=layer)
        case "place":
            return Tap("frame", layer=layer, at=raising(error))
        case "coerce":
            return Tap(f"odd-{n}", layer=layer)
        case _:
            return Tap(f"odd-{n}", layer=layer, copy="eager")


@pytest.mark.drops("")
@pytest.mark.parametrize("where", ["select", "place", "coerce", "copy"])
def test_any_error_is_counted_and_told_and_no_task_notices(client, where):
    board = Board()
    with Receiver("ipc://*", board, limits=Limits(heartbeat=0.5)) as receiver:
        chosen = [taps(where, n, error) for n, error in enumerate(ERRORS)]
        workers = set(client.scheduler_info()["workers"])
        sink = NapariSink(receiver.addresses, [*chosen, Tap("slow_frame", layer="good")])
        client.register_plugin(sink)
        try:
            futures = [client.submit(tasks.frame, n, pure=False) for n in range(4)]
            if where in ("coerce", "copy"):
                futures = [client.submit(odd, n, key=f"odd-{n}") for n in range(len(ERRORS))]
            wait(futures)
            assert all(future.status == "finished" for future in futures)
            good = client.map(tasks.slow_frame, range(6), pure=False)
            assert [int(frame[0, 0]) for frame in client.gather(good)] == list(range(6))
            deadline = time.monotonic() + DEADLINE

            def settled() -> bool:
                board.shown(board.take())
                ledger = receiver.ledger()
                dropped = {layer for layer in ledger if ledger[layer].dropped}
                told = {trouble.layer for _, trouble in receiver.reports()}
                wanted = {tap.layer for tap in chosen}
                return (
                    not ledger.total.pending
                    and "good" in ledger
                    and ledger["good"].shown == 6
                    and dropped >= wanted
                    and told >= wanted
                )

            while not settled():
                assert time.monotonic() < deadline, (receiver.ledger(), receiver.reports())
                threading.Event().wait(0.02)
            assert receiver.ledger().balanced
            for _, trouble in receiver.reports():
                assert "raised on purpose" in trouble.text
                assert trouble.key
            assert set(client.scheduler_info()["workers"]) == workers
        finally:
            client.unregister_worker_plugin(sink.name)


@pytest.mark.drops("")
def test_an_error_is_logged_once_a_cause_with_the_task(client):
    sink = NapariSink("ipc:///nowhere", [Tap("frame", layer="x", at=raising(ValueError))])

    def listen() -> None:
        logging.getLogger("dask_napari.sink").heard = heard = []

        class Ear(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                heard.append(record.getMessage())

        logging.getLogger("dask_napari.sink").addHandler(Ear())

    client.run(listen)
    client.register_plugin(sink)
    try:
        wait(client.map(tasks.frame, range(50), pure=False))

        def dropped(dask_worker: object) -> int:
            counts = dask_worker.plugins["dask-napari"].counts()["counts"]
            return sum(tally.dropped.total() for tally in counts.values())

        deadline = time.monotonic() + DEADLINE
        while sum(client.run(dropped).values()) < 50:
            assert time.monotonic() < deadline
            threading.Event().wait(0.05)
        for said in client.run(lambda: logging.getLogger("dask_napari.sink").heard).values():
            assert len(said) == 1
            assert "(task 'frame-" in said[0]
            assert "raised on purpose" in said[0]
    finally:
        client.unregister_worker_plugin(sink.name)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:none", "tcp://::", "smoke://signal", "tcp://[::1"]
)
def test_an_address_of_another_form_is_refused_before_anything_is_sent(address):
    with pytest.raises(ValueError, match=rf"{re.escape(repr(address))} is not tcp://host:port"):
        NapariSink(address)


@pytest.mark.parametrize("address", ["tcp://viewer.invalid:5577", "ipc:///nowhere/viewer"])
def test_an_address_where_nobody_is_harms_no_task(client, address):
    keys = [f"frame {n} for {address}" for n in range(6)]  # no test before has made any of them
    sink = NapariSink(address, [Tap(keys, layer="x")], insecure=True)
    client.register_plugin(sink)
    try:
        futures = client.map(tasks.frame, range(6), key=keys)
        assert [int(frame[0, 0]) for frame in client.gather(futures)] == list(range(6))
        counts = client.run(lambda dask_worker: dask_worker.plugins["dask-napari"].counts())
        selected = [t.selected for worker in counts.values() for t in worker["counts"].values()]
        assert sum(selected) == 6
        assert all(worker["state"] == "connecting" for worker in counts.values())
    finally:
        client.unregister_worker_plugin(sink.name)


def test_causes_are_few_and_short_and_can_be_sent():
    class Mute(Exception):
        def __str__(self) -> str:
            raise SystemExit

    reports = Reports()
    for n in range(1000):
        error = ValueError("x" * 10_000)
        reports.error(f"reason {n}", error, layer="layer", key="k" * 10_000)
    reports.error("mute", Mute(), layer="l" * 5000, key=Mute())
    reports.error("half", "\udc80", key="\udc80")
    found = reports.all()
    assert len(found) == REPORTS_LIMIT
    assert found[-2].text == "Mute: <Mute>"
    status = wire.Status(1, {}, found)
    assert wire.decode_from_publisher(wire.encode(status)) == status
    assert not reports.fresh()
