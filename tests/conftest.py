"""What all tests share: a screen, and a look at what is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import hypothesis
import pytest

# An example's time says nothing on a machine that others use too.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def screen() -> Iterator[None]:
    """A virtual screen where there is no real one; napari does not draw without."""
    if os.environ.get("DISPLAY") or not shutil.which("Xvfb"):
        yield
        return
    read, write = os.pipe()
    # Xvfb takes a free number itself and says which.
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    os.environ["DISPLAY"] = f":{number}"
    try:
        yield
    finally:
        server.terminate()
        server.wait()
