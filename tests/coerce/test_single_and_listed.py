"""One output and a list of it are read alike: ``read(x) == read([x])``."""

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dask_napari.coerce import coerce_all
from dask_napari.model import Item

SQUARE = np.array([[10, 40], [50, 40], [50, 50], [10, 50]], "i4")
TABLE = {"y": [1.0, 2.0], "x": [3.0, 4.0]}
MESH = (np.eye(3), np.array([[0, 1, 2]]))
CONTOUR = SQUARE[:, np.newaxis]

BOX = shapely.geometry.mapping(shapely.box(0, 0, 3, 3))

small = st.integers(-50, 50)
outlines = hnp.arrays("i4", st.tuples(st.integers(1, 6), st.integers(2, 3)), elements=small)
contours = hnp.arrays("i4", st.tuples(st.integers(1, 6), st.just(1), st.just(2)), elements=small)

SINGLE = {
    "shapes": outlines
    | outlines.map(np.ndarray.tolist)
    | contours
    | st.tuples(outlines, st.sampled_from(["polygon", "path", "point"]))
    | st.builds(lambda v, n: {"vertices": v, "n": n}, outlines, small)
    | st.lists(small, min_size=2, max_size=4)
    | st.builds(shapely.Point, small, small)
    | st.builds(shapely.box, small, small, st.just(60), st.just(60))
    | st.builds(lambda n: pd.DataFrame({"outline": [shapely.box(0, 0, 3, n)]}), st.integers(1, 9))
    | st.just(pd.DataFrame({"ymin": [1], "xmin": [2], "ymax": [3], "xmax": [4]}))
    | st.builds(lambda c: {"type": "FeatureCollection", "features": [c]}, st.just(BOX))
    | st.builds(lambda c: {"type": "Point", "coordinates": c}, st.tuples(small, small)),
    "points": st.lists(small, min_size=2, max_size=4) | outlines | st.just(TABLE),
    "tracks": st.lists(st.integers(0, 9), min_size=4, max_size=5)
    | hnp.arrays("i4", st.tuples(st.integers(1, 4), st.just(4)), elements=st.integers(0, 9))
    | st.just({**TABLE, "track_id": [1, 1], "frame": [0, 1]}),
    "vectors": hnp.arrays("f4", (2, 2), elements=small)
    | hnp.arrays("f4", (3, 2, 2), elements=small)
    | st.just({**TABLE, "dy": [1, 1], "dx": [0, 1]}),
    "surface": st.just(MESH) | st.just({"vertices": MESH[0], "faces": MESH[1]}),
    "image": hnp.arrays("u1", (4, 5)) | hnp.arrays("f4", (2, 4, 5), elements=small),
    "labels": hnp.arrays("u1", (4, 5)),
}


def read(value, kind):
    found = coerce_all(value, kind=kind, on_note=lambda *note: None)
    return [
        (i.kind, i.part, i.data.tolist(), {name: a.tolist() for name, a in i.arrays.items()})
        if isinstance(i, Item)
        else i.reason
        for i in found
    ]


@given(st.data(), st.sampled_from(sorted(SINGLE)))
def test_alone_as_in_a_list(data, kind):
    value = data.draw(SINGLE[kind])
    alone = read(value, kind)
    assert alone == read([value], kind)


@pytest.mark.parametrize(
    "value",
    [
        CONTOUR,
        [CONTOUR],
        ((CONTOUR,), None),
        ((CONTOUR,), np.zeros((1, 1, 4), "i4")),
        (np.zeros((9, 9)), [CONTOUR], np.zeros((1, 1, 4), "i4")),
    ],
)
def test_contours_of_opencv_have_x_before_y_however_they_come(value):
    ((kind, _, data, arrays),) = read(value, "shapes")
    assert (kind, arrays["types"]) == ("shapes", [0])
    assert data == SQUARE[:, ::-1].tolist()
