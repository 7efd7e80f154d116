"""What passes between the modules that make items: hints in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dask_napari.model import AnyArray, Calibration, Kind

Note = Callable[[str], None]
"""Takes a text on what is shown otherwise than it was returned; without figures, since equal
texts are reported once."""


def _ignore(text: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known of a value from outside of it.

    Attributes
    ----------
    rgb : bool, optional
        Whether the last axis is colour.
    features : object
        A table that belongs to it, None if there is none.
    given : mapping
        Arguments of napari's layer that came with it: ``shape_type``, ``graph`` ...
    taken : frozenset of str
        Axes that its position names; a column of that name is a feature then.
    ndim : int
        Number of coordinates of an output that is empty.
    note : callable
        Takes a text on what is shown otherwise than it was returned.
    """

    rgb: bool | None = None
    features: object = None
    given: Mapping[str, Any] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    ndim: int = 2
    note: Note = _ignore

    def without_features(self) -> Hints:
        """Return the hints for a second item out of the same value."""
        return replace(self, features=None)


@dataclass(slots=True)
class Coerced:
    """The arrays of one item; see :class:`~dask_napari.model._item.Item`.

    Attributes
    ----------
    kind : Kind
        The napari layer type.
    data : numpy.ndarray
        As in an item.
    arrays : dict of str to numpy.ndarray
        As in an item.
    spatial : int
        Number of axes that a calibration describes.
    rgb : bool
        Whether the last axis of ``data`` is colour.
    known : Calibration
        What the value says of its axes.
    beside : str
        What tells this item from its neighbour out of the same value; empty for the first.
    """

    kind: Kind
    data: AnyArray
    arrays: dict[str, AnyArray] = field(default_factory=dict)
    spatial: int = 2
    rgb: bool = False
    known: Calibration = field(default_factory=Calibration)
    beside: str = ""
