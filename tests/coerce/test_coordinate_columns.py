"""Columns of coordinates: one vocabulary for all kinds, and families that are used whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.coerce import coerce
from dask_napari.model import Refusal

STEMS = ["", "centroid", "Location Center", "area shape center", "position", "coord", "nucleus com"]
UNITS = st.sampled_from(["", " px", " µm", " [um]", " (pixel)", "_nm"])
CASES = st.sampled_from([str, str.lower, str.upper, str.title])


@given(
    st.sampled_from(STEMS),
    st.sampled_from([("y", "x"), ("row", "col"), ("row", "column")]),
    st.sampled_from("_ -."),
    st.booleans(),
    CASES,
    UNITS,
)
def test_the_word_of_an_axis_is_found_at_either_end(stem, plane, separator, first, case, unit):
    words = stem.split()

    def name(axis):
        parts = [axis, *words] if first else [*words, axis]
        return case(separator.join(parts)) + unit

    item = coerce({"area": [9.0], **{name(a): [n] for n, a in enumerate(plane, 1)}}, kind="points")
    assert item.data.tolist() == [[1, 2]]
    assert list(item.features) == ["area"]


@pytest.mark.parametrize(
    ("word", "axis"),
    [("frame", "t"), ("T", "t"), ("time", "t"), ("timepoint", "t"), ("z", "z"), ("Slice", "z")],
)
def test_an_axis_has_one_meaning_for_all_kinds(word, axis):
    table = {word: [5.0, 6.0], "y": [1.0, 2.0], "x": [3.0, 4.0]}
    item = coerce(table, kind="points")
    assert item.calibration.axes == (axis, "y", "x")
    assert item.data[:, 0].tolist() == [5, 6]
    item = coerce({**table, "dy": [1, 1], "dx": [1, 1]} | {f"d{axis}": [0, 0]}, kind="vectors")
    assert item.calibration.axes == (axis, "y", "x")
    ids = {"track_id": [1, 1], **({} if axis == "t" else {"frame": [0, 1]})}
    assert coerce({**table, **ids}, kind="tracks").calibration.axes[: 1 + (axis == "z")] == (
        ("t",) if axis == "t" else ("t", "z")
    )


@pytest.mark.parametrize(
    "other", ["velocity_x velocity_y", "x_min y_min", "local_center_x y", "dx dy"]
)
def test_other_quantities_are_no_places(other):
    with pytest.raises(Refusal, match="has no coordinates"):
        coerce({name: [1.0] for name in other.split()}, kind="points")


def test_an_axis_of_the_position_is_a_feature_by_any_of_its_words():
    item = coerce({"frame": [3], "y": [1], "x": [2]}, kind="points", position={"t": 3})
    assert item.data.tolist() == [[1, 2]]
    assert item.features["frame"].tolist() == [3]


@pytest.mark.parametrize("names", [["centroid-0", "centroid-2"], ["axis-1", "axis-2"]])
def test_a_family_with_a_gap_is_refused(names):
    with pytest.raises(Refusal, match="not all of their axes") as refusal:
        coerce({name: [1.0] for name in names}, kind="points")
    assert refusal.value.reason == "no coordinates"


def test_weighted_centres_are_second_to_plain_ones():
    table = {f"centroid_weighted-{n}": [7.0] for n in range(2)}
    assert coerce(table, kind="points").data.tolist() == [[7, 7]]
    table |= {f"centroid-{n}": [n] for n in range(2)}
    assert coerce(table, kind="points").data.tolist() == [[0, 1]]


def test_an_id_that_never_repeats_is_no_track():
    table = {"id": [1, 2, 3], "t": [0, 1, 2], "y": [1, 2, 3], "x": [1, 2, 3]}
    with pytest.raises(Refusal, match="never repeat"):
        coerce(table, kind="tracks")
    assert coerce({**table, "track": [1, 1, 2]}, kind="tracks").data[:, 0].tolist() == [1, 1, 2]
