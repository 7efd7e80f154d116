"""Make a plate of microscope images from a real one that scikit-image ships.

The source is ``ihc.png``: colon tissue under a brightfield microscope, nuclei stained blue
with haematoxylin, the FHL2 protein brown with DAB. Unmixing the two stains gives two
channels. Each field is a random, rotated window of the source, with the uneven illumination,
the offset and the shot noise of a camera.
"""

from __future__ import annotations

import importlib.resources
import os
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.io import imread

Image = npt.NDArray[np.uint16]

NAME = "{plate}_{well}_s{field}_w{channel}.tif"
CHANNELS = {1: "haematoxylin", 2: "DAB"}
ROWS, COLUMNS = "ABCDEFGH", 12
_OFFSET, _FULL_WELL = 200, 4000


def shipped(name: str) -> Path:
    """Return the path of an image inside the installed scikit-image; nothing is downloaded.

    Parameters
    ----------
    name : str
        File name, for instance ``"ihc.png"``.
    """
    # Not skimage.data.ihc(): that goes through a downloader and a cache in the home directory.
    path = Path(str(importlib.resources.files("skimage"))) / "data" / name
    if not path.is_file():
        raise FileNotFoundError(f"this scikit-image ships no {name}; install scikit-image >= 0.22")
    return path


def well_names(count: int) -> list[str]:
    """Return the names of a block of wells with the proportions of a 96-well plate, 2 to 3.

    Parameters
    ----------
    count : int
        Number of wells, 1 to 96.

    Examples
    --------
    >>> well_names(6)
    ['A01', 'A02', 'A03', 'B01', 'B02', 'B03']
    """
    most = len(ROWS) * COLUMNS
    if not 1 <= count <= most:
        raise ValueError(f"{count} wells do not fit a 96-well plate; give 1 to {most}")
    wide = next(c for c in range(1, COLUMNS + 1) if c * ((2 * c + 2) // 3) >= count)
    return [f"{ROWS[i // wide]}{i % wide + 1:02d}" for i in range(count)]


def stains() -> npt.NDArray[np.float32]:
    """Return the unmixed stains of the source image, shape (2, y, x), 0 to about 1."""
    mixed = rgb2hed(imread(shipped("ihc.png")))[..., [0, 2]]
    planes = np.moveaxis(mixed, -1, 0)
    high = np.percentile(planes, 99.5, axis=(1, 2), keepdims=True)
    return (np.clip(planes, 0, None) / high).astype(np.float32)


def expose(source: npt.NDArray[np.float32], size: int, seed: int) -> list[Image]:
    """Return the channels of one field as a camera would have taken them.

    Parameters
    ----------
    source : numpy.ndarray
        Output of :func:`stains`.
    size : int
        Pixels along each side.
    seed : int
        Seed of the random numbers; equal seeds give equal fields.
    """
    random = np.random.default_rng(seed)
    angle = random.uniform(0, 2 * np.pi)
    # Twofold magnification makes a nucleus some 25 pixels wide, as through a 20x lens.
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / 2
    reach = size * 0.36
    low, high = reach, source.shape[-1] - reach
    place = random.uniform(low, high, 2) if low < high else np.full(2, source.shape[-1] / 2)
    start = place - turn @ (np.full(2, size) / 2)
    y, x = (np.mgrid[:size, :size] - random.normal(size / 2, size / 10, (2, 1, 1))) / size
    light = 1 - 1.1 * (x**2 + y**2)
    images = []
    for plane, brightness in zip(source, random.uniform(0.7, 1.0, len(source)), strict=True):
        seen = ndimage.affine_transform(
            plane, turn, start, (size, size), order=1, mode="reflect", prefilter=False
        )
        photons = random.poisson(_FULL_WELL * np.clip(light, 0.1, 1) * (0.12 + brightness * seen))
        images.append((photons + random.normal(_OFFSET, 8, photons.shape)).astype(np.uint16))
    return images


def make_plate(
    folder: Path, wells: int = 12, fields: int = 4, size: int = 512, plate: str = "P1"
) -> list[Path]:
    """Write the missing images, and return the paths of all.

    Parameters
    ----------
    folder : Path
        Parent of the plate's folder.
    wells, fields : int
        Number of wells, and of fields per well.
    size : int
        Pixels along each side.
    plate : str
        Name of the plate; it seeds the random numbers.
    """
    if fields < 1:
        raise ValueError(f"fields={fields} is too small; give at least 1")
    home = folder / f"{plate}-{size}px"
    home.mkdir(parents=True, exist_ok=True)
    source = stains()
    paths: list[Path] = []
    for well in well_names(wells):
        for field in range(1, fields + 1):
            place = {"plate": plate, "well": well, "field": field}
            site = [home / NAME.format(**place, channel=channel) for channel in CHANNELS]
            paths += site
            if all(path.exists() for path in site):
                continue
            seed = zlib.crc32(f"{plate} {well} {field}".encode())
            for path, image in zip(site, expose(source, size, seed), strict=True):
                # Rename only complete files: an interrupted run must not leave half an image.
                partial = path.with_suffix(".part")
                tifffile.imwrite(partial, image, resolution=(1 / 0.325, 1 / 0.325))
                os.replace(partial, path)
    return paths
