"""Shapes of every origin: the right type, y before x, and on the pixels that they mean."""

import itertools

import numpy as np
import pandas as pd
import pytest
import roifile
import shapely
from hypothesis import given
from hypothesis.extra import numpy as hnp
from skimage.draw import polygon2mask
from skimage.measure import find_contours, label, regionprops, regionprops_table

from dask_napari.coerce import coerce, coerce_all
from dask_napari.model import SHAPE_TYPES, Refusal
from napari_layers import layer_of

SQUARE = [[0, 0], [0, 2], [2, 2], [2, 0]]
TRIANGLE = np.array([[0, 0], [0, 4], [3, 0]])
BOX = [[0, 0], [0, 3], [2, 3], [2, 0]]


def shapes(value, **given):
    return coerce(value, kind="shapes", **given)


def types_of(item):
    return [SHAPE_TYPES[number] for number in item.arrays["types"]]


def vertices_of(item):
    offsets = item.arrays["offsets"]
    return [item.data[a:b].tolist() for a, b in itertools.pairwise(offsets)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((SQUARE, "polygon"), [("polygon", SQUARE)]),
        ([(SQUARE, "polygon"), (SQUARE, "path")], [("polygon", SQUARE), ("path", SQUARE)]),
        ([([[0, 0], [2, 3]], "rectangle")], [("rectangle", BOX)]),
        ([(BOX, "rectangle")], [("rectangle", BOX)]),
        ([([[2, 3], [1, 2]], "ellipse")], [("ellipse", [[1, 1], [1, 5], [3, 5], [3, 1]])]),
        ([([[0, 0], [5, 5]], "line")], [("line", [[0, 0], [5, 5]])]),
        (([SQUARE, SQUARE], "path"), [("path", SQUARE)] * 2),
        (([SQUARE, SQUARE], ["path", "polygon"]), [("path", SQUARE), ("polygon", SQUARE)]),
        ([SQUARE, TRIANGLE], [("polygon", SQUARE), ("polygon", TRIANGLE.tolist())]),
        (TRIANGLE, [("polygon", TRIANGLE.tolist())]),
        (SQUARE, [("polygon", SQUARE)]),
        (np.array([SQUARE, SQUARE]), [("polygon", SQUARE)] * 2),
        ([[*SQUARE, SQUARE[0]]], [("polygon", SQUARE)]),
        ([[[0, 0], [1, 1]]], [("line", [[0, 0], [1, 1]])]),
        ({"type": "path", "vertices": SQUARE}, [("path", SQUARE)]),
        ([{"shape_type": "polygon", "data": SQUARE}], [("polygon", SQUARE)]),
        (([SQUARE], {"shape_type": "path"}, "shapes"), [("path", SQUARE)]),
        (
            [([[0, 0, 0], [0, 2, 3]], "rectangle")],
            [("rectangle", np.c_[np.zeros(4), BOX].tolist())],
        ),
    ],
)
def test_vertices(value, expected):
    item = shapes(value)
    assert item.kind == "shapes"
    assert list(zip(types_of(item), vertices_of(item), strict=True)) == expected


@pytest.mark.parametrize(
    "value", [[], (), np.zeros((0, 2)), np.zeros((0, 4, 2)), np.array([]), [np.zeros((0, 2))]]
)
def test_no_rois_is_an_item_without_shapes(value):
    item = shapes(value)
    assert item.data.shape == (0, 2)
    assert item.arrays["offsets"].tolist() == [0]
    assert item.arrays["types"].tolist() == []


def test_no_rois_of_a_geojson_or_a_table():
    assert shapes({"type": "FeatureCollection", "features": []}).data.shape == (0, 2)
    assert shapes(pd.DataFrame({"geometry": [], "area": []})).arrays["types"].size == 0
    assert shapes(regionprops_table(np.zeros((4, 4), int), properties=("bbox",))).data.size == 0


# -- shapely and GeoJSON ------------------------------------------------------------------


RING = [(0, 0), (4, 0), (4, 2), (0, 2)]  # x, y


@pytest.mark.parametrize(
    ("geometry", "expected"),
    [
        (shapely.Polygon(RING), [("polygon", [[0, 0], [0, 4], [2, 4], [2, 0]])]),
        (shapely.LineString([(0, 1), (2, 3), (4, 5)]), [("path", [[1, 0], [3, 2], [5, 4]])]),
        (shapely.LineString([(0, 1), (2, 3)]), [("line", [[1, 0], [3, 2]])]),
        (shapely.LinearRing(RING), [("polygon", [[0, 0], [0, 4], [2, 4], [2, 0]])]),
        (shapely.box(0, 1, 4, 2), [("polygon", [[1, 4], [2, 4], [2, 0], [1, 0]])]),
        (
            shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)]),
            [
                ("polygon", [[0, 1], [1, 1], [1, 0], [0, 0]]),
                ("polygon", [[2, 3], [3, 3], [3, 2], [2, 2]]),
            ],
        ),
        (shapely.Polygon(), []),
        (
            shapely.Polygon([(0, 0, 5), (1, 0, 5), (1, 1, 5)]),
            [("polygon", [[5, 0, 0], [5, 0, 1], [5, 1, 1]])],
        ),
    ],
)
def test_geometries(geometry, expected):
    for value in (geometry, [geometry], shapely.geometry.mapping(geometry)):
        item = shapes(value)
        found = list(zip(types_of(item), vertices_of(item), strict=True))
        assert [(t, sorted(v)) for t, v in found] == [(t, sorted(v)) for t, v in expected]
    if expected and expected[0][0] != "polygon":
        assert found == expected


def test_points_among_geometries_are_a_second_item():
    found = coerce_all(
        [shapely.Point(1, 2), shapely.box(0, 0, 1, 1), shapely.MultiPoint([(3, 4), (5, 6)])],
        kind="shapes",
        layer="rois",
        position={"t": 1},
    )
    assert [(item.kind, item.part) for item in found] == [("shapes", ""), ("points", "rois points")]
    assert found[1].data.tolist() == [[2, 1], [4, 3], [6, 5]]
    assert all(item.position == {"t": 1} for item in found)


def test_only_points_replace_the_shapes_too():
    shape, point = coerce_all([shapely.Point(1, 2)], kind="shapes")
    assert shape.arrays["types"].size == 0
    assert point.data.tolist() == [[2, 1]]


def test_features_of_geojson_go_with_each_shape():
    collection = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"name": "two"},
                "geometry": shapely.geometry.mapping(
                    shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)])
                ),
            },
            {"type": "Feature", "properties": None, "geometry": None},
            {
                "type": "Feature",
                "properties": {"name": "point", "n": 3},
                "geometry": {"type": "Point", "coordinates": [1, 2]},
            },
        ],
    }
    shape, point = coerce_all(collection, kind="shapes")
    assert shape.features["name"].tolist() == ["two", "two"]
    assert np.isnan(shape.features["n"]).all()
    assert (point.features["name"].tolist(), point.features["n"].tolist()) == (["point"], [3])


def test_a_table_of_geometries():
    frame = pd.DataFrame({"geometry": [shapely.box(0, 0, 1, 1), None], "area": [1.0, 2.0]})
    item = shapes(frame)
    assert types_of(item) == ["polygon"]
    assert item.features["area"].tolist() == [1.0]


# -- scikit-image and OpenCV --------------------------------------------------------------


def test_contours_close_or_are_paths():
    image = np.zeros((8, 8))
    image[2:4, 2:4] = 1
    image[6:, 6:] = 1  # at the border
    item = shapes(find_contours(image, 0.5))
    assert sorted(types_of(item)) == ["path", "polygon"]
    assert shapes(find_contours(np.zeros((4, 4)), 0.5)).arrays["types"].size == 0


def test_contours_of_opencv_are_x_and_y():
    contour = np.array([[[5, 1]], [[5, 3]], [[9, 3]]], np.int32)
    assert vertices_of(shapes((contour, contour)))[0] == [[1, 5], [3, 5], [3, 9]]


@given(hnp.arrays(bool, (7, 9)))
def test_outlines_of_regions_hold_their_pixels(mask):
    cells = label(mask, connectivity=1)
    regions = regionprops(cells)
    if not regions:
        return
    item = shapes(regions)
    assert types_of(item) == ["polygon"] * len(regions)
    assert item.features["label"].tolist() == [region.label for region in regions]
    for region, outline in zip(regions, vertices_of(item), strict=True):
        inside = polygon2mask(mask.shape, np.array(outline))
        np.testing.assert_array_equal(inside, cells == region.label)


def test_regions_of_a_window_lie_in_the_whole():
    regions = regionprops(np.eye(3, dtype=int), offset=(10, 20))
    assert shapes(regions).data.min(axis=0).tolist() == [9.5, 19.5]
    assert coerce(regions[0], kind="points").data.tolist() == [[11, 21]]


def test_regions_are_not_touched():
    regions = regionprops(np.eye(3, dtype=int))
    shapes(regions)
    assert not regions[0]._cache


def test_regions_of_a_volume_have_no_outline():
    with pytest.raises(Refusal, match="kind='points'"):
        shapes(regionprops(np.ones((2, 2, 2), int)))


def test_bounding_boxes_of_a_table_go_from_edge_to_edge():
    cells = np.zeros((6, 6), int)
    cells[1:3, 2:5] = 7
    item = shapes(regionprops_table(cells, properties=("label", "bbox", "area")))
    assert types_of(item) == ["rectangle"]
    assert vertices_of(item) == [[[0.5, 1.5], [0.5, 4.5], [2.5, 4.5], [2.5, 1.5]]]
    assert item.features["label"].tolist() == [7]


def test_boxes_of_a_detector():
    item = shapes(
        pd.DataFrame({"xmin": [1], "ymin": [2], "xmax": [4], "ymax": [6], "score": [0.9]})
    )
    assert vertices_of(item) == [[[2, 1], [2, 4], [6, 4], [6, 1]]]
    assert list(item.features) == ["score"]


def test_naparis_own_table():
    frame = pd.DataFrame(
        {
            "index": [0, 0, 1, 1, 1],
            "shape-type": ["line"] * 2 + ["path"] * 3,
            "vertex-index": [0, 1, 0, 1, 2],
            "axis-0": [0, 1, 2, 3, 4],
            "axis-1": [5, 6, 7, 8, 9],
        }
    )
    item = shapes(frame)
    assert types_of(item) == ["line", "path"]
    assert vertices_of(item)[0] == [[0, 5], [1, 6]]


# -- ImageJ -------------------------------------------------------------------------------


def roi(kind, points=None, **given):
    made = roifile.ImagejRoi() if points is None else roifile.ImagejRoi.frompoints(points)
    made.roitype = roifile.ROI_TYPE[kind]
    made.name = given.pop("name", "r")
    for name, value in given.items():
        setattr(made, name, value)
    return roifile.ImagejRoi.frombytes(made.tobytes())  # as it is read from a file


CORNERS = np.array([(2, 1), (5, 1), (5, 4), (2, 4)])  # x, y: pixels 2, 3, 4 and 1, 2, 3
BOXED = {"left": 2, "top": 1, "right": 5, "bottom": 4}
EDGES = [[0.5, 1.5], [0.5, 4.5], [3.5, 4.5], [3.5, 1.5]]


@pytest.mark.parametrize(
    ("made", "shape_type", "expected"),
    [
        (roi("POLYGON", CORNERS), "polygon", EDGES),
        (roi("FREEHAND", CORNERS), "polygon", EDGES),
        (roi("TRACED", CORNERS.astype("f4")), "polygon", EDGES),
        (roi("RECT", **BOXED), "rectangle", EDGES),
        (roi("OVAL", **BOXED), "ellipse", EDGES),
        (roi("LINE", x1=1.0, y1=2.0, x2=3.0, y2=4.0), "line", [[2, 1], [4, 3]]),
        (roi("POLYLINE", CORNERS), "path", CORNERS[:, ::-1].tolist()),
        (roi("FREELINE", CORNERS), "path", CORNERS[:, ::-1].tolist()),
        (roi("ANGLE", CORNERS[:3]), "path", CORNERS[:3, ::-1].tolist()),
    ],
)
def test_rois_of_imagej(made, shape_type, expected):
    item = shapes([made])
    assert types_of(item) == [shape_type]
    assert vertices_of(item) == [expected]
    assert item.features["name"].tolist() == ["r"]
    if shape_type == "polygon":
        mask = polygon2mask((6, 6), np.array(vertices_of(item)[0]))
        assert np.argwhere(mask).min(axis=0).tolist() == [1, 2]
        assert mask.sum() == 9


def test_point_rois_are_a_second_item():
    made = [roi("POINT", [(1, 2), (3, 4)], name="dots"), roi("RECT", **BOXED)]
    shape, point = coerce_all(made, kind="shapes", layer="rois")
    assert types_of(shape) == ["rectangle"]
    assert point.part == "rois points"
    assert point.data.tolist() == [[2, 1], [4, 3]]
    assert point.features["name"].tolist() == ["dots", "dots"]


def test_a_composite_roi_is_a_polygon_in_pieces():
    made = roifile.ImagejRoi()
    made.roitype = roifile.ROI_TYPE.RECT
    made.shape_roi_size = 1
    path = [0, 0, 0, 1, 4, 0, 1, 4, 4, 4, 0, 5, 5, 1, 9, 5, 1, 9, 9, 4]
    made.multi_coordinates = np.array(path, np.float32)
    item = shapes(made)
    assert types_of(item) == ["polygon"]
    assert layer_of(item).to_labels((9, 9)).sum() == 2 * 10


def test_boxes_between_pixels():
    subpixel = roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    for kind in ("RECT", "OVAL"):
        made = roi(kind, options=subpixel, xd=1.25, yd=2.5, widthd=3.0, heightd=1.0, **BOXED)
        assert vertices_of(shapes(made)) == [[[2, 0.75], [2, 3.75], [3, 3.75], [3, 0.75]]]


def test_rois_of_two_corners_are_lines():
    assert types_of(shapes(roi("POLYGON", CORNERS[:2]))) == ["line"]
    assert types_of(shapes(roi("POLYLINE", CORNERS[:2]))) == ["line"]


def test_rois_of_curves_are_refused():
    made = roifile.ImagejRoi()
    made.shape_roi_size = 1
    made.multi_coordinates = np.array([0, 0, 0, 3, 1, 1, 2, 2, 3, 3], np.float32)
    with pytest.raises(Refusal, match="cannot be read") as refusal:
        shapes(made)
    assert refusal.value.reason == "roi"


def test_group_and_place_in_a_list_are_features():
    item = shapes([roi("RECT", group=3, position=7, **BOXED)])
    assert (item.features["group"].tolist(), item.features["position"].tolist()) == ([3], [6])


def test_places_in_a_stack_are_features():
    item = shapes([roi("RECT", z_position=3, t_position=1, **BOXED), roi("RECT", **BOXED)])
    np.testing.assert_array_equal(item.features["z"], [2, np.nan])
    np.testing.assert_array_equal(item.features["t"], [0, np.nan])


# -- refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "not shapes"),
        (3, "not shapes"),
        (["text"], "not shapes"),
        ([{"area": 3}], "no coordinates"),
        ([(SQUARE, "blob")], "shape type"),
        (([SQUARE], ["path", "path"]), "shape type"),
        ([([[0, 0], [1, 1], [2, 2]], "rectangle")], "vertices"),
        ([([[0, 0]], "path")], "vertices"),
        ([np.zeros((2, 2, 2, 2))], "dimensions"),
        ([["a", "b"]], "dtype"),
        ({"area": [1, 2]}, "no coordinates"),
        ([{"type": "Polygon", "coordinates": 3}], "shapes"),
        ([{"type": "Feature", "geometry": {"type": "Blob"}}], "shapes"),
        (pd.DataFrame({"geometry": ["POINT (1 2)"]}), "shapes"),
    ],
)
def test_what_is_no_shapes(value, reason):
    with pytest.raises(Refusal) as refusal:
        shapes(value)
    assert refusal.value.reason == reason


def test_collections_without_end_are_refused():
    nested = {"type": "Point", "coordinates": [0, 0]}
    for _ in range(50):
        nested = {"type": "GeometryCollection", "geometries": [nested]}
    with pytest.raises(Refusal, match="deep"):
        shapes(nested)


def test_shapes_that_are_nowhere_are_left_out(caplog):
    item = shapes(
        ([SQUARE, [[0, 0], [np.nan, 1], [2, 2]], TRIANGLE], {"features": {"n": [1, 2, 3]}}),
        layer="lost shapes",
    )
    assert item.features["n"].tolist() == [1, 3]
    assert "not finite" in caplog.text
