"""Records of errors that the processes of a test have written, and the errors that a test names."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dask_napari.model import Ledger
from strict import sitecustomize

VARIABLE = "DASK_NAPARI_TEST_RECORDS"


class Records:
    """The file to which each process of the suite appends its errors."""

    def __init__(self) -> None:
        descriptor, name = tempfile.mkstemp(prefix="dask-napari-records-")
        os.close(descriptor)
        self.path = Path(name)
        self._read = 0

    def fresh(self) -> list[str]:
        """Lines that were written since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        self._read += len(lines)
        return lines.decode().splitlines()


RECORDS = Records()


def start() -> None:
    """Make this process strict, and those that it starts."""
    folder = str(Path(__file__).parent)
    paths = [folder, os.environ.get("PYTHONPATH", "")]
    os.environ.update(
        {
            VARIABLE: str(RECORDS.path),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "DASK_NAPARI_STRICT": "1",
        }
    )


DROPS: set[str] = set()
"""Reasons of the drops in the ledgers of the present test."""


def note_drops(ledger: Ledger) -> None:
    """Take in the drops of a ledger that ends; those of a closed sender name themselves."""
    DROPS.update(reason for reason in ledger.total.dropped if reason != "closed")


def unnamed(lines: list[str], request: pytest.FixtureRequest, marker: str) -> list[str]:
    """Lines that no marker of the test, its class or its module matches."""
    patterns = [pattern for mark in request.node.iter_markers(marker) for pattern in mark.args]
    return [line for line in lines if not any(re.search(p, line) for p in patterns)]


def checked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves errors which it does not name."""
    sitecustomize.install()  # for each test: napari's plugin for pytest has a factory of its own
    RECORDS.fresh()  # what ended after the last test says nothing of this one
    DROPS.clear()
    yield
    if left := unnamed(RECORDS.fresh(), request, "errors"):
        pytest.fail("errors that the test does not name:\n" + "\n".join(left), pytrace=False)
    if left := unnamed(sorted(DROPS), request, "drops"):
        pytest.fail(f"drops that the test does not name: {left}", pytrace=False)
