"""The suite sees errors: of this process, of those that it starts, and of contained ones."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import Counter

import pytest

from dask_napari.model import Ledger, Tally, contained
from strict import records
from strict.records import RECORDS


def test_an_error_of_this_process_is_seen():
    logging.getLogger("dask_napari.stream").error("lost %s", "it")
    assert [line.split(" ", 1)[1] for line in RECORDS.fresh()] == ["dask_napari.stream: lost it"]


def test_an_error_of_another_process_is_seen():
    program = "import logging; logging.getLogger('dask_napari').error('over there')"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert [line.split(" ", 1)[1] for line in RECORDS.fresh()] == ["dask_napari: over there"]


def test_an_error_of_ours_is_raised_and_one_of_others_is_not():
    seen = []
    with contained(seen.append, foreign=True):
        raise KeyError("theirs")
    assert RECORDS.fresh() == []
    with pytest.raises(ZeroDivisionError), contained(seen.append):
        1 / 0  # noqa: B018
    assert len(RECORDS.fresh()) == 1
    assert [type(error) for error in seen] == [KeyError, ZeroDivisionError]


def test_without_the_switch_an_error_of_ours_is_handed_over(monkeypatch):
    monkeypatch.delenv("DASK_NAPARI_STRICT")
    seen = []
    with contained(seen.append):
        1 / 0  # noqa: B018
    assert [type(error) for error in seen] == [ZeroDivisionError]


def test_drops_are_seen_unless_they_are_named(request):
    records.note_drops(Ledger({("", "cells"): Tally(selected=2, dropped=Counter({"lost": 2}))}))
    assert records.unnamed(sorted(records.DROPS), request, "drops") == ["lost"]
    records.DROPS.clear()
