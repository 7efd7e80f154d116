"""Measure the viewer's time for arriving points and polygons, and the stalls of its window.

The benchmark runs napari on a real or virtual screen. The window does not respond during a tick of
the pump and the drawing after it; the 99th percentile of that time is the stall. The peers are the
usual code: ``layer.data = np.concatenate(...)`` or ``layer.add`` at each arrival.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import napari
import numpy as np
from napari.layers import Points, Shapes
from napari.settings import get_settings
from qtpy.QtWidgets import QApplication

from benchmarks.report import publish, table
from dask_napari.model import Item, LayerSpec
from dask_napari.stream.receive import Board
from dask_napari.viewer.app._pump import Pump
from dask_napari.viewer.app._sliders import Sliders
from dask_napari.viewer.layers import Layers

ARRIVALS, POINTS = 1_000, 100
TILES, POLYGONS, VERTICES = 50, 1_000, 20
SIDE = 1_000
"""Pixels along the side of a tile."""

REPEATS = 3
"""Runs of dask-napari; each peer, which takes minutes, runs once."""


class Window:
    """Viewer whose pump ticks only when an item arrives."""

    def __init__(self, specs: dict[str, LayerSpec]) -> None:
        self.viewer = napari.Viewer()
        self.board = Board()
        self.layers = Layers(self.viewer)
        self.sliders = Sliders(self.viewer, self.layers)
        source: Any = SimpleNamespace(layers=lambda: specs)
        self.pump = Pump(source, self.board, self.layers, self.sliders)

    def arrive(self, item: Item) -> None:
        self.board.put(item)
        self.pump.tick()

    def finish(self) -> None:
        self.pump.drain()

    def close(self) -> None:
        self.sliders.close()
        self.viewer.close()
        QApplication.processEvents()


def timed(step: Callable[[Any], None], arrivals: Iterable[Any], last: Callable[[], None]) -> Any:
    """Return the seconds of each arrival with its drawing, and the seconds in total."""
    each = []
    began = time.perf_counter()
    for arrival in arrivals:
        start = time.perf_counter()
        step(arrival)
        QApplication.processEvents()
        each.append(time.perf_counter() - start)
    last()
    QApplication.processEvents()
    return each, time.perf_counter() - began


def row(name: str, runs: list[tuple[list[float], float]]) -> list[object]:
    tenth = max(1, len(runs[0][0]) // 10)

    def middle(pick: Callable[[list[float]], float]) -> float:
        return statistics.median(pick(each) for each, _ in runs) * 1e3

    early = middle(lambda each: statistics.fmean(each[:tenth]))
    late = middle(lambda each: statistics.fmean(each[-tenth:]))
    stall = middle(lambda each: float(np.percentile(each, 99)))
    total = statistics.median(total for _, total in runs)
    return [name, total, early, late, late / early, stall]


# -- points ----------------------------------------------------------------------------------


def point_items() -> list[Item]:
    rng = np.random.default_rng(0)
    return [
        Item(
            "spots",
            "points",
            rng.uniform(0, SIDE, (POINTS, 2)),
            {"t": t},
            arrays={"feature:area": rng.uniform(0, 1, POINTS)},
        )
        for t in range(ARRIVALS)
    ]


def points_ours(items: list[Item]) -> Any:
    window = Window({})
    try:
        result = timed(window.arrive, items, window.finish)
        stream: Any = window.layers.streams["spots"]
        assert len(stream.canvas) == ARRIVALS * POINTS
        assert len(window.viewer.layers["spots"].data) == POINTS
        return result
    finally:
        window.close()


def points_naive(items: list[Item]) -> Any:
    viewer = napari.Viewer()
    layer: Points | None = None

    def arrive(item: Item) -> None:
        nonlocal layer
        fresh = np.column_stack([np.full(len(item.data), item.position["t"]), item.data])
        area = item.features["area"]
        if layer is None:
            layer = viewer.add_points(fresh, features={"area": area})
            return
        area = np.concatenate([layer.features["area"], area])
        layer.data = np.concatenate([layer.data, fresh])
        layer.features = {"area": area}

    try:
        result = timed(arrive, items, lambda: None)
        assert layer is not None
        assert len(layer.data) == ARRIVALS * POINTS
        return result
    finally:
        viewer.close()
        QApplication.processEvents()


# -- polygons --------------------------------------------------------------------------------


def polygon_items(axis: str) -> list[Item]:
    rng = np.random.default_rng(0)
    turn = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    circle = np.column_stack([np.sin(turn), np.cos(turn)])
    items = []
    for tile in range(TILES):
        centres = rng.uniform(10, SIDE - 10, (POLYGONS, 1, 2))
        radii = rng.uniform(3, 9, (POLYGONS, 1, 1)) * rng.uniform(0.8, 1, (POLYGONS, VERTICES, 1))
        items.append(
            Item(
                "cells",
                "shapes",
                (centres + radii * circle).reshape(-1, 2),
                {axis: tile},
                arrays={
                    "offsets": np.arange(POLYGONS + 1) * VERTICES,
                    "types": np.zeros(POLYGONS, np.uint8),
                    "feature:area": np.pi * radii.mean((1, 2)) ** 2,
                },
            )
        )
    return items


def polygons_ours(items: list[Item], specs: dict[str, LayerSpec]) -> Any:
    window = Window(specs)
    try:
        each, total = timed(window.arrive, items, window.finish)
        stream: Any = window.layers.streams["cells"]
        assert len(stream.canvas) == TILES * POLYGONS
        if specs:  # a mosaic: all polygons are drawn
            assert stream.raster is not None
            assert not stream.raster.pending
            assert stream.raster.pixels.max() == TILES * POLYGONS
        moves = []
        if len(window.layers.axes):  # move the slider as a user does
            window.sliders.follow(False)
            for step in range(0, TILES, 5):
                start = time.perf_counter()
                window.viewer.dims.set_current_step(0, step)
                window.pump.tick()
                QApplication.processEvents()
                moves.append(time.perf_counter() - start)
        return (each, total), moves
    finally:
        window.close()


def polygons_naive(items: list[Item], *, places: bool) -> Any:
    viewer = napari.Viewer()
    layer: Shapes | None = None

    def arrive(item: Item) -> None:
        nonlocal layer
        (tile,) = item.position.values()
        shapes = item.data.reshape(POLYGONS, VERTICES, 2)
        if places:
            lead = np.full((*shapes.shape[:2], 1), tile)
            shapes = np.concatenate([lead, shapes], 2)
        else:
            shapes = shapes + SIDE * np.array([int(tile) // 8, int(tile) % 8])
        if layer is None:
            layer = viewer.add_shapes(list(shapes), shape_type="polygon")
        else:
            layer.add(list(shapes), shape_type="polygon")

    try:
        result = timed(arrive, items, lambda: None)
        moves = []
        if places:
            for step in range(0, TILES, 5):
                start = time.perf_counter()
                viewer.dims.set_current_step(0, step)
                QApplication.processEvents()
                moves.append(time.perf_counter() - start)
        return result, moves
    finally:
        viewer.close()
        QApplication.processEvents()


def triangulation() -> list[list[object]]:
    """Return the seconds to make a layer of polygons, for each triangulation backend."""
    shapes = list(polygon_items("t")[0].data.reshape(POLYGONS, VERTICES, 2))
    settings = get_settings().experimental
    before = settings.triangulation_backend
    rows: list[list[object]] = []
    try:
        for backend in ("pure python", "bermuda"):
            settings.triangulation_backend = backend
            took = []
            for _ in range(REPEATS):
                start = time.perf_counter()
                Shapes(shapes, shape_type="polygon")
                took.append(time.perf_counter() - start)
            rows.append([backend, statistics.median(took)])
    finally:
        settings.triangulation_backend = before
    return rows


def main() -> None:
    columns = ["", "total (s)", "first tenth (ms)", "last tenth (ms)", "ratio", "stall p99 (ms)"]
    points = point_items()
    rows = [
        row("this", [points_ours(points) for _ in range(REPEATS)]),
        row("layer.data = concatenate", [points_naive(points)]),
    ]
    text = table(f"{ARRIVALS * POINTS:,} points in {ARRIVALS:,} arrivals", columns, rows)

    items = polygon_items("t")
    ours = [polygons_ours(items, {}) for _ in range(REPEATS)]
    naive = polygons_naive(items, places=True)
    rows = [
        [*row("this", [run for run, _ in ours]), statistics.median(ours[0][1]) * 1e3],
        [*row("layer.add", [naive[0]]), statistics.median(naive[1]) * 1e3],
    ]
    title = f"{POLYGONS:,} polygons of {VERTICES} vertices a tile, {TILES} tiles one after another"
    text += "\n" + table(title, [*columns, "move of the slider (ms)"], rows)

    items = polygon_items("field")
    specs = {"cells": LayerSpec("cells", "shapes", {"field": "mosaic"})}
    rows = [
        row("this", [polygons_ours(items, specs)[0] for _ in range(REPEATS)]),
        row("layer.add", [polygons_naive(items, places=False)[0]]),
    ]
    title = f"The same, side by side: {TILES * POLYGONS:,} in one view"
    text += "\n" + table(title, columns, rows)

    backends = triangulation()
    slow, fast = backends[0][1], backends[1][1]
    assert isinstance(slow, float)
    assert isinstance(fast, float)
    text += "\n" + table(
        f"A layer of {POLYGONS:,} polygons of {VERTICES} vertices",
        ["triangulation", "s", "ratio"],
        [["pure python", slow, slow / fast], ["bermuda", fast, 1.0]],
    )
    publish("elements", "python -m benchmarks.elements", text)


if __name__ == "__main__":
    main()
