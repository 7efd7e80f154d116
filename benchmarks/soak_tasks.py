"""Functions that run on the workers of the soak.

Functions of a module are sent by name; those of a script are sent as code with each batch, and
workers that load code again and again grow.
"""

from __future__ import annotations

import numpy as np
from dask.utils import key_split


def named(name: str) -> np.ndarray:
    """Return 32 KiB that identify their task."""
    return np.full((128, 128), int(name.split("-")[1]) % 60_000, np.uint16)


def fill_caches() -> None:
    """Fill Dask's cache of the names of 100 000 keys, which would grow for ten minutes."""
    for n in range(100_000):
        key_split(f"filler-00000000-0000-0000-0000-{n:012d}-0")
