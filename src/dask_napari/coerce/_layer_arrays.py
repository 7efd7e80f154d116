"""Layer arrays, and the context in which the makers of each kind produce them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dask_napari.model import AnyArray, Calibration, Kind

Note = Callable[[str], object]
"""Takes a text on how the shown layer differs from the output; without figures, since equal texts
are reported once."""


def _ignore(text: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class CoercionContext:
    """Knowledge of an output from outside of its data.

    Attributes
    ----------
    rgb : bool, optional
        Whether the last axis is colour; None to guess it.
    features : object
        Table that came with the data, None without one.
    meta : mapping
        Arguments of napari's layer that came with the data: ``shape_type``, ``graph`` ...
    position_axes : frozenset of str
        Axes of the position; a column of such a name is a feature, not a coordinate.
    empty_ndim : int
        Number of coordinates of an element, for outputs without elements.
    note : callable
        See :data:`Note`.
    """

    rgb: bool | None = None
    features: object = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    position_axes: frozenset[str] = frozenset()
    empty_ndim: int = 2
    note: Note = _ignore

    def without_features(self) -> CoercionContext:
        """Return the context for a second layer out of the same data."""
        return replace(self, features=None)


@dataclass(slots=True)
class LayerArrays:
    """Arrays of one item; see :class:`~dask_napari.model.Item` for their form in each kind.

    Attributes
    ----------
    kind : Kind
        Type of the layer.
    data : numpy.ndarray
        Pixels or coordinates.
    arrays : dict of str to numpy.ndarray
        Features, faces, types ...
    spatial_ndim : int
        Number of axes that a calibration describes.
    rgb : bool
        Whether the last axis of ``data`` is colour.
    calibration : Calibration
        Axes and pixel sizes that the output knows.
    time_first : bool
        Whether the first axis is time even if the axes have no names.
    suffix : str
        Appended to the name of a second layer out of the same data.
    """

    kind: Kind
    data: AnyArray
    arrays: dict[str, AnyArray] = field(default_factory=dict)
    spatial_ndim: int = 2
    rgb: bool = False
    calibration: Calibration = field(default_factory=Calibration)
    time_first: bool = False
    suffix: str = ""

    def __len__(self) -> int:
        """Return the number of elements: points, shapes, rows of tracks ..."""
        return len(self.arrays["types"]) if self.kind == "shapes" else len(self.data)
