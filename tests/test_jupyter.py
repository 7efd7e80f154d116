"""`watch` in a Jupyter kernel, where an event loop runs already."""

from __future__ import annotations

from pathlib import Path

import pytest

from headless import windowless

jupyter_client = pytest.importorskip("jupyter_client")
pytest.importorskip("ipykernel")

CELLS = [
    f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import cluster_tasks as tasks
from distributed import Client
import dask_napari as dn
client = Client(n_workers=1, threads_per_worker=1, dashboard_address=None)
live = dn.watch(client)
live.tap("frame", layer="raw")
""",
    "futures = client.map(tasks.frame, range(10), pure=False); client.gather(futures);",
    "print(live.wait(60))",
    "live.close(); client.shutdown(); print('closed')",
]


def test_watch_works_cell_by_cell():
    manager = jupyter_client.KernelManager(kernel_name="python3")
    with windowless():
        manager.start_kernel()
    try:
        kernel = manager.blocking_client()
        kernel.start_channels()
        kernel.wait_for_ready(timeout=60)
        printed: list[str] = []

        def collect(message: dict) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        for cell in CELLS:
            reply = kernel.execute_interactive(cell, timeout=120, output_hook=collect)
            assert reply["content"]["status"] == "ok", reply["content"].get("traceback")
        kernel.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
    text = "".join(printed)
    assert "raw: 10 selected = 10 shown" in text
    assert "closed" in text
