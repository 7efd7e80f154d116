"""Workers that join a cluster, each a process of its own, which may lack this package."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from distributed import Client

import cluster_tasks as tasks
from headless import eventually

RUN = "from dask.__main__ import main; main()"
WITHOUT_US = f"import sys; sys.modules['dask_napari'] = None; {RUN}"
"""Python raises ModuleNotFoundError for what is None there, as where it is not installed."""


@contextlib.contextmanager
def joined(client: Client, tmp_path: Path, code: str = RUN, **settings: str) -> Iterator[str]:
    """Have a worker join; give its address."""
    before = set(client.scheduler_info(n_workers=-1)["workers"])
    command = [sys.executable, "-c", code, "worker", client.scheduler.address, "--no-nanny"]
    command += ["--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path)]
    paths = [str(Path(tasks.__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        found: set[str] = set()

        def there() -> set[str]:
            assert process.poll() is None, process.stderr and process.stderr.read()
            found.update(set(client.scheduler_info(n_workers=-1)["workers"]) - before)
            return found

        eventually(there)
        (address,) = found
        yield address
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:  # Dask's own, of a worker that is ended while it starts
            process.kill()
            process.communicate()
