"""The stream over networks that are slow, long, lossy or cut, between hosts of our own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from network.lab import HERE, Host, Lab, Talk, why_not

from dask_napari.stream.auth import Security

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")

DEADLINE = 60.0
PORT = 5577
LINK = {"delay": 0.05, "loss": 0.01, "rate": 10e6}
"""100 ms there and back, one packet in a hundred lost, 10 Mbit/s."""


def until(condition: Callable[[], Any], what: Callable[[], object], deadline: float = DEADLINE):
    end = time.monotonic() + deadline
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what()}")
        threading.Event().wait(0.1)
    return found


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab
    assert not lab.left()
    assert not lab.tmp.exists()


def where(host: Host) -> str:
    return f"tcp://{host.address}:{PORT}"


def all_shown(view: Talk, n: int, deadline: float = DEADLINE) -> dict[str, Any]:
    """Wait until the viewer has shown n items; its state, with a ledger that balances."""

    def done() -> dict[str, Any]:
        state = view.ask("state")
        assert state["balanced"], state
        return state if state["shown"] >= n and not state["pending"] else {}

    return until(done, lambda: view.ask("state"), deadline)


def arrived_right(view: Talk, *answers: dict[str, Any]) -> None:
    seen = {tuple(pair) for pairs in view.ask("seen").values() for pair in pairs}
    assert seen == {tuple(pair) for answer in answers for pair in answer["sums"]}


def both_ends_balance(view: dict[str, Any], senders: list[Talk]) -> None:
    states = [sender.ask("state") for sender in senders]
    for state in states:
        out = ("sent", "coalesced", "dropped", "queued")
        assert state["selected"] == sum(state[key] for key in out), state
    assert view["selected"] == sum(state["selected"] for state in states)


def nothing_left(*hosts: Host) -> None:
    for host in hosts:
        until(lambda host=host: not host.left(), host.left)


def test_items_larger_than_a_heartbeat_cross_a_slow_lossy_link(lab):
    """2 MiB take 1.7 s alone, and 3.4 s beside another; the connection must not be given up."""
    viewer = lab.host("viewer", cable=True)
    hosts = [lab.host("one"), lab.host("two")]
    view = viewer.start("viewer", "", where(viewer))
    lab.cables["viewer"].ask(**LINK)
    senders = [host.start("publisher", "", host.name, "auto", where(viewer)) for host in hosts]
    sums = [
        sender.ask("put", kind="picture", first=100 * n, count=2, size=1024)
        for n, sender in enumerate(senders)
    ]
    # A put waits for nothing, whatever the link does.
    assert max(answer["longest_put"] for answer in sums) < 1.0
    state = all_shown(view, 4)
    assert not state["rejected"]
    arrived_right(view, *sums)
    both_ends_balance(state, senders)
    # Once each, but for what TCP had to repeat.
    carried = lab.cables["viewer"].ask()["carried"]
    assert carried < 1.5 * 4 * (2 << 20)
    assert {transport for transport, *_ in state["peers"].values()} == {"inline"}
    for sender in senders:
        assert sender.ask("close", within=10.0)["state"] == "closed"
    nothing_left(viewer, *hosts)


def test_labels_are_compressed_on_a_slow_link(lab):
    viewer, host = lab.host("viewer", cable=True), lab.host("worker")
    view = viewer.start("viewer", "", where(viewer))
    lab.cables["viewer"].ask(**LINK)
    sender = host.start("publisher", "", "me", "auto", where(viewer))
    sums = sender.ask("put", kind="cells", first=0, count=8, size=1024)
    all_shown(view, 8)
    arrived_right(view, sums)
    # 16 MiB would take 14 s; a twentieth of them was carried.
    assert lab.cables["viewer"].ask()["carried"] < (16 << 20) // 20


def test_a_cut_loses_nothing_and_shows_nothing_twice(lab):
    """Of 7 s, which is longer than the heartbeat allows."""
    viewer, host = lab.host("viewer", cable=True), lab.host("worker")
    view = viewer.start("viewer", "", where(viewer))
    cable = lab.cables["viewer"]
    cable.ask(delay=0.02, rate=100e6)
    sender = host.start("publisher", "", "me", "auto", where(viewer))
    before = sender.ask("put", kind="picture", first=0, count=20, size=512)
    until(lambda: view.ask("state")["shown"] >= 5, lambda: view.ask("state"))
    cable.ask(cut=True)
    during = sender.ask("put", kind="picture", first=20, count=20, size=512)
    until(lambda: sender.ask("state")["state"] == "connecting", lambda: sender.ask("state"))
    cable.ask(cut=False)
    state = all_shown(view, 40)
    assert state["shown"] == 40  # nothing twice
    arrived_right(view, before, during)
    both_ends_balance(state, [sender])
    # The connection that was cut is given up on both sides, by the kernel where it must be.
    until(lambda: viewer.sockets() == host.sockets() == 1, viewer.sockets)
    assert state["connections"] == 1


def test_an_address_that_does_not_answer_does_not_keep_the_next_waiting(lab):
    viewer, host = lab.host("viewer"), lab.host("worker")
    view = viewer.start("viewer", "", where(viewer))
    nowhere = f"tcp://{lab.blackhole}:{PORT}"
    sender = host.start("publisher", "", "me", "auto", nowhere, where(viewer))
    sums = sender.ask("put", kind="picture", first=0, count=5, size=64)
    assert sums["longest_put"] < 1.0
    all_shown(view, 5, deadline=15)
    arrived_right(view, sums)
    alone = host.start("publisher", "", "alone", "auto", nowhere)
    alone.ask("put", kind="picture", first=0, count=5, size=64)
    began = time.monotonic()
    last = alone.ask("close", within=1.0)
    assert time.monotonic() - began < 5
    assert (last["selected"], last["dropped"], last["queued"]) == (5, 5, 0)
    nothing_left(viewer, host)


@pytest.mark.parametrize(
    ("case", "transport"),
    [
        ("same host name", "inline"),
        ("same socket visible", "inline"),
        ("other host name and network", "shared-memory"),
    ],
)
def test_whether_memory_is_shared_is_proved_and_not_guessed(lab, case, transport):
    viewer = lab.host("viewer", hostname="node-1")
    shared = case.startswith("other")
    host = lab.host(
        "worker",
        hostname="node-1" if case == "same host name" else "node-2",
        shm=viewer if shared else None,
    )
    socket = f"ipc://{viewer.tmp}/viewer.sock"
    address = socket if case == "same socket visible" else where(viewer)
    view = viewer.start("viewer", "", address)
    sender = host.start("publisher", "", "me", "auto", address)
    sums = sender.ask("put", kind="picture", first=0, count=30, size=256)
    state = all_shown(view, 30)
    arrived_right(view, sums)
    assert sender.ask("state")["transport"] == transport
    assert [peer[0] for peer in state["peers"].values()] == [transport]
    assert not host.left()  # the arena has no name any more, while it is in use
    sender.ask("close", within=5.0)
    until(lambda: view.ask("state")["connections"] == 0, lambda: view.ask("state"))


def test_a_cluster_of_hosts_computes_while_its_viewer_hangs_on_a_bad_link(lab):
    """Scheduler, two workers and a viewer, each with an address of its own, encrypted."""
    scheduler, viewer = lab.host("scheduler"), lab.host("viewer", cable=True)
    hosts = [lab.host("worker-1"), lab.host("worker-2")]
    secret = Security.generate()
    view = viewer.start("viewer", secret.dumps(), where(viewer))
    lab.cables["viewer"].ask(**LINK)
    control = f"tcp://{scheduler.address}:8786"
    cluster = scheduler.start("cluster", control)
    workers = [host.start("worker", control, host.address) for host in hosts]
    found = cluster.ask("workers", n=2)["workers"]
    assert {address.split(":")[1].strip("/") for address in found} == {h.address for h in hosts}
    cluster.ask("register", addresses=[where(viewer)], secret=secret.client().dumps())
    done = cluster.ask("compute", kind="picture", first=0, count=40, size=128, seconds=0.01)
    state = all_shown(view, 40)
    arrived_right(view, done)
    lab.cables["viewer"].ask(cut=True)
    more = cluster.ask("compute", kind="picture", first=40, count=40, size=128, seconds=0.01)
    assert len(more["sums"]) == 40  # computed behind the cut
    lab.cables["viewer"].ask(cut=False)
    state = all_shown(view, 80)
    arrived_right(view, done, more)
    sides = cluster.ask("counts")["sides"]
    assert sum(side["selected"] for side in sides) == state["selected"] == 80
    assert all(side["pending"] == 0 for side in sides)
    cluster.ask("release")
    cluster.ask("unregister")
    for worker in workers:
        worker.close()
    cluster.close()
    nothing_left(scheduler, viewer, *hosts)


@pytest.mark.skipif(not os.environ.get("DISPLAY") and not shutil.which("Xvfb"), reason="no screen")
def test_a_window_on_a_bad_link_shows_all(lab):
    """The whole viewer, encrypted; the other tests look at its receiver alone."""
    viewer, host = lab.host("viewer", cable=True), lab.host("worker")
    secret = Security.generate()
    view = viewer.start("window", secret.dumps(), where(viewer))
    lab.cables["viewer"].ask(**LINK)
    sender = host.start("publisher", secret.client().dumps(), "me", "auto", where(viewer))
    sender.ask("put", kind="picture", first=0, count=10, size=256)
    sender.ask("put", kind="cells", first=0, count=10, size=512)
    state = all_shown(view, 20)
    both_ends_balance(state, [sender])
    assert view.ask("screenshot", 90.0)["bytes"] > 10_000
    view.close()
    nothing_left(viewer, host)


@pytest.mark.skipif(not os.environ.get("DISPLAY") and not shutil.which("Xvfb"), reason="no screen")
def test_a_watch_behind_a_tunnel_to_the_scheduler_is_told_or_finds_a_way_back(lab):
    """The script reaches the scheduler at a forwarded port of its own host."""
    scheduler, script, host = lab.host("scheduler"), lab.host("script"), lab.host("worker")
    control = f"tcp://{scheduler.address}:8786"
    cluster = scheduler.start("cluster", control)
    script.start("forward", "127.0.0.1:8786", f"{scheduler.address}:8786")
    watcher = script.start("watcher", "tcp://127.0.0.1:8786")
    host.start("worker", control, host.address)
    (worker,) = cluster.ask("workers", n=1)["workers"]
    # No way back at all: an error at once, which says who tried what and what to forward.
    host.run("ip", "route", "add", "unreachable", script.address)
    began = time.monotonic()
    refused = watcher.ask("watch")["refused"]
    assert time.monotonic() - began < 15
    for part in (worker, script.address, "127.0.0.1:8786", "ssh -R", "advertise="):
        assert part in refused
    listen, far = "tcp://127.0.0.1:5577", f"tcp://{scheduler.address}:5577"
    assert far in watcher.ask("watch", listen=listen, advertise=far)["refused"]
    # As `ssh -R` does: a port of the scheduler's host leads to one of the script's loopback.
    script.start("forward", f"{script.address}:6000", "127.0.0.1:5577")
    scheduler.start("forward", f"{scheduler.address}:5577", f"{script.address}:6000")
    told = watcher.ask("watch", 90.0, listen=listen, advertise=far)["addresses"]
    assert told == [far]
    assert watcher.ask("compute", 90.0, count=6)["shown"] == 6
    watcher.ask("close")
    # A way back that the scheduler's address does not tell of is found.
    host.run("ip", "route", "del", "unreachable", script.address)
    told = watcher.ask("watch", 90.0)["addresses"]
    assert [address for address in told if address.startswith(f"tcp://{script.address}:")]
    assert watcher.ask("compute", 90.0, count=6)["shown"] == 6
    watcher.ask("close")


CRASH = """
import sys, time
from network.lab import Lab
lab = Lab()
host = lab.host("viewer", cable=True)
host.start("viewer", "", f"tcp://{host.address}:5577")
print(lab.tmp, *lab._spaces, flush=True)
time.sleep(600)
"""


def test_hosts_go_with_whoever_made_them_even_when_killed():
    env = {**os.environ, "PYTHONPATH": f"{HERE.parent.parent / 'src'}:{HERE.parent}"}
    maker = subprocess.Popen(
        [sys.executable, "-c", CRASH], stdout=subprocess.PIPE, text=True, env=env
    )
    assert maker.stdout is not None
    tmp, *spaces = maker.stdout.readline().split()
    lab = Lab()
    try:
        lab._spaces |= set(spaces)
        assert len(lab.left()) > 4
        maker.send_signal(signal.SIGKILL)
        maker.communicate()
        lab._spaces = set(spaces)
        until(lambda: not lab.left(), lab.left)
    finally:
        lab.close()
        Path(tmp).exists() and subprocess.run(["rm", "-r", tmp], check=True)
