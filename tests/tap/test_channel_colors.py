"""Colours of channels, by their names and by OME metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_napari.tap._channel_colors import (
    KNOWN,
    checked_color,
    color_of,
    colors_by_spelling,
    ome_channels,
)

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def ome(*channels, namespace=NAMESPACE):
    inside = "".join(f"<Channel {channel}/>" for channel in channels)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{namespace}"><Image><Pixels>{inside}'
        '</Pixels></Image><Image><Pixels><Channel Name="of another image"/></Pixels></Image></OME>'
    )


@pytest.mark.parametrize(
    ("name", "color"),
    [
        ("DAPI", "blue"),
        ("dapi - dapi", "blue"),
        ("Hoechst 33342", "blue"),
        ("Alexa Fluor 488", "green"),
        ("H2B_mCherry", "red"),
        ("Texas Red", "red"),
        ("Cy5", "magenta"),
        ("Cy5.5", "pink"),
        ("laser-640", "magenta"),
        ("phase", "gray"),
        ("channel 3", ""),
        ("", ""),
        ("adapis", ""),
    ],
)
def test_usual_colours(name, color):
    assert color_of(name) == color


@given(st.sampled_from(sorted(KNOWN)), st.sampled_from([str, str.lower, str.upper]))
def test_a_known_name_has_its_colour_however_it_is_written(name, written):
    assert color_of(written(name)) == colors_by_spelling()[written(name)] == KNOWN[name]


@given(st.text())
def test_any_name_has_a_colour_or_none(name):
    assert color_of(name) in {"", *KNOWN.values()}


def test_every_usual_colour_is_one_that_napari_knows():
    colormaps = pytest.importorskip("napari.utils.colormaps")
    for color in {*KNOWN.values(), "#12ab9f"}:
        assert colormaps.ensure_colormap(color) is not None


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_ome_colours_are_signed_integers_of_red_green_blue_alpha(red, green, blue, alpha):
    number = int.from_bytes(bytes([red, green, blue, alpha]), "big", signed=True)
    xml = ome(f'ID="Channel:0:0" Name="a" Color="{number}"')
    assert ome_channels(xml) == [("a", f"#{red:02x}{green:02x}{blue:02x}")]


def test_ome_channels_in_order_of_the_first_image_with_what_is_missing():
    xml = ome('Name="GFP" Color="16711935"', 'Fluor="DAPI"', 'ID="Channel:0:2"')
    assert ome_channels(xml) == [("GFP", "#00ff00"), ("DAPI", ""), ("", "")]
    assert ome_channels(ome('Name="GFP"', namespace="urn:older")) == [("GFP", "")]


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><OME><Image><Pixels>'
    '<Channel Name="&b;"/></Pixels></Image></OME>'
)
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><OME>&a;</OME>'


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        ("", "not OME-XML"),
        ("/data/plate.ome.tif", "not OME-XML"),
        ("<OME></Image>", "not OME-XML"),
        (BOMB, "not OME-XML"),
        (FILE, "not OME-XML"),
        ("<OME/>", "no Image with a Channel"),
        (ome('Name="a" Color="green"'), "Color='green'"),
    ],
)
def test_xml_that_cannot_be_used_is_refused(xml, words):
    with pytest.raises(ValueError, match=words):
        ome_channels(xml)


@pytest.mark.parametrize("color", ["#12345", "#12345g", "", "#", "1blue", 3, None, (1, 0, 0)])
def test_what_is_no_colour_is_refused(color):
    with pytest.raises((TypeError, ValueError), match="give a name such as 'blue'"):
        checked_color(color)
