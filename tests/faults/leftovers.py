"""What a run has left on this host: processes, socket files, segments of shared memory.

It looks only at what belongs to the run: processes that carry its folder in their environment
(children inherit it), files in that folder, and segments that are named after its workers.

    python -m faults.leftovers FOLDER [PORT ...]

lists them one a line; exit code 1 says that there are some.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

MARK = "DASK_NAPARI_FAULTS"
"""Variable of the environment that names the folder of a run."""

WITHIN = 3.0
"""Seconds after which nothing may be left."""


def environment(folder: Path) -> dict[str, str]:
    """The environment of a run's processes: marked, with private directories for its files."""
    tests = Path(__file__).parents[1]
    parts = [str(tests), str(tests / "strict"), *sys.path]
    # Errors and drops are what is provoked here.
    inherited = {k: v for k, v in os.environ.items() if k != "DASK_NAPARI_TEST_RECORDS"}
    return {
        **inherited,
        MARK: str(folder),
        "TMPDIR": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PYTHONPATH": os.pathsep.join(filter(None, parts)),
    }


def processes(folder: Path) -> list[psutil.Process]:
    """Processes of a run that live; zombies are their parents' business."""
    found = []
    for process in psutil.process_iter():
        try:
            dead = process.status() == psutil.STATUS_ZOMBIE
            if not dead and process.environ().get(MARK) == str(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def sockets(folder: Path) -> list[Path]:
    """Private directories and sockets that are there."""
    return [p for p in folder.rglob("*") if p.is_socket() or p.name.startswith("dask-napari-")]


def segments(ports: Iterable[int]) -> list[str]:
    """Segments named after workers that listened on these ports."""
    names = [p.name for p in Path("/dev/shm").rglob("dask-napari-*") if p.is_file()]
    marks = [f"-{port}-" for port in ports]
    return [name for name in names if any(mark in name for mark in marks)]


def threads() -> list[str]:
    """Threads of ours in this process."""
    return [t.name for t in threading.enumerate() if t.name.startswith("dask-napari")]


def find(folder: Path, ports: Iterable[int] = (), allowed: Iterable[int] = ()) -> list[str]:
    """Everything that is there, as text; ``allowed`` are ids of processes that may be."""
    allowed = set(allowed)
    found = []
    for process in processes(folder):
        try:
            family = {process.pid, *(parent.pid for parent in process.parents())}
            if not family & allowed:
                found.append(f"process {process.pid}: {' '.join(process.cmdline())[:200]}")
        except psutil.Error:
            continue
    found += [f"socket {path}" for path in sockets(folder)]
    found += [f"segment {name}" for name in segments(ports)]
    return found


def none_within(look: Callable[[], list[str]], seconds: float = WITHIN) -> list[str]:
    """What is still there after some seconds; empty as soon as nothing is."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    return found


def main() -> int:
    folder, *ports = sys.argv[1:]
    found = find(Path(folder), map(int, ports))
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
