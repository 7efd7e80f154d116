"""The stage of the fault tests, and their figures at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults import moments
from faults.stage import Stage


@pytest.fixture(scope="session", autouse=True)
def figures() -> Iterator[None]:
    yield
    print(f"\n{moments.report()}\nFAULT_SEED={moments.SEED}")


@contextmanager
def private() -> Iterator[Path]:
    """A folder; short, since it holds sockets, whose paths may have 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="dn", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    with private() as path:
        yield path


@pytest.fixture
def own_folder() -> Iterator[Path]:
    with private() as path:
        yield path


@pytest.fixture(scope="session")
def whole_stage(folder: Path) -> Iterator[Stage]:
    stage = Stage(folder)
    yield stage
    stage.close()


@pytest.fixture
def stage(whole_stage: Stage) -> Stage:
    whole_stage.repair()  # after a test that failed
    return whole_stage
