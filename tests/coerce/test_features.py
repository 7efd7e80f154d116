"""Columns of features: numbers stay numbers, the rest is text, and nothing is unbounded."""

import datetime

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest

from dask_napari.coerce import _features, coerce
from dask_napari.coerce._features import features_of
from dask_napari.coerce._tables import table_of


def column(values):
    (found,) = features_of({"a": values}, len(values), "points").values()
    return found


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, 2], "i8", [1, 2]),
        ([1.5, None], "f8", [1.5, np.nan]),
        ([1, None], "f8", [1, np.nan]),
        ([True, False], "?", [True, False]),
        ([True, None], "U4", ["True", ""]),
        (["a", None], "U1", ["a", ""]),
        (["a", float("nan")], "U1", ["a", ""]),
        ([1, "a"], "U1", ["1", "a"]),
        ([None, None], "U1", ["", ""]),
        ([b"ab", b"\xff"], "U2", ["ab", "\ufffd"]),
        ([datetime.date(2024, 5, 1), None], "U10", ["2024-05-01", ""]),
        ([2**70, 1], "f8", [2.0**70, 1]),
        ([1j, 2], "U2", ["1j", "2"]),
        (np.array([1, 2], ">u2"), "u2", [1, 2]),
        (np.array([1, 2], "f2"), "f4", [1, 2]),
        (np.array([1, 2], "longdouble"), "f8", [1, 2]),
        (np.array(["ab", "c"], "S2"), "U2", ["ab", "c"]),
        (np.array(["2024-05-01T12", "NaT"], "M8[h]"), "U13", ["2024-05-01T12", ""]),
        (np.array([90, "NaT"], "m8[s]"), "f8", [90, np.nan]),
        (pd.Series([1, None], dtype="Int64"), "f8", [1, np.nan]),
        (pd.Series([1, 2], dtype="Int64"), "i8", [1, 2]),
        (pd.Series([True, None], dtype="boolean"), "U4", ["True", ""]),
        (pd.Series(["a", None], dtype="string"), "U1", ["a", ""]),
        (pd.Categorical(["b", "a"]), "U1", ["b", "a"]),
        (pd.Series(pd.Categorical([3, 3])), "i8", [3, 3]),
        (pd.Series(pd.Categorical(["b", None])), "U1", ["b", ""]),
        (pd.to_datetime(["2024-05-01"]).tz_localize("UTC"), "U25", ["2024-05-01 00:00:00+00:00"]),
        (pd.Series([pd.Timestamp("2024-05-01"), pd.NaT]), None, None),
        (pd.Series([{"a": 1}, [1, 2]], dtype=object), "U8", ["{'a': 1}", "[1, 2]"]),
    ],
)
def test_a_column(values, dtype, expected):
    found = column(values)
    if expected is None:
        assert found[0].startswith("2024-05-01")
        assert found[1] == ""
        return
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, np.array(expected, dtype))


def test_no_rows():
    for values in ([], np.array([], object), np.array([], "U3"), pd.Series([], dtype="string")):
        found = column(values)
        assert len(found) == 0
        assert found.dtype.itemsize > 0


def test_a_column_of_several_numbers_becomes_several():
    found = features_of({"centre": np.eye(2), "centre-0": [7, 8]}, 2, "points")
    assert list(found) == ["feature:centre-0", "feature:centre-1", "feature:centre-0 [1]"]


def test_another_length_names_the_column():
    notes = []
    found = features_of(
        {"n": [1, 2], "area": [1, 2, 3]}, 2, "points", lambda *note: notes.append(note)
    )
    assert list(found) == ["feature:n"]
    assert notes[0][0] == "a feature that does not fit is left out: feature length"
    assert "'area' has 3 values for 2 points" in notes[0][1]


@pytest.mark.parametrize("values", ["text", 3, b"ab", {"a": 1}, {1, 2}])
def test_what_is_no_column(values):
    notes = []
    assert not features_of({"area": values}, 2, "points", lambda *note: notes.append(note))
    assert "'area'" in notes[0][1]


@pytest.mark.parametrize(
    ("table", "left_out"),
    [
        ({str(n): [1] for n in range(300)}, 44),
        ({"many": np.zeros((1, 300))}, 44),
        ({"a": np.zeros((1, 200)), "b": np.zeros((1, 200))}, 144),
    ],
)
def test_too_many_columns_cost_themselves(table, left_out):
    told = []
    found = features_of(table, 1, "points", lambda *note: told.append(note[1]))
    assert len(found) == 256
    assert told == [f"{left_out} features are left out: at most 256 columns of 64 MiB are shown"]


def test_too_many_bytes_cost_their_columns(monkeypatch):
    monkeypatch.setattr(_features, "MAX_BYTES", 1 << 20)
    table = {"a": np.zeros(1 << 18), "b": np.zeros(1 << 18, "u1")}
    assert list(features_of(table, 1 << 18, "points")) == ["feature:b"]


def test_coordinates_are_found_behind_any_number_of_features():
    table = {**{f"f{n}": [0.0] for n in range(300)}, "y": [1.0], "x": [2.0]}
    item = coerce(table, kind="points")
    assert item.data.tolist() == [[1, 2]]
    assert len(item.features) == 256


def test_long_text_is_cut():
    found = column(["x" * 10_000, "y"])
    assert found.dtype.itemsize <= 4 * _features.MAX_TEXT
    assert found[0].endswith("\N{HORIZONTAL ELLIPSIS}")
    assert len(column([list(range(10_000))])[0]) <= _features.MAX_TEXT


def test_names_of_columns():
    frame = pd.DataFrame([[1, 2, 3, 4]], columns=["a", "a", ("b", "c"), ""])
    assert list(table_of(frame)) == ["a", "a [1]", "b c", "unnamed"]
    long = {"x" * 300: [1], "x" * 301: [2]}
    assert [len(name) for name in table_of(long)] == [256, 260]


def test_a_named_index_is_a_column():
    frame = pd.DataFrame({"area": [1.0, 2.0]}, index=pd.Index([3, 4], name="label"))
    assert list(table_of(frame)) == ["area", "label"]
    frame = frame.set_index("area", append=True)
    assert list(table_of(frame)) == ["label", "area"]


def test_structured_arrays_and_arrow():
    array = np.array([(1, 2.0)], [("label", "i4"), ("area", "f4")])
    assert list(table_of(array)) == ["label", "area"]
    table = pyarrow.table({"area": [1.0, None], "name": ["a", None]})
    found = features_of(table, 2, "points")
    assert found["feature:name"].tolist() == ["a", ""]
    assert np.isnan(found["feature:area"][1])


def test_polars():
    frame = polars.DataFrame({"area": [1.0, None], "n": [1, 2], "name": ["a", None]})
    found = features_of(frame, 2, "points")
    assert found["feature:n"].dtype == np.int64
    assert found["feature:name"].tolist() == ["a", ""]
    assert np.isnan(found["feature:area"][1])
    notes = []
    assert not features_of(frame.lazy(), 2, "points", lambda *note: notes.append(note))
    assert ".collect()" in notes[0][1]
