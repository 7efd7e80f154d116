"""What users install: the manifest that napari reads, the types, and imports that stay apart."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from importlib.resources import files

import pytest
from npe2 import PluginManifest


def test_the_manifest_is_valid_and_its_widget_exists():
    (entry,) = [e for e in entry_points(group="napari.manifest") if e.name == "dask-napari"]
    module, name = entry.value.split(":")
    manifest = PluginManifest.from_file(str(files(module) / name))
    assert manifest.display_name == "Dask live"
    assert [widget.display_name for widget in manifest.contributions.widgets] == ["Dask live"]
    command = manifest.contributions.commands[0].python_name
    module, function = command.split(":")
    assert callable(getattr(__import__(module, fromlist=[function]), function))


@pytest.mark.parametrize("name", ["py.typed", "dask_napari.yaml"])
def test_data_files_are_there(name):
    assert (files("dask_napari") / name).is_file()


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("dask_napari.sink", ["napari", "qtpy", "PyQt6"]),
        ("dask_napari.live", ["napari", "qtpy", "PyQt6"]),
        ("dask_napari.preload", ["napari", "qtpy", "PyQt6"]),
        ("dask_napari.stream", ["napari", "qtpy", "dask", "distributed"]),
        ("dask_napari.canvas", ["napari", "qtpy", "dask", "distributed", "zmq"]),
        ("dask_napari.tap", ["napari", "qtpy", "distributed"]),
        (
            "dask_napari.coerce",
            ["pandas", "polars", "shapely", "roifile", "skimage", "xarray"],
        ),
        ("dask_napari.viewer.__main__", ["distributed"]),
        ("dask_napari.record", ["napari", "qtpy", "PyQt6", "dask", "distributed"]),
        ("dask_napari.fiji", ["napari", "qtpy", "PyQt6", "zarr", "dask", "distributed"]),
        ("dask_napari.cli", ["napari", "qtpy", "zarr", "distributed", "rich", "typer"]),
    ],
)
def test_imports_point_one_way(module, strangers):
    ask = f"import sys, {module}; print([m for m in {strangers!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
