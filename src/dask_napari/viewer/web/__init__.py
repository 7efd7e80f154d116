"""A browser as the viewer's screen; knows neither napari nor Qt."""

from __future__ import annotations

from dask_napari.viewer.web._programs import MissingPrograms
from dask_napari.viewer.web._web_address import WebAddress, web_password
from dask_napari.viewer.web._web_screen import WebScreen

__all__ = ["MissingPrograms", "WebAddress", "WebScreen", "web_password"]
