"""The tasks of ``dask-napari demo``: pictures that are made, not taken; see the examples for those.

In a module of the package, so that workers can import them.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

SIDE = 256


def expose(name: str, seconds: float = 0.05) -> npt.NDArray[np.uint16]:
    """Make a field of round cells in noise; the same name gives the same field."""
    time.sleep(seconds)
    random = np.random.default_rng(list(name.encode()))
    y, x = np.mgrid[:SIDE, :SIDE]
    field: npt.NDArray[Any] = np.full((SIDE, SIDE), 200.0)
    for cy, cx, radius, light in random.uniform(
        (10, 10, 6, 400), (SIDE - 10, SIDE - 10, 14, 2000), (20, 4)
    ):
        distance = np.hypot(y - cy, x - cx) / radius
        field += light * np.exp(-(distance**4))
    return random.poisson(field).astype(np.uint16)


def segment(field: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Mark what is bright.

    >>> int(segment(np.array([[0, 900]], "uint16")).sum())
    1
    """
    return (field > 500).astype(np.uint8)
