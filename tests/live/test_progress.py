"""How far a watch is, in a terminal and in a notebook."""

from __future__ import annotations

import io
import sys

import pytest

from dask_napari.live._progress import ProgressLine, WatchProgress
from dask_napari.model import Ledger, Tally, TapProgress, TaskCounts


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(layer: str = "cells") -> WatchProgress:
    ledger = Ledger({("w", layer): Tally(9, shown=7, pending=2)}, notes=["a note"])
    taps = [TapProgress(layer, counts=TaskCounts(3, 1, 9, 2))]
    return WatchProgress(taps, ledger, rates={layer: 0.25})


def test_a_terminal_has_one_line_which_is_gone_at_the_end(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressLine() as line:
        line.show(progress("ce\x1b[2Jlls").line)
        line.show(lambda: pytest.fail("asked for before its time"))
    shown, cleared = terminal.getvalue().split("\r")[1:3]
    assert shown == "ce [2Jlls 9/15, 0.2/s, 16 s left, 7 shown, 2 failed"
    assert not cleared.strip()


def test_what_is_no_terminal_is_not_written_to(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with ProgressLine() as line:
        line.show(lambda: pytest.fail("asked for"))
    assert not stream.getvalue()


def test_a_notebook_has_a_table_whose_names_are_text():
    table = progress("<script>").html()
    assert "<td>&lt;script&gt;</td><td>15</td><td>9</td><td>2</td>" in table
    assert "<td>2</td><td>0.2/s</td><td>16 s</td><td>7</td>" in table
    assert "<p>a note</p>" in table
    counted = Ledger({("w", "<b>"): Tally(2, shown=1, pending=1)})._repr_html_()
    assert "<td>&lt;b&gt;</td><td>2</td><td>1</td><td>0</td><td>0</td><td>1</td>" in counted
