"""The suite sees errors: of this process, of those that it starts, and of contained ones."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dask_napari.live._client_ledger import ClientLedger
from dask_napari.model import Tally, TapMatches, contained
from dask_napari.stream.receive import Board
from strict import records
from strict.records import RECORDS


def test_an_error_of_this_process_is_seen():
    logging.getLogger("dask_napari.stream").error("lost %s", "it")
    assert [line.split(" ", 1)[1] for line in RECORDS.fresh()["error"]] == [
        "dask_napari.stream: lost it"
    ]


def test_an_error_of_another_process_is_seen():
    program = "import logging; logging.getLogger('dask_napari').error('over there')"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert [line.split(" ", 1)[1] for line in RECORDS.fresh()["error"]] == [
        "dask_napari: over there"
    ]


def test_an_error_of_ours_is_raised_and_one_of_others_is_not():
    seen = []
    with contained(seen.append, foreign=True):
        raise KeyError("theirs")
    assert RECORDS.fresh()["error"] == []
    with pytest.raises(ZeroDivisionError), contained(seen.append):
        1 / 0  # noqa: B018
    assert len(RECORDS.fresh()["error"]) == 1
    assert [type(error) for error in seen] == [KeyError, ZeroDivisionError]


def test_without_the_switch_an_error_of_ours_is_handed_over(monkeypatch):
    monkeypatch.delenv("DASK_NAPARI_STRICT")
    seen = []
    with contained(seen.append):
        1 / 0  # noqa: B018
    assert [type(error) for error in seen] == [ZeroDivisionError]


DROPS = """
from dask_napari.model import Item
from dask_napari.stream.receive import Board
import numpy as np
board = Board()
board.put(Item("cells", "labels", np.ones((2, 2), "u1")))
board.drop(*board.take(), "over there")
"""


def drops() -> set[str]:
    # A set: a board counts each for its publisher and in the sums of its layer.
    return {line.split(" ", 1)[1] for line in RECORDS.fresh()["drop"]}


def test_a_drop_of_any_process_is_seen():
    board = Board()
    board.reject("me", "cells", "malformed")
    assert drops() == {"malformed"}
    subprocess.run([sys.executable, "-c", DROPS], check=True)
    assert drops() == {"over there"}


@pytest.mark.drops("lost .* way")
def test_a_drop_fails_the_test_that_does_not_name_it(request):
    board = Board()
    for reason in ("lost on the way", "malformed"):
        board.reject("me", "cells", reason)
    left = records.unnamed(RECORDS.fresh()["drop"], request, "drops")
    assert {line.split(" ", 1)[1] for line in left} == {"malformed"}


def test_drops_that_are_found_when_a_ledger_is_read_are_seen():
    ledger = ClientLedger()
    sink = {"name": "w", "viewer": "", "taps": TapMatches(), "uncounted": {}}
    ledger.hear_sinks([{**sink, "counts": {"cells": Tally(selected=2, pending=2)}}], 1.0)
    ledger.hear_sinks([{**sink, "name": "other", "counts": {}}], 2.0)
    assert ledger.joined()["cells"].dropped == {"worker-lost": 2}
    assert drops() == {"worker-lost"}
    ledger.hear_sinks([{**sink, "counts": {"cells": Tally(selected=2, pending=2)}}], 3.0)
    ledger.viewer_gone = True
    assert ledger.joined()["cells"].dropped == {"viewer-gone": 2}
    assert drops() == {"viewer-gone"}


FAILING = """
from dask_napari.stream.receive import Board

def test_one():
    Board().reject("me", "cells", "malformed")
"""


def test_a_suite_with_an_unnamed_drop_fails(tmp_path):
    (tmp_path / "test_one.py").write_text(FAILING)
    (tmp_path / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    tests = str(Path(__file__).parent)
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-c",
            "/dev/null",
            tmp_path,
        ],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([tests, os.environ["PYTHONPATH"]]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # they take seconds to import
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "drops that the test does not name" in run.stdout, run.stdout
    assert "malformed" in run.stdout
    RECORDS.fresh()  # it wrote to a file of its own; nothing is left here
