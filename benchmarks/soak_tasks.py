"""What runs on the workers of the soak; a module of its own, so that functions go by name.

Functions of a script are sent as code with each batch, and workers that load code again and again
grow.
"""

from __future__ import annotations

import numpy as np
from dask.utils import key_split


def named(name: str) -> np.ndarray:
    """32 KiB that tell which task made them."""
    return np.full((128, 128), int(name.split("-")[1]) % 60_000, np.uint16)


def fill_caches() -> None:
    """Dask remembers the names of the last 100 000 keys; that would grow for ten minutes."""
    for n in range(100_000):
        key_split(f"filler-00000000-0000-0000-0000-{n:012d}-0")
