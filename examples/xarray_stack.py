"""Show a time-lapse of z-stacks by the coordinates of xarray.

Each task returns an ``xarray.DataArray``. Its scalar coordinates, ``t`` and ``z``, give the
position, and the coordinates of its pixels give scale and units, so the tap needs no ``at=``.
Run it with ``python examples/xarray_stack.py``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr
from dask.distributed import Client, wait
from scipy import ndimage
from skimage.io import imread

import dask_napari as dn
from plate_data import shipped

PIXEL = 0.1
"""Micrometres."""


def acquire(path: Path, t: int, z: float) -> xr.DataArray:
    """Return one plane: a real cell in saline that drifts, blurred by defocus.

    Parameters
    ----------
    path : Path
        Image of the cell.
    t : int
        Number of the frame.
    z : float
        Distance from the focus, in micrometres.
    """
    cell = imread(path).astype(np.float32)
    seen = ndimage.gaussian_filter(
        ndimage.shift(cell, (-9 * t, -7 * t), mode="nearest"), 2 * abs(z)
    )
    y, x = (np.arange(length) * PIXEL for length in seen.shape)
    unit = {"units": "micrometer"}
    return xr.DataArray(
        seen.astype(np.uint8),
        dims=("y", "x"),
        coords={"t": t, "z": z, "y": ("y", y, unit), "x": ("x", x, unit)},
    )


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=12, help="frames (default: 12)")
    parser.add_argument("--screenshot", type=Path, help="save a picture and end")
    arguments = parser.parse_args()
    planes = [(t, z) for t in range(arguments.frames) for z in np.linspace(-3, 3, 7).tolist()]
    with Client(n_workers=2, threads_per_worker=1) as client, dn.watch(client) as live:
        live.tap("acquire", layer="cell")
        times, depths = zip(*planes, strict=True)
        futures = client.map(acquire, [shipped("cell.png")] * len(planes), times, depths)
        wait(futures)
        print(live.wait())
        if arguments.screenshot:
            print(f"screenshot: {live.screenshot(arguments.screenshot)}")
        else:
            print(f"{len(futures)} planes shown; close napari's window to end")
            live.block()


if __name__ == "__main__":
    main()
