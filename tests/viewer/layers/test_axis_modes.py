"""What a tap says of its axes, seen in the viewer: real napari on a virtual screen."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import napari
import numpy as np
import pytest

from dask_napari.model import PLATES, Item, Provenance, well
from dask_napari.tap import Tap, channels, mosaic
from dask_napari.viewer.layers import Layers

NAME = "P1_{well}_s{field:d}_w{channel:d}.tif"


@pytest.fixture
def window() -> Iterator[napari.Viewer]:
    viewer = napari.Viewer()
    yield viewer
    viewer.close()


def fill(window, tap, names, size=(8, 8)):
    """Put an image for each name, its value the number of the name, from 1."""
    layers = Layers(window)
    for value, name in enumerate(names, 1):
        position = tap.place(name, None, (name,))
        data = np.full(size, value, np.uint8)
        layers.put(Item(tap.layer, "image", data, position, Provenance(name)), tap.spec())
    layers.update(0.0, force=True)


def whole(window, layer):
    return np.asarray(window.layers[layer]._slice.image.raw)


@pytest.mark.parametrize("wells", PLATES)
def test_plates_of_taps_are_those_of_the_viewer(wells):
    layout = mosaic("well", plate=wells).layout
    assert well("A01", layout.plate) == (0, 0)


def test_wells_lie_on_the_plate_and_fields_in_the_well(window):
    tap = Tap(
        "read",
        layer="raw",
        at="P1_{well}_s{field:d}.tif",
        axes=[mosaic("well", plate=6, gutter=0), mosaic("field", grid=(2, 2), order="meander")],
    )
    wells, fields = ("A01", "B03"), (1, 2, 3, 4)
    names = [f"P1_{name}_s{field}.tif" for name, field in itertools.product(wells, fields)]
    fill(window, tap, names)
    shown = whole(window, "raw")
    assert shown.shape == (2 * 16, 3 * 16)
    # A meander: 1 2 above 4 3.
    assert shown[:16:8, :16:8].tolist() == [[1, 2], [4, 3]]
    assert shown[16::8, 32::8].tolist() == [[5, 6], [8, 7]]
    assert not shown[:16, 16:].any()


def test_channels_are_layers_with_their_names_and_colours(window):
    axis = channels("channel", {1: "DAPI", 2: "actin"}, {"actin": "#ff8800"})
    tap = Tap("read", layer="raw", at=NAME, axes=axis)
    fill(window, tap, ["P1_A01_s1_w1.tif", "P1_A01_s1_w2.tif"])
    colours = {layer.name: layer.colormap.name for layer in window.layers}
    assert colours == {"raw [DAPI]": "blue", "raw [actin]": "#ff8800"}
    assert {layer.blending for layer in window.layers} == {"additive"}


def test_channels_named_by_file_names_have_their_usual_colours(window):
    tap = Tap("read", layer="raw", at="{well}_{channel}.tif", axes=channels("channel"))
    fill(window, tap, ["A01_DAPI.tif", "A01_mCherry.tif", "A01_488.tif"])
    colours = {layer.name: layer.colormap.name for layer in window.layers}
    assert colours == {"raw [DAPI]": "blue", "raw [mCherry]": "red", "raw [488]": "green"}


def test_channels_of_ome_metadata_have_its_colours(window):
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels>'
        '<Channel Name="DNA" Color="-7864065"/><Channel Name="GFP"/></Pixels></Image></OME>'
    )
    axis = channels("channel", ome=xml, first=1)
    tap = Tap("read", layer="raw", at=NAME, axes=axis)
    fill(window, tap, ["P1_A01_s1_w1.tif", "P1_A01_s1_w2.tif"])
    colours = {layer.name: layer.colormap.name for layer in window.layers}
    assert colours == {"raw [DNA]": "#ff8800", "raw [GFP]": "green"}


def test_fields_lie_where_the_stage_was(window):
    places = {1: (100, 100), 2: (100, 108), 3: (116, 100)}
    tap = Tap("read", layer="raw", at="{well}_s{field:d}.tif", axes=mosaic("field", places=places))
    fill(window, tap, [f"A01_s{field}.tif" for field in places])
    shown = whole(window, "raw")
    assert shown.shape == (24, 16)
    assert [shown[0, 0], shown[0, 8], shown[16, 0], shown[8, 8]] == [1, 2, 3, 0]
