"""Track galaxies in a time-lapse of z-stacks while the stacks are taken.

The galaxies come from scikit-image's picture of the Hubble Deep Field. They circle the centre, and
move up and down. Each frame is a stack; the example links its brightest spots with those of the
previous frame, so tracks grow frame by frame. Run it with ``python examples/tracks.py``.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dask.distributed import Client, Future, wait
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from skimage.color import rgb2gray
from skimage.feature import peak_local_max
from skimage.io import imread

import dask_napari as dn
from plate_data import shipped

Array = npt.NDArray[Any]

FRAME = "{}-t{t:d}"
SIDE, DEPTH, Z_STEP = 320, 15, 4.0
"""Pixels, planes, and pixels between planes."""

COUNT, CUT = 40, 9
"""Number of galaxies, and pixels on each side of a galaxy's centre."""

REACH = 12.0
"""Pixels that a spot may move from one frame to the next."""


@cache
def galaxies() -> list[Array]:
    """Return pictures of bright galaxies, of equal brightness."""
    sky = rgb2gray(imread(shipped("hubble_deep_field.jpg"))).astype(np.float32)
    smooth = ndimage.gaussian_filter(sky, 2)
    found = peak_local_max(smooth, min_distance=20, exclude_border=CUT, num_peaks=COUNT)
    fade = np.hypot(*np.mgrid[-CUT : CUT + 1, -CUT : CUT + 1]) < CUT
    cuts = [sky[y - CUT : y + CUT + 1, x - CUT : x + CUT + 1] * fade for y, x in found]
    return [cut / cut.max() for cut in cuts]


def places(t: int) -> Array:
    """Return z, y and x of all galaxies in a frame.

    Parameters
    ----------
    t : int
        Number of the frame.
    """
    # Golden-angle spacing keeps galaxies apart; outer ones move more slowly.
    radius = (SIDE / 2 - 15) * np.sqrt(np.linspace(0.02, 1, COUNT))
    angle = 2.4 * np.arange(COUNT) + 5 * t / (radius + 30)
    z = DEPTH / 2 + DEPTH / 3 * np.sin(np.arange(COUNT) + t / 10)
    return np.stack([z, SIDE / 2 + radius * np.sin(angle), SIDE / 2 + radius * np.cos(angle)], 1)


def take(t: int) -> npt.NDArray[np.uint8]:
    """Return the stack of one frame, with the noise of a camera.

    Parameters
    ----------
    t : int
        Number of the frame.
    """
    stack = np.full((DEPTH, SIDE, SIDE), 0.02, np.float32)
    for cut, (z, y, x) in zip(galaxies(), places(t), strict=True):
        top, left = int(y), int(x)
        focus = np.exp(-(((np.arange(DEPTH) - z) / 3) ** 2))
        window = slice(top - CUT, top + CUT + 1), slice(left - CUT, left + CUT + 1)
        seen = ndimage.shift(cut, (y - top, x - left), order=1)
        stack[:, *window] += focus[:, None, None] * seen
    photons = np.random.default_rng(t).poisson(100 * stack)
    return np.clip(2 * photons, 0, 255).astype(np.uint8)


def detect(stack: npt.NDArray[np.uint8]) -> dict[str, Array]:
    """Return the positions and the brightness of a stack's bright spots.

    Parameters
    ----------
    stack : numpy.ndarray
        Output of :func:`take`.
    """
    smooth = ndimage.gaussian_filter(stack.astype(np.float32), (1, 2, 2))
    spots = peak_local_max(smooth, min_distance=4, threshold_abs=25, exclude_border=False)
    z, y, x = spots.T
    return {"z": z, "y": y, "x": x, "brightness": smooth[z, y, x]}


def link(before: dict[str, Array] | None, spots: dict[str, Array], t: int) -> dict[str, Array]:
    """Return a frame's spots with tracks: the nearest spot's in the previous frame, or new ones.

    Parameters
    ----------
    before : dict of str to numpy.ndarray, optional
        Output of this function for the previous frame.
    spots : dict of str to numpy.ndarray
        Output of :func:`detect`.
    t : int
        Number of the frame.
    """
    count = len(spots["z"])
    tracks, speed, first = np.full(count, -1), np.zeros(count), 1
    if before is not None:
        first = before["next"].max(initial=1)
        steps = cdist(_pixels(before), _pixels(spots))
        old, new = linear_sum_assignment(np.minimum(steps, REACH))
        near = steps[old, new] < REACH
        old, new = old[near], new[near]
        tracks[new], speed[new] = before["track_id"][old], steps[old, new]
    fresh = tracks < 0
    tracks[fresh] = first + np.arange(fresh.sum())
    last = np.full(count, first + fresh.sum())
    return {"track_id": tracks, "frame": np.full(count, t), **spots, "speed": speed, "next": last}


def _pixels(spots: dict[str, Array]) -> Array:
    return np.stack([spots["z"] * Z_STEP, spots["y"], spots["x"]], axis=1)


def run(client: Client, frames: int) -> list[Future]:
    """Submit the pipeline; return the futures of all stacks and tracks.

    Parameters
    ----------
    client : dask.distributed.Client
        Client of the cluster.
    frames : int
        Number of frames.
    """
    futures, linked = [], None
    for t in range(frames):
        stack = client.submit(take, t, key=f"take-t{t}")
        spots = client.submit(detect, stack, key=f"detect-t{t}")
        linked = client.submit(link, linked, spots, t, key=f"link-t{t}")
        futures += [stack, linked]
    return futures


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=40, help="frames (default: 40)")
    parser.add_argument("--screenshot", type=Path, help="save a picture and end")
    arguments = parser.parse_args()
    pixels = {"scale": (Z_STEP, 1, 1)}
    with Client(n_workers=2, threads_per_worker=1) as client, dn.watch(client) as live:
        live.tap("take", layer="stack", at=FRAME, **pixels)
        live.tap(
            "link",
            kind="tracks",
            layer="tracks",
            at=FRAME,
            options={"color_by": "speed", "colormap": "turbo", "tail_length": 20, "tail_width": 4},
            **pixels,
        )
        futures = run(client, arguments.frames)
        wait(futures)
        print(live.wait())
        if arguments.screenshot:
            print(f"screenshot: {live.screenshot(arguments.screenshot)}")
        else:
            print(f"{arguments.frames} frames shown; close napari's window to end")
            live.block()


if __name__ == "__main__":
    main()
