"""What the coordinates of an ``xarray.DataArray`` say: position, pixel size, units.

xarray is never imported: an output can be a ``DataArray`` only where its task imported it.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from dask_napari.stream.item import Calibration, Coordinate


def is_labelled(value: object) -> bool:
    """Return whether a value is an ``xarray.DataArray``.

    Parameters
    ----------
    value : object
        A task output.
    """
    xarray = sys.modules.get("xarray")
    # xarray loads its parts lazily: while another thread imports it, the class may be missing.
    labelled = getattr(xarray, "DataArray", None)
    return labelled is not None and isinstance(value, labelled)


def position_of(array: Any) -> dict[str, Coordinate]:
    """Return the scalar coordinates of a ``DataArray``, in their order; empty of others.

    Parameters
    ----------
    array : object
        A task output.

    Examples
    --------
    >>> import xarray as xr
    >>> plane = xr.DataArray([[0, 1]], dims=("y", "x"), coords={"well": "A01", "t": 3})
    >>> position_of(plane)
    {'well': 'A01', 't': 3}
    """
    if not is_labelled(array):
        return {}
    scalars = ((str(name), coord.values) for name, coord in array.coords.items() if not coord.ndim)
    found = ((name, _scalar(value)) for name, value in scalars)
    return {name: value for name, value in found if value is not None}


def calibration_of(array: Any, spatial: int) -> Calibration:
    """Return what the dimension coordinates of a ``DataArray`` say of its pixels.

    Coordinates that are not numbers or not evenly spaced say nothing of their axis, which
    then counts pixels.

    Parameters
    ----------
    array : xarray.DataArray
        A task output.
    spatial : int
        How many of its leading axes are spatial; a colour axis is not.
    """
    dims = tuple(array.dims[:spatial])
    steps = [_spacing(array.coords[dim].values) if dim in array.coords else None for dim in dims]
    units = [_unit(array, dim) for dim in dims]
    axes = tuple(map(str, dims))
    if not any(step is not None for step in steps):
        return Calibration(axes=axes)
    return Calibration(
        axes=axes,
        scale=tuple(1.0 if step is None else step[0] for step in steps),
        translate=tuple(0.0 if step is None else step[1] for step in steps),
        # An axis that says nothing counts pixels, and must not be given the others' unit.
        units=tuple(
            unit if unit and step is not None else "pixel"
            for unit, step in zip(units, steps, strict=True)
        )
        if any(units)
        else (),
    )


def _scalar(value: Any) -> Coordinate | None:
    """Return a scalar coordinate as text or a number; None for one that says nothing."""
    if value.dtype.kind in "mM":
        return None if np.isnat(value) else str(value)
    plain = value.item()
    if isinstance(plain, bool):
        return str(plain)
    if isinstance(plain, float) and not math.isfinite(plain):
        return None
    return plain if isinstance(plain, int | float | str) else None


def _spacing(values: Any) -> tuple[float, float] | None:
    """Return step and first value of evenly spaced coordinates, None of any others."""
    if values.ndim != 1 or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        return None
    values = values.astype(float)
    if len(values) == 1:
        return 1.0, float(values[0])
    step = (values[-1] - values[0]) / (len(values) - 1)
    # Rounded coordinates ("0.32, 0.65, 0.97") are meant to be even: a hundredth of a pixel.
    if step == 0 or not np.allclose(np.diff(values), step, rtol=1e-2, atol=0):
        return None
    return float(step), float(values[0])


def _unit(array: Any, dim: Any) -> str:
    attrs = array.coords[dim].attrs if dim in array.coords else {}
    return str(attrs.get("units", attrs.get("unit", "")))
