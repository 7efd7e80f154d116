"""What canvases of pixels and of elements have in common."""

from __future__ import annotations

from dataclasses import dataclass

from dask_napari.model import Coordinate

Signature = tuple[str, ...]
CanvasPlace = tuple[Signature, tuple[Coordinate, ...]]
"""Identity of a place on the sliders: axis names, and the coordinate on each."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one put did.

    Attributes
    ----------
    place : tuple
        Identity of the place on the sliders; see :meth:`Canvas.seen`.
    grew : bool
        Whether shape, number of axes or type of the canvas (or of its axes) changed.
    replaced : bool
        Whether an earlier block lay there.
    start, shape : tuple of int
        Where in space the block lies.
    """

    place: CanvasPlace
    grew: bool
    replaced: bool
    start: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
