"""The sink on a real cluster with processes and nannies, and a real receiver without a viewer."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Hashable, Iterator
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster, wait

import cluster_tasks as tasks
import dask_napari as dn
from dask_napari.model import Item
from dask_napari.sink import (
    SINK_NAME,
    NapariSink,
    SinkLifetime,
    TapsUpdate,
    current_sinks,
    memory_of_sinks,
    worker_counts,
)
from dask_napari.sink._lifetime import GRACE
from dask_napari.stream.send._output_counts import LAYERS, OTHERS
from dask_napari.tap import Tap
from headless import DEADLINE, Headless, eventually


class Canvas(Headless):
    """Keeps what arrives by position alone, and how long it was on its way."""

    def __init__(self, *addresses: str) -> None:
        super().__init__(*addresses)
        self.latencies = []

    def place(self, item: Item) -> Hashable:
        self.latencies.append(time.time() - item.provenance.stop)
        return item.place[-1]


@pytest.fixture
def canvas() -> Iterator[Canvas]:
    canvas = Canvas()
    with canvas.receiver:
        yield canvas


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture
def client(shared_cluster) -> Iterator[Client]:
    with Client(shared_cluster) as client:
        client.register_plugin(TapsUpdate({}))
        yield client
        for name in (f"{SINK_NAME}-taps", SINK_NAME):
            with contextlib.suppress(ValueError):  # a test may have removed it
                client.unregister_worker_plugin(name)


def register(client: Client, canvas: Canvas, *taps: Tap, **options) -> None:
    client.register_plugin(NapariSink(canvas.receiver.addresses, taps, **options))


def test_results_of_map_arrive_at_their_place(client, canvas):
    register(client, canvas, Tap("read", layer="raw", at="{plate}_{well}_s{field:d}.tif"))
    names = [f"/data/P1_{row}{col:02d}_s{f}.tif" for row in "AB" for col in (1, 2) for f in (1, 2)]
    futures = client.map(tasks.read, names)
    wait(futures)
    canvas.until_shown("raw", len(names))
    for name in names:
        _, well, field = Path(name).stem.split("_")
        place = frozenset({"plate": "P1", "well": well, "field": int(field[1:])}.items())
        np.testing.assert_array_equal(canvas.seen["raw"][place], tasks.read(name))
    assert canvas.receiver.ledger().balanced
    assert {peer.transport for peer in canvas.receiver.peers()} == {"shared-memory"}
    assert all(0 <= latency < DEADLINE for latency in canvas.latencies)


@pytest.mark.parametrize("transport", ["shared-memory", "inline"])
def test_transport_can_be_forced(client, canvas, transport):
    register(client, canvas, Tap("frame"), transport=transport)
    client.gather(client.map(tasks.frame, range(20), pure=False))
    canvas.until_shown("frame", 20)
    assert {peer.transport for peer in canvas.receiver.peers()} == {transport}


def test_only_what_is_tapped_travels_and_each_once(client, canvas):
    register(client, canvas, Tap("segment", kind="labels", layer="cells"))
    images = client.map(tasks.frame, range(30), pure=False)
    cells = client.map(tasks.segment, images, pure=False)
    wait(cells)
    # Fetched by the other worker: a copy there is not another output.
    client.submit(lambda *parts: len(parts), *cells).result()
    canvas.until_shown("cells", 30)
    canvas.until_settled()
    assert list(canvas.seen) == ["cells"]
    assert len(canvas.keys["cells"]) == 30
    assert all(data.dtype == np.uint8 for data in canvas.seen["cells"].values())
    assert canvas.receiver.ledger().total.selected == 30


def test_taps_change_while_tasks_run_and_find_what_is_there_already(client, canvas):
    register(client, canvas)
    done = client.map(tasks.frame, range(10), pure=False)
    wait(done)
    later = client.map(tasks.slow_frame, range(100), pure=False)
    client.register_plugin(
        TapsUpdate({"a": Tap("frame", layer="done"), "b": Tap("slow_frame", layer="later")})
    )
    wait(later)
    canvas.until_shown("done", 10)
    canvas.until_shown("later", 100)
    canvas.until_settled()
    assert canvas.receiver.ledger().balanced
    # What was there when the tap came was found, what ended since was selected as it ended, and
    # nothing was both.
    assert len(canvas.keys["done"]) == 10
    assert len(canvas.keys["later"]) == canvas.receiver.ledger()["later"].selected == 100
    client.register_plugin(TapsUpdate({}))
    wait(client.map(tasks.frame, range(10), pure=False))
    canvas.until_settled()
    assert canvas.receiver.ledger()["done"].selected == 10


@pytest.mark.drops("no position", "not an array")
def test_outputs_that_cannot_be_shown_are_counted_and_the_tasks_succeed(client, canvas):
    register(
        client,
        canvas,
        Tap("text", layer="text"),
        Tap("frame", kind="labels", layer="placed", at="{well}_s{field:d}"),
        Tap("slow_frame", layer="failing", at=lambda key, value, args: 1 / 0),
    )
    texts = client.map(tasks.text, range(5), pure=False)
    frames = client.map(tasks.frame, range(5), pure=False)
    slow = client.map(tasks.slow_frame, range(5), pure=False)
    assert client.gather(texts) == [tasks.text(n) for n in range(5)]
    wait([*frames, *slow])
    canvas.until(lambda: canvas.receiver.ledger().total.selected == 15)
    canvas.until_settled()
    ledger = canvas.receiver.ledger()
    assert ledger.balanced
    assert ledger["text"].dropped == {"not an array": 5}
    assert ledger["placed"].dropped == {"no position": 5}
    assert ledger["failing"].dropped == {"no position": 5}


@pytest.mark.drops("select failed")
def test_a_predicate_that_exits_harms_nobody(client, canvas):
    def leave(key: object) -> bool:
        raise SystemExit(3)

    register(client, canvas, Tap(leave, layer="x"), Tap("frame", layer="fine"))
    futures = client.map(tasks.frame, range(6), pure=False)
    assert len(client.gather(futures)) == 6
    assert len(client.scheduler_info()["workers"]) == 2


def test_selection_by_key_predicate_and_type(client, canvas):
    futures = client.map(
        tasks.frame, range(6), key=[("frames", f"A0{n}", n) for n in range(6)], pure=False
    )
    register(
        client,
        canvas,
        Tap([futures[0], ("frames", "A01", 1)], layer="keys"),
        Tap(lambda key: isinstance(key, tuple) and key[2] >= 4, layer="predicate"),
        Tap(np.ndarray, layer="type", at="frames/{well}/{n:d}"),
    )
    wait(futures)
    for layer, n in {"keys": 2, "predicate": 2, "type": 6}.items():
        canvas.until_shown(layer, n)
    assert frozenset({"well": "A03", "n": 3}.items()) in canvas.seen["type"]


def test_xarray_coordinates_place_and_calibrate(client, canvas):
    xr = pytest.importorskip("xarray")

    def scan(z: int) -> object:
        return xr.DataArray(
            np.full((4, 5), z, "u1"),
            dims=("y", "x"),
            coords={"y": np.arange(4) * 0.5, "x": 10 + np.arange(5) * 0.5, "z": z},
        )

    register(client, canvas, Tap("scan", layer="xr"))
    wait(client.map(scan, range(3), pure=False))
    canvas.until_shown("xr", 3)
    assert frozenset({"z": 2}.items()) in canvas.seen["xr"]


def test_a_task_that_reuses_its_buffer_is_copied_eagerly(client, canvas):
    def ring(n: int) -> np.ndarray:
        import distributed

        worker = distributed.get_worker()
        if not hasattr(worker, "test_buffer"):
            worker.test_buffer = np.zeros((256, 256), np.uint16)
        worker.test_buffer[:] = n
        return worker.test_buffer

    register(
        client, canvas, Tap("ring", layer="ring", at=lambda k, v, a: {"n": a[0]}, copy="eager")
    )
    wait(client.map(ring, range(20), pure=False))
    canvas.until_shown("ring", 20)
    for place, data in canvas.seen["ring"].items():
        assert (data == dict(place)["n"]).all()


def test_a_recomputed_task_fills_its_own_place(client, canvas):
    register(client, canvas, Tap("frame"))
    for _ in range(2):
        future = client.submit(tasks.frame, 1, key="frame-1")
        wait(future)
        n = len(canvas.keys.get("frame", ()))
        canvas.until(lambda n=n: len(canvas.keys.get("frame", ())) > n)
        future.release()
        del future
        held = lambda dask_worker: "frame-1" in dask_worker.state.tasks  # noqa: E731
        eventually(lambda: not any(client.run(held).values()))  # noqa: B023
    assert canvas.keys["frame"] == ["frame-1"] * 2
    assert len(canvas.seen["frame"]) == 1


def test_a_new_viewer_is_filled_with_what_is_in_memory(client, tmp_path):
    address = f"ipc://{tmp_path}/viewer"
    client.register_plugin(NapariSink(address, [Tap("frame")]))
    futures = client.map(tasks.frame, range(20), pure=False)
    wait(futures)
    for _ in range(2):
        canvas = Canvas(address)
        with canvas.receiver:
            canvas.until_shown("frame", 20)
            canvas.until_settled()
            assert canvas.receiver.ledger().balanced


def test_a_sink_is_pointed_to_another_address(client, canvas):
    other = Canvas()
    with other.receiver:
        register(client, other, Tap("frame"))
        futures = client.map(tasks.frame, range(20), pure=False)
        other.until_shown("frame", 10)
    register(client, canvas, Tap("frame"))
    canvas.until_shown("frame", 20)
    more = client.map(tasks.frame, range(20, 40), pure=False)
    canvas.until_shown("frame", 40)
    canvas.until_settled()
    assert canvas.receiver.ledger().balanced
    # Once each; if not, the run tells whether Dask ran a task twice or the sink selected it twice.
    expected = sorted(future.key for future in (*futures, *more))
    assert sorted(canvas.keys["frame"]) == expected, canvas.receiver.ledger()
    # The one that was replaced has a moment for its tail.
    eventually(lambda: set(client.run(sink_threads).values()) == {1})
    del futures, more


def test_sinks_of_two_names_stand_side_by_side(client, canvas):
    recorder = Canvas()
    with recorder.receiver:
        register(client, canvas, Tap("frame"))
        register(client, recorder, name="recorder")
        client.register_plugin(TapsUpdate({"a": Tap("frame", layer="copy")}, "recorder"))
        futures = client.map(tasks.frame, range(30), pure=False)
        canvas.until_shown("frame", 30)
        recorder.until_shown("copy", 30)
        client.unregister_worker_plugin("recorder")
        client.unregister_worker_plugin("recorder-taps")
        more = client.map(tasks.frame, range(30, 50), pure=False)
        canvas.until_shown("frame", 50)
        for each, layer, n in ((canvas, "frame", 50), (recorder, "copy", 30)):
            each.until_settled()
            assert each.receiver.ledger().balanced
            assert list(each.keys) == [layer]
            assert len(each.keys[layer]) == n
        del futures, more


def test_without_a_viewer_the_tasks_run_and_nothing_is_held(client):
    with dask.config.set({"dask-napari.queue": "1MiB"}):
        client.register_plugin(NapariSink("tcp://127.0.0.1:1", [Tap("frame")]))
    futures = client.map(tasks.frame, range(200), size=512, pure=False)
    wait(futures)
    workers = client.run(worker_counts).values()
    tallies = [tally for worker in workers for tally in worker["counts"].values()]
    assert sum(tally.selected for tally in tallies) == 200
    assert sum(tally.pending for tally in tallies) == 200


def sinks(dask_worker: object) -> list[str]:
    return [name for name in dask_worker.plugins if name.startswith("dask-napari")]


@pytest.mark.parametrize("end", ["client closed", "client killed"])
def test_what_a_watch_put_on_the_cluster_goes_with_its_client(client, canvas, end):
    name = "dask-napari-0f"
    ours = (f"{name}-taps", name)
    if end == "client closed":
        with Client(client.scheduler.address) as other:
            other.register_plugin(SinkLifetime(other.id, ours))
            register(other, canvas, Tap("frame"), name=name)
            other.register_plugin(TapsUpdate({}, name))
            # The connection may be lost and found again meanwhile.
            other.sync(other.scheduler_comm.comm.close)
            eventually(lambda: other.status == "running" and not other.scheduler_comm.closed())
            threading.Event().wait(GRACE * 1.5)
            assert {name for names in client.run(sinks).values() for name in names} >= set(ours)
    else:
        client.register_plugin(NapariSink("tcp://127.0.0.1:1", name=name))
        client.register_plugin(SinkLifetime("one that is not there", ours))
    eventually(lambda: not any(set(names) & set(ours) for names in client.run(sinks).values()))
    eventually(lambda: set(client.run(sink_threads).values()) == {0})
    left = lambda dask_scheduler: [*dask_scheduler.plugins, *dask_scheduler.worker_plugins]  # noqa: E731
    eventually(lambda: not [n for n in client.run_on_scheduler(left) if n.startswith(name)])


def segments(canvas: Canvas) -> list[str]:
    """Segments of the publishers that have spoken to a canvas; others may be at work here."""
    names = [p.name for p in Path("/dev/shm").rglob("dask-napari-*") if p.is_file()]
    owners = [re.sub("[^A-Za-z0-9]", "-", p.name)[-40:] for p in canvas.receiver.peers()]
    return [name for name in names if any(owner in name for owner in owners)]


def sink_threads() -> int:
    return sum(t.name == "dask-napari-publisher" for t in threading.enumerate())


@pytest.mark.parametrize(
    "end",
    [
        *("close", "retire", "restart", "unregister"),
        # What it had not sent is lost with it, counted.
        *(pytest.param(end, marks=pytest.mark.drops("worker-lost")) for end in ("term", "kill")),
    ],
)
def test_nothing_is_left_however_a_worker_ends(canvas, end):
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        register(client, canvas, Tap("slow_frame"))
        futures = client.map(tasks.slow_frame, range(300), pure=False)
        canvas.until_shown("slow_frame", 20)
        pids = client.run(os.getpid)
        address = next(iter(pids))
        if end == "retire":
            client.retire_workers([address])
        elif end == "restart":
            client.restart()
        elif end == "unregister":
            client.unregister_worker_plugin(SINK_NAME)
            threads = client.run(sink_threads)
            assert set(threads.values()) == {0}
        elif end == "term":
            os.kill(pids[address], signal.SIGTERM)
        elif end == "kill":
            os.kill(pids[address], signal.SIGKILL)
        if end in ("term", "kill", "unregister"):
            results = client.gather(futures)
            assert [int(r[0, 0]) for r in results] == list(range(300))
            if end != "unregister":
                canvas.until_shown("slow_frame", 300)
        # A worker that starts again has a name for the moment of its handshake.
        eventually(lambda: not segments(canvas))
        del futures
    canvas.until(lambda: not any(peer.alive for peer in canvas.receiver.peers()))
    canvas.until_settled()
    assert not segments(canvas)
    assert canvas.receiver.ledger().balanced


def fork_and_show(n: int) -> tuple[bool, int]:
    """Show a picture, then fork while the queue is in use; the child shows one, too."""
    (sink,) = current_sinks()
    mine = dn.show(tasks.frame(n), layer="shown", at={"n": n})
    with sink._session.publisher.outbox._lock:  # by another thread, say
        pid = os.fork()
        if not pid:
            try:
                os._exit(dn.show(tasks.frame(n), layer="shown", at={"n": n + 1}))
            finally:
                os._exit(9)
    for _ in range(500):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return mine, os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return mine, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_process_that_a_task_forks_is_never_blocked(client, canvas):
    register(client, canvas)
    # A worker may have started its sink and have no room for it yet.
    eventually(lambda: all(held for held in client.run(memory_of_sinks_here).values()))
    assert client.submit(fork_and_show, 3, pure=False).result() == (True, 0)
    canvas.until_shown("shown", 1)
    canvas.until_settled()
    assert canvas.receiver.ledger()["shown"].selected == 1


def memory_of_sinks_here(dask_worker: object) -> dict[str, int]:
    return memory_of_sinks(dask_worker)


def test_a_search_by_type_reads_nothing_back_from_the_disk(client, canvas):
    futures = client.map(tasks.frame, range(40), pure=False)
    other = client.map(tasks.text, range(5), pure=False)
    wait([*futures, *other])

    def spill(dask_worker: object) -> None:
        while dask_worker.data.fast:
            dask_worker.data.evict()

    client.run(spill)
    register(client, canvas, Tap(np.ndarray, layer="arrays"))
    canvas.until_shown("arrays", 40)
    canvas.until_settled()
    assert canvas.receiver.ledger()["arrays"].selected == 40
    assert set(client.run(lambda dask_worker: len(dask_worker.data.fast)).values()) == {0}
    del futures, other


def show_on_many_layers(n: int) -> int:
    return sum(dn.show(tasks.frame(k, 4), layer=f"layer {k}", at={"t": 0}) for k in range(n))


@pytest.mark.drops("too many layers")
def test_a_layer_for_each_picture_stops_nothing(client, canvas):
    register(client, canvas, Tap("frame"))
    eventually(lambda: all(held for held in client.run(memory_of_sinks_here).values()))
    wait(client.map(tasks.frame, range(4), pure=False))
    canvas.until_shown("frame", 4)
    canvas.until_settled()
    # On one worker each: both count for so many layers, those of the frames included.
    for address in client.scheduler_info()["workers"]:
        shown = client.submit(show_on_many_layers, LAYERS + 50, workers=address, pure=False)
        assert LAYERS - 1 <= shown.result() <= LAYERS
    wait(client.map(tasks.frame, range(4), pure=False))
    canvas.until_shown("frame", 8)
    canvas.until_settled()
    ledger = canvas.receiver.ledger()
    assert ledger.balanced
    assert 100 <= ledger[OTHERS].dropped["too many layers"] <= 102
    assert not canvas.receiver.rejected or canvas.receiver.rejected.keys() == {"too many layers"}
