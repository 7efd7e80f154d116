"""Contrast limits of colours that stand for a feature; they follow the data until set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dask_napari.viewer.napari_internals import color_feature

if TYPE_CHECKING:
    from napari.layers import Layer


class FeatureLimits:
    """Range of the feature that a colour of a layer stands for.

    ``colour`` is ``"face"``, ``"border"`` or ``"edge"``; limits among the layer's ``options`` are
    left alone.
    """

    def __init__(self, colour: str, options: dict[str, Any]) -> None:
        self.colour = colour
        self.fixed = f"{colour}_contrast_limits" in options
        """Whether the user, or who made the tap, has set limits."""
        wanted = options.get(f"{colour}_color")
        self._wanted = wanted if isinstance(wanted, str) else None
        self._feature: str | None = None
        self._low = np.inf
        self._high = -np.inf
        self._applied: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return f"<FeatureLimits of {self.colour}: {self._feature!r} {self._applied}>"

    def follow(self, layer: Layer) -> None:
        """Bring the limits of a layer in line with its features."""
        self._colour(layer)
        if self.fixed or str(getattr(layer, f"{self.colour}_color_mode")) != "colormap":
            return
        feature = color_feature(layer, self.colour)
        if feature is None or feature not in layer.features:
            return
        name = f"{self.colour}_contrast_limits"
        now = getattr(layer, name)
        if feature != self._feature:
            self._feature, self._applied = feature, None
            self._low, self._high = np.inf, -np.inf
        elif self._applied is not None and now is not None and tuple(now) != self._applied:
            self.fixed = True  # by the user's hand
            return
        values = np.asarray(layer.features[feature], dtype=float)
        values = values[np.isfinite(values)]
        if not len(values):
            return
        self._low = min(self._low, float(values.min()))
        self._high = max(self._high, float(values.max()))
        high = self._high if self._high > self._low else self._low + 1.0
        if self._applied != (self._low, high):
            setattr(layer, name, (self._low, high))
            layer.refresh_colors() if hasattr(layer, "refresh_colors") else layer.refresh()
        self._applied = tuple(map(float, getattr(layer, name)))  # type: ignore[assignment]

    def make_way(self, layer: Layer, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the colours of numbers away before a feature becomes text: napari would raise."""
        feature = color_feature(layer, self.colour)
        column = None if feature is None else columns.get(feature)
        if column is None or column.dtype.kind in "biuf":
            return
        name = f"{self.colour}_color_mode"
        if str(getattr(layer, name)) == "colormap":
            setattr(layer, name, "direct")
            self._wanted = feature

    def _colour(self, layer: Layer) -> None:
        """Colour by the feature that was asked for, if it has come only now."""
        if self._wanted is None or not len(layer.features):
            return
        if self._wanted in layer.features:
            if str(getattr(layer, f"{self.colour}_color_mode")) == "direct":
                setattr(layer, f"{self.colour}_color", self._wanted)
            self._wanted = None
