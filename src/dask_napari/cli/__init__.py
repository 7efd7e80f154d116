"""The command ``dask-napari``.

Written with click, which Dask brings along: a worker's installation carries no other toolkit.
"""

from __future__ import annotations

from dask_napari.cli._app import main

__all__ = ["main"]
