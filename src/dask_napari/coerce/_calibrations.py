"""The calibration of an item, of what the tap, the layer's arguments and the array say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dask_napari.coerce._coerced import Coerced
from dask_napari.coerce._text import clean
from dask_napari.model import Calibration, Refusal, arguments

NOT_IN_SPACE: Final = frozenset({"t", "time", "frame", "c", "channel", "ch"})
"""Axes for which a pixel size that is given once does not hold."""

NOTHING: Final = Calibration()


def merged(said: Calibration, told: Calibration, made: Coerced) -> Calibration:
    """Return the calibration of what was made.

    The tap wins over the arguments of the layer, and these win over the array.

    Examples
    --------
    >>> import numpy as np
    >>> known = Calibration(axes=("t", "y", "x"))
    >>> made = Coerced("points", np.zeros((1, 3)), spatial=3, known=known)
    >>> merged(Calibration(scale=(0.5,)), Calibration(), made).scale
    (1.0, 0.5, 0.5)
    """
    sources = (said, told, made.known)
    if made.kind != "tracks" and all(source == NOTHING for source in sources):
        return NOTHING
    axes = next((source.axes for source in sources if source.axes), ())
    if axes and len(axes) != made.spatial:
        raise _unfit("axes", axes, made.spatial)
    if not axes and made.kind == "tracks":
        axes = ("t", "z", "y", "x") if made.spatial == 4 else ("t", "y", "x")

    def pick(name: str, neutral: Any) -> tuple[Any, ...]:
        entry: tuple[Any, ...]
        entry = next((getattr(source, name) for source in sources if getattr(source, name)), ())
        if len(entry) == 1:
            if not axes:
                return entry * made.spatial
            return tuple(neutral if axis.lower() in NOT_IN_SPACE else entry[0] for axis in axes)
        if made.kind == "tracks" and len(entry) == made.spatial - 1:
            entry = (neutral, *entry)  # as the image has it, to which the tracks belong
        if entry and len(entry) != made.spatial:
            raise _unfit(name, entry, made.spatial)
        return entry

    units = tuple(map(clean, pick("units", "pixel")))
    return Calibration(tuple(map(clean, axes)), pick("scale", 1.0), pick("translate", 0.0), units)


def _unfit(name: str, entry: tuple[Any, ...], spatial: int) -> Refusal:
    return Refusal(
        "calibration",
        f"{name}={entry} has {len(entry)} entries, but the array has {spatial}"
        " spatial axes; give one entry an axis, or one for all",
    )


def of_meta(meta: Mapping[str, Any]) -> Calibration:
    """Return the calibration among the arguments of a layer.

    Examples
    --------
    >>> of_meta({"scale": 0.5, "units": "um", "opacity": 1}).scale
    (0.5,)
    """
    if not meta:
        return NOTHING
    try:
        units = meta.get("units")
        if units is not None and not isinstance(units, str):
            units = [str(unit) for unit in units]
        scale = arguments.numbers("scale", meta.get("scale"))
        if not all(scale):
            raise ValueError(f"scale={scale} holds a zero; a pixel has some size")
        return Calibration(
            arguments.axis_names(meta.get("axis_labels")),
            scale,
            arguments.numbers("translate", meta.get("translate")),
            arguments.units(units),
        )
    except (TypeError, ValueError) as error:
        raise Refusal("calibration", str(error)) from error
