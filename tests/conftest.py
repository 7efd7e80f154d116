"""What tests share: a screen, and a small cluster with a viewer for those that ask for one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

import private_folder
from example_counts import examples
from strict import records

if TYPE_CHECKING:
    from distributed import Client

    from headless import Headless

# Before anything of ours is imported, and before anything asks for a temporary folder.
FOLDER = private_folder.enter()
records.start()

# An example's time says nothing on a machine that others use too.
hypothesis.settings.register_profile("patient", deadline=None, max_examples=examples(50))
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    private_folder.hold(FOLDER, config)


LONGEST = ("faults", "cli", "live", "network", "sink", "record", "viewer", "stream")
"""Rooms whose files take longest, since they start clusters and windows."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that several processes end together."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    parts = item.path.parts
    if "tests" not in parts:
        return len(LONGEST) + 2
    room = parts[parts.index("tests") + 1]
    if room.endswith(".py"):
        return 0  # of the whole: examples, a notebook, packaging
    return 1 + LONGEST.index(room) if room in LONGEST else len(LONGEST) + 1


@pytest.fixture(autouse=True)
def no_unnamed_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test on any ERROR record of ours, in whichever process, that it does not name.

    ``@pytest.mark.errors("a regular expression")`` names one.
    """
    yield from records.checked(request)


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


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A worker in a process of its own; modules that need another cluster make theirs."""
    from distributed import Client, LocalCluster  # only here: tests of the stream know no Dask

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def viewer(client: Client) -> Iterator[Headless]:
    """A viewer without a screen, and a sink without taps that streams to it."""
    from dask_napari.sink import SINK_NAME, NapariSink
    from headless import Headless

    with Headless() as viewer:
        client.register_plugin(NapariSink(viewer.receiver.addresses))
        yield viewer
        client.unregister_worker_plugin(SINK_NAME)
