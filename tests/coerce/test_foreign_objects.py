"""Objects of other libraries: no hash, comparison or truth before their type is known."""

import numpy as np
import pytest
import shapely

from dask_napari.coerce import coerce_all, place_of
from dask_napari.model import KINDS, SHAPE_TYPES, Item

PIXELS = np.zeros((4, 5))
CELLS = np.eye(4, dtype=int)
SPOTS = [[1, 2], [3, 4]]
ROWS = np.ones((2, 4))


class Series:
    """Answers questions by further series, as those of pandas and geopandas do."""

    def ask(self, *_):
        raise ValueError("The truth value of a Series is ambiguous")

    __eq__ = __ne__ = __lt__ = __hash__ = __bool__ = __contains__ = ask
    ndim, shape = 1, (2,)

    @property
    def geom_type(self):
        return Series()

    dtype = name = attrs = dims = geom_type


class Geometries(Series):
    """A series of geometries, as geopandas has it."""

    def __init__(self, *shapes):
        self.shapes = shapes

    @property
    def __geo_interface__(self):
        features = [
            {"type": "Feature", "properties": {}, "geometry": s and shapely.geometry.mapping(s)}
            for s in self.shapes
        ]
        return {"type": "FeatureCollection", "features": features}


def holding(s):
    """Return outputs that hold an object wherever one may be."""
    metas = ("name", "metadata", "rgb", "multiscale", "scale", "units", "axis_labels", "features")
    metas += ("properties", "colormap", "shape_type", "graph", "size", "face_color")
    tables = (
        {"y": s, "x": s},
        {"y": [1], "x": [2], "n": s},
        {"y": [1, 2], "x": [1, 2], "n": [s, s]},
    )
    return [
        *(s, [s], (s,), (s, s), [s, s], {"a": s}, *tables, [{"y": 1, "x": s}], [{"y": 1}, s]),
        *(
            (PIXELS, s),
            (CELLS, s),
            (SPOTS, s),
            (s, CELLS),
            (ROWS, s),
            (ROWS, {1: s}),
            (np.eye(3), s),
        ),
        *((PIXELS, {meta: s}, kind) for meta in metas for kind in ("image", "labels")),
        *((SPOTS, {meta: s}, kind) for meta in metas for kind in ("points", "shapes")),
        (ROWS, {"graph": s}, "tracks"),
        *(
            (PIXELS, {"metadata": {"at": s}}, "image"),
            (PIXELS, {"metadata": {"at": {"t": s}}}, "image"),
        ),
        *(
            (PIXELS, {}, s),
            (PIXELS, s, "image"),
            (s, {}, "image"),
            (SPOTS, "polygon", s),
            (s, "path"),
        ),
        *(([SPOTS, SPOTS], s), ([SPOTS, SPOTS], [s, s])),
        *({"type": s}, {"type": s, "coordinates": s}, {"type": "Polygon", "coordinates": s}),
        {"type": "Feature", "geometry": s, "properties": s},
        *({"type": "FeatureCollection", "features": f} for f in (s, [s])),
        {"type": "MultiPolygon", "coordinates": [s]},
        {"type": "GeometryCollection", "geometries": [s]},
        *({"vertices": s}, {"vertices": SPOTS, "type": s}, {"vertices": np.eye(3), "faces": s}),
        (np.eye(3), [[0, 1, 2]], s),
        {"track_id": [s, s], "frame": [0, 1], "y": [1, 2], "x": [1, 2]},
        {"track_id": [1, 1], "frame": [s, 1], "y": [1, 2], "x": [1, 2]},
        *({"geometry": [s, s]}, {"geometry": s}, (CELLS, {"label": [s]}), {"points": s, "prob": s}),
        *((CELLS, {"points": s, "prob": s}), np.array([s, s], object)),
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("foreign", [Series(), Geometries(None)], ids=["series", "geometries"])
def test_no_question_is_asked_of_them(foreign, kind):
    for output in holding(foreign):
        place_of(output)
        for found in coerce_all(output, kind=kind, on_note=lambda *note: None):
            error = None if isinstance(found, Item) else found.__cause__
            assert not isinstance(error, ValueError) or "ambiguous" not in str(error), output


def test_a_series_of_geometries_is_shapes():
    series = Geometries(shapely.box(0, 1, 4, 3), None)
    for value in (series, [series]):
        (item,) = coerce_all(value, kind="shapes", on_note=lambda *note: None)
        assert [SHAPE_TYPES[number] for number in item.arrays["types"]] == ["polygon"]
        assert item.data.min(axis=0).tolist() == [1, 0]
