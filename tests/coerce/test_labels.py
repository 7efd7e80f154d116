"""Labels with what is known of each of them."""

import numpy as np
import pandas as pd
import pytest
from skimage.measure import regionprops, regionprops_table

from dask_napari.coerce import coerce
from dask_napari.model import Refusal

CELLS = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 5]])
TABLE = regionprops_table(CELLS, properties=("label", "area"))


@pytest.mark.parametrize(
    "value",
    [
        (CELLS, TABLE),
        (CELLS, pd.DataFrame(TABLE)),
        (CELLS, pd.DataFrame(TABLE).set_index("label")),
        (CELLS, {"Index": [1.0, 5.0], "area": [4, 1]}),
        (CELLS, regionprops(CELLS)),
        (CELLS, {"features": pd.DataFrame(TABLE)}),
        (CELLS, {"properties": TABLE, "name": "cells"}, "labels"),
    ],
)
def test_features_name_their_label(value):
    item = coerce(value, kind="labels")
    assert item.data.dtype == np.uint8
    assert item.features["index"].tolist() == [1, 5]
    assert item.features["area"].tolist() == [4, 1]
    assert "label" not in item.features


def test_rows_without_a_label_count_from_0_as_in_napari():
    item = coerce((CELLS, {"area": [0, 4]}), kind="labels")
    assert item.features["index"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"label": [1.5], "area": [1]}, "whole numbers"),
        ({"label": ["a"], "area": [1]}, "whole numbers"),
        ({"label": [1], "area": [1, 2]}, "'area' has 2 values for 1 labels"),
    ],
)
def test_features_that_do_not_fit(features, words):
    """They cost themselves, and not the labels."""
    notes = []
    item = coerce((CELLS, features), kind="labels", on_note=lambda *note: notes.append(note))
    assert "area" not in item.features
    assert words in notes[0][2]


def test_a_row_without_a_label_costs_itself():
    notes = []
    features = {"label": ["1", "2", None, "cell"], "area": [5, 6, 7, 8]}
    item = coerce((CELLS, features), kind="labels", on_note=lambda *note: notes.append(note))
    assert item.features["index"].tolist() == [1, 2]
    assert item.features["area"].tolist() == [5, 6]
    assert notes[0][2].startswith("2 of 4 rows of features without the number of a label")


def test_a_stack_of_planes_and_flags():
    assert coerce([CELLS, CELLS], kind="labels").data.shape == (2, 3, 4)
    assert coerce([CELLS > 0, CELLS > 1], kind="labels").data.dtype == np.uint8


def test_labels_are_never_colour():
    assert coerce(np.zeros((40, 40, 3), "u1"), kind="labels").rgb is False
    with pytest.raises(Refusal, match="rgb"):
        coerce(CELLS, kind="labels", rgb=True)
