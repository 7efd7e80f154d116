"""Columns of coordinates: one vocabulary for all kinds, and families that are used whole."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.coerce import coerce
from dask_napari.model import KINDS, Refusal, Reports
from dask_napari.tap import Tap

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


AXES = {"t": [5.0, 6.0], "z": [7.0, 8.0], "y": [1.0, 2.0], "x": [3.0, 4.0]}
FORMS = {
    "dict": dict,
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "arrow": pa.table,
    "records": lambda table: pd.DataFrame(table).to_dict("records"),
    "structured": lambda table: pd.DataFrame(table).to_records(index=False),
}


def read(value, kind, **options):
    """Return the item that a tap makes of an output, and what people are told."""
    tap = Tap("measure", kind=kind, layer="cells", **options).compile()
    reports = Reports()
    item = coerce(value, kind=kind, layer="cells", columns=tap.columns, on_note=reports.note)
    return item, [str(report) for report in reports.all()]


@given(
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(["yx", "zyx", "tyx", "tzyx"]),
    st.permutations(["north", "east", "when", "deep"]),
    st.sampled_from(["points", "vectors", "tracks"]),
    st.data(),
)
def test_a_tap_names_the_columns_of_any_table(form, axes, names, kind, data):
    """Named columns give the same as columns with the axes' own names, which are features then."""
    if kind == "tracks" and "t" not in axes:
        axes = f"t{axes}"
    columns = dict(zip(axes, names, strict=False))
    more = {"track": "cell"} if kind == "tracks" else {}
    more |= {f"d{axis}": f"by {axis}" for axis in axes} if kind == "vectors" else {}
    table = {columns[axis]: AXES[axis] for axis in axes}
    table |= {"cell": [1.0, 1.0]} | {
        name: AXES[role[1]] for role, name in more.items() if role[0] == "d"
    }
    plain = {axis: AXES[axis] for axis in axes}
    plain |= {"track_id": [1.0, 1.0]} if kind == "tracks" else {}
    plain |= {f"d{axis}": AXES[axis] for axis in axes} if kind == "vectors" else {}
    decoy = {axis: [0.0, 0.0] for axis in axes if data.draw(st.booleans())}
    item, _ = read(FORMS[form]({**decoy, **table, "n": [1, 2]}), kind, columns={**columns, **more})
    expected = coerce(plain, kind=kind)
    assert item.data.tolist() == expected.data.tolist()
    assert item.calibration.axes == expected.calibration.axes
    assert {*decoy, "n"} <= item.features.keys()


def test_corners_geometries_and_labels_are_named_too():
    table = {"top": [1], "left": [2], "bottom": [5], "right": [7], "ymin": [0]}
    corners = dict(zip(("ymin", "xmin", "ymax", "xmax"), table, strict=False))
    item, _ = read(table, "shapes", columns=corners)
    assert item.data[[0, 2]].tolist() == [[1, 2], [5, 7]]
    point = {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}
    item, _ = read(pd.DataFrame({"outline": [point]}), "shapes", columns={"geometry": "outline"})
    assert item.data.tolist() == [[2, 1], [4, 3]]
    features = {"ObjectNumber": [1, 2], "label": [8, 9]}
    item, _ = read((np.eye(2, dtype=int), features), "labels", columns={"label": "ObjectNumber"})
    assert item.features["index"].tolist() == [1, 2]


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"image", "surface"}))
def test_a_named_column_that_an_output_lacks_is_refused_by_those_there_are(kind):
    roles = {
        "shapes": {"geometry": "geom"},
        "labels": {"label": "geom"},
        "tracks": {"track": "geom"},
    }.get(kind, {"y": "geom", "x": "col"})
    table = {"gem": [1], "col": [2]}
    value = (np.eye(2, dtype=int), table) if kind == "labels" else table
    with pytest.raises(Refusal, match=r"'geom'} .* columns 'gem', 'col'; did you mean 'gem'\?"):
        read(value, kind, columns=roles)


def test_what_is_left_of_the_coordinates_is_said():
    table = {"y": [1.0], "x": [2.0], "centroid_y": [3.0], "centroid_x": [4.0], "area": [5.0]}
    item, (note,) = read(table, "points")
    assert item.data.tolist() == [[1, 2]]
    assert "are features: y, x are used, and not centroid_y, centroid_x" in note
    _, notes = read({"y": [1.0], "x": [2.0], "area": [5.0]}, "points")
    assert not notes


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([f"bbox-{n}" for n in range(6)], "dimensions"),
        (["bbox-0", "bbox-1", "bbox-2"], "no coordinates"),
        (["bbox-1", "bbox-2", "bbox-3", "bbox-4"], "no coordinates"),
        (["zmin", "ymin", "xmin", "zmax", "ymax", "xmax"], "dimensions"),
        ([f"Box_{end}_{a}" for end in ("Minimum", "Maximum") for a in "XYZ"], "dimensions"),
        (["ymin", "xmin", "ymax"], "no coordinates"),
    ],
)
def test_boxes_are_used_whole_or_refused(names, reason):
    with pytest.raises(Refusal) as refusal:
        coerce({name: [float(n)] for n, name in enumerate(names)}, kind="shapes")
    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    ("names", "edge"),
    [
        ("bbox-0 bbox-1 bbox-2 bbox-3", 0.5),
        ("min_row min_col max_row max_col", 0.5),
        (
            "Shape_BoundingBoxMinimum_Y Shape_BoundingBoxMinimum_X"
            " Shape_BoundingBoxMaximum_Y Shape_BoundingBoxMaximum_X",
            0.5,
        ),
        ("ymin xmin ymax xmax", 0),
        ("y_min x_min y_max x_max", 0),
        ("Ymin Xmin Ymax Xmax", 0),
        ("y1 x1 y2 x2", 0),
        ("y0 x0 y1 x1", 0),
    ],
)
def test_boxes_are_found_by_their_words(names, edge):
    table = dict(zip(names.split(), ([2.0], [3.0], [6.0], [9.0]), strict=True))
    item = coerce({**dict(reversed(table.items())), "score": [1.0]}, kind="shapes")
    assert item.data[[0, 2]].tolist() == [[2 - edge, 3 - edge], [6 - edge, 9 - edge]]
    assert list(item.features) == ["score"]


def test_numbered_axes_stand_beside_frames():
    table = {"label": [1, 1], "frame": [0, 1], "centroid-0": [1.0, 2.0], "centroid-1": [3.0, 4.0]}
    assert coerce(table, kind="points").calibration.axes == ("t", "y", "x")
    item = coerce({**table, "track": [7, 7]}, kind="tracks")
    assert item.data.tolist() == [[7, 0, 1, 3], [7, 1, 2, 4]]


def test_exports_of_trackmate_have_text_below_their_header():
    """Each column has its title, its short title and its unit before the first number."""
    table = {
        "LABEL": ["Label", "Label", "", "ID1", "ID2"],
        "ID": ["Spot ID", "Spot ID", "", "1", "2"],
        "TRACK_ID": ["Track ID", "Track ID", "", "0", "0"],
        "POSITION_X": ["X", "X", "(micron)", "3.5", "4"],
        "POSITION_Y": ["Y", "Y", "(micron)", "1", "2"],
        "POSITION_Z": ["Z", "Z", "(micron)", "0", "0"],
        "POSITION_T": ["T", "T", "(sec)", "0.5", "1"],
        "FRAME": ["Frame", "Frame", "", "0", "1"],
    }
    item, notes = read(pd.DataFrame(table), "tracks")
    assert item.data.tolist() == [[0, 0, 0, 1, 3.5], [0, 1, 0, 2, 4]]
    assert any("3 of 5 rows of tracks left out" in note for note in notes)


@given(st.sampled_from(["points", "tracks", "vectors"]), st.integers(1, 3))
def test_records_are_rows_of_a_table(kind, count):
    table = {"y": [1.0, 2.0, 3.0], "x": [4.0, 5.0, 6.0], "name": ["a", "b", "c"]}
    table |= {"track_id": [1, 1, 2], "frame": [0, 1, 0]} if kind == "tracks" else {}
    table |= {"dy": [1.0] * 3, "dx": [0.0] * 3} if kind == "vectors" else {}
    frame = pd.DataFrame(table)[:count]
    rows = frame.to_dict("records")
    for value in (rows, rows[0] if count == 1 else rows):
        item, expected = coerce(value, kind=kind), coerce(frame, kind=kind)
        assert item.data.tolist() == expected.data.tolist()
        assert item.features["name"].tolist() == expected.features["name"].tolist()
    item, (note,) = read([*rows, None], kind)
    assert len(item.data) == count
    assert f"1 of {count + 1}" in note


def test_records_are_features_of_labels():
    records = [{"label": 1, "area": 3.5}, {"label": 2, "area": 4.5}]
    item = coerce((np.eye(3, dtype=int), records), kind="labels")
    assert item.features["area"].tolist() == [3.5, 4.5]


def test_vectors_lie_in_their_frame():
    table = {"frame": [0, 1], "y": [1, 2], "x": [3, 4], "velocity_y": [1, 1], "velocity_x": [2, 2]}
    assert coerce(table, kind="vectors").data[0].tolist() == [[0, 1, 3], [0, 1, 2]]


@pytest.mark.parametrize(
    "times",
    [["10:00", "10:05"], [None, None], [np.nan, np.nan], pd.to_datetime(["2024-01-01"] * 2)],
)
def test_times_that_are_no_numbers_are_features(times):
    table = pd.DataFrame({"time": times, "y": [1.0, 2.0], "x": [3.0, 4.0]})
    item, notes = read(table, "points")
    assert item.data.tolist() == [[1, 3], [2, 4]]
    assert "time" in item.features
    assert "not time" in notes[0]


def test_seconds_are_no_frames():
    table = {"track_id": [1] * 4, "time": [0, 0.5, 1, 1.5], "y": [0.0] * 4, "x": [0.0] * 4}
    with pytest.raises(Refusal, match="whole numbers") as refusal:
        coerce(table, kind="tracks")
    assert refusal.value.reason == "track times"


@pytest.mark.parametrize(
    "names", ["cy cx", "yc xc", "rows cols", "YM XM", "cell_y cell_x", "global_y global_x"]
)
def test_further_names_of_published_tables(names):
    table = {name: [float(n)] for n, name in enumerate(names.split())}
    assert coerce(table, kind="points").data.tolist() == [[0, 1]]


def test_an_output_of_bad_rows_alone_is_refused():
    with pytest.raises(Refusal, match="all points are left out") as refusal:
        coerce({"y": [np.nan], "x": [1.0]}, kind="points")
    assert refusal.value.reason == "not finite"
