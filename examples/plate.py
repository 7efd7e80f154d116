"""Watch a high-content screen while it runs: read, correct, segment, measure.

Run it with ``python examples/plate.py``. The first run makes the images from a real one that
scikit-image ships; see ``plate_data.py``. Without a screen, run
``xvfb-run -a python examples/plate.py --screenshot demo.png``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from dask.distributed import Client, Future, LocalCluster
from scipy import ndimage
from skimage import feature, filters, measure, morphology, segmentation

import dask_napari as dn
from plate_data import make_plate

Array = npt.NDArray[Any]

IMAGE = "{plate}_{well}_s{field:d}_w{channel:d}"
SITE = "{plate}_{well}_s{field:d}"
STAINS = dn.channels(
    "channel",
    names={1: "haematoxylin", 2: "DAB"},
    colors={"haematoxylin": "#4090ff", "DAB": "#ffa040"},
)
NUCLEI, MARKER = 1, 2
PIXEL = 0.325
"""Micrometres."""


def read(path: Path) -> Array:
    """Load one image file.

    Parameters
    ----------
    path : Path
        A TIFF file.
    """
    return tifffile.imread(path)


def correct(image: Array) -> npt.NDArray[np.float32]:
    """Even out the illumination and subtract the background.

    Parameters
    ----------
    image : numpy.ndarray
        Raw camera image.
    """
    smooth = ndimage.gaussian_filter(image.astype(np.float32), 1.5)
    # The darkest part of each neighbourhood is background; a coarse grid is enough.
    floor = ndimage.percentile_filter(smooth[::8, ::8], 10, size=15)
    floor = ndimage.zoom(ndimage.gaussian_filter(floor, 4), 8, order=1)
    floor = floor[: image.shape[0], : image.shape[1]]
    return np.clip(smooth / np.maximum(floor, 1) - 1, 0, None)


def segment(nuclei: Array) -> npt.NDArray[np.uint16]:
    """Find the nuclei and number them.

    Parameters
    ----------
    nuclei : numpy.ndarray
        Corrected image of the nuclear stain.
    """
    smooth = filters.gaussian(nuclei, 2)
    local = filters.threshold_local(smooth, 101, offset=0)
    mask = (smooth > local) & (smooth > 0.6 * filters.threshold_otsu(smooth))
    mask = morphology.remove_small_objects(ndimage.binary_opening(mask, iterations=2), max_size=120)
    inside = filters.gaussian(ndimage.distance_transform_edt(mask), 1.5)
    peaks = feature.peak_local_max(inside, min_distance=7, labels=measure.label(mask))
    seeds = np.zeros(mask.shape, np.uint16)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return segmentation.watershed(-inside, seeds, mask=mask).astype(np.uint16)


def quantify(cells: Array, marker: Array) -> dict[str, Array]:
    """Measure size and marker intensity of every cell.

    Parameters
    ----------
    cells : numpy.ndarray
        Output of :func:`segment`.
    marker : numpy.ndarray
        Corrected image of the marker.
    """
    columns = ("label", "centroid", "area", "eccentricity", "mean_intensity")
    return measure.regionprops_table(cells, marker, properties=columns)


def main() -> int:
    """Run the screen; return the exit status."""
    arguments = parse_arguments()
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        print(
            "plate.py: no display to open napari on; try\n"
            "  xvfb-run -a python examples/plate.py --screenshot demo.png",
            file=sys.stderr,
        )
        return 2
    images = make_plate(arguments.data, arguments.wells, arguments.fields)
    print(f"{len(images)} images in {images[0].parent}")
    with (
        LocalCluster(n_workers=arguments.workers, threads_per_worker=1) as cluster,
        Client(cluster) as client,
        dn.watch(client) as live,
    ):
        for tap in make_taps(arguments.wells, arguments.fields):
            live.tap(tap)

        futures = run(client, images)
        tables = futures["tables"]
        report({future.key: future.result() for future in tables})

        print(live.wait())
        if arguments.screenshot:
            print(f"screenshot: {live.screenshot(arguments.screenshot)}")
        if arguments.stay:
            print("napari stays open; close its window to end")
            live.block()
    return 0


def make_taps(wells: int, fields: int) -> list[dn.Tap]:
    """Return what is shown of the pipeline: images, cells, and one point per cell.

    Parameters
    ----------
    wells, fields : int
        Number of wells, and of fields per well.
    """
    plate = layout(wells, fields)
    micrometres: dict[str, Any] = {"scale": PIXEL, "units": "micrometer"}
    stain = dn.Tap("correct", layer="stain", at=IMAGE, axes=[*plate, STAINS], **micrometres)
    cells = dn.Tap(
        "segment",
        kind="labels",
        layer="cells",
        at=SITE,
        axes=plate,
        options={"opacity": 0.25},
        **micrometres,
    )
    marker = dn.Tap(
        "quantify",
        kind="points",
        layer="marker",
        at=SITE,
        axes=plate,
        options={
            "face_color": "mean_intensity",
            "face_colormap": "viridis",
            "face_contrast_limits": [0, 1],
            "size": 12,
            "border_width": 0,
        },
        **micrometres,
    )
    return [stain, cells, marker]


def layout(wells: int, fields: int) -> list[dn.Axis]:
    """Return the layout of the plate: its wells, and the fields of each well in a square.

    Parameters
    ----------
    wells, fields : int
        Number of wells, and of fields per well.
    """
    size = next(size for size in (6, 12, 24, 48, 96) if size >= wells)
    return [dn.mosaic("well", plate=size), dn.mosaic("field", grid=(None, ceil(fields**0.5)))]


def run(client: Client, images: list[Path]) -> dict[str, list[Future]]:
    """Submit the pipeline; return the futures of each stage.

    Tasks that read get their position from the file name among their arguments. Later tasks get
    outputs of other tasks, so their keys contain the name of the image. As long as a future is
    held, a viewer that starts late or falls behind still gets its output.

    Parameters
    ----------
    client : dask.distributed.Client
        Client of the cluster.
    images : list of Path
        Files named as in :mod:`plate_data`.
    """
    names = [path.stem for path in images]
    raw = client.map(read, images)
    corrected = client.map(correct, raw, key=[f"correct-{name}" for name in names])
    planes = dict(zip(names, corrected, strict=True))
    sites = list(dict.fromkeys(name.rpartition("_w")[0] for name in names))
    nuclei = [planes[f"{site}_w{NUCLEI}"] for site in sites]
    marker = [planes[f"{site}_w{MARKER}"] for site in sites]
    cells = client.map(segment, nuclei, key=[f"segment-{site}" for site in sites])
    tables = client.map(quantify, cells, marker, key=[f"quantify-{site}" for site in sites])
    return {"raw": raw, "corrected": corrected, "cells": cells, "tables": tables}


def report(tables: dict[str, dict[str, Array]]) -> None:
    """Print one line per well.

    Parameters
    ----------
    tables : dict
        Measurements per site, by the key of their task.
    """
    wells: dict[str, list[dict[str, Array]]] = defaultdict(list)
    for key, table in tables.items():
        wells[key.split("_")[1]].append(table)
    print(f"{'well':>5} {'cells':>6} {'area':>9} {'marker':>7}")
    for well, sites in wells.items():
        area = np.concatenate([table["area"] for table in sites]) * PIXEL**2
        marker = np.concatenate([table["mean_intensity"] for table in sites])
        if len(area):
            print(f"{well:>5} {len(area):>6} {area.mean():>6.1f} µm² {marker.mean():>6.2f}")
        else:
            print(f"{well:>5} {0:>6}")


def parse_arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Parameters
    ----------
    given : list of str, optional
        Arguments; by default those of the process.
    """
    parser = argparse.ArgumentParser(description="Watch a high-content screen in napari.")
    parser.add_argument("--wells", type=int, default=12, help="wells, 1 to 96 (default: 12)")
    parser.add_argument("--fields", type=int, default=4, help="fields per well (default: 4)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (default: 2)")
    parser.add_argument(
        "--data", type=Path, default=Path("demo-data"), help="folder of the images (demo-data)"
    )
    parser.add_argument(
        "--screenshot", type=Path, metavar="PATH", help="save a picture when all is shown"
    )
    parser.add_argument(
        "--stay",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep napari open at the end (default: unless --screenshot is given)",
    )
    arguments = parser.parse_args(given)
    for name, most in (("wells", 96), ("fields", 100), ("workers", 64)):
        if not 1 <= getattr(arguments, name) <= most:
            parser.error(f"--{name} must be 1 to {most}, not {getattr(arguments, name)}")
    if arguments.stay is None:
        arguments.stay = arguments.screenshot is None
    return arguments


if __name__ == "__main__":
    sys.exit(main())
