"""Calibration: where the pixels of an item lie in the world."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where the pixels of an item lie in the world.

    The tuples describe the *spatial* axes of the array, in array order (an RGB axis has no
    entry). An empty tuple means "not known".

    Attributes
    ----------
    axes : tuple of str
        Names, for instance ``("z", "y", "x")``.
    scale : tuple of float
        Pixel size along each axis, in ``units``.
    translate : tuple of float
        World coordinate of the centre of pixel 0, in ``units``.
    units : tuple of str
        Unit names that napari (pint) understands, for instance ``"micrometer"``.
    """

    axes: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    translate: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
