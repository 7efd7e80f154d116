"""Holes are holes: what napari draws of a polygon has the pixels that its origin says."""

import numpy as np
import pandas as pd
import pytest
import roifile
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shapely.geometry import mapping
from skimage.measure import label, regionprops

from dask_napari.coerce import coerce
from dask_napari.model import Reports
from dask_napari.viewer.layers._polygon_crossings import fills_quickly
from dask_napari.viewer.layers._shape_drawing import draw_shape
from napari_layers import layer_of

masks = hnp.arrays(bool, (7, 9), fill=st.just(True)).filter(np.any)


def outline_of(mask):
    """Return the pixels of a mask as one geometry; pixels have their centre at whole numbers."""
    boxes = [shapely.box(x - 0.5, y - 0.5, x + 0.5, y + 0.5) for y, x in np.argwhere(mask)]
    return shapely.union_all(boxes)


def rings_of(geometry):
    for part in getattr(geometry, "geoms", [geometry]):
        yield from (ring.coords for ring in (part.exterior, *part.interiors))


def roi_of(mask):
    """Return a composite ROI, as ImageJ makes one of a selection with holes."""
    made = roifile.ImagejRoi()
    made.roitype = roifile.ROI_TYPE.RECT
    path = []
    for ring in rings_of(outline_of(mask)):
        for turn, (x, y) in enumerate(ring[:-1]):
            path += [min(turn, 1), x + 0.5, y + 0.5]
        path.append(4)
    made.shape_roi_size = len(path)
    made.multi_coordinates = np.array(path, np.float32)
    return made


FORMS = {
    "shapely": outline_of,
    "geojson": lambda mask: mapping(outline_of(mask)),
    "feature": lambda mask: {"type": "Feature", "geometry": mapping(outline_of(mask))},
    "table": lambda mask: pd.DataFrame({"geometry": [outline_of(mask)]}),
    "composite": roi_of,
    "regions": lambda mask: regionprops(mask.astype(int)),
}


def read(value):
    reports = Reports()
    item = coerce(value, kind="shapes", layer="rois", on_note=reports.note)
    return item, [str(report) for report in reports.all()]


def area_drawn(layer):
    """Return the area of the triangles that napari fills."""
    total = 0.0
    for shape in layer._data_view.shapes:
        corners = shape._face_vertices[shape._face_triangles]
        one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        total += np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum() / 2
    return total


@settings(max_examples=40)
@given(masks, st.sampled_from(sorted(FORMS)))
def test_napari_draws_the_pixels_of_polygons_with_holes(mask, form):
    item, notes = read(FORMS[form](mask))
    layer = layer_of(item)
    assert np.array_equal(layer.to_labels(mask.shape) > 0, mask)
    # Those of regions are cut at the corners.
    assert area_drawn(layer) == pytest.approx(
        outline_of(mask).area, rel=0.5 if form == "regions" else 1e-4
    )
    assert not notes
    drawn = np.zeros(mask.shape, np.int32)
    for vertices in layer.data:
        for _ in draw_shape(drawn, vertices, "polygon", 1):
            pass
        assert fills_quickly(vertices)
    assert np.array_equal(drawn > 0, mask)


@settings(max_examples=40)
@given(hnp.arrays(bool, (7, 9)))
def test_all_pieces_and_holes_of_regions_are_drawn(mask):
    cells = label(mask, connectivity=1)
    item, _ = read(regionprops(cells))
    if len(item.arrays["types"]):
        assert np.array_equal(layer_of(item).to_labels(mask.shape), cells)


def test_holes_of_opencv_are_those_of_its_hierarchy():
    """An island in a hole of a square, as findContours returns it with RETR_TREE."""
    sides = [(0, 8), (2, 6), (3, 5)]
    contours = [np.array([[[a, a]], [[a, b]], [[b, b]], [[b, a]]], np.int32) for a, b in sides]
    around = np.array([[[-1, -1, 1, -1], [-1, -1, 2, 0], [-1, -1, -1, 1]]], np.int32)
    item, _ = read((contours, around))
    assert len(item.arrays["types"]) == 2
    assert area_drawn(layer_of(item)) == 64 - 16 + 4


def test_a_square_with_many_holes_is_filled():
    mask = np.ones((41, 41), bool)
    mask[1::2, 1::2] = False
    item, _ = read(outline_of(mask))
    layer = layer_of(item)
    assert fills_quickly(layer.data[0])
    assert np.array_equal(layer.to_labels(mask.shape) > 0, mask)
    # The edges that lead to the holes would be 400 times 14 pixels long, and are not drawn.
    (shape,) = layer._data_view.shapes
    corners = (shape._edge_vertices + shape._edge_offsets / 2)[shape._edge_triangles]
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    drawn = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum() / 2
    assert drawn < shapely.length(outline_of(mask))


def test_nested_properties_are_features():
    """As QuPath exports its annotations, of this version and of older ones."""
    geometry = mapping(shapely.box(0, 0, 3, 3))
    properties = [
        {
            "objectType": "annotation",
            "classification": {"name": "Tumor", "color": [200, 0, 0]},
            "measurements": {"Area um^2": 3.5, "Solidity": 1.0},
        },
        {
            "classification": {"name": "Stroma"},
            "measurements": [{"name": "Area um^2", "value": 7.5}],
        },
        {},
    ]
    features = [{"type": "Feature", "geometry": geometry, "properties": p} for p in properties]
    item, notes = read({"type": "FeatureCollection", "features": features})
    assert item.features["classification.name"].tolist() == ["Tumor", "Stroma", ""]
    assert item.features["measurements.Area um^2"].tolist()[:2] == [3.5, 7.5]
    assert np.isnan(item.features["measurements.Area um^2"][2])
    assert "lists and objects among the features are shown as text" in notes[0]
    text = ['{"name": "Tumor", "color": [200, 0, 0]}', '{"name": "Stroma"}', None]
    table = pd.DataFrame({"geometry": [shapely.box(0, 0, 1, 1)] * 3, "classification": text})
    item, _ = read(table)
    assert item.features["classification.name"].tolist() == ["Tumor", "Stroma", ""]


@pytest.mark.parametrize("text", ["{not json", "[{]", "{}", "{1: 2}"])
def test_text_that_looks_like_json_stays_text(text):
    item = coerce({"y": [1.0], "x": [2.0], "note": [text]}, kind="points")
    assert item.features.get("note", np.array([text])).tolist() == [text]
