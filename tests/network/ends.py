"""What runs on the hosts: a viewer without a window, a publisher, and a scheduler with its client.

Each answers every line of JSON on its standard input by one, and ends when the input closes.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from dask_napari.model import Item
from dask_napari.stream.auth import Security
from dask_napari.stream.receive import Board, Receiver
from dask_napari.stream.send import Publisher

Answers = dict[str, Callable[..., dict[str, Any]]]


def picture(n: int, size: int) -> np.ndarray:
    """Noise that tells which item it is of; it does not compress, so a link is really used."""
    random = np.random.default_rng(n)
    return random.integers(0, 60_000, (size, size), np.uint16)


def cells(n: int, size: int) -> np.ndarray:
    """Labels as segmentation makes them: compact, hence small when compressed."""
    y, x = np.indices((size, size)) // 32
    return (y * (size // 32) + x + n % 7 + 1).astype(np.uint16)


KINDS: dict[str, tuple[str, Callable[[int, int], np.ndarray]]] = {
    "picture": ("image", picture),
    "cells": ("labels", cells),
}


def digest(array: np.ndarray) -> int:
    """A number for what an array holds."""
    return zlib.crc32(np.ascontiguousarray(array))


def serve(answers: Answers) -> None:
    """Answer until the input closes."""
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = answers[request.pop("op")](**request)
        except Exception as error:
            logging.exception("request failed")
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


def viewer(secret: str, *listen: str) -> None:
    """A receiver and a consumer that remembers the digest of what came for each place."""
    board = Board()
    security = Security.loads(secret) if secret else None
    seen: dict[str, dict[int, int]] = {}
    times = [0.0]
    ended = threading.Event()
    with Receiver(listen, board, security=security, insecure=True) as receiver:

        def consume() -> None:
            while not ended.is_set():
                board.wait(0.1)
                items = board.take()
                for item in items:
                    place = seen.setdefault(item.layer, {})
                    place[int(item.position["n"])] = digest(item.data)
                    times[0] = time.time()
                board.shown(items)

        consumer = threading.Thread(target=consume)
        consumer.start()

        def state() -> dict[str, Any]:
            ledger = receiver.ledger()
            total = ledger.total
            return {
                "addresses": receiver.addresses,
                "selected": total.selected,
                "shown": total.shown,
                "coalesced": total.coalesced,
                "dropped": dict(total.dropped),
                "pending": total.pending,
                "balanced": ledger.balanced,
                "peers": {p.name: [p.transport, p.alive, p.nbytes] for p in receiver.peers()},
                "connections": len(receiver.protocol.peers),
                "rejected": dict(receiver.rejected),
                "last": times[0],
            }

        serve({"state": state, "seen": lambda: {k: list(v.items()) for k, v in seen.items()}})
        ended.set()
        consumer.join()


def window(secret: str, *listen: str) -> None:
    """The real viewer, napari and all, and the client's line to it."""
    from dask_napari.live import ViewerProcess
    from dask_napari.stream import Control

    security = Security.loads(secret)
    process = ViewerProcess(listen, security=security, title="lab", timeout=60)
    control = Control(process.addresses, security=security, insecure=True)

    def state() -> dict[str, Any]:
        ledger = control.ledger()
        total = ledger.total
        return {
            "shown": total.shown,
            "pending": total.pending,
            "selected": total.selected,
            "balanced": ledger.balanced,
        }

    serve({"state": state, "screenshot": lambda: {"bytes": len(_png(control))}})
    control.close()
    process.close()


def _png(control: Any) -> bytes:
    picture: bytes = control.request("screenshot", timeout=60.0)["png"]
    assert picture.startswith(b"\x89PNG")
    return picture


def publisher(secret: str, name: str, transport: str, *addresses: str) -> None:
    """A publisher without Dask."""
    security = Security.loads(secret) if secret else None
    sender = Publisher(
        addresses,
        name=name,
        security=security,
        transport=transport,  # type: ignore[arg-type]
        insecure=True,
    )
    sender.start()

    def put(kind: str, first: int, count: int, size: int) -> dict[str, Any]:
        layer, make = KINDS[kind]
        sums = []
        took = 0.0
        for n in range(first, first + count):
            array = make(n, size)
            sums.append([n, digest(array)])
            began = time.perf_counter()
            sender.put(Item(kind, layer, array, {"n": n}), "keep")  # type: ignore[arg-type]
            took = max(took, time.perf_counter() - began)
        return {"sums": sums, "longest_put": took}

    def state() -> dict[str, Any]:
        counts = [
            (c.selected, c.sent, c.coalesced, c.dropped.total(), c.pending)
            for c in sender.counts().values()
        ]
        keys = ("selected", "sent", "coalesced", "dropped", "queued")
        total = dict(zip(keys, np.sum([(0,) * 5, *counts], axis=0).tolist(), strict=True))
        return {"state": sender.state, "transport": sender.transport, **total}

    def close(within: float) -> dict[str, Any]:
        sender.close(within)
        return state()

    serve({"put": put, "state": state, "close": close})
    sender.close(0.0)


def work(name: str, size: int, seconds: float) -> np.ndarray:
    """The array of a name such as ``picture-7``, after a while."""
    end = time.perf_counter() + seconds
    kind, n = name.split("-")
    array = KINDS[kind][1](int(n), size)
    while time.perf_counter() < end:
        pass
    return array


def cluster(address: str) -> None:
    """A scheduler, and the client that uses it."""
    from distributed import Client, LocalCluster, wait

    from dask_napari.model import Tally
    from dask_napari.sink import SINK_NAME, NapariSink, worker_counts
    from dask_napari.tap import Tap

    host, port = address.removeprefix("tcp://").split(":")
    scheduler = LocalCluster(
        n_workers=0, host=host, scheduler_port=int(port), dashboard_address=None
    )
    client = Client(scheduler)

    def workers(n: int) -> dict[str, Any]:
        client.wait_for_workers(n, timeout=60)
        return {"workers": sorted(client.scheduler_info()["workers"])}

    def register(
        addresses: list[str], secret: str = "", kind: str = "picture", transport: str = "auto"
    ) -> dict[str, Any]:
        tap = Tap(
            "work",
            kind=KINDS[kind][0],
            layer=kind,
            at=kind + "-{n:d}",
            policy="keep",  # type: ignore[arg-type]
        )
        security = Security.loads(secret) if secret else None
        sink = NapariSink(
            addresses,
            [tap],
            transport=transport,  # type: ignore[arg-type]
            security=security,
            insecure=True,
        )
        client.register_plugin(sink)
        return {}

    def unregister() -> dict[str, Any]:
        client.unregister_worker_plugin(SINK_NAME)
        return {}

    held: list[Any] = []

    def compute(
        kind: str, first: int, count: int, size: int, seconds: float = 0.0
    ) -> dict[str, Any]:
        began = time.perf_counter()
        numbers = range(first, first + count)
        names = [f"{kind}-{n}" for n in numbers]
        futures = client.map(work, names, size=size, seconds=seconds, pure=False)
        wait(futures)
        took = time.perf_counter() - began
        sums = client.gather(client.map(digest, futures, pure=False))
        held.extend(futures)
        return {"makespan": took, "sums": list(zip(numbers, sums, strict=True))}

    def counts() -> dict[str, Any]:
        sides = [
            {"selected": t.selected, "sent": t.sent, "pending": t.pending, "gone": gone(t)}
            for worker in client.run(worker_counts).values()
            for t in worker["counts"].values()
        ]
        return {"sides": sides}

    def gone(tally: Tally) -> int:
        return tally.coalesced + tally.dropped.total()

    def release() -> dict[str, Any]:
        client.cancel(held)
        held.clear()
        return {}

    serve(
        {
            "workers": workers,
            "register": register,
            "unregister": unregister,
            "compute": compute,
            "counts": counts,
            "release": release,
        }
    )
    client.close()
    scheduler.close()


def watcher(scheduler: str) -> None:
    """A script that watches a cluster, with its window."""
    from distributed import Client, wait

    import dask_napari as dn

    client = Client(scheduler)
    lives: list[dn.Live] = []

    def watch(**options: Any) -> dict[str, Any]:
        try:
            lives.append(dn.watch(client, timeout=90, **options))
        except ConnectionError as error:
            return {"refused": str(error)}
        return {"addresses": lives[-1].addresses}

    def compute(count: int) -> dict[str, Any]:
        names = [f"picture-{n}" for n in range(count)]
        lives[-1].tap("work", layer="picture", at="picture-{n:d}")
        wait(client.map(work, names, size=64, seconds=0.0, pure=False))
        return {"shown": lives[-1].wait(60).total.shown}

    def close() -> dict[str, Any]:
        lives.pop().close()
        return {}

    serve({"watch": watch, "compute": compute, "close": close})
    client.close()


def forward(listen: str, target: str) -> None:
    """One end of a tunnel: connections to an address go on to another."""
    import asyncio

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(1 << 16):
                writer.write(part)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection(*target.rsplit(":", 1))
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, far[1]), pump(far[0], writer))

    async def run() -> None:
        await asyncio.start_server(accept, *listen.rsplit(":", 1))
        await asyncio.to_thread(serve, {})

    asyncio.run(run())


def worker(scheduler: str, host: str) -> None:
    """A worker as users start one, with its nanny."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--host", host]
    command += ["--nthreads", "1", "--no-dashboard", "--local-directory", os.environ["TMPDIR"]]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    serve({"state": lambda: {"running": child.poll() is None}})
    child.terminate()
    child.wait(20)


if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("LOG", "INFO"))
    {
        "viewer": viewer,
        "window": window,
        "publisher": publisher,
        "cluster": cluster,
        "worker": worker,
        "watcher": watcher,
        "forward": forward,
    }[sys.argv[1]](*sys.argv[2:])
