"""Measure the cost of putting and viewing an item as a canvas grows.

Items of 64 x 64 pixels go through a board to one canvas, each to a new position: along one slider,
in order and shuffled as tasks finish, and along two sliders (wells and fields of a plate). The cost
of a design that restacks or rescans grows with the canvas; ours should be equal at 100 and at
100 000 items.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from benchmarks.report import publish, table
from dask_napari.canvas import CanvasAxes
from dask_napari.canvas.pixels import Canvas
from dask_napari.model import Item
from dask_napari.stream.receive import Board

SIZES = (100, 1_000, 10_000, 100_000)

LAST = 100
"""Items timed at each size: the last ones before the canvas reaches that size."""

LOOKS = 300
"""Positions read at each size."""

SHOWN = 32
"""Items that a tick of the viewer takes from the board."""

FIELDS = 10

TICKS = 20
"""Reads right after a tick, at each size."""

REPEATS = 3

_block = np.ones((64, 64), np.uint16)


def _line() -> Iterator[dict[str, int]]:
    return ({"t": t} for t in itertools.count())


def _shuffled() -> Iterator[dict[str, int]]:
    places = list(range(SIZES[-1] + TICKS * SHOWN))
    random.Random(0).shuffle(places)
    return ({"t": t} for t in places)


def _plate() -> Iterator[dict[str, int]]:
    return ({"well": n // FIELDS, "field": n % FIELDS} for n in itertools.count())


LAYOUTS: dict[str, Callable[[], Iterator[dict[str, int]]]] = {
    "one slider": _line,
    "one slider, shuffled": _shuffled,
    "wells and fields": _plate,
}


def _tick(board: Board, canvas: Canvas, positions: list[dict[str, int]]) -> None:
    """Put items on the board and the canvas, as the receiver and a tick of the viewer do."""
    for position in positions:
        board.put(Item("raw", "image", _block, position))
    items = board.take()
    for item in items:
        canvas.put(item.position, item.data)
    # The pump reads shape and dtype once a tick to find changes.
    _ = canvas.shape, canvas.dtype
    board.shown(items)


def _look(canvas: Canvas, places: list[tuple[int, ...]]) -> float:
    """Return the mean seconds to read one plane."""
    began = time.perf_counter()
    for place in places:
        np.asarray(canvas[place])
    return (time.perf_counter() - began) / len(places)


def grow(positions: Iterator[Mapping[str, int]]) -> list[tuple[float, float, float]]:
    """Return the seconds to put an item, read a random plane and read the last, at each size."""
    board, canvas = Board(), Canvas(CanvasAxes())
    rows = []
    choose = random.Random(1)
    count = 0
    for size in SIZES:
        ticks = []
        while count < size:
            some = [dict(p) for p in itertools.islice(positions, min(SHOWN, size - count))]
            began = time.perf_counter()
            _tick(board, canvas, some)
            took = (time.perf_counter() - began) / len(some)
            count += len(some)
            if size - count < LAST or size == SIZES[0]:
                ticks.append(took)
        leading = canvas.shape[: canvas.n_leading]
        somewhere = [tuple(choose.randrange(n) for n in leading) for _ in range(LOOKS)]
        end = [tuple(n - 1 for n in leading)] * LOOKS
        # Refresh stale caches first: a viewer does so in the tick in which the canvas grew.
        _look(canvas, end[:1])
        rows.append((statistics.median(ticks), _look(canvas, somewhere), _look(canvas, end)))
    assert canvas.n_blocks == SIZES[-1]
    return rows


def first_look(positions: Iterator[Mapping[str, int]], size: int) -> float:
    """Return the seconds to read a plane right after the canvas has grown by one tick."""
    board, canvas = Board(), Canvas(CanvasAxes())
    _tick(board, canvas, [dict(p) for p in itertools.islice(positions, size)])
    took = []
    for _ in range(TICKS):
        _tick(board, canvas, [dict(p) for p in itertools.islice(positions, SHOWN)])
        took.append(_look(canvas, [(0,) * canvas.n_leading]))
    return statistics.median(took)


def main() -> None:
    grow(_line())  # warm up
    rows: list[list[object]] = []
    for layout, positions in LAYOUTS.items():
        runs = [grow(positions()) for _ in range(REPEATS)]
        first: tuple[float, ...] = ()
        for turn, size in enumerate(SIZES):
            figures = [statistics.median(run[turn][column] for run in runs) for column in range(3)]
            figures.append(first_look(positions(), size))
            first = first or tuple(figures)
            ratios = [figure / least for figure, least in zip(figures, first, strict=True)]
            rows.append(
                [layout, f"{size:,}"]
                + [x for figure, r in zip(figures, ratios, strict=True) for x in (figure * 1e6, r)]
            )
    columns = ["places", "items"]
    for name in ("put", "look at random", "look at the end", "look after a tick"):
        columns += [f"{name} (us)", f"to {SIZES[0]}"]
    publish(
        "growth",
        "python -m benchmarks.growth",
        table(f"Cost of one item of 64 x 64, median of {REPEATS} runs", columns, rows),
    )


if __name__ == "__main__":
    main()
