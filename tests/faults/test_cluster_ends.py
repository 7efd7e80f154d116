"""A client or a scheduler that is lost, and a cluster that grows and shrinks."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from faults import leftovers
from faults.moments import MOMENTS, moments, nothing_left
from faults.stage import Stage
from faults.viewers import DEADLINE, Headless, eventually
from headless import windowless

COUNT = 150

pytestmark = [
    pytest.mark.timeout(180 + 120 * MOMENTS),
    pytest.mark.drops("worker-lost", "viewer-gone", "worker-paused", "worker-memory", "released"),
]


def script(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / "script.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "faults.scripts", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=leftovers.environment(folder),
        )


def line(process: subprocess.Popen[bytes], folder: Path) -> bytes:
    assert process.stdout is not None
    found = process.stdout.readline()
    assert found, (folder / "script.log").read_text()[-4000:]
    return found


def test_the_client_is_killed_and_another_comes(stage, folder):
    name = "SIGKILL of the client"
    for rng in moments(name):
        with script(folder, "watch", str(stage.file)) as client:
            line(client, folder)
            stage.pids()
            threading.Event().wait(rng.uniform(0, 1))
            client.kill()
            client.wait(DEADLINE)
            nothing_left(name, leftovers.none_within(stage.left))
        viewer = Headless(folder)
        with stage.streaming(viewer):
            futures = stage.start(COUNT)
            stage.check(futures)
            stage.until_shown(viewer, COUNT)
            del futures
        viewer.close()
        nothing_left(name, leftovers.none_within(stage.left))


def test_the_scheduler_is_lost(own_folder):
    name = "SIGKILL of the scheduler"
    for rng in moments(name):
        stage = Stage(own_folder)
        try:
            viewer = Headless(own_folder)
            with windowless(), script(own_folder, "watch", str(stage.file)) as client:
                line(client, own_folder)
                stage.streaming(viewer).__enter__()
                stage.pids()
                futures = stage.start(COUNT)
                threading.Event().wait(rng.uniform(0, 1))
                stage.scheduler.kill()
                for nanny in stage.nannies:
                    nanny.wait(DEADLINE)
                assert client.stdin is not None
                client.stdin.close()
                assert client.wait(DEADLINE) == 0
            # What came before is shown, and accounted for.
            eventually(lambda v=viewer: not v.ledger().total.pending, viewer.ledger)
            assert viewer.ledger().balanced
            viewer.close()
            nothing_left(name, leftovers.none_within(lambda s=stage: s.processes_and_files()))
            del futures
        finally:
            stage.close()


def test_a_cluster_grows_and_shrinks(own_folder):
    name = "adaptive scaling"
    for rng in moments(name):
        viewer = Headless(own_folder)
        with script(
            own_folder, "adaptive", viewer.address, "60", "3", str(rng.random())
        ) as process:
            workers = json.loads(line(process, own_folder))["workers"]
            assert process.wait(DEADLINE) == 0
        assert len(workers) > 3, "the cluster did not grow and shrink"
        eventually(lambda v=viewer: v.shows("frames", 60), viewer.ledger)
        eventually(lambda v=viewer: not v.ledger().total.pending, viewer.ledger)
        assert viewer.ledger().balanced
        assert viewer.ledger().total.selected == 3 * 60
        viewer.close()
        ports = [int(address.rpartition(":")[2]) for address in workers]
        nothing_left(name, leftovers.none_within(lambda p=ports: leftovers.find(own_folder, p)))
