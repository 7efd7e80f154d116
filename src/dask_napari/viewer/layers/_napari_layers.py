"""napari's layers of elements, with sliders as long as their axes whatever they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas  # noqa: F401 - napari loads it with its first table, for a second or two
from napari.layers import Points as _Points
from napari.layers import Shapes as _Shapes
from napari.layers import Surface as _Surface
from napari.layers import Tracks as _Tracks
from napari.layers import Vectors as _Vectors

Reach = Callable[[], npt.NDArray[np.float64]]
"""First and last index of the leading axes of a layer: ``(2, sliders)``."""


class Spanning:
    """A layer that reaches over all of the slider axes.

    napari makes a slider as long as what the layers hold. One that holds only the elements at
    the present step would take away the slider that leads to the others.
    """

    reach: Reach | None = None

    @property
    def _extent_data(self) -> npt.NDArray[np.float64]:
        extent: npt.NDArray[np.float64] = super()._extent_data  # type: ignore[misc]
        if self.reach is None:
            return extent
        leading = self.reach()
        if leading.shape[1] > extent.shape[1] - 2 and leading.shape[1]:
            return extent  # in the middle of a change of the number of axes
        extent = np.array(extent, dtype=float)
        extent[:, : leading.shape[1]] = leading
        return extent


# Under napari's own names, which its icons, plugins and files go by.


class Points(Spanning, _Points):  # type: ignore[misc]
    """Points."""

    def widen(self, ndim: int) -> None:
        """Take on another number of axes; napari has no public way to do so."""
        if ndim != self.ndim:
            data: npt.NDArray[Any] = self.data
            self._data = _with_axes(data, ndim)
            self._update_dims()


class Shapes(Spanning, _Shapes):  # type: ignore[misc]
    """Shapes."""

    _wider: int | None = None

    # napari tells the features of points and labels; for shapes it has them, but is silent.

    def get_status(self, position: Any = None, **where: Any) -> dict[str, str]:
        """What the status bar shows."""
        status: dict[str, str] = super().get_status(position, **where)
        if position is not None and (told := self._told(position, where)):
            for name in ("coordinates", "value"):
                status[name] += "; " + ", ".join(told)
        return status

    def _get_tooltip_text(self, position: Any, **where: Any) -> str:
        return "\n".join(self._told(position, where))

    def _told(self, position: Any, where: dict[str, Any]) -> list[str]:
        """The features of the shape at a position."""
        if not len(self.features.columns):
            return []
        where.pop("value", None)
        value = self.get_value(position, **where)
        shape = value[0] if isinstance(value, tuple) else value
        if shape is None or not 0 <= shape < len(self.features):
            return []
        row = self.features.iloc[int(shape)]
        return [f"{name}: {_text(each)}" for name, each in row.items() if each == each]

    def _get_ndim(self) -> int:
        return int(super()._get_ndim()) if self._wider is None else self._wider

    def widen(self, ndim: int) -> None:
        """Take on another number of axes; the shapes are gone then."""
        if ndim != self.ndim:
            self.data: Any = []
            self._wider = ndim
            self._update_dims()
            self._wider = None


class Vectors(Spanning, _Vectors):  # type: ignore[misc]
    """Vectors."""

    def widen(self, ndim: int) -> None:
        """Take on another number of axes."""
        if ndim != self.ndim:
            data: npt.NDArray[Any] = self.data
            self._data = _with_axes(data, ndim)
            self._update_dims()


class Surface(Spanning, _Surface):  # type: ignore[misc]
    """Surface."""


class Tracks(Spanning, _Tracks):  # type: ignore[misc]
    """Tracks, whose time may be any of the sliders."""

    now: Callable[[], float | None] | None = None
    """Where the viewer is on the axis of time, None for everywhere."""

    @property
    def current_time(self) -> Any:
        """Time up to which tracks are drawn."""
        if self.now is None:
            return super().current_time
        now = self.now()
        return self._manager.max_time if now is None else now


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _with_axes(data: npt.NDArray[Any], ndim: int) -> npt.NDArray[Any]:
    """Return data with zeros for new leading axes, or without some of them."""
    missing = ndim - data.shape[-1]
    if missing <= 0:
        return data[..., -missing:]
    pads = [(0, 0)] * (data.ndim - 1) + [(missing, 0)]
    return np.pad(data, pads)


Elements = Points | Shapes | Vectors | Surface | Tracks
