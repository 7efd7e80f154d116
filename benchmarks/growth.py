"""What one more item costs as a canvas grows, and what it costs to look at it.

Items of 64 x 64 pixels go over a board to one canvas, each to a place of its own: along one
slider, and over two (a plate of wells and fields), in order and shuffled as tasks finish. A
design that restacks or rescans grows with the canvas; this one should cost the same at 100 000
items as at 100.
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
"""Items timed at each size: the last ones before it is reached."""

LOOKS = 300
"""Places looked at for each size."""

SHOWN = 32
"""Items a tick of the viewer takes from the board."""

FIELDS = 10

TICKS = 20
"""Looks right after a tick, for each size."""

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
    """Do what the receiver and a tick of the viewer do with some items."""
    for position in positions:
        board.put(Item("raw", "image", _block, position))
    items = board.take()
    for item in items:
        canvas.put(item.position, item.data)
    # The pump reads these once a tick to know what changed.
    _ = canvas.shape, canvas.dtype
    board.shown(items)


def _look(canvas: Canvas, places: list[tuple[int, ...]]) -> float:
    """Seconds to fetch one plane."""
    began = time.perf_counter()
    for place in places:
        np.asarray(canvas[place])
    return (time.perf_counter() - began) / len(places)


def grow(positions: Iterator[Mapping[str, int]]) -> list[tuple[float, float, float]]:
    """Seconds of one item, of one look at random and of one look at the end, for each size."""
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
        # Once for what growing has made stale: a viewer pays that on the tick that grew.
        _look(canvas, end[:1])
        rows.append((statistics.median(ticks), _look(canvas, somewhere), _look(canvas, end)))
    assert canvas.n_blocks == SIZES[-1]
    return rows


def first_look(positions: Iterator[Mapping[str, int]], size: int) -> float:
    """Seconds of a look right after the canvas has grown by one tick."""
    board, canvas = Board(), Canvas(CanvasAxes())
    _tick(board, canvas, [dict(p) for p in itertools.islice(positions, size)])
    took = []
    for _ in range(TICKS):
        _tick(board, canvas, [dict(p) for p in itertools.islice(positions, SHOWN)])
        took.append(_look(canvas, [(0,) * canvas.n_leading]))
    return statistics.median(took)


def main() -> None:
    grow(_line())  # warm
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
