"""Taps: which task outputs are streamed, as what, onto which layer, at which position. Pure."""

from __future__ import annotations

from dask_napari.placement import PlacementError
from dask_napari.stream.outbox import Policy
from dask_napari.tap.placing import At
from dask_napari.tap.tap import Select, Tap
from dask_napari.tap.taps import Taps

__all__ = ["At", "PlacementError", "Policy", "Select", "Tap", "Taps"]
