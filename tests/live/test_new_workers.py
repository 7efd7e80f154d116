"""Workers that join while a viewer watches, and lack something: they start, and are named."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

import dask.array as da
import numpy as np
import pytest
from distributed import Client, wait

import cluster_tasks as tasks
import dask_napari as dn
from dask_napari.live._cluster_sinks import ClusterSinks
from dask_napari.sink import NapariSink, PortableFunction, tapped
from dask_napari.sink._watched_arrays import stream_chunk
from dask_napari.tap import Tap
from headless import Headless, eventually, windowless
from joining_workers import WITHOUT_US, joined

PICKLED_AGAIN = """
import pickle, sys
sys.modules["dask_napari"] = None
stand_in = pickle.load(sys.stdin.buffer)
assert stand_in("chunk", source="x", block_id=(0,)) == "chunk"
sys.stdout.buffer.write(pickle.dumps(stand_in))
"""

# Dask releases a result that the test has fetched, on a busy machine before its turn to be sent.
pytestmark = pytest.mark.drops("released")

MODULE = """
def at(key, value, args):
    return {"n": int(value[0, 0])}

def wanted(key):
    return str(key).startswith("frame")
"""


@pytest.fixture
def viewer() -> Iterator[Headless]:
    with Headless() as viewer:
        yield viewer


@pytest.fixture
def sinks(client, viewer) -> Iterator[ClusterSinks]:
    sinks = ClusterSinks(client, NapariSink(viewer.receiver.addresses, name="dask-napari-0f"))
    sinks.register()
    yield sinks
    sinks.close()


def works(client: Client, address: str) -> np.ndarray:
    return client.submit(tasks.frame, 7, workers=[address], pure=False).result(timeout=60)


def test_a_worker_without_this_package_works_and_is_named(client, sinks, viewer, tmp_path, caplog):
    sinks.change(lambda taps: taps.added([Tap("frame")]))
    with joined(client, tmp_path, WITHOUT_US) as address:
        assert (works(client, address) == 7).all()
        told: list[list[str]] = []
        eventually(lambda: told.extend(sinks.reports.changed()) or told)
        ((name, reason, text),) = told
        assert (name, reason) == (address, "no sink: ModuleNotFoundError")
        assert "install dask-napari" in text
        # It may be told of another tap, and asked for its counts, without a word in its log.
        sinks.change(lambda taps: taps.added([Tap("other", at=lambda *_: {"n": 0})]))
        assert len(sinks.counts()) == 1
        assert client.run(lambda: 1, workers=[address]) == {address: 1}
    assert caplog.text.count("nothing is streamed from here") == 1
    wait(client.map(tasks.frame, range(3), pure=False))
    viewer.until_shown("frame", 3)


def test_a_worker_without_this_package_computes_a_watched_array(client, sinks, viewer, tmp_path):
    image = da.arange(16, chunks=4).reshape(4, 4)
    watched, taps = tapped(image, layer="chunks")
    sinks.change(lambda others: others.added(taps))
    with joined(client, tmp_path, WITHOUT_US) as address:
        results = client.compute(watched + 1, workers=[address], allow_other_workers=False)
        assert (results.result(timeout=60) == np.arange(16).reshape(4, 4) + 1).all()
    # Through the scheduler, which may lack the package, too, it is still the function.
    (old,) = client.scheduler_info()["workers"]
    client.compute(watched + 2, workers=[old]).result(timeout=60)
    viewer.until(lambda: viewer.receiver.ledger()["chunks"].shown == image.npartitions)


def test_a_portable_function_passes_a_scheduler_without_this_package():
    portable = PortableFunction(stream_chunk)
    passed = subprocess.run(
        [sys.executable, "-c", PICKLED_AGAIN],
        input=pickle.dumps(portable),
        capture_output=True,
        check=True,
    )
    assert pickle.loads(passed.stdout).function is stream_chunk


def test_who_registers_a_sink_by_hand_is_told_of_such_a_worker(client, viewer, tmp_path):
    sink = NapariSink(viewer.receiver.addresses, [Tap("frame")], name="by-hand")
    with joined(client, tmp_path, WITHOUT_US) as address:
        with pytest.raises(ImportError, match=rf"{address}.*install dask-napari"):
            client.register_plugin(sink)
        assert (works(client, address) == 7).all()
    wait(client.map(tasks.frame, range(3), pure=False))
    viewer.until_shown("frame", 3)
    client.unregister_worker_plugin("by-hand")


@pytest.fixture
def module(client, tmp_path, monkeypatch) -> str:
    """A module that the client can import and the worker cannot."""
    name = f"only_here_{os.urandom(4).hex()}"
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    return name


def test_a_tap_that_no_worker_can_use_is_refused_and_leaves_nothing(client, sinks, module):
    at = importlib.import_module(module).at
    sinks.change(lambda taps: taps.added([Tap("frame", layer="good")]))
    with pytest.raises(ValueError, match=rf"layer 'bad'.*No module named '{module}'"):
        sinks.change(lambda taps: taps.added([Tap("frame", layer="bad", at=at)]))
    assert [tap.layer for tap in sinks.taps] == ["good"]
    kept = lambda dask_worker: [*dask_worker.plugins["dask-napari-0f-taps"].taps.values()]  # noqa: E731
    ((tap,),) = client.run(kept).values()
    assert tap.layer == "good"


def test_a_function_that_cannot_be_pickled_is_refused(sinks):
    lock = threading.Lock()
    with pytest.raises(TypeError, match=r"'frame' cannot be sent.*must not hold"):
        sinks.change(lambda taps: taps.added([Tap("frame", at=lambda *_: {"n": lock})]))
    assert len(sinks.taps) == 0


@pytest.fixture
def known_module(client, tmp_path, module) -> Iterator[ModuleType]:
    """The module, which the worker of the cluster can import and those that join cannot."""
    path = str(tmp_path / "lib")
    client.run(lambda: sys.path.insert(0, path))
    yield importlib.import_module(module)
    client.run(lambda: sys.path.remove(path))


@pytest.mark.drops("tap unusable")
@pytest.mark.parametrize("select", ["frame", np.ndarray])
def test_a_worker_without_a_module_of_a_tap_counts_its_outputs_and_streams_the_others(
    client, sinks, viewer, known_module, select, tmp_path
):
    placed = Tap(select, layer="placed", at=known_module.at)
    sinks.change(lambda taps: taps.added([Tap("frame", layer="plain"), placed]))
    (old,) = client.scheduler_info()["workers"]
    with joined(client, tmp_path) as address:
        works(client, address)
        works(client, old)
        viewer.until_shown("plain", 2)
        viewer.until_shown("placed", 1)
        viewer.until_settled()
        viewer.until(lambda: viewer.receiver.ledger()["placed"].selected == 2)
        assert dict(viewer.receiver.ledger()["placed"].dropped) == {"tap unusable": 1}
        viewer.until(lambda: any(r.reason == "tap unusable" for _, r in viewer.receiver.reports()))
        told = [(n, r) for n, r in viewer.receiver.reports() if r.reason == "tap unusable"]
        ((name, report),) = told
        assert name.startswith(address)
        assert report.layer == "placed"
        assert f"No module named '{known_module.__name__}'" in report.text


def test_a_worker_that_cannot_choose_outputs_is_named_and_not_waited_for(
    client, known_module, tmp_path
):
    with windowless(), dn.watch(client) as live:
        live.tap(known_module.wanted, layer="chosen")
        (old,) = client.scheduler_info()["workers"]
        with joined(client, tmp_path) as address:
            works(client, address)
            works(client, old)
            ledger = live.wait(30)
            assert ledger["chosen"].selected == 1
            (note,) = ledger.notes
            assert f"layer 'chosen' shows and counts no outputs of {address}: " in note
            assert f"No module named '{known_module.__name__}'" in note


def test_a_worker_with_a_setting_that_cannot_be_read_streams_and_says_so(
    client, sinks, viewer, tmp_path
):
    sinks.change(lambda taps: taps.added([Tap("frame")]))
    bad = {"DASK_DASK_NAPARI__ARENA": "64 MBB", "DASK_DASK_NAPARI__QUEUE": "plenty"}
    with joined(client, tmp_path, **bad) as address:
        works(client, address)
        viewer.until_shown("frame", 1)
        viewer.until(viewer.receiver.reports)
        ((name, report),) = viewer.receiver.reports()
        assert name.startswith(address)
        assert "is not a size; write it as in '64MiB'" in report.text


def test_a_change_that_fails_is_taken_back(client, sinks, monkeypatch):
    sinks.change(lambda taps: taps.added([Tap("frame", layer="good")]))
    register = sinks._register

    def fails_once(plugin: object) -> None:
        register(plugin)
        monkeypatch.setattr(sinks, "_register", register)
        raise OSError("the connection broke")

    monkeypatch.setattr(sinks, "_register", fails_once)
    with pytest.raises(OSError, match="broke"):
        sinks.change(lambda taps: taps.added([Tap("frame", layer="bad")]))
    kept = lambda dask_worker: [*dask_worker.plugins["dask-napari-0f-taps"].taps.values()]  # noqa: E731
    ((tap,),) = client.run(kept).values()
    assert (tap.layer, len(sinks.taps)) == ("good", 1)


def test_the_window_is_told_of_workers_without_a_stream(client, tmp_path, monkeypatch):
    with windowless(), dn.watch(client) as live:
        asked: list[tuple[object, ...]] = []
        request = live._control.request

        def heard(name: str, *arguments: object, **options: object) -> object:
            answer = request(name, *arguments, **options)
            asked.append((name, *arguments))
            return answer

        monkeypatch.setattr(live._control, "request", heard)
        with joined(client, tmp_path, WITHOUT_US) as address:
            eventually(lambda: any(name == "reports" for name, *_ in asked))
        ((name, reason, _),) = next(a[0] for n, *a in asked if n == "reports")["reports"]
        assert (name, reason) == (address, "no sink: ModuleNotFoundError")
