"""``python -m dask_napari``: the commands of ``dask-napari``."""

from __future__ import annotations

from dask_napari.cli import main

if __name__ == "__main__":
    main(prog_name="python -m dask_napari")
