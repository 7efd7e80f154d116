"""Taps: which task outputs are streamed, as which kind, onto which layer, at which position."""

from __future__ import annotations

from dask_napari.model import Policy
from dask_napari.tap._axis_layouts import Axis, axes_by_name, channels, mosaic
from dask_napari.tap._call_costs import CallCosts
from dask_napari.tap._compiled_tap import CompiledTap
from dask_napari.tap._expected_items import expected_items, items_at
from dask_napari.tap._name_check import NameCheck
from dask_napari.tap._placement_rule import At
from dask_napari.tap._selectors import Select
from dask_napari.tap._tap import Tap
from dask_napari.tap._tap_options import ShowOptions, TapOptions
from dask_napari.tap._tap_set import TapSet

__all__ = [
    "At",
    "Axis",
    "CallCosts",
    "CompiledTap",
    "NameCheck",
    "Policy",
    "Select",
    "ShowOptions",
    "Tap",
    "TapOptions",
    "TapSet",
    "axes_by_name",
    "channels",
    "expected_items",
    "items_at",
    "mosaic",
]
