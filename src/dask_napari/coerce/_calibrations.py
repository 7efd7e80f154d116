"""Calibrations of items: joined from the tap, the layer's arguments and the output itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dask_napari.coerce._layer_arrays import LayerArrays, Note
from dask_napari.coerce._tables import clean
from dask_napari.model import Calibration, Conversion, Refusal, arguments, check_calibration

NOT_IN_SPACE: Final = frozenset({"t", "time", "frame", "c", "channel", "ch"})
"""Axes for which a pixel size that is given once does not hold."""

EMPTY: Final = Calibration()


def merged(of_tap: Calibration, of_meta: Calibration, made: LayerArrays) -> Calibration:
    """Return the calibration of an item; the tap wins over arguments, these over the output.

    >>> import numpy as np
    >>> of_output = Calibration(axes=("t", "y", "x"))
    >>> made = LayerArrays("points", np.zeros((1, 3)), spatial_ndim=3, calibration=of_output)
    >>> merged(Calibration(scale=(0.5,)), Calibration(), made).scale
    (1.0, 0.5, 0.5)
    """
    sources, ndim = (of_tap, of_meta, made.calibration), made.spatial_ndim
    if not made.time_first and all(source == EMPTY for source in sources):
        return EMPTY
    axes = next((source.axes for source in sources if source.axes), ())
    if axes and len(axes) != ndim:
        raise _wrong_length("axes", axes, ndim)
    if not axes and made.time_first:
        axes = ("t", *"zyx"[-(ndim - 1) :])

    def pick(name: str, neutral: Any) -> tuple[Any, ...]:
        entries: tuple[Any, ...]
        entries = next((getattr(source, name) for source in sources if getattr(source, name)), ())
        if len(entries) == 1:
            if not axes:
                return entries * ndim
            return tuple(neutral if axis.lower() in NOT_IN_SPACE else entries[0] for axis in axes)
        if made.time_first and len(entries) == ndim - 1:
            entries = (neutral, *entries)  # as given for the image to which the tracks belong
        if entries and len(entries) != ndim:
            raise _wrong_length(name, entries, ndim)
        return entries

    units = tuple(map(clean, pick("units", "pixel")))
    joined = Calibration(tuple(map(clean, axes)), pick("scale", 1.0), pick("translate", 0.0), units)
    check_calibration(joined)
    return joined


def drawable(known: Calibration, note: Note) -> Calibration:
    """Return the calibration of an output, without sizes that no viewer can draw.

    Coordinates may hold fill values or any other number; what a tap states is refused instead.

    >>> drawable(Calibration(("y", "x"), scale=(1e-300, 1e300)), lambda *text: print(text[0])).scale
    a pixel size that cannot be drawn is left out
    ()
    """
    try:
        check_calibration(known)
    except Refusal as error:
        note(Conversion.SIZE, f"{Conversion.SIZE}: {error}")
        return Calibration(known.axes)
    return known


def along(known: Calibration, axes: tuple[int, ...], ndim: int) -> Calibration:
    """Return a calibration along some of the axes of an array, for a part that has only these.

    An entry that holds for all axes stays, and so do entries for another number of axes.

    >>> along(Calibration(scale=(9.0, 0.5, 0.5), units=("um",)), (1, 2), 3).scale
    (0.5, 0.5)
    """
    if len(axes) == ndim or known == EMPTY:
        return known
    fields = {name: getattr(known, name) for name in ("axes", "scale", "translate", "units")}
    return Calibration(
        **{
            name: tuple(entries[axis] for axis in axes) if len(entries) == ndim else entries
            for name, entries in fields.items()
        }
    )


def _wrong_length(name: str, entries: tuple[Any, ...], ndim: int) -> Refusal:
    return Refusal(
        "calibration",
        f"{name}={entries} has {len(entries)} entries, but the array has {ndim} spatial axes; give"
        " one entry an axis, or one for all",
    )


def calibration_in(meta: Mapping[str, Any]) -> Calibration:
    """Return the calibration among the arguments of a layer-data tuple.

    >>> calibration_in({"scale": 0.5, "units": "um", "opacity": 1}).scale
    (0.5,)
    """
    if not meta:
        return EMPTY
    try:
        units = meta.get("units")
        if units is not None and not isinstance(units, str):
            units = [str(unit) for unit in units]
        scale = arguments.numbers("scale", meta.get("scale"))
        if not all(scale):
            raise ValueError(f"scale={scale} holds a zero; a pixel has some size")
        return Calibration(
            arguments.names("axis_labels", meta.get("axis_labels"), may_be_empty=True),
            scale,
            arguments.numbers("translate", meta.get("translate")),
            arguments.units(units),
        )
    except (TypeError, ValueError) as error:
        raise Refusal("calibration", str(error)) from error
