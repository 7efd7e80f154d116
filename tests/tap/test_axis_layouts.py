"""What a tap is told of its axes becomes layouts, or is refused at the call."""

import numpy as np
import pytest
import yaml

from dask_napari.model import PLATE_GUTTER, PLATES, LayerSpec, Layout
from dask_napari.stream.wire.messages import Taps, decode_from_publisher, encode
from dask_napari.tap import Axis, channels, mosaic
from dask_napari.tap._axis_layouts import axes_by_name


@pytest.mark.parametrize("wells", PLATES)
def test_plates(wells):
    assert mosaic("well", plate=wells, gutter=0) == Axis("well", "mosaic", Layout(plate=wells))
    assert mosaic("well", plate=wells).layout.gutter == PLATE_GUTTER


@pytest.mark.parametrize(
    ("arguments", "layout"),
    [
        ({}, Layout()),
        ({"plate": 96, "gutter": 0}, Layout(plate=96)),
        ({"plate": 96, "gutter": 0.1}, Layout(plate=96, gutter=0.1)),
        ({"grid": (2, 3)}, Layout(rows=2, columns=3)),
        ({"grid": [None, 3], "order": "column"}, Layout(columns=3, order="column")),
        ({"grid": (2, None), "order": "meander"}, Layout(rows=2, order="snake")),
        ({"order": "column-snake"}, Layout(order="column-snake")),
        ({"order": "stage"}, Layout(order="stage")),
        ({"places": {1: (0, 5), "b": [1.5, -2]}}, Layout(places={"1": (0, 5), "b": (1.5, -2)})),
        ({"places": {1: np.array([1, 2])}}, Layout(places={"1": (1, 2)})),
    ],
)
def test_mosaics(arguments, layout):
    assert mosaic("field", **arguments) == Axis("field", "mosaic", layout)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"plate": 95}, "plate=95 is not a plate; give one of 6, 12, 24, 48, 96, 384, 1536"),
        ({"plate": True}, "plate=True"),
        ({"plate": 96, "grid": (2, 2)}, "plate= and grid= both place"),
        ({"plate": 96, "order": "row"}, "plate= and order= both place"),
        ({"places": {1: (0, 0)}, "order": "stage"}, "places= and order='stage' both place"),
        ({"grid": (2, 2), "order": "stage"}, "order='stage' and grid= both place"),
        ({"order": "spiral"}, "order='spiral' is not one of"),
        ({"order": "snak"}, "did you mean 'snake'"),
        ({"grid": 3}, "give .rows, columns."),
        ({"grid": (1, 2, 3)}, "give .rows, columns."),
        ({"grid": (0, 2)}, "from 1 on"),
        ({"grid": (2.5, 2)}, "whole numbers"),
        ({"gutter": -0.1}, "is negative"),
        ({"gutter": "wide"}, "gutter"),
        ({"gutter": 0.1, "order": "stage"}, "gutter="),
        ({"places": {}}, "places="),
        ({"places": [(0, 0)]}, "places="),
        ({"places": {1: (0, 0, 0)}}, r"place of 1 is \(0, 0, 0\); give \(y, x\)"),
        ({"places": {1: "ab"}}, "place of 1"),
        ({"places": {1: (0, float("nan"))}}, "place of 1.*finite"),
    ],
)
def test_what_a_mosaic_cannot_be(arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        mosaic("field", **arguments)


def test_channels_by_coordinate_and_by_name():
    axis = channels(
        "channel",
        names={1: "DAPI", 2: "actin", "x": "Cy5", 4: "?"},
        colors={"DAPI": "cyan", 2: "#00ff00"},
    )
    assert axis.mode == "layer"
    assert axis.layout.names == {"1": "DAPI", "2": "actin", "x": "Cy5", "4": "?"}
    colors = axis.layout.colors
    assert [colors.get(value) for value in ("1", "2", "x", "4")] == [
        "cyan",
        "#00ff00",
        "magenta",
        None,
    ]


def test_the_colour_of_a_coordinate_wins_over_that_of_its_name():
    axis = channels("c", names={1: "DAPI"}, colors={"DAPI": "red", 1: "green"})
    assert axis.layout.colors["1"] == "green"


def test_channels_that_are_named_by_their_coordinates():
    colors = channels("channel", colors={"GFP": "yellow"}).layout.colors
    assert (colors["DAPI"], colors["dapi"], colors["488"]) == ("blue", "blue", "green")
    assert colors["GFP"] == "yellow"


def test_channels_of_ome_metadata():
    xml = (
        '<OME><Image><Pixels><Channel Name="DNA" Color="-16776961"/><Channel Name="GFP"/>'
        '<Channel Color="65535"/></Pixels></Image></OME>'
    )
    layout = channels("channel", ome=xml, first=1).layout
    assert layout.names == {"1": "DNA", "2": "GFP"}
    assert [layout.colors[value] for value in "123"] == ["#ff0000", "green", "#0000ff"]
    assert layout.colors["DNA"] == "#ff0000"
    over = channels("channel", {0: "nuclei"}, {"nuclei": "white"}, ome=xml).layout
    assert (over.names["0"], over.colors["0"], over.names["1"]) == ("nuclei", "white", "GFP")


def test_a_list_of_names_starts_at_first():
    assert channels("c", ["DAPI", "GFP"], first=1).layout.names == {"1": "DAPI", "2": "GFP"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"names": "DAPI"}, "names='DAPI'"),
        ({"names": {1: 3}}, "3 cannot name a channel"),
        ({"names": {1: ""}}, "'' cannot name a channel"),
        ({"colors": "blue"}, "colors='blue'"),
        ({"colors": {1: "#12"}}, "'#12' is unknown"),
        ({"colors": {1: (1, 0, 0)}}, "give a name such as 'blue'"),
        ({"ome": 3}, "OME-XML as text, not a int"),
        ({"ome": "plate.ome.tif"}, "not OME-XML"),
        ({"first": "1"}, "first='1'"),
    ],
)
def test_what_channels_cannot_be(arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        channels("channel", **arguments)


@pytest.mark.parametrize("make", [mosaic, channels])
@pytest.mark.parametrize("axis", ["", None, 3])
def test_an_axis_has_a_name(make, axis):
    with pytest.raises(TypeError, match="is not a name"):
        make(axis)


WELLS = mosaic("well", plate=96)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {}),
        ({}, {}),
        (WELLS, {"well": WELLS}),
        ("t", {"t": Axis("t")}),
        (["t", WELLS], {"t": Axis("t"), "well": WELLS}),
        ((WELLS,), {"well": WELLS}),
        ({"t": "slider", "well": WELLS}, {"t": Axis("t"), "well": WELLS}),
        (
            {"well": "mosaic", "c": "layer"},
            {"well": Axis("well", "mosaic"), "c": Axis("c", "layer")},
        ),
        ({"t": {}}, {"t": Axis("t")}),
        ({"c": {"mode": "layer"}}, {"c": Axis("c", "layer")}),
    ],
)
def test_ways_to_name_axes(given, expected):
    assert axes_by_name(given) == expected
    assert list(axes_by_name(given)) == list(expected)
    assert axes_by_name(axes_by_name(given)) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"well": "mosaik"}, "mode 'mosaik' of 'well'"),
        ({"well": ["mosaic"]}, "mode"),
        ({"field": WELLS}, "'field' is given the layout of axis 'well'"),
        ([WELLS, "well"], "'well' is given twice"),
        ([3], "3 cannot be used"),
        (3, "axes=3"),
        ({3: "slider"}, "axis 3 is not a name"),
        ({"well": {"plate": 96}}, "say mode: mosaic"),
        ({"well": {"mode": "mosaic", "plates": 96}}, "'well'.*plates"),
        ({"well": {"mode": "mosaic", "plate": 5}}, "plate=5"),
    ],
)
def test_axes_that_cannot_be(given, words):
    with pytest.raises((TypeError, ValueError), match=words):
        axes_by_name(given)


def test_axes_of_a_configuration_file():
    text = """
      well: {mode: mosaic, plate: 384}
      field: {mode: mosaic, grid: [2, null], order: meander, gutter: 0.05}
      channel: {mode: layer, names: {1: DAPI, 2: tubulin}, colors: {tubulin: "#00ff00"}}
      t: slider
    """
    assert axes_by_name(yaml.safe_load(text)) == {
        "well": mosaic("well", plate=384),
        "field": mosaic("field", grid=(2, None), order="snake", gutter=0.05),
        "channel": channels("channel", {1: "DAPI", 2: "tubulin"}, {"tubulin": "#00ff00"}),
        "t": Axis("t"),
    }


def test_layouts_come_through_the_wire_as_they_are():
    axes = [
        mosaic("field", places={1: (0.5, 2)}),
        channels("channel", {1: "DAPI"}),
        mosaic("well", plate=96, gutter=0.1),
    ]
    layouts = {axis.name: axis.layout for axis in axes}
    header = LayerSpec("raw", "image", layouts=layouts)
    decoded = decode_from_publisher(encode(Taps([header])))
    assert decoded.layers[0].layouts == layouts
