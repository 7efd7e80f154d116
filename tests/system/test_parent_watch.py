"""A viewer that watches its parent ends with it, whatever it is doing."""

from __future__ import annotations

import os
import subprocess
import sys

from dask_napari.stream.auth import Security

STUCK = """
import time
print("importing", flush=True)
time.sleep(600)
"""


def test_a_viewer_that_hangs_ends_with_its_owner(tmp_path):
    (tmp_path / "napari").mkdir()
    (tmp_path / "napari" / "__init__.py").write_text(STUCK)
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "dask_napari.viewer", "--watch-parent", "--security-stdin"]
    with subprocess.Popen(
        [*command, "--listen", "ipc://*"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    ) as viewer:
        assert viewer.stdin is not None
        assert viewer.stdout is not None
        viewer.stdin.write(Security.generate().dumps().encode() + b"\n")
        viewer.stdin.flush()
        assert viewer.stdout.readline() == b"importing\n"
        viewer.stdin.close()
        assert viewer.wait(30) == 0
