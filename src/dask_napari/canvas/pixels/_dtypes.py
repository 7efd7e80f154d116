"""Types of elements: those that a canvas takes, and the type that holds them all."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dask_napari.model import Refusal


def storable(block: npt.NDArray[Any], *, labels: bool) -> npt.NDArray[Any]:
    """Return a block in a type that a canvas keeps; a copy only where it must be.

    Elements that cannot be shown as an image, or as labels, raise a Refusal.

    Examples
    --------
    >>> import numpy as np
    >>> storable(np.array([[True]]), labels=False).dtype
    dtype('uint8')
    """
    kinds = "biu" if labels else "biuf"
    if block.dtype.kind not in kinds:
        remedy = "labels are integers" if labels else "images are integers or floats"
        raise Refusal("dtype", f"item of type {block.dtype} cannot be shown: {remedy}")
    if block.dtype.kind == "b":
        return block.view(np.uint8)
    if not block.dtype.isnative:
        return block.astype(block.dtype.newbyteorder("="))
    return block


def promote(known: np.dtype[Any] | None, new: np.dtype[Any], *, labels: bool) -> np.dtype[Any]:
    """Return the type that holds elements of both.

    Labels stay integers, also where numpy would go to floats (``uint64`` with a signed type).

    Examples
    --------
    >>> import numpy as np
    >>> promote(np.dtype("uint8"), np.dtype("int8"), labels=True)
    dtype('int16')
    >>> promote(np.dtype("uint64"), np.dtype("int8"), labels=True)
    dtype('int64')
    """
    if known is None or known == new:
        return new
    both = np.result_type(known, new)
    return np.dtype(np.int64) if labels and both.kind not in "iu" else both
