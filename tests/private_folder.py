"""A temporary folder for each process of the suite, in which no other program's files lie."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest


def enter() -> Path:
    """Make the folder, for this process and those that it starts.

    Its name is short, since sockets lie in it, whose paths may have 107 bytes.
    """
    folder = Path(tempfile.mkdtemp(prefix="dn", dir="/tmp"))
    tempfile.tempdir = None  # read from the environment once more
    for variable in ("TMPDIR", "XDG_RUNTIME_DIR", "DASK_NAPARI_TEST_FOLDER"):
        os.environ[variable] = str(folder)
    return folder


def hold(folder: Path, config: pytest.Config) -> None:
    """Have pytest's own folders in it too, and remove it at the end.

    Folders that a person asked for by ``--basetemp`` stay where they are, and stay.
    """
    if "PYTEST_XDIST_WORKER" in os.environ or not config.option.basetemp:
        config.option.basetemp = str(folder / "pytest")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
