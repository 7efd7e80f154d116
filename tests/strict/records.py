"""Errors and drops that the processes of a test have recorded, and those that the test names."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from strict import sitecustomize

VARIABLE = "DASK_NAPARI_TEST_RECORDS"


class Records:
    """The file to which each process of the suite appends its errors and drops."""

    def __init__(self) -> None:
        self.path = Path(os.devnull)
        self._read = 0

    def create(self) -> None:
        descriptor, name = tempfile.mkstemp(prefix="dask-napari-records-")
        os.close(descriptor)
        self.path = Path(name)

    def fresh(self) -> dict[str, list[str]]:
        """Errors and drops that were written since the last call, each with its process."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        self._read += len(lines)
        found: dict[str, list[str]] = {"error": [], "drop": []}
        for line in lines.decode().splitlines():
            what, _, text = line.partition(" ")
            found[what].append(text)
        return found


RECORDS = Records()


def start() -> None:
    """Make this process strict, and those that it starts."""
    RECORDS.create()
    folder = str(Path(__file__).parent)
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ.update(
        {
            VARIABLE: str(RECORDS.path),
            "PYTHONPATH": os.pathsep.join(filter(None, [folder, *paths])),
            "DASK_NAPARI_STRICT": "1",
        }
    )
    sitecustomize.change_modules()


EXPECTED = {
    # Whether a sender that ends, as most do behind a test, still holds something is a matter of
    # moments.
    "drops": [" closed$"],
    "errors": [],
}


def unnamed(lines: list[str], request: pytest.FixtureRequest, marker: str) -> list[str]:
    """Lines that no marker of the test, its class or its module matches."""
    named = [pattern for mark in request.node.iter_markers(marker) for pattern in mark.args]
    patterns = [*EXPECTED[marker], *named]
    return [line for line in lines if not any(re.search(p, line) for p in patterns)]


def checked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves errors or drops which it does not name."""
    sitecustomize.install()  # for each test: napari's plugin for pytest has a factory of its own
    RECORDS.fresh()  # what ended after the last test says nothing of this one
    yield
    for what, lines in RECORDS.fresh().items():
        if left := unnamed(sorted(set(lines)), request, f"{what}s"):
            pytest.fail(f"{what}s that the test does not name:\n" + "\n".join(left), pytrace=False)
