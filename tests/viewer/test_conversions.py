"""What is lost on the way to the screen is on one list, and the dock says it."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dask_napari.coerce import coerce_all
from dask_napari.model import SHAPE_TYPES, Calibration, Conversion, Item, LayerSpec, Reports
from dask_napari.viewer.dock._message_list import MessageList

PIXELS = np.zeros((4, 5))
CELLS = np.eye(4, dtype=int)
SPOTS = {"y": [1.0, 2.0], "x": [3.0, 4.0]}
ROWS = np.array([[1.0, 0, 1, 1], [1, 1, 2, 2]])
MESH = (np.eye(3), np.array([[0, 1, 2]]))

MANY_TIMES = xr.DataArray(
    np.zeros((5000, 2, 2), "u1"),
    dims=("time", "y", "x"),
    coords={"time": np.datetime64("2013-01-01", "h") + np.arange(5000)},
)
PIXELS_ANYWHERE = xr.DataArray(PIXELS, dims=("y", "x"), coords={"x": np.arange(5) * 1e300})

OF_OUTPUTS = {
    Conversion.ELEMENTS: ([[1, 2], [1, np.nan]], "points"),
    Conversion.PARTS: ((CELLS, [PIXELS], 17.5), "labels"),
    Conversion.VARIABLES: (xr.Dataset({"a": (("y", "x"), PIXELS), "b": 3}), "image"),
    Conversion.RESOLUTIONS: (([PIXELS, PIXELS[::2]], {"multiscale": True}, "image"), "image"),
    Conversion.COMPLEX: (PIXELS * 1j, "image"),
    Conversion.EXTENDED: (PIXELS.astype(np.longdouble), "image"),
    Conversion.MASKED: (np.ma.masked_less(PIXELS, 1), "image"),
    Conversion.COUNTED: (MANY_TIMES, "image"),
    Conversion.SIZE: (PIXELS_ANYWHERE, "image"),
    Conversion.IMAGE_FEATURES: ((PIXELS, {"features": {"a": [1]}}, "image"), "image"),
    Conversion.SURFACE_FEATURES: ((MESH, {"features": {"a": [1]}}, "surface"), "surface"),
    Conversion.FEATURES: ({**SPOTS, **{f"f{n}": [0, 0] for n in range(300)}}, "points"),
    Conversion.FEATURE: ({**SPOTS, "n": [1, 2, 3]}, "points"),
    Conversion.LABEL_ROWS: ((CELLS, {"label": [1, None], "n": [1, 2]}), "labels"),
    Conversion.LONG_TEXT: ({**SPOTS, "name": ["a" * 300, "b"]}, "points"),
    Conversion.OBJECTS: ({**SPOTS, "color": [[1, 2], None]}, "points"),
    Conversion.OTHER_COORDINATES: ({**SPOTS, "pos_y": [1, 2], "pos_x": [1, 2]}, "points"),
    Conversion.NORMALS: ((*MESH, np.eye(3), np.ones(3)), "surface"),
    Conversion.GRAPH: ((ROWS, {1: [7]}), "tracks"),
    Conversion.ARGUMENT: ((PIXELS, {"colour": 1}, "image"), "image"),
    Conversion.ARGUMENT_VALUE: ((PIXELS, {"colormap": object()}, "image"), "image"),
    Conversion.PER_ELEMENT: ((SPOTS, {"size": [1, 2]}, "points"), "points"),
}


def text_of(conversion):
    """Return a pattern for a text with its names and limits."""
    return re.sub(r"\\{.*?\\}", ".*", re.escape(conversion))


@pytest.mark.parametrize("conversion", OF_OUTPUTS)
def test_the_dock_says_how_an_output_differs(conversion, source, viewer):
    value, kind = OF_OUTPUTS[conversion]
    of_worker = Reports()
    found = coerce_all(value, kind=kind, layer="cells", on_note=of_worker.note)
    assert all(isinstance(item, Item) for item in found)
    source.errors = [("tcp://w1:1#a", report) for report in of_worker.all()]
    messages = MessageList(source, Reports())
    messages.refresh()
    shown = [report for report in of_worker.all() if str(report) in messages.notes]
    assert any(re.fullmatch(text_of(conversion), report.reason) for report in shown), shown
    assert not messages.errors
    messages.deleteLater()


POLYGON = SHAPE_TYPES.index("polygon")


def squares(count, **position):
    corners = np.array([[0, 0], [0, 2], [2, 2], [2, 0]], float)
    offsets = np.arange(0, 4 * count + 1, 4)
    names = np.full(count, "a name")
    arrays = {"offsets": offsets, "types": np.full(count, POLYGON, np.uint8), "feature:name": names}
    return Item("cells", "shapes", np.tile(corners, (count, 1)), position, arrays=arrays)


def many_shapes(live, source, put):
    source.specs["cells"] = LayerSpec("cells", "shapes", {}, {"max_shapes": 2})
    put(squares(2, t=0), squares(3, t=1))


def tangled(live, source, put):
    item = squares(1)
    item.data = np.random.default_rng(0).random((5000, 2)) * 100
    item.arrays = {"offsets": np.array([0, 5000]), "types": item.arrays["types"]}
    put(item)


def ambiguous(live, source, put):
    for well in ("A01", "A02"):
        arrays = {"feature:index": np.array([1]), "feature:area": np.array([9.0])}
        put(Item("cells", "labels", np.ones((4, 4), "u1"), {"well": well}, arrays=arrays))
    live.layers.choose("well", "mosaic")
    live.pump.tick(force=True)


def many_texts(live, source, put):
    source.specs["cells"] = LayerSpec("cells", "points", {}, {"text": "{name}"})
    names = {"feature:name": np.array(["x" * 900] * 50)}
    put(Item("cells", "points", np.ones((50, 2)), {"t": 0}, arrays=names))
    put(
        Item(
            "cells",
            "points",
            np.ones((1100, 2)),
            {"t": 1},
            arrays={"feature:name": np.array(["y" * 900] * 1100)},
        )
    )


def option(live, source, put):
    put(Item("cells", "image", PIXELS, options={"colormap": "no such map"}))


def unit(live, source, put):
    known = Calibration(units=("furlongz", "furlongz"), scale=(1.0, 1.0))
    put(Item("cells", "image", PIXELS, calibration=known))


IN_THE_VIEWER = {
    Conversion.MANY_SHAPES: many_shapes,
    Conversion.TANGLED: tangled,
    Conversion.AMBIGUOUS_LABELS: ambiguous,
    Conversion.MANY_TEXTS: many_texts,
    Conversion.OPTION: option,
    Conversion.UNIT: unit,
}

ELSEWHERE = {Conversion.CROSSING}
"""In ``layers/test_element_streams.py``, as it needs a napari without bermuda."""


@pytest.mark.parametrize("conversion", IN_THE_VIEWER)
def test_the_dock_says_how_a_layer_differs(conversion, live, source, put):
    IN_THE_VIEWER[conversion](live, source, put)
    live.dock.refresh()
    lines = "\n".join(live.dock.messages.notes)
    assert re.search(text_of(conversion), lines), lines


def test_each_conversion_has_an_example_and_a_row_on_the_page():
    assert {*OF_OUTPUTS, *IN_THE_VIEWER, *ELSEWHERE} == {*Conversion}
    page = (Path(__file__).parents[2] / "docs/kinds.md").read_text()
    listed = page.partition("## What is changed or left out")[2].partition("\n## ")[0]
    assert not [c for c in Conversion if not re.search(text_of(c), " ".join(listed.split()))]


def test_notes_have_no_texts_of_their_own():
    source = Path(__file__).parents[2] / "src/dask_napari/coerce"
    calls = [
        line for path in source.glob("*.py") for line in re.findall(r"\bnote\(.*", path.read_text())
    ]
    assert not [line for line in calls if re.match(r'note\(\s*f?"', line)]
