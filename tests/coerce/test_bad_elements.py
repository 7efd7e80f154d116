"""A bad element costs itself: the others are shown, and a note counts what is left out."""

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.coerce import coerce
from dask_napari.model import Refusal, Reports

TRIANGLE = [[0, 0], [0, 4], [3, 0]]
LOW = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
MESH = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0], [np.nan, 0, 0]])
TRACKS = {"track_id": [1, 1, 2], "frame": [0, 1, 0], "y": [1.0, 2, 3], "x": [4.0, 5, 6]}

BAD = {
    "shapes": [
        (TRIANGLE[:2], "polygon"),
        (TRIANGLE, "blob"),
        (TRIANGLE, "rectangle"),
        [[0, 0], [np.nan, 4], [3, 0]],
        [[0, 0, 0], [0, 1, 0], [1, 1, 1]],
        {"name": "nothing"},
        {"type": "Polygon", "coordinates": 3},
        {"type": "Feature", "geometry": None},
        None,
        "text",
    ],
    "points": [[1, np.nan], [1e12, 2], [1], [1, 2, 3], None, ["a", "b"]],
    "tracks": [[-1, 0, 1, 1], [0.5, 0, 1, 1], [1, -1, 1, 1], [1, 0.5, 1, 1], [1, 0, np.inf, 1]],
    "vectors": [[[0, 0], [np.nan, 1]], [[0, 0]], None],
}
GOOD = {
    "shapes": (TRIANGLE, "polygon"),
    "points": [1, 2],
    "tracks": [1, 0, 1, 1],
    "vectors": [[0, 0], [1, 1]],
}


def read(value, kind):
    """Return the item of an output, and what people are told of it."""
    reports = Reports()
    item = coerce(value, kind=kind, on_note=reports.note)
    return item, [str(report) for report in reports.all()]


@given(st.data(), st.sampled_from(sorted(GOOD)))
def test_bad_elements_are_left_out_and_counted(data, kind):
    bad = data.draw(st.lists(st.sampled_from(BAD[kind]), max_size=2))
    mixed = data.draw(st.permutations([GOOD[kind]] * 3 + bad))
    item, notes = read(mixed, kind)
    expected, _ = read([GOOD[kind]] * 3, kind)
    assert np.array_equal(item.data, expected.data)
    counts = [int(note.split(": ", 1)[1].split(" of ")[0]) for note in notes]
    assert sum(counts) == len(bad), notes


@pytest.mark.parametrize(("kind", "reason"), [("shapes", "vertices"), ("tracks", "track numbers")])
def test_an_output_without_a_good_element_is_refused(kind, reason):
    with pytest.raises(Refusal) as refusal:
        coerce([BAD[kind][0]] * 2, kind=kind)
    assert refusal.value.reason == reason


def test_the_note_counts_and_names_the_reason():
    _, notes = read([TRIANGLE] * 10 + [(TRIANGLE[:2], "polygon")], "shapes")
    (note,) = notes
    assert "1 of 11 shapes left out: vertices (a polygon needs at least 3" in note


def test_features_stay_with_their_elements():
    shapes = [{"vertices": TRIANGLE, "n": n} for n in range(3)]
    shapes[1]["vertices"] = TRIANGLE[:1] * 2
    shapes[1]["type"] = "polygon"
    item, _ = read(shapes, "shapes")
    assert item.features["n"].tolist() == [0, 2]
    item, _ = read({**TRACKS, "track_id": [-1, 1, 2], "n": [7, 8, 9]}, "tracks")
    assert item.features["n"].tolist() == [8, 9]


def test_a_geometry_that_is_null_costs_itself():
    frame = pd.DataFrame({"geometry": [shapely.box(0, 0, 1, 1), None, 3], "n": [1, 2, 3]})
    item, notes = read(frame, "shapes")
    assert len(item.arrays["types"]) == 1
    assert item.features["n"].tolist() == [1]
    assert any("1 of 3 shapes left out: no geometry" in note for note in notes)


def test_text_in_a_column_of_coordinates_costs_its_row():
    item, notes = read({"y": [1, "n/a", 3], "x": [4, 5, 6], "area": [7, 8, 9]}, "points")
    assert item.data.tolist() == [[1, 4], [3, 6]]
    assert item.features["area"].tolist() == [7, 9]
    assert "1 of 3 points left out" in notes[0]


@pytest.mark.parametrize(
    ("ids", "numbers", "rows"),
    [
        (["a", "a", "b"], [0, 0, 1], 3),
        (["0", "0", "None"], [0, 0], 2),
        (["b", "", "a"], [0, 1], 2),
        (["7", "7.0", "9"], [7, 7, 9], 3),
    ],
)
def test_tracks_may_have_names(ids, numbers, rows):
    item, _ = read({**TRACKS, "track_id": ids}, "tracks")
    assert len(item.data) == rows
    assert item.data[:, 0].tolist() == numbers
    names = item.features.get("track name")
    assert names is None or dict(zip(names, numbers, strict=True)).keys() == set(ids) - {""}


def test_parents_may_have_names():
    item, _ = read({**TRACKS, "track_id": ["a", "a", "b"], "parent": ["", "", "a"]}, "tracks")
    assert item.arrays["graph"].tolist() == [[1, 0]]


@pytest.mark.parametrize("bad", [[0, 1, 9], [-1, 0, 1], [0, 1, 4]])
def test_a_face_without_its_vertices_costs_itself(bad):
    item, notes = read((MESH, [[0, 1, 2], bad, [1, 2, 3]], np.arange(5.0)), "surface")
    assert item.arrays["faces"].tolist() == [[0, 1, 2], [1, 2, 3]]
    assert np.isfinite(item.data).all()
    assert "1 of 3 faces left out" in notes[0]
