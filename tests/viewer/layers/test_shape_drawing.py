"""Shapes drawn into an array: what scikit-image draws, in steps of bounded work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from skimage import draw

from dask_napari.model import SHAPE_TYPES, Item, LayerSpec
from dask_napari.viewer.layers import _shape_drawing
from dask_napari.viewer.layers._polygon_crossings import has_rings
from dask_napari.viewer.layers._shape_drawing import draw_shape

NUMBERS = st.integers(-5, 45).map(float) | st.floats(-5, 45)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=12))
@example([(0.0, 0.0), (1.0, -1.0), (1.0, -0.5)])  # an edge along a row, outside
def test_a_large_polygon_has_the_pixels_of_a_small_one(vertices):
    corners, drawn = np.array(vertices), np.zeros((40, 40), np.int32)
    assume(not has_rings(corners))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_shape_drawing, "SMALL", 0)
        patch.setattr(_shape_drawing, "STEP", 400)
        for _ in draw_shape(drawn, corners, "polygon", 7):
            pass
    expected = np.zeros_like(drawn)
    expected[draw.polygon(corners[:, 0], corners[:, 1], expected.shape)] = 7
    at = np.clip(np.rint(corners[0]).astype(int), 0, 39)  # of what is smaller than a pixel
    expected[tuple(at)] = drawn[tuple(at)]
    differing = np.argwhere(drawn != expected)
    for pixel in differing:  # on the outline but for rounding
        starts, along = corners, np.roll(corners, -1, 0) - corners
        lengths = np.maximum((along**2).sum(1), 1e-300)
        part = np.clip(((pixel - starts) * along).sum(1) / lengths, 0, 1)
        assert np.hypot(*(starts + part[:, None] * along - pixel).T).min() < 1e-6


@pytest.mark.parametrize("kind", ["polygon", "path"])
def test_the_work_of_a_step_has_a_bound(kind):
    """However many vertices and pixels: a shape like this takes scikit-image half an hour."""
    angles = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    radius = 900 + 50 * (np.arange(20_000) % 2)
    star = 1024 + radius[:, None] * np.stack((np.sin(angles), np.cos(angles)), 1)
    pixels = np.zeros((2048, 2048), np.int32)
    seen = [0]
    for _ in draw_shape(pixels, star, kind, 1):
        seen.append(int(np.count_nonzero(pixels)))
    assert len(seen) > 10
    assert max(np.diff(seen)) <= _shape_drawing.STEP
    assert pixels[1024, 1024] == (kind == "polygon")
    assert pixels[1024, 1024 + 900] == 1
    assert not pixels[1024, 1024 + 952]


def test_large_shapes_are_drawn_over_several_ticks(viewer, live, source, put, monkeypatch):
    monkeypatch.setattr("dask_napari.viewer.layers._shapes_stream.DRAW_BUDGET", 0.0)
    source.specs["cells"] = LayerSpec("cells", "shapes", {}, {"max_shapes": 1})
    square = np.array([(0, 0), (0, 1999), (1999, 1999), (1999, 0)], float)
    tangle = np.random.default_rng(0).uniform(0, 1999, (3000, 2))
    data = np.concatenate((square, tangle, square / 2))
    offsets = np.cumsum([0, len(square), len(tangle), len(square)])
    arrays = {"offsets": offsets, "types": np.full(3, SHAPE_TYPES.index("polygon"))}
    source.board.put(Item("cells", "shapes", data, {"t": 0}, arrays=arrays))
    ticks = 0
    raster = None
    while raster is None or raster.pending:
        live.pump.tick()
        raster = live.layers.streams["cells"].raster
        ticks += 1
    assert ticks > 20
    labels = np.asarray(viewer.layers["cells (rasterised)"].data)
    assert set(np.unique(labels)) == {1, 2, 3}
    assert (labels[:1000, :1000] == 3).all()
    assert 0.1 < (labels[1001:, 1001:] == 1).mean() < 1  # napari would not fill the tangle either
