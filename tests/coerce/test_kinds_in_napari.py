"""Items as napari layers: coloured and labelled by features, and on the pixels they belong to."""

import numpy as np
import pytest
from skimage.measure import regionprops, regionprops_table

from dask_napari.coerce import coerce
from dask_napari.tap import Tap
from napari_layers import layer_of

CELLS = np.zeros((20, 30), int)
CELLS[2:6, 3:9] = 1
CELLS[10:18, 20:24] = 2
REGIONS = regionprops(CELLS)
TABLE = regionprops_table(CELLS, properties=("label", "centroid", "area"))


@pytest.mark.parametrize(
    ("kind", "value", "options"),
    [
        ("points", TABLE, {"face_color": "area", "face_colormap": "magma", "size": 4}),
        ("points", REGIONS, {"face_color": "area", "face_contrast_limits": [0, 99]}),
        ("shapes", REGIONS, {"edge_color": "area", "edge_colormap": "viridis", "edge_width": 2}),
        ("shapes", REGIONS, {"face_color": "label", "face_color_cycle": ["red", "blue"]}),
    ],
)
def test_a_layer_is_coloured_and_labelled_by_a_feature(kind, value, options):
    tap = Tap("measure", kind=kind, options={**options, "text": {"string": "{area:.0f} px"}})
    layer = layer_of(coerce(value, kind=kind), **tap.options)
    assert layer.text.values.tolist() == ["24 px", "32 px"]
    colours = layer.edge_color if "edge_color" in options else layer.face_color
    assert not np.array_equal(colours[0], colours[1])


def test_tracks_and_vectors_are_coloured_by_a_feature():
    table = {"track_id": [1, 1], "frame": [0, 1], "y": [0, 1], "x": [0, 1], "speed": [1.0, 2.0]}
    tap = Tap("track", kind="tracks", options={"color_by": "speed", "tail_length": 9})
    assert layer_of(coerce(table, kind="tracks"), **tap.options).tail_length == 9
    arrows = {"y": [0, 1], "x": [0, 1], "dy": [1, 1], "dx": [1, 1], "speed": [1.0, 2.0]}
    tap = Tap("flow", kind="vectors", options={"edge_color": "speed", "length": 3})
    layer = layer_of(coerce(arrows, kind="vectors"), **tap.options)
    assert not np.array_equal(layer.edge_color[0], layer.edge_color[1])


def test_labels_know_their_features():
    layer = layer_of(coerce((CELLS, TABLE), kind="labels"))
    row = layer.features.iloc[layer._label_index[2]]
    assert row["area"] == 32


def test_kinds_lie_on_each_other():
    """What napari draws of the outlines is the labels; the centres lie in their cells."""
    shapes = layer_of(coerce(REGIONS, kind="shapes"))
    np.testing.assert_array_equal(shapes.to_labels(CELLS.shape), CELLS)
    boxes = regionprops_table(CELLS, properties=("bbox",))
    np.testing.assert_array_equal(
        layer_of(coerce(boxes, kind="shapes")).to_labels(CELLS.shape), CELLS
    )
    for calibrated in (Tap("a", scale=0.5, translate=3.0), Tap("a", scale=(0.5, 2.0))):
        given = {"calibration": calibrated.compile().calibration}
        labels = layer_of(coerce(CELLS, kind="labels", **given))
        points = layer_of(coerce(TABLE, kind="points", **given))
        for number, centre in enumerate(points.data, 1):
            assert labels.get_value(points.data_to_world(centre), world=True) == number
