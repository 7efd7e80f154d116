"""Little shared memory, few descriptors or threads: the stream goes on, and says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

NAMESPACE = (
    shutil.which("unshare") is not None
    and not subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode
)

MEMORY = {
    "64 MB, Docker's default": "mount -t tmpfs -o size=64m tmpfs /dev/shm",
    "1 MB": "mount -t tmpfs -o size=1m tmpfs /dev/shm",
    "full": "mount -t tmpfs -o size=1m tmpfs /dev/shm; cat /dev/zero > /dev/shm/fill 2>/dev/null",
    "read-only": "mount -t tmpfs -o ro tmpfs /dev/shm",
    "absent": (
        "cd $SPARE; for n in null zero random urandom tty full; do touch $n; mount --bind /dev/$n"
        " $n; done; mount --rbind $SPARE /dev; cd /"
    ),
}

STREAM = """
import json, os, sys, time, logging
from pathlib import Path
import numpy as np
from distributed import Client, LocalCluster, wait
from dask_napari.sink import NapariSink
from dask_napari.stream import Board, Limits, Receiver
from dask_napari.tap import Tap

def frame(n):
    return np.full((512, 512), n, np.uint16)

def mine():
    shm = Path("/dev/shm")
    return sorted(p.name for p in shm.rglob("*") if p.is_file() and p.name != "fill")

if __name__ == "__main__":
    processes = sys.argv[1] == "processes"
    board, seen = Board(), {}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=processes,
                     dashboard_address=None) as cluster,
        Client(cluster) as client,
        Receiver(["ipc://*", "tcp://127.0.0.1:*"], board, limits=Limits(heartbeat=0.5)) as receiver,
    ):
        client.register_plugin(NapariSink(receiver.addresses, [Tap(frame.__name__)]))
        futures = client.map(frame, range(60), pure=False)
        results = client.gather(futures)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            items = board.take()
            seen.update((int(item.data[0, 0]), item.data) for item in items)
            board.shown(items)
            total = receiver.ledger().total
            if len(seen) == 60 and total.selected == 60 and not total.pending:
                break
            time.sleep(0.02)
        told = [t.text for _, t in receiver.reports()]
        found = {
            "right": all((r == n).all() and (seen[n] == n).all() for n, r in enumerate(results)),
            "shown": len(seen),
            "balanced": receiver.ledger().balanced,
            "ways": sorted({p.transport for p in receiver.peers()}),
            "told": told,
        }
    found["left"] = [n for n in mine() if n.startswith("dask-napari")]
    print(json.dumps(found))
"""


def stream(memory: str, tmp_path: Path, processes: bool, **env: str) -> tuple[dict, str]:
    if not NAMESPACE:
        pytest.skip("mount namespaces are not permitted here")
    script = tmp_path / "stream.py"
    script.write_text(textwrap.dedent(STREAM))
    spare = tmp_path / "dev"
    spare.mkdir()
    setup = f'mount --make-rprivate / && {{ {memory}; }}; exec "$@"'
    how = "processes" if processes else "threads"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", setup, "sh", sys.executable, str(script), how],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env={**os.environ, "SPARE": str(spare), **env},
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


REMEDIES = {
    "a larger /dev/shm": ("mount -t tmpfs -o size=1g tmpfs /dev/shm", {}),
    "a smaller arena": (MEMORY["64 MB, Docker's default"], {"DASK_DASK_NAPARI__ARENA": "8MiB"}),
    "another /dev/shm where it was read-only": (
        f"{MEMORY['read-only']}; mount -t tmpfs tmpfs /dev/shm",
        {},
    ),
}
"""What the messages tell people to do."""


@pytest.mark.parametrize("memory", MEMORY)
def test_without_room_for_an_arena_the_stream_goes_inline_and_says_so(memory, tmp_path):
    # Python's own queues between processes need some shared memory; Dask's nannies do.
    processes = memory in ("64 MB, Docker's default", "1 MB")
    found, log = stream(MEMORY[memory], tmp_path, processes)
    told = found.pop("told")
    assert found == {
        "right": True,
        "shown": 60,
        "balanced": True,
        "ways": ["inline"],
        "left": [],
    }
    assert log.count("streaming without shared memory") == 2, log  # once a worker
    remedy = "Docker: --shm-size" if memory in list(MEMORY)[:3] else "mount a tmpfs there"
    assert remedy in log
    assert told
    assert all(remedy in text for text in told)


@pytest.mark.parametrize("remedy", REMEDIES)
def test_the_remedies_that_messages_name_help(remedy, tmp_path):
    memory, env = REMEDIES[remedy]
    found, log = stream(memory, tmp_path, True, **env)
    assert (found["right"], found["balanced"], found["left"]) == (True, True, [])
    assert found["ways"] == ["shared-memory"]
    assert "without shared memory" not in log


PUBLISHER = """
import os, resource, sys, threading, time
import numpy as np
from dask_napari.stream import Item, Publisher

room = int(sys.argv[2])
publisher = Publisher(sys.argv[1], name=f"room {room}", arena_bytes=1 << 20)
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
# The limit is one above the largest number in use; all numbers below are taken.
fill = []
used = max(map(int, os.listdir("/proc/self/fd")))
resource.setrlimit(resource.RLIMIT_NOFILE, (used + room + 1, hard))
while True:
    try:
        fill.append(os.dup(0))
    except OSError:
        break
for descriptor in fill[-room:] if room else ():
    os.close(descriptor)
del fill[len(fill) - room:]
publisher.start()
for n in range(20):
    publisher.put(Item("raw", "image", np.full((8, 8), n, "u2"), {"t": n}))
time.sleep(0.5)  # in which it tries, in vain where there is no room
print(publisher.state, flush=True)
for descriptor in fill:
    os.close(descriptor)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
sys.stdin.readline()
publisher.close(5)
"""


@pytest.mark.parametrize("room", [0, 1, 3, 6, 10, 15, 20, 31, 33, 40])
def test_a_worker_without_descriptors_lives_and_streams_when_it_has_some(room):
    import time

    from dask_napari.stream.receive import Board, Receiver

    board = Board()
    with Receiver("ipc://*", board) as receiver:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PUBLISHER), receiver.addresses[0], str(room)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            state = process.stdout.readline().strip()
            seen: set[int] = set()
            end = time.monotonic() + 30
            while len(seen) < 20 and time.monotonic() < end and process.poll() is None:
                board.wait(0.1)
                items = board.take()
                seen.update(int(item.data[0, 0]) for item in items)
                board.shown(items)
            _, log = process.communicate("\n", timeout=30)
            assert process.returncode == 0, log
            assert seen == set(range(20)), (state, log)
            if room < 32:
                assert state == "connecting"
                assert log.count("no file descriptors are left") == 1
        finally:
            process.kill()
            process.communicate()


SHORT = """
import os, resource, sys, time
import numpy as np
from dask_napari.stream import Item, Publisher
from dask_napari.stream.auth import Security

what, room = sys.argv[2], int(sys.argv[3])
security = Security.loads(sys.stdin.readline())
if what == "NPROC" and os.getuid() == 0:  # the limit does not hold for root
    os.setresuid(61234, 61234, 61234)

def threads_of(process):
    try:
        mine = os.stat(f"/proc/{process}").st_uid == os.getuid()
        return len(os.listdir(f"/proc/{process}/task")) if mine else 0
    except OSError:
        return 0

limit = getattr(resource, f"RLIMIT_{what}")
soft, hard = resource.getrlimit(limit)
publisher = Publisher(sys.argv[1], name="short", security=security, arena_bytes=1 << 20)
if what == "NPROC":
    used = sum(map(threads_of, filter(str.isdigit, os.listdir("/proc"))))
else:
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    room <<= 20
resource.setrlimit(limit, (used + room, hard))
publisher.start()
for n in range(20):
    publisher.put(Item("raw", "image", np.full((8, 8), n, "u2"), {"t": n}))
time.sleep(0.5)  # in which it tries, in vain where there is no room
print(publisher.state, flush=True)
resource.setrlimit(limit, (soft, hard))
sys.stdin.readline()
publisher.close(5)
"""


@pytest.mark.parametrize(
    ("limit", "room", "message"),
    [
        ("NPROC", 1, "no more threads can be started"),
        ("NPROC", 2, "no more threads can be started"),
        ("NPROC", 4, "no more threads can be started"),
        ("AS", 16, "MiB of address space are left"),
        ("AS", 48, "no more threads can be started"),
    ],
)
def test_a_worker_at_its_limits_lives_and_streams_when_it_has_room(limit, room, message):
    import time

    from dask_napari.stream.auth import Security
    from dask_napari.stream.receive import Board, Receiver

    board, security = Board(), Security.generate()
    with Receiver("tcp://127.0.0.1:*", board, security=security) as receiver:
        process = subprocess.Popen(
            [sys.executable, "-c", SHORT, receiver.addresses[0], limit, str(room)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Of numpy's: a number of threads by the number of cores.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(security.client().dumps() + "\n")
            process.stdin.flush()
            state = process.stdout.readline().strip()
            seen: set[int] = set()
            end = time.monotonic() + 30
            while len(seen) < 20 and time.monotonic() < end and process.poll() is None:
                board.wait(0.1)
                items = board.take()
                seen.update(int(item.data[0, 0]) for item in items)
                board.shown(items)
            _, log = process.communicate("\n", timeout=30)
            assert (process.returncode, state) == (0, "connecting"), log
            assert seen == set(range(20)), log
            assert log.count(message) == 1, log
        finally:
            process.kill()
            process.communicate()


VIEWER = """
import resource, socket, sys, threading, time
import numpy as np
from dask_napari.stream import Board, Item, Publisher, Receiver

board, seen = Board(), set()

def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "too slow"
        time.sleep(0.01)

def take():
    items = board.take()
    seen.update(int(item.data[0, 0]) for item in items)
    board.shown(items)
    return seen

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
with (
    Receiver("tcp://127.0.0.1:*", board) as receiver,
    Publisher(receiver.addresses, name="good") as good,
):
    def serves(numbers):
        for n in numbers:
            good.put(Item("raw", "image", np.full((8, 8), n, "u2"), {"t": n}))
        until(lambda: take() >= set(numbers))
    serves(range(5))
    import os
    used = max(map(int, os.listdir("/proc/self/fd")))
    port = int(receiver.addresses[0].rsplit(":", 1)[1])
    strangers = [socket.socket() for _ in range(100)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 110, hard))  # room for ten on our side
    for stranger in strangers:
        stranger.connect(("127.0.0.1", port))
    serves(range(5, 25))
    for stranger in strangers:
        stranger.close()
    with Publisher(receiver.addresses, name="late") as late:
        until(lambda: late.state == "connected")
    serves(range(25, 30))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    keep = []
    try:
        while True: keep.append(os.dup(0))
    except OSError: pass
    try:
        Receiver("tcp://127.0.0.1:*", Board()).start()
    except OSError as error:
        print(error.errno, "ulimit -n" in str(error) or "Too many open files" in str(error))
    for fd in keep: os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(receiver.ledger().balanced)
"""


def test_a_viewer_without_descriptors_serves_those_it_has():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(VIEWER)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "24 True\nTrue\n"), done.stderr
