"""Measure what an entry of the catalogue costs: bytes, and microseconds to enter an item.

The peer, in turn with it, is a dict of the items by what the board coalesces them by. Bytes are
those that the process grew by, the item with its metadata included, its pixels not.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator

import numpy as np
import psutil

from benchmarks.report import publish, table
from dask_napari.catalog import Catalogue, HeldItem
from dask_napari.model import Calibration, Item, Provenance

ENTRIES = 1_000_000

REPEATS = 3

_WELLS = [f"{chr(65 + row)}{column:02d}" for row in range(16) for column in range(1, 25)]
_PIXELS = np.zeros((8, 8), np.uint8)
_CALIBRATION = Calibration(("y", "x"), (0.5, 0.5), (0.0, 0.0), ("micrometer", "micrometer"))


class _Pixels:
    """Handle of pixels that take no memory here."""

    __slots__ = ()
    shape, dtype = _PIXELS.shape, _PIXELS.dtype

    def get(self) -> np.ndarray:
        return _PIXELS


def _items() -> Iterator[Item]:
    for n in range(ENTRIES):
        position = {"well": _WELLS[n % len(_WELLS)], "t": n // len(_WELLS), "channel": "DAPI"}
        task = Provenance(f"segment-{n:032x}", "tcp://10.0.0.1:34567", 1, n / 8, n / 8 + 3)
        item = Item("cells", "image", _PIXELS, position, task, _CALIBRATION)
        yield HeldItem.kept(item, lambda _: _Pixels())


def _catalogue() -> Callable[[Item], object]:
    return Catalogue().put


def _dict() -> Callable[[Item], object]:
    items: dict[object, Item] = {}
    return lambda item: items.__setitem__(item.place, item)


WAYS = {"catalogue": _catalogue, "dict": _dict}


def measure(name: str) -> tuple[float, float]:
    """Return bytes and microseconds an entry."""
    process, enter, took = psutil.Process(), WAYS[name](), 0.0
    gc.collect()
    before = process.memory_info().rss
    for item in _items():
        began = time.perf_counter()
        enter(item)
        took += time.perf_counter() - began
    return (process.memory_info().rss - before) / ENTRIES, took / ENTRIES * 1e6


def main() -> None:
    """Print both, in processes of their own, in turn."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    context = multiprocessing.get_context("spawn")
    for _ in range(REPEATS):
        for name in WAYS:
            with context.Pool(1) as pool:
                found[name].append(pool.apply(measure, (name,)))
    best = {name: tuple(map(min, zip(*runs, strict=True))) for name, runs in found.items()}
    rows: list[list[object]] = [[name, *map(float, each)] for name, each in best.items()]
    ratio = [a / b for a, b in zip(best["catalogue"], best["dict"], strict=True)]
    rows.append(["ratio", *ratio])
    title = f"{ENTRIES:,} entries, the best of {REPEATS}"
    columns = ["", "bytes an entry", "µs an entry"]
    publish("Catalogue", "python -m benchmarks.catalogue", table(title, columns, rows))


if __name__ == "__main__":
    main()
