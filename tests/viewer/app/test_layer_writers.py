"""Saving of layers that are live, by napari's *Save Selected Layers*."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import tifffile
import yaozarrs
import zarr
from napari._app_model import get_app_model

from dask_napari.model import Calibration, Item
from dask_napari.record import Record
from dask_napari.viewer.layers._points_stream import PointsStream
from dask_napari.viewer.layers._shapes_stream import ShapesStream

PICTURES = np.arange(2 * 5 * 8 * 9, dtype=np.uint16).reshape(2, 5, 8, 9)


def pictures(name: str = "img", kind: str = "image") -> list[Item]:
    calibration = Calibration(("y", "x"), (0.5, 0.5), (0.0, 0.0), ("micrometer", "micrometer"))
    places = [(w, t) for w in range(2) for t in range(5) if (w, t) != (1, 1)]
    return [
        Item(name, kind, PICTURES[at], {"well": at[0], "t": at[1]}, calibration=calibration)
        for at in places
    ]


def spots(well: str, n: int) -> Item:
    columns = {"feature:size": np.arange(n) / 2, "feature:type": np.array(["a", "b"] * n)[:n]}
    return Item("spots", "points", np.arange(2.0 * n).reshape(n, 2), {"well": well}, arrays=columns)


@pytest.fixture
def save(viewer, tmp_path):
    """Save layers by napari, and return the path."""

    def save(name: str, *layers: str, plugin: str | None = None):
        viewer.layers.selection = {viewer.layers[each] for each in layers}
        path = tmp_path / name
        assert viewer.layers.save(str(path), selected=True, plugin=plugin) == [str(path)]
        return path

    return save


def test_images_as_ome_zarr(save, put):
    put(*pictures(), *pictures("lab", "labels"))
    path = save("a.zarr", "img", "lab")
    record = Record(path)
    assert record.closed
    assert len(record) == 18
    for image in record.images():
        yaozarrs.validate_zarr_store(str(path / image))
    for item in record.items():
        assert np.array_equal(item.data, PICTURES[item.position["well"], item.position["t"]])
        assert item.calibration.units == ("micrometer", "micrometer")
    save("a.zarr", "img")  # again, over it
    assert len(Record(path)) == 9


def test_a_folder_of_other_things_is_left_alone(save, put, viewer, tmp_path):
    put(*pictures())
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "notes.txt").write_text("x")
    with pytest.raises(OSError, match=r"mine\.zarr"):
        save("mine.zarr", "img")
    assert (tmp_path / "mine.zarr" / "notes.txt").read_text() == "x"


@pytest.mark.parametrize("plugin", ["dask-napari", None])
def test_images_as_tiff(save, put, viewer, plugin):
    put(*pictures(), *pictures("lab", "labels"))
    assert np.array_equal(
        tifffile.imread(save("a.tif", "img", plugin=plugin)), viewer.layers["img"].data
    )
    labels = tifffile.imread(save("b.tif", "lab", plugin=plugin))
    assert np.array_equal(labels, viewer.layers["lab"].data)


def test_a_pyramid_as_tiff_and_ome_zarr(save, put):
    large = np.random.default_rng(1).integers(0, 200, (64, 5000), np.uint8)
    put(Item("large", "image", large, {"t": 0}))
    for name in ("a.ome.tif", "b.tif"):
        found = tifffile.imread(save(name, "large", plugin="dask-napari"))
        assert np.array_equal(found.squeeze(), large)
    (line,) = Record(path := save("a.zarr", "large")).lines
    assert np.array_equal(zarr.open_array(str(path / line.image), mode="r")[0], large)


def test_elements_as_a_table(save, put, monkeypatch):
    monkeypatch.setattr(PointsStream, "limit", 3)  # the layer holds what is in view only
    put(spots("A01", 3), spots("B02", 2))
    with save("a.csv", "spots", plugin="dask-napari").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["well"] for row in rows] == ["A01"] * 3 + ["B02"] * 2
    assert rows[4] == {"well": "B02", "y": "2.0", "x": "3.0", "size": "0.5", "type": "b"}
    assert len(Record(save("a.zarr", "spots"))) == 2
    with save("b.csv", "spots").open() as file:  # by napari's own writer
        assert [row["size"] for row in csv.DictReader(file)] == ["0.0", "0.5", "1.0", "0.0", "0.5"]


def test_all_of_a_layer_is_duplicated(viewer, put, monkeypatch):
    monkeypatch.setattr(PointsStream, "limit", 3)
    monkeypatch.setattr(ShapesStream, "limit", 1)
    arrays = {"offsets": np.array([0, 3]), "types": np.array([0]), "feature:n": np.array([5])}
    vertices = np.array([[1, 1], [1, 5], [5, 1.0]])
    put(
        *(spots("A01", 3), spots("B02", 2)),
        *(Item("cells", "shapes", vertices, {"well": w}, arrays=arrays) for w in ("A01", "B02")),
    )
    for name, count in (("spots", 5), ("cells", 2)):
        assert len(viewer.layers[name].data) < count
        viewer.layers.selection = {viewer.layers[name]}
        get_app_model().commands.execute_command("napari.layer.duplicate").result()
        copied = viewer.layers[f"{name} copy"]
        assert len(copied.data) == len(copied.features) == count


def test_shapes_and_tracks_as_a_table(save, put):
    arrays = {"offsets": np.array([0, 3, 7]), "types": np.array([0, 1])}
    arrays["feature:area"] = np.array([8.0, 9.0])
    vertices = np.array([[1, 1], [1, 5], [5, 1], [1, 1], [1, 4], [4, 4], [4, 1.0]])
    tracks = np.array([[1, 0, 2, 3], [1, 1, 3, 4], [2, 0, 5, 6.0]])
    put(
        Item("cells", "shapes", vertices, {"well": "A01"}, arrays=arrays),
        Item("paths", "tracks", tracks, {"well": "A01"}),
    )
    with save("a.csv", "cells", plugin="dask-napari").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["type"] for row in rows] == ["polygon"] * 3 + ["rectangle"] * 4
    assert [row["area"] for row in rows] == ["8.0"] * 3 + ["9.0"] * 4
    with save("b.csv", "paths").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {"well": "A01", "track": "1.0", "t": "1.0", "y": "3.0", "x": "4.0"}


def test_layers_that_are_not_live(save, put, viewer):
    viewer.add_image(PICTURES, name="plain", scale=(1, 1, 2, 2))
    viewer.add_points([[1.0, 2.0, 3.0]], name="mine", features={"n": [4]})
    (line,) = Record(path := save("a.zarr", "plain")).lines
    assert np.array_equal(zarr.open_array(str(path / line.image), mode="r")[:], PICTURES)
    with save("a.csv", "mine", plugin="dask-napari").open() as file:
        assert next(csv.DictReader(file))["n"] == "4"
