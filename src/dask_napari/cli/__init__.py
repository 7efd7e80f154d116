"""The command ``dask-napari``."""

from __future__ import annotations

from dask_napari.cli._app import main

__all__ = [
    "main",
]
