"""Filter a large image and show each chunk while ``to_zarr`` writes it.

The image is scikit-image's retina, in grey and repeated. ``map_overlap`` gives each chunk a rim of
its neighbours. ``live.watch`` shows each chunk in its place, and no chunk waits in memory. Run the
example with ``python examples/dask_array.py``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from dask.distributed import Client
from scipy.ndimage import minimum_filter
from skimage.color import rgb2gray
from skimage.filters import sato
from skimage.io import imread

import dask_napari as dn
from plate_data import shipped

RIM = 32
"""Pixels of its neighbours that a chunk needs: about four times the filter's widest scale."""


def vessels(block: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return how much each pixel looks like part of a blood vessel.

    Parameters
    ----------
    block : numpy.ndarray
        A chunk of the image, with its rim.
    """
    # The edge of the eye would be brighter than all vessels.
    inside = minimum_filter(block, 17) > 0.05
    return (sato(block, sigmas=range(1, 9, 2)) * inside).astype(np.float32)


def retina(tiles: int, chunk: int) -> da.Array:
    """Return the image, repeated along both axes, in chunks.

    Parameters
    ----------
    tiles : int
        Number of repeats along each axis.
    chunk : int
        Pixels along each side of a chunk.
    """
    eye = rgb2gray(imread(shipped("retina.jpg"))).astype(np.float32)
    return da.tile(da.from_array(eye), (tiles, tiles)).rechunk(chunk)


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=2, help="repeats a side (default: 2)")
    parser.add_argument("--chunk", type=int, default=512, help="pixels a side (default: 512)")
    parser.add_argument("--store", type=Path, help="where to write; a temporary folder otherwise")
    parser.add_argument("--screenshot", type=Path, help="save a picture and end")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Client(n_workers=2, threads_per_worker=1) as client,
        dn.watch(client) as live,
    ):
        image = live.watch(retina(arguments.tiles, arguments.chunk), layer="retina")
        found = image.map_overlap(vessels, depth=RIM, boundary="reflect", dtype=np.float32)
        found = live.watch(
            found, layer="vessels", options={"colormap": "magma", "blending": "additive"}
        )
        store = arguments.store or Path(folder) / "vessels.zarr"
        found.to_zarr(str(store), overwrite=True)
        print(live.wait())
        if arguments.screenshot:
            print(f"screenshot: {live.screenshot(arguments.screenshot)}")
        else:
            print(f"written to {store}; close napari's window to end")
            live.block()


if __name__ == "__main__":
    main()
