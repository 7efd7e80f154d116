"""After quiet, the picture is the data, whatever came and wherever the user looked meanwhile."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.layers import Image, Labels
from qtpy.QtWidgets import QApplication

from dask_napari.canvas.pixels import _canvas
from dask_napari.model import Calibration, Item, LayerSpec, Layout
from dask_napari.viewer.app._live_viewer import LiveViewer
from example_counts import examples

SIDE, TILE = 1536, 256
"""Pixels of a picture of chunks and of one chunk: at home, a window shows a coarse level."""


def chunk(name: str, kind: str, y: int, x: int, value: int, **position: int) -> Item:
    block = np.full((TILE, TILE), value, np.uint8)
    origin, space = (y * TILE, x * TILE), (SIDE, SIDE)
    return Item(name, kind, block, position, origin=origin, array_shape=space)


def tile(name: str, kind: str, well: int, side: int, value: int, **position: int) -> Item:
    block = np.full((side, side + 50), value, np.uint8)
    return Item(name, kind, block, {"well": well, **position})


numbers = st.integers(0, SIDE // TILE - 1)
streams = st.sampled_from([("raw", "image"), ("cells", "labels")])
values = st.integers(60, 250)
looks = st.one_of(
    st.tuples(st.just("home")),
    st.tuples(st.just("look"), numbers, numbers, st.sampled_from([0.3, 1.0, 4.0])),
    st.tuples(st.just("slide"), st.integers(0, 1)),
    st.tuples(st.just("turn")),
    st.tuples(st.just("roll")),
    st.tuples(st.just("draw")),
    st.tuples(st.just("hide"), st.booleans()),
)
chunks = st.tuples(st.just("chunk"), streams, numbers, numbers, values)
tiles = st.tuples(st.just("tile"), streams, numbers, st.sampled_from([200, 300]), values)


class Story:
    """A viewer on a board, which lives through what users and tasks do."""

    def __init__(self, viewer, source, sliders: bool, **axes: str) -> None:
        self.viewer, self.source, self.sliders = viewer, source, sliders
        source.specs = {
            name: LayerSpec(name, kind, axes)
            for name, kind in (("raw", "image"), ("cells", "labels"))
        }
        self.live = LiveViewer(viewer, source, source.board)
        self.live.pump.stop()
        self.turn = 0

    def act(self, what: str, *how) -> None:
        viewer = self.viewer
        if what in ("chunk", "tile"):
            (name, kind), *where = how
            self.turn += 1
            t = {"t": self.turn % 2} if self.sliders else {}
            make = chunk if what == "chunk" else tile
            self.source.board.put(make(name, kind, *where, **t))
            self.live.pump.tick()
        elif what == "home":
            viewer.reset_view()
        elif what == "look":
            y, x, zoom = how
            viewer.scene.camera.center = (0, y * TILE, x * TILE)
            viewer.scene.camera.zoom = zoom
        elif what == "slide" and self.sliders and viewer.dims.ndim == 3:
            viewer.dims.set_current_step(0, how[0])
        elif what == "turn":
            viewer.dims.transpose()
        elif what == "roll":
            viewer.dims.roll()
        elif what == "hide":
            for layer in viewer.layers:
                layer.visible = how[0]
        self.draw()

    def draw(self) -> None:
        QApplication.processEvents()

    def settle(self) -> None:
        end = time.monotonic() + 10
        while True:
            self.live.pump.tick()
            self.draw()
            late = [stream for stream in self.live.layers.streams.values() if stream.touched]
            if not late and not len(self.source.board):
                return
            assert time.monotonic() < end, late

    def dense(self, stream):
        """All levels of a stream as arrays, from the blocks, without anything that is kept."""
        whole = np.asarray(stream.canvas)
        count = stream.canvas.n_levels
        return [np.ascontiguousarray(whole[..., :: 1 << n, :: 1 << n]) for n in range(count)]

    def check_slices(self) -> None:
        for stream in self.live.layers.streams.values():
            layer, dense = stream.layer, self.dense(stream)
            shown = list(layer._slice_input.displayed)
            level = layer.data_level if layer.multiscale else 0
            fine, factors = dense[level], layer.downsample_factors[level]
            at = [slice(None)] * fine.ndim
            for axis in range(fine.ndim):
                if axis not in shown:
                    step = self.viewer.dims.current_step[axis] / factors[axis]
                    at[axis] = min(round(step), fine.shape[axis] - 1)
                elif layer.multiscale:
                    first, last = layer.corner_pixels[:, axis]
                    at[axis] = slice(first, last + 1)
            expected = fine[tuple(at)]
            if shown != sorted(shown):
                expected = expected.T
            np.testing.assert_array_equal(np.asarray(layer._slice.image.raw), expected)

    def check_pictures(self) -> None:
        """Compare the window with one in which napari shows equal arrays."""
        viewer = self.viewer
        for stream in self.live.layers.streams.values():
            layer, dense = stream.layer, self.dense(stream)
            multiscale = len(dense) > 1
            options = {"scale": layer.scale, "translate": layer.translate, "units": layer.units}
            options |= {"axis_labels": layer.axis_labels, "multiscale": multiscale}
            data = dense if multiscale else dense[0]
            if stream.kind == "image":
                other = Image(data, contrast_limits=layer.contrast_limits, **options)
            else:
                other = Labels(data, **options)
            viewer.add_layer(other)
            viewer.layers.selection.active = other
            self.draw()  # napari's controls may have other widths
            pictures = []
            for shown in (layer, other):
                for each in viewer.layers:
                    each.visible = each is shown
                pictures.append(viewer.screenshot(canvas_only=True, flash=False))
            viewer.layers.remove(other)
            # A level that is chosen anew may differ by a pixel at an edge.
            assert np.mean(np.any(pictures[0] != pictures[1], axis=-1)) < 0.01

    def end(self) -> None:
        self.live.close()
        self.live.dock.close()
        self.viewer.layers.clear()
        self.viewer.dims.ndim = 2
        self.viewer.dims.order = (0, 1)


@pytest.fixture
def small_pyramids(monkeypatch):
    monkeypatch.setattr(_canvas, "PYRAMID_ABOVE", 256)
    monkeypatch.setattr(_canvas, "COARSEST", 512)


def live_through(viewer, source, story, *, sliders, **axes):
    present = Story(viewer, source, sliders, **axes)
    try:
        for what, *how in story:
            present.act(what, *how)
        for layer in viewer.layers:
            layer.visible = True
        present.settle()
        present.check_slices()
        present.check_pictures()
    finally:
        present.end()


few = settings(
    max_examples=examples(6),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@few
@given(story=st.lists(chunks | looks, max_size=16), sliders=st.booleans())
def test_chunks_of_a_large_picture(viewer, source, small_pyramids, story, sliders):
    live_through(viewer, source, story, sliders=sliders)


@few
@given(story=st.lists(tiles | looks, max_size=16), sliders=st.booleans())
def test_tiles_of_a_mosaic(viewer, source, small_pyramids, story, sliders):
    live_through(viewer, source, story, sliders=sliders, well="mosaic")


def test_what_came_out_of_sight_is_there_at_home(viewer, source, small_pyramids):
    everywhere = [(y, x) for y in range(SIDE // TILE) for x in range(SIDE // TILE)]
    first = [("chunk", ("raw", "image"), y, x, 100) for y, x in everywhere[:1]]
    rest = [("chunk", ("raw", "image"), y, x, 200) for y, x in everywhere[1:]]
    story = [*first, ("home",), ("look", 0, 0, 4.0), *rest, ("home",)]
    live_through(viewer, source, story, sliders=False)


def test_tiles_of_one_layer_move_when_another_one_needs_room(viewer, source, small_pyramids):
    story = [("tile", ("raw", "image"), well, 200, 60 + well) for well in range(4)]
    story += [("tile", ("cells", "labels"), well, 200, 90 + well) for well in (0, 4)]
    live_through(viewer, source, story, sliders=False, well="mosaic")


def test_a_tile_moves_with_what_another_layer_says_of_its_place(viewer, live, source, put):
    """Where nothing grows: only the place of what is there already is another one."""

    def placed(name: str, kind: str, well: int, y: float) -> Item:
        block = np.full((20, 20), 10 + well, np.uint8)
        where = Calibration(axes=("y", "x"), scale=(1.0, 1.0), translate=(y, 0.0))
        return Item(name, kind, block, {"well": well}, calibration=where)

    stage = {"well": Layout(order="stage")}
    for name, kind in (("raw", "image"), ("cells", "labels")):
        source.specs[name] = LayerSpec(name, kind, {"well": "mosaic"}, layouts=stage)
    put(*(placed("raw", "image", well, 50.0 * well) for well in range(3)))
    put(placed("cells", "labels", 0, 0.0), placed("cells", "labels", 2, 100.0))
    put(placed("cells", "labels", 1, 70.0))
    for name in ("raw", "cells"):
        layer = viewer.layers[name]
        shown, data = np.asarray(layer._slice.image.raw), np.asarray(layer.data)
        np.testing.assert_array_equal(shown, data)
        assert shown[75, 5] == 11
