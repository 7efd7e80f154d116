"""The command ``dask-napari``."""

from dask_napari.cli.app import main

__all__ = ["main"]
