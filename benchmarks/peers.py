"""Peers of the stream: a ceiling and the usual designs, with two processes each.

Every peer moves ``count`` messages of ``nbytes`` from a warm array in a child process to warm
memory in this process. Each side copies once. The peer returns the seconds in this process.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import tempfile
import time
from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
import zmq

SLOTS = 8
"""Slots of the ring; at 8 MiB a message, as many bytes as the stream has in flight."""

PLACES = 16
"""Arrays that are filled in turn, like positions on a canvas."""

_spawn = mp.get_context("spawn")


def _array(memory: Any, index: int, nbytes: int) -> np.ndarray:
    return np.frombuffer(memory, np.uint8, nbytes, index * nbytes)


def _targets(nbytes: int) -> list[np.ndarray]:
    targets = [np.empty(nbytes, np.uint8) for _ in range(PLACES)]
    for target in targets:
        target.fill(0)
    return targets


# -- (a) memcpy through a warm shared ring: the ceiling -----------------------------------------


def _fill_ring(name: str, nbytes: int, count: int, free: Any, full: Any, start: Any) -> None:
    ring = SharedMemory(name)
    source = np.ones(nbytes, np.uint8)
    start.wait()
    for n in range(count):
        free.acquire()
        np.copyto(_array(ring.buf, n % SLOTS, nbytes), source)
        full.release()


def ring(nbytes: int, count: int) -> float:
    """Copy twice through warm slots, with semaphores between both sides."""
    memory = SharedMemory(create=True, size=SLOTS * nbytes)
    np.frombuffer(memory.buf, np.uint8)[:] = 0
    free, full, start = _spawn.Semaphore(SLOTS), _spawn.Semaphore(0), _spawn.Barrier(2)
    child = _spawn.Process(target=_fill_ring, args=(memory.name, nbytes, count, free, full, start))
    child.start()
    targets = _targets(nbytes)
    try:
        start.wait()
        began = time.perf_counter()
        for n in range(count):
            full.acquire()
            np.copyto(targets[n % PLACES], _array(memory.buf, n % SLOTS, nbytes))
            free.release()
        return time.perf_counter() - began
    finally:
        child.join()
        _discard(memory)


def _discard(memory: SharedMemory) -> None:
    memory.unlink()
    with contextlib.suppress(BufferError):  # a stack frame still refers to a view
        memory.close()


# -- (b) a fresh segment per item: the usual design ---------------------------------------------


def _fill_segments(port: int, nbytes: int, count: int) -> None:
    from multiprocessing import resource_tracker

    source = np.ones(nbytes, np.uint8)
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.connect(f"tcp://127.0.0.1:{port}")
        socket.send(b"")
        socket.recv()
        for n in range(count):
            if n >= SLOTS:
                socket.recv()
            segment = SharedMemory(create=True, size=nbytes)
            # The receiver deletes the segment; the tracker would warn.
            resource_tracker.unregister(segment._name, "shared_memory")  # type: ignore[attr-defined]
            np.copyto(np.frombuffer(segment.buf, np.uint8, nbytes), source)
            socket.send(segment.name.encode())
            segment.close()
        for _ in range(min(count, SLOTS)):
            socket.recv()


def segments(nbytes: int, count: int) -> float:
    """Make, name, attach, copy and delete a segment for each message."""

    def take(socket: Any, targets: list[np.ndarray], n: int) -> None:
        identity, name = socket.recv_multipart()
        segment = SharedMemory(name.decode())
        np.copyto(targets[n % PLACES], np.frombuffer(segment.buf, np.uint8, nbytes))
        segment.close()
        segment.unlink()
        socket.send_multipart([identity, b""])

    return _serve(_fill_segments, nbytes, count, take)


# -- (c) inline frames -----------------------------------------------------------------------


def _fill_frames(address: str, nbytes: int, count: int) -> None:
    source = np.ones(nbytes, np.uint8)
    # ZeroMQ queues 1000 messages by default; beyond them a ROUTER drops answers.
    credit = min(256, max(2, (64 << 20) // nbytes))
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.connect(address)
        socket.send(b"")
        socket.recv()
        for n in range(count):
            if n >= credit:
                socket.recv()
            socket.send(source, copy=False)
        for _ in range(min(count, credit)):
            socket.recv()


def _take_frame(socket: Any, targets: list[np.ndarray], n: int) -> None:
    identity, frame = socket.recv_multipart(copy=False)
    # Keep the message itself, as the stream does: it owns its memory.
    targets[n % PLACES] = np.frombuffer(frame.buffer, np.uint8)
    socket.send_multipart([identity.bytes, b""])


def frames_ipc(nbytes: int, count: int) -> float:
    """Send frames from a bare DEALER to a bare ROUTER with credit, over ipc."""
    return _serve(_fill_frames, nbytes, count, _take_frame, "ipc")


def frames_tcp(nbytes: int, count: int) -> float:
    """Send frames from a bare DEALER to a bare ROUTER with credit, over TCP."""
    return _serve(_fill_frames, nbytes, count, _take_frame, "tcp")


def _serve(
    fill: Callable[..., None],
    nbytes: int,
    count: int,
    take: Callable[[Any, list[np.ndarray], int], None],
    scheme: str = "",
) -> float:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.linger = 1000
        if scheme == "ipc":
            path = f"{tempfile.gettempdir()}/dask-napari-bench-{time.time_ns()}"
            socket.bind(f"ipc://{path}")
            where: object = f"ipc://{path}"
        else:
            port = socket.bind_to_random_port("tcp://127.0.0.1")
            where = f"tcp://127.0.0.1:{port}" if scheme else port
        child = _spawn.Process(target=fill, args=(where, nbytes, count))
        child.start()
        targets = _targets(nbytes)
        identity, _ = socket.recv_multipart()
        socket.send_multipart([identity, b""])
        began = time.perf_counter()
        for n in range(count):
            take(socket, targets, n)
        took = time.perf_counter() - began
        child.join()
        if scheme == "ipc":
            os.unlink(path)
        return took
