"""The scheduler's side of the feed: the dashboard's page, Dask's metrics, and short turns."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster, wait
from watched import Watched

import cluster_tasks as tasks
from dask_napari.sink import TaskWatch, scheduler_internals
from dask_napari.tap import Tap
from headless import Headless, eventually


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def screen() -> Iterator[Headless]:
    with Headless() as screen:
        yield screen


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def page_of(client: Client) -> str:
    return f"{client.dashboard_link.removesuffix('/status')}/dask-napari"


@pytest.mark.drops("not an array")
def test_the_dashboard_has_a_page_with_the_rows_of_the_dock(client, screen):
    page = page_of(client)
    with Watched(client, screen.receiver) as watched:
        eventually(lambda: watched.receiver.cluster.state())
        assert "No tap streams anything yet" in read(page)
        watched.tap(Tap("frame", layer="<script>alert(1)</script>"))
        watched.tap(Tap("text", layer="bad"))
        watched.tap(Tap("fail", layer="worse"))
        futures = client.map(tasks.frame, range(5), pure=False)
        others = [client.submit(tasks.text, 1, pure=False), client.submit(tasks.fail, 1)]
        wait([*futures, *others])
        screen.until_settled()
        row = "<td>5</td><td>5</td>"
        eventually(lambda: row in read(page) and read(page).count("<td>5</td>") >= 4)
        text = read(page)
        assert "<script>" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        line = next(line for line in text.split("<tr>") if "<td>bad</td>" in line)
        assert '<td class="bad">1 ' in line, "what is dropped, by reason"
        line = next(line for line in text.split("<tr>") if "<td>worse</td>" in line)
        assert '<td class="bad">1</td>' in line
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(page)


def test_the_ledger_is_among_the_metrics_for_prometheus(client, screen):
    pytest.importorskip("prometheus_client")
    (port,) = client.run(lambda dask_worker: dask_worker.http_server.port).values()

    def metrics() -> dict[str, float]:
        lines = read(f"http://127.0.0.1:{port}/metrics").splitlines()
        found = (line.rpartition(" ") for line in lines if "_napari_" in line and line[0] != "#")
        return {name: float(number) for name, _, number in found}

    with Watched(client, screen.receiver) as watched:
        watched.tap(Tap("frame", layer='raw "1"'))
        wait(client.map(tasks.frame, range(4), pure=False))
        screen.until_settled()
        layer = r'layer="raw \"1\""'
        sent = f'dask_worker_napari_ended_outputs_total{{end="sent",{layer},reason=""}}'
        eventually(lambda: metrics().get(sent) == 4.0, metrics)
        assert metrics()[f"dask_worker_napari_selected_outputs_total{{{layer}}}"] == 4.0
        assert metrics()[f"dask_worker_napari_pending_outputs{{{layer}}}"] == 0.0
    assert metrics() == {}


def test_the_page_costs_nothing_while_nobody_looks(client, screen, monkeypatch):
    asked = []
    with Watched(client, screen.receiver) as watched:
        monkeypatch.setattr(watched.control, "sums", lambda **_: asked.append(1) or ({}, {}))
        watched.tap(Tap("frame", layer="raw"))
        eventually(lambda: watched.progress("raw"))
        assert not asked


def test_arguments_of_a_task_are_told_without_code_of_their_authors(client, screen):
    with Watched(client, screen.receiver) as watched:
        link = watched.receiver.cluster
        futures = [
            client.submit(tasks.frame_of, tasks.Misleading(), 3, pure=False),
            client.submit(tasks.frame, "x" * 200, pure=False),
            client.submit(tasks.frame, 7, size=8, key=("frame", 7)),
        ]
        eventually(lambda: link.attached)
        texts = ["<Misleading>, 3", f"'…{'x' * 60}'", "7, size=8"]
        for future in futures:
            link.ask_arguments(str(future.key))
        for future, text in zip(futures, texts, strict=True):
            eventually(lambda key=str(future.key): link.arguments_of(key), text)
            assert link.arguments_of(str(future.key)) == text
        client.cancel(futures)


def slowest_turn(dask_scheduler: object) -> float:
    return max(dask_scheduler.turns)


def test_a_tap_of_many_keys_holds_up_the_scheduler_in_short_turns_only(client, screen):
    def measure(dask_scheduler: object) -> None:
        """Wrap the requests of the feed, to know how long each takes."""
        turns = dask_scheduler.turns = []

        def timed(handler: object) -> object:
            def call(*args: object, **kwargs: object) -> object:
                gc.disable()  # a collection takes long, whoever's turn it is
                began = time.thread_time()
                answer = handler(*args, **kwargs)
                turns.append(time.thread_time() - began)
                gc.enable()
                return answer

            return call

        for name, handler in [*dask_scheduler.handlers.items()]:
            if "-tasks" in name and name.startswith("dask-napari"):
                dask_scheduler.handlers[name] = timed(handler)

    with Watched(client, screen.receiver) as watched:
        eventually(lambda: watched.receiver.cluster.state())
        client.run_on_scheduler(measure)
        futures = client.map(tasks.frame, range(3), size=8, pure=False)
        missing = [f"missing-{uuid.uuid4().hex}" for _ in range(100_000)]
        watched.tap(Tap([*missing, *(future.key for future in futures)], layer="many"))
        wait(futures)
        eventually(lambda: (counts := watched.counts("many")) and counts.computed == 3)
        assert client.run_on_scheduler(slowest_turn) < 0.010


ELSEWHERE = """
import pickle, sys
sys.modules["dask_napari"] = None  # importing it raises an error
for plugin in pickle.load(sys.stdin.buffer):
    watch = pickle.loads(pickle.dumps(pickle.loads(plugin)))
    print(watch, watch.rows())
"""


def test_the_plugin_works_where_the_package_is_missing_on_any_python(monkeypatch):
    plugins = [pickle.dumps(TaskWatch("n-tasks", "Client-1"))]
    monkeypatch.setattr(scheduler_internals, "MAGIC_NUMBER", b"another Python's")
    plugins.append(pickle.dumps(TaskWatch("m-tasks", "Client-2")))
    command = [sys.executable, "-c", ELSEWHERE]
    answer = subprocess.run(command, input=pickle.dumps(plugins), capture_output=True, timeout=60)
    assert answer.stdout.decode().splitlines() == [
        "<TaskWatch n-tasks of Client-1> []",
        "<TaskWatch m-tasks of Client-2> []",
    ], answer.stderr.decode()
