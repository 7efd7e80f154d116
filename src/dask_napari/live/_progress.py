"""Progress of a watch for people: a line in a terminal, rows of text and HTML."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dask_napari.model import (
    Ledger,
    Tally,
    TapProgress,
    TaskCounts,
    duration_text,
    html_table,
    rate_text,
)

INTERVAL: Final = 0.5
"""Seconds between changes of the line."""

TITLES: Final = (
    *("layer", "tasks", "computed", "failed", "rate", "time left"),
    *("shown", "pending", "dropped"),
)


class ProgressLine:
    """Show text on one line of the terminal, again and again; nothing where there is none."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._is_terminal = self._stream is not None and self._stream.isatty()
        self._next = 0.0
        self._width = 0

    def __repr__(self) -> str:
        return f"<ProgressLine: {'shown' if self._is_terminal else 'no terminal'}>"

    def show(self, text: Callable[[], str]) -> None:
        """Show a text, asked for at intervals, in place of the last one."""
        if self._is_terminal and time.monotonic() >= self._next:
            self._next = time.monotonic() + INTERVAL
            # Names of layers are users' text, and a terminal obeys some characters.
            plain = "".join(c if c.isprintable() else " " for c in text())
            self._write(plain[: shutil.get_terminal_size().columns - 1])

    def _write(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._width:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()


class WatchProgress:
    """How far the layers of a watch are: the tasks of their taps, and what became of outputs.

    >>> taps = [TapProgress("cells", counts=TaskCounts(waiting=1, computed=2))]
    >>> ledger = Ledger({("w", "cells"): Tally(2, shown=2)})
    >>> progress = WatchProgress(taps, ledger, rates={"cells": 0.25})
    >>> progress.line()
    'cells 2/3, 0.2/s, 4 s left, 2 shown'
    >>> print(progress)
    cells: 2 of 3 tasks computed, 0 failed, 0.2/s, 4 s left; 2 shown, 0 pending, 0 dropped
    """

    def __init__(
        self, taps: Sequence[TapProgress], ledger: Ledger, rates: Mapping[str, float]
    ) -> None:
        self._ledger = ledger
        self._rates = rates
        counts: dict[str, list[TaskCounts]] = {}
        for tap in taps:
            counts.setdefault(tap.layer, []).append(tap.counts)
        self._rows: list[tuple[str, int, int, int, Tally]] = []
        for layer in [*counts, *(name for name in ledger if name not in counts)]:
            tasks = counts.get(layer, ())
            tally = ledger[layer] if layer in ledger else Tally()
            total, computed, failed = (
                sum(each.total for each in tasks),
                sum(each.computed for each in tasks),
                sum(each.failed for each in tasks),
            )
            self._rows.append((layer, total, computed, failed, tally))

    def __repr__(self) -> str:
        return f"<WatchProgress of {len(self._rows)} layers>"

    def _pace(self, layer: str, left: int) -> tuple[str, str]:
        """Return the rate of the tasks of a layer and the time for those that are left."""
        rate = self._rates.get(layer, 0.0) if left else 0.0
        text = rate_text(rate)
        return text, duration_text(max(1.0, left / rate)) if text else ""

    def _pace_text(self, layer: str, left: int) -> str:
        rate, duration = self._pace(layer, left)
        return f", {rate}, {duration} left" if rate else ""

    def line(self) -> str:
        """Return all layers on one line."""
        return "; ".join(
            f"{layer} {computed}/{total}{self._pace_text(layer, total - computed - failed)}"
            f", {tally.shown} shown"
            + (f", {failed} failed" if failed else "")
            + (f", {tally.dropped.total()} dropped" if tally.dropped else "")
            for layer, total, computed, failed, tally in self._rows
        )

    def __str__(self) -> str:
        lines = [
            f"{layer}: {computed} of {total} tasks computed, {failed} failed"
            f"{self._pace_text(layer, total - computed - failed)}; {tally.shown} shown,"
            f" {tally.pending} pending, {tally.dropped.total()} dropped"
            for layer, total, computed, failed, tally in self._rows
        ]
        return "\n".join([*(lines or ["no taps yet"]), *self._ledger.notes])

    def html(self) -> str:
        """Return the rows as a table."""
        rows = (
            (
                *(layer, total, computed, failed, *self._pace(layer, total - computed - failed)),
                *(t.shown, t.pending, t.dropped.total()),
            )
            for layer, total, computed, failed, t in self._rows
        )
        return html_table(TITLES, rows, self._ledger.notes)
