"""Surfaces of vertices and faces."""

from types import SimpleNamespace

import numpy as np
import pytest
from skimage.measure import marching_cubes

from dask_napari.coerce import coerce, coerce_all
from dask_napari.model import Refusal

VERTICES = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]], "f4")
FACES = np.array([[0, 1, 2], [1, 2, 3]])
MESH = SimpleNamespace(vertices=VERTICES, faces=FACES)


def surface(value, **given):
    return coerce(value, kind="surface", **given)


@pytest.mark.parametrize(
    "value",
    [
        (VERTICES, FACES),
        [VERTICES, FACES],
        (VERTICES.tolist(), FACES.tolist()),
        MESH,
        {"vertices": VERTICES, "faces": FACES},
        ((VERTICES, FACES), {"name": "cell"}, "surface"),
    ],
)
def test_vertices_and_faces(value):
    item = surface(value)
    np.testing.assert_array_equal(item.data, VERTICES)
    np.testing.assert_array_equal(item.arrays["faces"], FACES)
    assert list(item.arrays) == ["faces"]


def test_values():
    for value in (
        (VERTICES, FACES, range(4)),
        {"vertices": VERTICES, "faces": FACES, "values": [0, 1, 2, 3]},
    ):
        value = tuple(map(np.asarray, value)) if isinstance(value, tuple) else value
        assert surface(value).arrays["values"].tolist() == [0, 1, 2, 3]


def test_marching_cubes():
    ball = np.linalg.norm(np.indices((9, 9, 9)) - 4, axis=0)
    item = surface(marching_cubes(ball, 3))
    assert item.data.shape[1] == 3
    assert item.arrays["values"].shape == (len(item.data),)


def test_quadrangles_become_triangles():
    item = surface((VERTICES, [[0, 1, 3, 2]]))
    assert item.arrays["faces"].tolist() == [[0, 1, 3], [0, 3, 2]]


def test_meshes_side_by_side():
    for value in ([MESH, MESH], [(VERTICES, FACES), (VERTICES, FACES)], {"a": MESH, "b": MESH}):
        assert len({item.part for item in coerce_all(value, kind="surface")}) == 2


def test_no_surface_at_all():
    item = surface((np.zeros((0, 3)), np.zeros((0, 3), int)))
    assert item.data.shape == (0, 3)
    assert item.arrays["faces"].shape == (0, 3)
    assert surface(([], [])).data.shape == (0, 3)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ((VERTICES, FACES + 2), "faces"),
        ((VERTICES, FACES - 9), "faces"),
        ((VERTICES, FACES * 1.0), "faces"),
        ((VERTICES, FACES[:, :2]), "faces"),
        ((VERTICES, FACES, [1.0, 2.0]), "values"),
        ((VERTICES[:, 0], FACES), "dimensions"),
        ((VERTICES * np.nan, FACES), "not finite"),
        (VERTICES, "not a surface"),
        (None, "not a surface"),
        ({"vertices": [[0, 0, 0]], "faces": [[0, "a", 0]]}, "faces"),
    ],
)
def test_what_is_no_surface(value, reason):
    with pytest.raises(Refusal) as refusal:
        surface(value)
    assert refusal.value.reason == reason
