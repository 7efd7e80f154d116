"""Arrays of the value that stands where nothing has arrived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def filled(shape: Sequence[int], dtype: np.dtype[Any], value: float) -> npt.NDArray[Any]:
    """Return an array of a value, or of 0 where the type cannot hold the value.

    A whole number is one as a float, too, as which it comes over the wire.

    >>> filled((2,), np.dtype("uint8"), 7.0).tolist(), filled((2,), np.dtype("uint8"), -1).tolist()
    ([7, 7], [0, 0])
    """
    if float(value).is_integer():
        value = int(value)
    fill = np.array(value)
    if not fill or not np.can_cast(np.min_scalar_type(value), dtype, "same_kind"):
        return np.zeros(shape, dtype)
    return np.full(shape, fill.astype(dtype), dtype)
