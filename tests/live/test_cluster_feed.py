"""The feed on a real cluster, to a viewer without a screen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from distributed import Client, Event, wait
from watched import Watched

import cluster_tasks as tasks
from dask_napari.live import ClusterAttachment
from dask_napari.model import Command, TapProgress, TaskCounts, TaskStatus
from dask_napari.stream import Board, Receiver, ViewerGone
from dask_napari.tap import Tap
from headless import Headless, eventually


@pytest.fixture
def watched(client) -> Iterator[Watched]:
    with Headless() as viewer, Watched(client, viewer.receiver) as watched:
        yield watched


def on_scheduler(dask_scheduler: object) -> list[str]:
    names = {*dask_scheduler.plugins, *dask_scheduler.handlers}
    return [name for name in names if name.startswith("dask-napari-") and "-tasks" in name]


def test_groups_are_told_with_counts_types_and_durations(client, watched):
    gate = f"gate-{uuid.uuid4().hex}"
    futures = client.map(tasks.gated_frame, range(12), gate=gate, free=3, pure=False)
    eventually(lambda: (group := watched.group("gated_frame")) and group.counts.computed == 3)
    eventually(lambda: watched.group("gated_frame").shape == "64x64 uint16")
    group = watched.group("gated_frame")
    assert group.counts.total == 12
    assert group.types == ("numpy.ndarray",)
    assert group.nbytes == 3 * 64 * 64 * 2
    assert group.seconds > 0
    state = watched.receiver.cluster.state()
    assert state.scheduler == client.scheduler.address
    assert state.workers == 1
    assert watched.receiver.cluster.attached
    Event(gate, client=client).set()
    eventually(lambda: watched.group("gated_frame").counts == TaskCounts(computed=12))
    del futures
    eventually(lambda: watched.group("gated_frame") is None)


def test_a_tap_is_told_from_the_first_moment_and_counts_its_tasks(client, watched):
    watched.tap(Tap("frame", layer="raw"))
    watched.tap(Tap("fail", layer="bad", kind="labels"))
    eventually(lambda: watched.progress("bad"))
    assert watched.progress("raw") == TapProgress("raw", "image", "frame")
    futures = client.map(tasks.frame, range(7), pure=False)
    failing = client.map(tasks.fail, range(2), pure=False)
    wait([*futures, *failing])
    eventually(lambda: watched.counts("bad") == TaskCounts(failed=2))
    eventually(lambda: watched.counts("raw") == TaskCounts(computed=7))
    eventually(lambda: watched.receiver.known() == {"raw": 7, "bad": 2})
    assert watched.progress("raw").groups == ("frame",)


@pytest.mark.drops("not points")
def test_taps_by_array_keys_and_type_are_counted(client, watched):
    array = da.ones((40, 40), chunks=10, dtype="u1", name=f"ones-{uuid.uuid4().hex}") + 1
    futures = client.map(tasks.frame, range(3), pure=False)
    watched.tap(Tap(array, layer="array"))
    watched.tap(Tap(futures[1:], layer="keys"))
    watched.tap(Tap(float, layer="numbers", kind="points"))
    kept = array.persist()
    number = client.submit(float, 3, pure=False)
    wait([*futures, kept, number])
    eventually(lambda: watched.counts("array") == TaskCounts(computed=16))
    eventually(lambda: watched.counts("keys") == TaskCounts(computed=2))
    eventually(lambda: watched.counts("numbers") == TaskCounts(computed=1))
    del futures
    eventually(lambda: watched.group("frame") is None)
    assert watched.counts("keys") == TaskCounts(computed=2)


def test_cancelled_tasks_are_not_computed(client, watched):
    gate = f"gate-{uuid.uuid4().hex}"
    watched.tap(Tap("gated_frame", layer="raw"))
    futures = client.map(tasks.gated_frame, range(9), gate=gate, free=4, pure=False)
    eventually(lambda: (counts := watched.counts("raw")) and counts.computed == 4)
    client.cancel(futures[6:])
    eventually(lambda: watched.counts("raw").total == 6)
    assert watched.counts("raw").computed == 4
    Event(gate, client=client).set()


def test_the_scheduler_is_left_as_it_was(client, watched):
    eventually(lambda: watched.receiver.cluster.state())
    assert client.run_on_scheduler(on_scheduler)
    watched.feed.close(2.0)
    assert client.run_on_scheduler(on_scheduler) == []


def test_the_plugin_goes_with_its_client(client):
    with (
        Headless() as viewer,
        Client(client.scheduler.address) as other,
        Watched(other, viewer.receiver),
    ):
        eventually(lambda: viewer.receiver.cluster.state())
        other.close()
        eventually(lambda: client.run_on_scheduler(on_scheduler) == [])


# -- tasks at their places ---------------------------------------------------------------------


def states(watched: Watched, layer: str) -> dict[object, str]:
    """The last state of each place of a layer that the feed tells; running is the sinks' word."""
    for _, status in watched.receiver.cluster.take_statuses():
        watched.statuses.append(status)
    found = {}
    for status in watched.statuses:
        meta = status.meta
        if meta.layer == layer and (status.state == "failed" or not meta.provenance.worker):
            found[(*meta.position.values(), *meta.origin)] = status.state
    return found


def failures(watched: Watched, layer: str) -> list[TaskStatus]:
    states(watched, layer)
    return [s for s in watched.statuses if s.meta.layer == layer and s.state == "failed"]


def test_tasks_are_expected_at_their_places_and_withdrawn_if_they_are_cancelled(client, watched):
    gate = f"gate-{uuid.uuid4().hex}"
    watched.tap(Tap("gated_read", layer="cells", kind="labels", at="{well}_s{field:d}.tif"))
    paths = [f"/data/{well}_s{field}.tif" for well in ("A01", "B07") for field in range(4)]
    futures = client.map(tasks.gated_read, paths, gate=gate, pure=False)
    eventually(lambda: len(states(watched, "cells")) == 8)
    assert set(states(watched, "cells").values()) == {"expected"}
    assert ("B07", 3) in states(watched, "cells")
    client.cancel(futures[6:])
    eventually(lambda: [*states(watched, "cells").values()].count("withdrawn") == 2)
    Event(gate, client=client).set()
    wait(futures[:6])
    assert [*states(watched, "cells").values()].count("expected") == 6


def test_tasks_that_were_there_before_the_tap_are_told_as_well(client, watched):
    gate = Event(f"gate-{uuid.uuid4().hex}", client=client)
    image = da.map_blocks(
        tasks.gated_block,
        gate.name,
        chunks=((20, 20, 5), (30, 3)),
        dtype="u1",
        meta=np.empty((0, 0), "u1"),
    )
    kept = image.persist()
    eventually(lambda: watched.group("gated_block"))
    watched.tap(Tap(kept, layer="image"))
    eventually(lambda: len(states(watched, "image")) == 6)
    assert states(watched, "image")[40, 30] == "expected"
    assert watched.statuses[0].meta.array_shape == (45, 33)
    gate.set()


def test_failed_tasks_are_told_with_their_error_and_retried_by_a_command(client, watched, tmp_path):
    watched.tap(Tap("fail_without", layer="cells", at="{well}.flag"))
    watched.tap(Tap("segment", layer="mask", kind="labels"))
    flags = [tmp_path / f"{well}.flag" for well in ("A01", "A02")]
    flags[0].touch()
    pictures = client.map(tasks.fail_without, flags, pure=False)
    masks = client.map(tasks.segment, pictures, pure=False)
    wait(masks)
    eventually(lambda: states(watched, "cells").get(("A02",)) == "failed")
    failed, *_ = failures(watched, "cells")  # its worker tells of it, too
    assert failed.error == f"FileNotFoundError: no {flags[1]}"
    assert "fail_without" in failed.traceback
    assert failed.meta.provenance.worker.startswith("tcp://")
    assert failed.meta.provenance.key == pictures[1].key
    eventually(lambda: failures(watched, "mask"))
    (dependent,) = failures(watched, "mask")
    assert dependent.error == f"{failed.error} (of {pictures[1].key})"
    flags[1].touch()
    watched.receiver.cluster.command(Command("retry", {"keys": [pictures[1].key]}))
    eventually(lambda: masks[1].status == "finished")
    assert client.gather(pictures[1])[0, 0] == 2


def test_commands_change_the_taps_and_pause_the_stream(client, watched):
    link, receiver = watched.receiver.cluster, watched.receiver
    eventually(lambda: link.attached)
    link.command(Command("tap", {"select": "frame", "kind": "image", "layer": "raw"}))
    eventually(lambda: watched.progress("raw"))
    link.command(Command("pause"))
    eventually(lambda: link.state().paused)
    futures = client.map(tasks.frame, range(4), pure=False)
    wait(futures)
    eventually(lambda: watched.counts("raw") == TaskCounts(computed=4))
    assert not receiver.ledger().total.selected
    link.command(Command("resume"))
    eventually(lambda: receiver.sums().total.selected == 4)
    eventually(lambda: not link.state().paused)
    link.command(Command("untap", {"layer": "raw"}))
    eventually(lambda: watched.progress("raw") is None)
    link.command(Command("tap", {"select": "frame", "kind": "picture"}))
    eventually(lambda: any("picture" in report.text for _, report in receiver.reports()))


def test_a_tap_that_matched_nothing_takes_other_tasks_and_keeps_its_options(client, watched):
    watched.tap(Tap("fram", layer="raw", at="{n:d}", options={"opacity": 0.5}))
    link = watched.receiver.cluster
    eventually(lambda: watched.progress("raw") and link.attached)
    link.command(Command("tap", {"select": "frame", "replaces": "raw"}))
    eventually(lambda: watched.progress("raw").select == "frame")
    (tap,) = watched.sinks.taps
    assert (tap.layer, tap.at, tap.options) == ("raw", "{n:d}", {"opacity": 0.5})


def test_a_predicate_of_the_user_is_not_asked_of_other_tasks(client, watched):
    watched.tap(Tap(tasks.slow_predicate, layer="any"))
    wait(client.map(tasks.frame, range(3), pure=False))
    eventually(lambda: watched.progress("any"))
    assert watched.counts("any").total == 0
    assert not tasks.SLOW_CALLS


def test_a_viewer_that_was_silent_is_told_what_it_missed(client, watched, monkeypatch):
    gate = f"gate-{uuid.uuid4().hex}"
    eventually(lambda: watched.receiver.cluster.attached)
    asked = watched.control.request
    monkeypatch.setattr(watched.control, "request", silent)
    watched.tap(Tap("gated_read", layer="cells", at="{well}.tif"))
    futures = client.map(tasks.gated_read, ["A01.tif", "A02.tif"], gate=gate, pure=False)
    eventually(lambda: not watched.feed._heard)
    monkeypatch.setattr(watched.control, "request", asked)
    eventually(lambda: len(states(watched, "cells")) == 2)
    Event(gate, client=client).set()
    wait(futures)


def silent(*_: object, **__: object) -> None:
    raise ViewerGone("stopped")


def test_the_ledger_is_among_the_metrics_of_the_workers(client, watched):
    def selected(dask_scheduler: object) -> int:
        (worker,) = dask_scheduler.workers.values()
        return worker.metrics.get("dask-napari-outputs", {}).get("selected", -1)

    watched.tap(Tap("frame", layer="raw"))
    wait(client.map(tasks.frame, range(3), pure=False))
    eventually(lambda: client.run_on_scheduler(selected) == 3)
    watched.sinks.close()
    eventually(lambda: client.run_on_scheduler(selected) == -1)


# -- schedulers that do not answer --------------------------------------------------------------


@contextmanager
def scheduler_process(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    """A scheduler without workers in a process of its own, and a client of it."""
    file = folder / "scheduler.json"
    command = [sys.executable, "-m", "dask", "scheduler", "--no-dashboard", "--port", "0"]
    command += ["--host", "127.0.0.1", "--scheduler-file", str(file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(file.exists)
            with Client(scheduler_file=str(file)) as client:
                yield process, client
        finally:
            process.kill()


@contextmanager
def silent_scheduler(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Watched]]:
    """A scheduler that was stopped after the feed had heard of it."""
    with (
        scheduler_process(folder) as (process, client),
        Headless() as viewer,
        Watched(client, viewer.receiver) as watched,
    ):
        eventually(lambda: viewer.receiver.cluster.state())
        os.kill(process.pid, signal.SIGSTOP)
        eventually(lambda: watched.feed._silent_since)
        yield process, watched


def test_a_scheduler_that_is_stopped_is_asked_again_when_it_wakes(tmp_path):
    with silent_scheduler(tmp_path) as (process, watched):
        assert watched.receiver.cluster.attached
        os.kill(process.pid, signal.SIGCONT)
        futures = watched.sinks.client.map(abs, range(3), pure=False)
        eventually(lambda: watched.group("abs") is not None)
        assert watched.group("abs").counts.waiting == len(futures)


def test_a_feed_ends_in_time_though_its_scheduler_is_stopped(tmp_path):
    with silent_scheduler(tmp_path) as (process, watched):
        began = time.monotonic()
        watched.feed.close(2.0)
        assert time.monotonic() - began < 4
        os.kill(process.pid, signal.SIGCONT)


# -- a viewer of this process --------------------------------------------------------------------


def test_a_cluster_is_attached_to_a_viewer_by_its_address(client):
    def sinks(dask_worker: object) -> list[str]:
        return [name for name in dask_worker.plugins if name.startswith("dask-napari")]

    attached = ClusterAttachment(client.scheduler.address.removeprefix("tcp://"))
    endpoint = attached.endpoint()
    with Receiver(endpoint.addresses, Board(), security=endpoint.security) as receiver:
        told = endpoint.told(receiver.addresses)
        attached.stream_to(receiver.addresses, told, endpoint.security)
        link = receiver.cluster
        eventually(lambda: link.attached)
        link.command(Command("tap", {"select": "frame", "layer": "raw"}))
        eventually(lambda: link.state() and link.state().taps)
        wait(client.map(tasks.frame, range(3), pure=False))
        eventually(lambda: receiver.sums().total.selected == 3)
        attached.close()
    assert not any(client.run(sinks).values())
    assert client.run_on_scheduler(on_scheduler) == []


def test_a_scheduler_that_is_not_there_is_named():
    with pytest.raises(OSError, match=r"127\.0\.0\.1:1\b"):
        ClusterAttachment("127.0.0.1:1", timeout=0.5)
