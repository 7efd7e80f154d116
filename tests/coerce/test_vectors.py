"""Vectors from pairs, fields and tables."""

import numpy as np
import pandas as pd
import pytest

from dask_napari.coerce import coerce
from dask_napari.model import Refusal

PAIRS = np.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[0, 0], [1, 1]]], "f4")


def vectors(value, **given):
    return coerce(value, kind="vectors", **given)


@pytest.mark.parametrize(
    "value",
    [
        PAIRS,
        PAIRS.astype(">f8"),
        PAIRS.tolist(),
        [tuple(map(tuple, pair)) for pair in PAIRS],
        pd.DataFrame(PAIRS.reshape(3, 4), columns=["y", "x", "dy", "dx"]),
        pd.DataFrame(PAIRS.reshape(3, 4), columns=["y", "x", "v", "u"]),
        pd.DataFrame(PAIRS.reshape(3, 4), columns=["Y", "X", "vy", "vx"]),
    ],
)
def test_starts_and_projections(value):
    np.testing.assert_array_equal(vectors(value).data, PAIRS)


def test_one_vector():
    assert vectors(PAIRS[0]).data.shape == (1, 2, 2)


@pytest.mark.parametrize("shape", [(3, 4, 2), (3, 4, 5, 3)])
def test_a_field_has_a_vector_a_pixel(shape):
    field = np.random.default_rng(0).normal(size=shape).astype("f4")
    data = vectors(field).data
    assert data.shape == (np.prod(shape[:-1]), 2, shape[-1])
    index = data[:, 0].astype(int)
    assert len(np.unique(index, axis=0)) == len(data)
    np.testing.assert_array_equal(field[tuple(index.T)], data[:, 1])


def test_fields_agree_with_naparis():
    layers = pytest.importorskip("napari.layers")
    field = np.random.default_rng(0).normal(size=(3, 4, 2))
    np.testing.assert_array_equal(vectors(field).data, layers.Vectors(field).data)


def test_features_and_axes_of_a_table():
    frame = pd.DataFrame(PAIRS.reshape(3, 4), columns=["y", "x", "dy", "dx"]).assign(n=[1, 2, 3])
    item = vectors(frame)
    assert item.calibration.axes == ("y", "x")
    assert item.features["n"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("value", "shape"),
    [([], (0, 2, 2)), (np.zeros((0, 2, 3)), (0, 2, 3)), (np.zeros((0, 5, 2)), (0, 2, 2))],
)
def test_no_vectors(value, shape):
    assert vectors(value).data.shape == shape


def test_vectors_that_are_nowhere_are_left_out():
    field = np.ones((2, 3, 2))
    field[0, 1, 0] = np.nan
    assert len(vectors((field, {"name": "flow"}, "vectors")).data) == 5


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.zeros((3, 3)), "dimensions"),
        (np.zeros((3, 4, 3)), "dimensions"),
        (np.zeros(4), "dimensions"),
        (pd.DataFrame({"y": [1], "x": [2]}), "no coordinates"),
        (None, "not vectors"),
        ("text", "not vectors"),
    ],
)
def test_what_is_no_vectors(value, reason):
    with pytest.raises(Refusal) as refusal:
        vectors(value)
    assert refusal.value.reason == reason
