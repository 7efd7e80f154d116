"""Taps: which task outputs are streamed, as what, onto which layer, at which position. Pure."""

from __future__ import annotations

from dask_napari.model import Policy
from dask_napari.tap._axis_layouts import Axis, AxisLayouts, channels, mosaic
from dask_napari.tap._placing import At
from dask_napari.tap._tap import Select, Tap
from dask_napari.tap._tap_options import ShowOptions, TapOptions
from dask_napari.tap._tap_set import TapSet

__all__ = [
    "At",
    "Axis",
    "AxisLayouts",
    "Policy",
    "Select",
    "ShowOptions",
    "Tap",
    "TapOptions",
    "TapSet",
    "channels",
    "mosaic",
]
