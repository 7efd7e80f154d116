"""Contrast limits that follow the data until the user sets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari.layers import Image


PERCENTILES: Final = (0.5, 99.8)
"""Of a block, so that a few hot or dead pixels do not decide for all."""

SAMPLES: Final = 64
"""Pixels looked at along each axis of a block; enough for percentiles, some 50 us."""

TOLERANCE: Final = 0.02
"""Share of the range by which limits must change to be worth a redraw."""


class RunningContrast:
    """Range of the values that have arrived on one layer.

    >>> contrast = RunningContrast()
    >>> contrast.extend(contrast.measure(np.array([[0, 10], [5, 20]])))
    >>> low, high = contrast.limits
    >>> low < 1, high > 19
    (True, True)
    """

    def __init__(self, *, fixed: bool = False) -> None:
        self._low = np.inf
        self._high = -np.inf
        self._applied: tuple[float, float] | None = None
        self.fixed = fixed
        """Whether the user, or who made the tap, has set limits."""
        self._ours = False

    def __repr__(self) -> str:
        return f"<RunningContrast {self.limits}{', fixed' if self.fixed else ''}>"

    def measure(self, block: npt.NDArray[Any]) -> tuple[float, float] | None:
        """Return limits that fit a block alone; None if there are none, or the limits are fixed."""
        if self.fixed:
            return None
        steps = tuple(slice(None, None, max(1, length // SAMPLES)) for length in block.shape)
        sample = np.asarray(block[steps], dtype=float)
        sample = sample[np.isfinite(sample)]
        if not sample.size:
            return None
        low, high = np.percentile(sample, PERCENTILES)
        return float(low), float(high)

    def extend(self, limits: tuple[float, float] | None) -> None:
        """Take the limits of a measured block into account."""
        if limits is not None:
            self._low, self._high = min(self._low, limits[0]), max(self._high, limits[1])

    @property
    def limits(self) -> tuple[float, float]:
        """Limits that fit what was observed."""
        if self._low > self._high:
            return 0.0, 1.0
        # napari wants a range that is not empty.
        return self._low, self._high if self._high > self._low else self._low + 1.0

    def attach(self, layer: Image) -> None:
        """Watch a layer for limits that the user sets."""
        self._applied = self.limits
        layer.events.contrast_limits.connect(self._on_changed)

    def _on_changed(self) -> None:
        if not self._ours:
            self.fixed = True

    def apply(self, layer: Image) -> None:
        """Set the limits on a layer if they have changed enough to be seen."""
        if self.fixed:
            return
        low, high = self.limits
        if self._applied is not None:
            then_low, then_high = self._applied
            tolerance = TOLERANCE * (then_high - then_low)
            if abs(low - then_low) <= tolerance and abs(high - then_high) <= tolerance:
                return
        self._ours = True
        try:
            layer.contrast_limits = (low, high)
        finally:
            self._ours = False
        self._applied = low, high
