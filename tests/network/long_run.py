"""The long run of the network tests: ``make network``.

A cluster of three hosts computes while its viewer hangs on one link after another: perfect, 10
Mbit/s with 100 ms and 1 % loss, cut for 20 s, and an address that never answers. For each: the
makespan beside runs without a sink, taken in turn; results and pictures right, the ledger balanced
at both ends; nothing left. Exits with 1 if anything is not so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from typing import Any

from network.lab import Lab, Talk, why_not

PORT = 5577
CUT = 20.0

WAYS: dict[str, dict[str, float]] = {
    "no sink": {},
    "perfect": {"delay": 0.0, "loss": 0.0, "rate": 0.0},
    "100 ms": {"delay": 0.05, "loss": 0.0, "rate": 0.0},
    "1 % loss": {"delay": 0.0, "loss": 0.01, "rate": 0.0},
    "10 Mbit/s": {"delay": 0.0, "loss": 0.0, "rate": 10e6},
    "10 Mbit/s, 100 ms, 1 % loss": {"delay": 0.05, "loss": 0.01, "rate": 10e6},
    "cut for 20 s": {"delay": 0.0, "loss": 0.0, "rate": 0.0},
    "no answer": {},
}


class Run:
    """One cluster and what happened on it."""

    def __init__(self, lab: Lab, tasks: int, size: int, seconds: float) -> None:
        self.lab = lab
        self.work = {"size": size, "seconds": seconds, "count": tasks}
        self.next = 0
        self.wrong: list[str] = []
        scheduler = lab.host("scheduler")
        self.viewer = lab.host("viewer", cable=True)
        self.hosts = [lab.host("worker-1"), lab.host("worker-2")]
        control = f"tcp://{scheduler.address}:8786"
        self.cluster = scheduler.start("cluster", control)
        self.workers = [host.start("worker", control, host.address) for host in self.hosts]
        self.cluster.ask("workers", n=2)

    def check(self, true: object, what: str) -> None:
        if not true:
            self.wrong.append(what)
            print(f"WRONG: {what}", flush=True)

    def compute(self) -> dict[str, Any]:
        self.next += self.work["count"]
        first = self.next
        return self.cluster.ask("compute", 300.0, kind="picture", first=first, **self.work)

    def one(self, way: str) -> dict[str, float]:
        """Compute with the viewer on one link; makespan and seconds until all is shown."""
        if way == "no sink":
            done = self.compute()
            self.cluster.ask("release")
            return {"makespan": done["makespan"]}
        if way == "no answer":
            self.cluster.ask("register", addresses=[f"tcp://{self.lab.blackhole}:{PORT}"])
            done = self.compute()
            self.finish()
            return {"makespan": done["makespan"]}
        address = f"tcp://{self.viewer.address}:{PORT}"
        cable = self.lab.cables["viewer"]
        cable.ask(delay=0.0, loss=0.0, rate=0.0, cut=False)
        view = self.viewer.start("viewer", "", address)
        cable.ask(**WAYS[way])
        self.cluster.ask("register", addresses=[address])
        began = time.monotonic()
        back = threading.Timer(CUT, lambda: cable.ask(cut=False))
        if way.startswith("cut"):
            threading.Timer(0.5, lambda: cable.ask(cut=True)).start()
            back.start()
        done = self.compute()
        shown = self.settle(view, way, done)
        back.join() if back.ident else None
        cable.ask(cut=False)
        self.finish()
        view.close()
        return {"makespan": done["makespan"], "shown": shown - began}

    def settle(self, view: Talk, way: str, done: dict[str, Any]) -> float:
        end = time.monotonic() + 180
        count = self.work["count"]
        state = view.ask("state")
        while time.monotonic() < end and not (state["selected"] == count and not state["pending"]):
            threading.Event().wait(0.2)
            state = view.ask("state")
            self.check(state["balanced"], f"{way}: ledger {state}")
        shown = time.monotonic()
        self.check(state["shown"] == count, f"{way}: {state}")
        seen = {tuple(pair) for pairs in view.ask("seen").values() for pair in pairs}
        self.check(seen == {tuple(pair) for pair in done["sums"]}, f"{way}: pictures differ")
        sides = self.cluster.ask("counts")["sides"]
        self.check(
            all(side["selected"] == side["sent"] + side["gone"] + side["pending"] for side in sides)
            and sum(side["selected"] for side in sides) == count,
            f"{way}: counts of the workers {sides}",
        )
        return shown

    def finish(self) -> None:
        self.cluster.ask("release")
        self.cluster.ask("unregister")

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self.cluster.close()
        for host in self.lab.hosts.values():
            self.check(not host.left(), f"left on {host.name}: {host.left()}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--size", type=int, default=256, help="pixels; 256 makes 128 KiB")
    parser.add_argument("--seconds", type=float, default=0.05, help="of a task")
    options = parser.parse_args()
    if reason := why_not():
        print(f"skipped: {reason}")
        return 0
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with Lab() as lab:
        run = Run(lab, options.tasks, options.size, options.seconds)
        run.compute()  # imports
        for _ in range(options.repeats):
            for way in WAYS:
                found[way].append(run.one(way))
        run.close()
    run.check(not lab.left(), f"processes are left: {lab.left()}")
    base = statistics.median(each["makespan"] for each in found["no sink"])
    spread = [each["makespan"] / base for each in found["no sink"]]
    print(f"\n{options.tasks} tasks of {options.seconds} s on 2 workers, {options.repeats} runs")
    print(f"no sink: {base:.2f} s, {min(spread):.3f} to {max(spread):.3f}\n")
    print("| link | makespan, of no sink | all shown after |\n|---|---|---|")
    for way, runs in found.items():
        ratio = statistics.median(each["makespan"] for each in runs) / base
        shown = [each["shown"] for each in runs if "shown" in each]
        after = f"{statistics.median(shown):.1f} s" if shown else ""
        print(f"| {way} | {ratio:.3f} | {after} |")
    return bool(run.wrong)


if __name__ == "__main__":
    sys.exit(main())
