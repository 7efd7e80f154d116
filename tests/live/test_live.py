"""`watch` from end to end: a real cluster, a viewer in its own process, a real screen for some."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from distributed import Client, Event, LocalCluster, wait

import cluster_tasks as tasks
import dask_napari as dn
from dask_napari.live import _dialed_addresses, _live, _watch
from dask_napari.model import Tally, _polling
from dask_napari.stream.shm import janitor
from headless import DEADLINE, eventually, windowless

SHAPE_OF_PNG = b"\x89PNG"


PORTS: set[int] = set()
"""Of the workers; segments are named after them."""


def is_running(process: psutil.Process) -> bool:
    """Return whether a process has not ended; an orphan may wait for somebody to reap it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def has_ended(pid: int) -> bool:
    """Return whether the process of that number has ended."""
    return not psutil.pid_exists(pid) or not is_running(psutil.Process(pid))


def leftovers() -> list[object]:
    """What is there of this test run; others may be at work on the host."""
    viewers = [
        process.pid
        for process in psutil.Process().children(recursive=True)
        if is_running(process) and "dask_napari.viewer" in process.cmdline()
    ]
    threads = [t.name for t in threading.enumerate() if t.name.startswith("dask-napari")]
    marks = [f"-{port}-" for port in PORTS]
    files = [
        left
        for left in janitor.find()
        if left.kind == "directory" or any(mark in left.path.name for mark in marks)
    ]
    return [*viewers, *threads, *files]


@pytest.fixture(scope="module", autouse=True)
def _private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tmp")))
        yield


@pytest.fixture(autouse=True)
def has_window(request: pytest.FixtureRequest) -> Iterator[None]:
    """Napari's window, for those tests whose subject it is."""
    with contextlib.nullcontext() if getattr(request, "param", False) else windowless():
        yield


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        PORTS.update(int(a.rpartition(":")[2]) for a in client.scheduler_info()["workers"])
        yield client


@pytest.mark.parametrize("has_window", [True], indirect=True)
def test_results_of_map_are_shown_while_they_come(client, tmp_path):
    with dn.watch(client) as live:
        live.tap("gated_frame", layer="raw", at=lambda key, value, args: {"n": args[0]})
        futures = client.map(tasks.gated_frame, range(60), gate="rest", free=20, pure=False)
        eventually(lambda: live.ledger().total.shown == 20)
        Event("rest", client=client).set()
        live.tap("segment", kind="labels", layer="cells")
        cells = client.map(tasks.segment, futures, pure=False)
        wait(cells)
        ledger = live.wait(DEADLINE)
        assert ledger.balanced
        assert ledger["raw"].shown == 60
        assert ledger["cells"].shown == 60
        path = live.screenshot(tmp_path / "shots" / "live.png")
        assert path.read_bytes().startswith(SHAPE_OF_PNG)
        assert "viewer open, 2 taps" in repr(live)
    assert not live.open
    assert "closed" in repr(live)
    assert not leftovers()
    with pytest.raises(RuntimeError, match="closed"):
        live.tap("frame")
    live.close()


@pytest.mark.drops("viewer-gone")
@pytest.mark.parametrize(
    ("how", "has_window"),
    [(signal.SIGKILL, False), (signal.SIGTERM, True)],
    indirect=["has_window"],
)
def test_the_computation_goes_on_when_the_viewer_ends(client, how):
    with dn.watch(client) as live:
        live.tap("slow_frame")
        futures = client.map(tasks.slow_frame, range(200), pure=False)
        eventually(lambda: live.ledger().total.shown)
        os.kill(live._viewer.process.pid, how)
        results = client.gather(futures)
        assert [int(result[0, 0]) for result in results] == list(range(200))
        eventually(lambda: not live.open)
        ledger = live.wait(DEADLINE)
        assert ledger.total.selected == 200
        assert not ledger.total.pending
        assert ledger.balanced
        with pytest.raises(dn.ViewerGone):
            live.screenshot("nowhere.png")
        live.block()
    assert not leftovers()


@pytest.mark.drops("viewer-gone")
def test_all_that_was_selected_is_in_the_ledger_after_the_end(client):
    with dn.watch(client) as live:
        live.tap("frame")
        futures = client.map(tasks.frame, range(30), pure=False)
        wait(futures)
    assert live.ledger().total.selected == 30
    assert not live.ledger().total.pending


def test_the_computation_goes_on_when_the_viewer_is_stopped(client, monkeypatch):
    with dn.watch(client) as live:
        live.tap("frame")
        wait(client.map(tasks.frame, range(10), pure=False))
        live.wait(DEADLINE)
        os.kill(live._viewer.process.pid, signal.SIGSTOP)
        try:
            futures = client.map(tasks.frame, range(300), size=256, pure=False)
            assert len(client.gather(futures)) == 300
            monkeypatch.setattr(_live, "VIEWER_TIMEOUT", 0.5)
            ledger = live.ledger()
            assert ledger.total.selected == 310
            assert ledger.total.shown == 10
            assert any("the viewer does not answer" in note for note in ledger.notes)
        finally:
            monkeypatch.undo()
            os.kill(live._viewer.process.pid, signal.SIGCONT)
        ledger = live.wait(DEADLINE)
        assert ledger.balanced
        assert ledger.total.shown == 310
    assert not leftovers()


@pytest.mark.drops("viewer-gone", "closed")
def test_close_waits_for_a_stopped_viewer_no_longer_than_it_is_told(client, caplog):
    live = dn.watch(client)
    live.tap("frame")
    os.kill(live._viewer.process.pid, signal.SIGSTOP)
    wait(client.map(tasks.frame, range(20), pure=False))
    began = time.monotonic()
    ledger = live.close(timeout=4)
    assert time.monotonic() - began < 6
    assert (ledger.total.selected, ledger.total.pending) == (20, 0)
    assert ledger.balanced
    assert "did not end within 4 s, and was killed" in caplog.text
    assert not leftovers()
    plugins = client.run(lambda dask_worker: [str(name) for name in dask_worker.plugins])
    assert not any("dask-napari" in name for names in plugins.values() for name in names)


def test_a_worker_that_joins_while_the_viewer_is_stopped_is_not_called_unreachable(
    caplog, monkeypatch
):
    monkeypatch.setattr(_live, "VIEWER_TIMEOUT", 0.5)
    monkeypatch.setattr(_live, "POLL_INTERVAL", 0.1)
    monkeypatch.setattr(_live, "LEDGER_SHARE", 0)
    monkeypatch.setattr(_dialed_addresses, "NEWCOMERS_INTERVAL", 0.0)
    caplog.set_level("DEBUG", "dask_napari.live")
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
        dn.watch(client) as live,
    ):
        os.kill(live._viewer.process.pid, signal.SIGSTOP)
        try:
            cluster.scale(2)
            client.wait_for_workers(2)
            before = caplog.text.count("the viewer was not asked")
            eventually(lambda: caplog.text.count("the viewer was not asked") >= before + 10)
        finally:
            os.kill(live._viewer.process.pid, signal.SIGCONT)
    assert "cannot reach" not in caplog.text


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import cluster_tasks as tasks
from distributed import Client
import dask_napari as dn

if __name__ == "__main__":
    client = Client({address!r})
    live = dn.watch(client)
    live.tap("frame")
    client.gather(client.map(tasks.frame, range(5), pure=False))
    live.wait(60)
    print(live._viewer.process.pid, flush=True)
    {end}
"""


@pytest.mark.parametrize(
    ("end", "code", "has_window"),
    [
        ("", 0, False),
        ("raise SystemExit(3)", 3, False),
        ("import os; os.kill(os.getpid(), 9)", -9, True),
    ],
    indirect=["has_window"],
)
def test_nothing_is_left_however_the_script_ends(client, tmp_path, end, code):
    script = tmp_path / "script.py"
    tests = str(Path(__file__).parents[1])
    script.write_text(SCRIPT.format(tests=tests, address=client.scheduler.address, end=end))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr
    eventually(lambda: has_ended(int(done.stdout)))
    eventually(lambda: not leftovers(), leftovers)


TWO = """
import atexit
from distributed import Client
import dask_napari as dn

if __name__ == "__main__":
    atexit.register(lambda: print("open" if second.open else "closed"))  # the last to run
    client = Client({address!r})
    first, second = dn.watch(client), dn.watch(client, new=True)
    first.close()
"""


def test_a_handle_that_is_closed_leaves_the_end_of_others_alone(client, tmp_path):
    script = tmp_path / "two.py"
    script.write_text(TWO.format(address=client.scheduler.address))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "closed\n"), done.stderr
    eventually(lambda: not leftovers(), leftovers)


def test_a_cell_that_is_run_again_gets_the_viewer_that_is_there(client, caplog):
    def cell(**options) -> dn.Live:
        live = dn.watch(client, **options)
        live.tap("frame", at=lambda key, value, args: {"n": args[0]})
        return live

    with cell(title="mine") as live:
        wait(client.map(tasks.frame, range(5), pure=False))
        assert live.wait(DEADLINE)["frame"].selected == 5
        assert cell() is live
        assert cell(title="mine") is live
        assert len(live.taps) == 1
        with pytest.raises(ValueError, match=r"title='other'.*opened with title='mine'.*new=True"):
            cell(title="other")
        with pytest.raises(ValueError, match=r"memory='1GiB'.*the default memory"):
            cell(memory="1GiB")
        with cell():
            pass  # the block of a function that watches, too
        assert live.open
        wait(client.map(tasks.frame, range(5, 10), pure=False))
        assert live.wait(DEADLINE)["frame"].selected == 10
        os.kill(live._viewer.process.pid, signal.SIGTERM)  # as if the user closed the window
        eventually(lambda: not live.open)
        with Client(client.scheduler.address) as other, cell() as another:
            assert another is not live
            assert all(len(names) == 2 for names in client.run(sinks).values())
            assert "another client" not in caplog.text
            dn.watch(other).close()
            assert "another client of this process has a viewer" in caplog.text
    assert not leftovers()


FORKS = """
import multiprocessing, os, sys, time
from distributed import Client
import dask_napari as dn

if __name__ == "__main__":
    client = Client({address!r})
    live, other = dn.watch(client), dn.watch(client, new=True)
    asleep = multiprocessing.get_context("fork").Process(target=time.sleep, args=(300,))
    asleep.start()
    began = time.monotonic()
    if (child := os.fork()) == 0:
        live.close()
        os._exit(1 if live.open else 0)  # Dask's own end in a forked child takes its time
    assert os.waitpid(child, 0)[1] == 0
    assert time.monotonic() - began < 5
    assert live.open
    live.close()
    # It had no signal, which it would have had if it had not ended by itself.
    assert live._viewer.process.returncode == 0
    assert other.open
    print(other._viewer.process.pid, asleep.pid, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_a_forked_child_neither_closes_a_window_nor_keeps_it_open(client, tmp_path):
    script = tmp_path / "forks.py"
    script.write_text(FORKS.format(address=client.scheduler.address))
    with (tmp_path / "out").open("w+") as out:  # a pipe would be held by the child that sleeps
        done = subprocess.run([sys.executable, str(script)], stdout=out, timeout=120, check=False)
        out.seek(0)
        viewer, asleep = map(int, out.read().split())
    try:
        assert done.returncode == -9
        eventually(lambda: has_ended(viewer))
        assert not has_ended(asleep)
    finally:
        if not has_ended(asleep):
            os.kill(asleep, signal.SIGKILL)
    eventually(lambda: not leftovers(), leftovers)


def test_bad_arguments_are_told_at_the_call(client):
    with pytest.raises(TypeError, match=r"distributed\.Client"):
        dn.watch("tcp://127.0.0.1:8786")
    with pytest.raises(ValueError, match="transport"):
        dn.watch(client, transport="pigeon")
    with pytest.raises(ValueError, match="tcp://host:port"):
        dn.watch(client, listen="http://127.0.0.1")
    with pytest.raises(ValueError, match="no directory"):
        dn.watch(client, listen="ipc:///of/another/host")
    with pytest.raises(dn.ViewerFailed, match=r"cannot listen on tcp://192\.0\.2\.1"):
        dn.watch(client, listen="tcp://192.0.2.1:5577")
    with pytest.raises(dn.ViewerFailed, match=r"taken"):
        dn.watch(client, listen=f"tcp://{client.scheduler.address.split('//')[1]}")
    assert not leftovers()


def sinks(dask_worker: object) -> set[str]:
    return {name for name in dask_worker.plugins if name.startswith("dask-napari")}


def test_two_viewers_at_once_get_everything_and_close_one_by_one(client):
    with dn.watch(client) as first, dn.watch(client, new=True) as second:
        first.tap("frame")
        second.tap("frame", layer="copy")
        futures = client.map(tasks.frame, range(10), pure=False)
        wait(futures)
        assert first.wait(DEADLINE)["frame"].shown == 10
        assert second.wait(DEADLINE)["copy"].shown == 10
        first.close()
        wait(client.map(tasks.frame, range(10), pure=False))
        assert second.wait(DEADLINE)["copy"].shown == 20
        assert all(len(names) == 2 for names in client.run(sinks).values())
    assert not any(client.run(sinks).values())
    plugins = lambda dask_scheduler: {*dask_scheduler.plugins, *dask_scheduler.worker_plugins}  # noqa: E731
    assert not [name for name in client.run_on_scheduler(plugins) if "napari" in name]
    assert not leftovers()


def test_a_client_that_lost_the_scheduler_registers_again(client):
    with Client(client.scheduler.address) as other, dn.watch(other) as live:
        live.tap("frame")
        for name in (
            f"{live._sinks.name}-taps",
            live._sinks.name,
        ):  # as the scheduler does after a second
            client.unregister_worker_plugin(name)
        other.sync(other.scheduler_comm.comm.close)
        eventually(lambda: all(len(names) == 2 for names in client.run(sinks).values()))
        wait(other.map(tasks.frame, range(10), pure=False))
        assert live.wait(DEADLINE)["frame"].shown == 10
    eventually(lambda: not any(client.run(sinks).values()))
    assert not leftovers()


def test_a_tap_that_is_wrong_is_told_at_the_call(client):
    with dn.watch(client) as live:
        for wrong, match in (
            ({"kind": "picture"}, "kind"),
            ({"at": "{well"}, "pattern"),
            ({"at": "nothing"}, "has no axis"),
            ({"at": "{well}", "axes": {"wells": "layer"}}, "wells"),
        ):
            with pytest.raises(ValueError, match=match):
                live.tap("frame", **wrong)
        tap = live.tap("frame", kind="labels")
        with pytest.raises(ValueError, match="both"):
            live.tap("segment", layer="frame")
        assert live.taps == (tap,)
        live.untap(tap)
        with pytest.raises(ValueError, match="is not active"):
            live.untap(tap)


@pytest.mark.drops("viewer-gone")
def test_a_ledger_and_a_wait_tell_of_sinks_that_cannot_reach_the_viewer(
    client, monkeypatch, caplog
):
    sink = functools.partial(dn.NapariSink, "tcp://127.0.0.1:1")
    monkeypatch.setattr(_watch, "NapariSink", lambda _, **options: sink(**options))
    monkeypatch.setattr(_polling, "TELL_INTERVAL", 0.2)
    with dn.watch(client) as live:
        live.tap("frame")
        wait(client.map(tasks.frame, range(5), pure=False))
        tally = live.ledger()["frame"]
        assert (tally.selected, tally.pending) == (5, 5)
        with pytest.raises(TimeoutError, match=r"5 items are pending: . of tcp:.*not reached the"):
            live.wait(1.0)
        said = [r.message for r in caplog.records if r.levelname == "WARNING"]
        assert any("not reached the viewer at tcp://127.0.0.1:1" in line for line in said)
    assert live.ledger()["frame"].dropped == {"viewer-gone": 5}
    assert live.ledger().balanced


def test_a_tap_that_matches_nothing_is_named(client, caplog):
    with dn.watch(client) as live:
        live.tap("segment", kind="labels")
        frames = client.map(tasks.frame, range(2), key=["segment-cell-0", "segment-cell-1"])
        wait(frames)
        ledger = live.wait(DEADLINE)
        assert "nothing selected yet" in str(ledger)
        (note,) = ledger.notes
        assert note.startswith('tap "segment" has matched no task yet; did you mean "segment-cell')
        assert note in caplog.text


@pytest.mark.drops("worker-lost")
def test_wait_does_not_wait_for_a_worker_that_is_gone(client, monkeypatch):
    with dn.watch(client) as live:
        live.tap("frame")
        wait(client.map(tasks.frame, range(5), pure=False))
        counts = live._sinks.counts
        # Killed after it was asked, before it told the viewer what it had said.
        gone = [{**counts()[0], "name": "gone", "counts": {"frame": Tally(selected=3, pending=3)}}]

        def once(timeout: float | None = None) -> list[dict[str, object]]:
            monkeypatch.setattr(live._sinks, "counts", counts)
            return [*counts(), *gone]

        monkeypatch.setattr(live._sinks, "counts", once)
        assert live.wait(DEADLINE)["frame"].shown == 5
        assert live.ledger()["frame"].dropped == {"worker-lost": 3}
