"""Tracks with their times, features and graph."""

import numpy as np
import pandas as pd
import pytest

from dask_napari.coerce import coerce
from dask_napari.model import Calibration, Refusal

ROWS = np.array([[2, 0, 5, 6], [1, 1, 3, 4], [1, 0, 1, 2]])
FRAME = pd.DataFrame(
    {
        "x": [2, 4, 6],
        "y": [1, 3, 5],
        "frame": [0, 1, 0],
        "track_id": [1, 1, 2],
        "speed": [0.5, 1, 2],
    }
)
SORTED = [[1, 0, 1, 2], [1, 1, 3, 4], [2, 0, 5, 6]]


def tracks(value, **given):
    return coerce(value, kind="tracks", **given)


@pytest.mark.parametrize(
    "value",
    [
        ROWS,
        ROWS.tolist(),
        FRAME,
        FRAME.to_dict("list"),
        FRAME.rename(columns={"frame": "t", "track_id": "ID", "x": "X", "y": "Y"}),
        FRAME.rename(
            columns={"frame": "FRAME", "track_id": "TRACK_ID", "x": "POSITION_X", "y": "POSITION_Y"}
        ),
        FRAME.rename(columns={"track_id": "particle"}),
        FRAME.set_index(["track_id", "frame"]),
    ],
)
def test_rows_in_the_order_of_track_and_time(value):
    item = tracks(value)
    assert item.data.tolist() == SORTED
    assert item.data.dtype == np.float64
    speeds = item.features.get("speed")
    assert speeds is None or speeds.tolist() == [0.5, 1, 2]


def test_features_follow_their_row():
    item = tracks((ROWS, {"features": {"n": [20, 11, 10]}}, "tracks"))
    assert item.features["n"].tolist() == [10, 11, 20]


def test_three_dimensions_and_the_names_of_axes():
    item = tracks(FRAME.assign(z=7))
    assert item.data.shape == (3, 5)
    assert item.calibration.axes == ("t", "z", "y", "x")
    assert tracks(np.c_[ROWS, [1, 2, 3]]).calibration.axes == ("t", "z", "y", "x")


@pytest.mark.parametrize("value", [np.zeros((0, 4)), [], FRAME.iloc[:0]])
def test_no_tracks(value):
    assert tracks(value).data.shape == (0, 4)
    assert tracks(np.zeros((0, 5))).data.shape == (0, 5)


@pytest.mark.parametrize(
    "value",
    [
        (ROWS, {2: 1}),
        (ROWS, {2: [1]}),
        (ROWS, {"n": [1, 2, 3]}, {2: [1]}),
        (ROWS, {"graph": {2: [1]}}, "tracks"),
        (FRAME, {2: np.array([1])}),
        FRAME.assign(parent=[1, 1, 1]),
        FRAME.assign(parent_id=[np.nan, np.nan, 1]),
        FRAME.assign(parent_track_id=[0, 0, 1]),
        FRAME.assign(parent=[-1, -1, 1]),
    ],
)
def test_the_graph_is_child_and_parent(value):
    assert tracks(value).arrays["graph"].tolist() == [[2, 1]]


def test_parents_that_are_not_there_are_left_out_and_noted(caplog):
    item = tracks((ROWS, {2: [1, 7], 9: [1]}), layer="families")
    assert item.arrays["graph"].tolist() == [[2, 1]]
    assert "no track" in caplog.text
    assert "graph" not in tracks((ROWS, {9: [8]})).arrays


def test_a_pixel_size_holds_in_space_not_in_time():
    given = Calibration(scale=(0.5,), units=("um",))
    assert tracks(ROWS, calibration=given).calibration == Calibration(
        ("t", "y", "x"), (1.0, 0.5, 0.5), (), ("pixel", "um", "um")
    )
    given = Calibration(scale=(0.5, 0.25), translate=(1.0, 2.0))
    found = tracks(FRAME, calibration=given).calibration
    assert found.scale == (1.0, 0.5, 0.25)
    assert found.translate == (0.0, 1.0, 2.0)
    assert tracks(ROWS, calibration=Calibration(scale=(9.0, 0.5, 0.5))).calibration.scale[0] == 9


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (ROWS[:, :3], "dimensions"),
        (ROWS + 0.5, "track numbers"),
        (ROWS - [5, 0, 0, 0], "track numbers"),
        (ROWS - [0, 0.5, 0, 0], "track times"),
        (ROWS - [0, 5, 0, 0], "track times"),
        (FRAME.drop(columns="frame"), "no coordinates"),
        (FRAME.drop(columns="track_id"), "no coordinates"),
        (None, "not tracks"),
        ((ROWS, {"graph": [1, 2]}, "tracks"), "graph"),
        ((ROWS, {2: "one"}), "graph"),
        ((ROWS, {2: {}}), "graph"),
    ],
)
def test_what_is_no_tracks(value, reason):
    with pytest.raises(Refusal) as refusal:
        tracks(value)
    assert refusal.value.reason == reason


def test_rows_that_are_nowhere_are_left_out(caplog):
    item = tracks(FRAME.assign(y=[1, np.nan, 5]), layer="lost tracks")
    assert item.data.tolist() == [SORTED[0], SORTED[2]]
    assert item.features["speed"].tolist() == [0.5, 2]
    assert "not finite" in caplog.text
