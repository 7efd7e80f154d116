"""Coordinates of an ``xarray.DataArray``: position, pixel size, units.

xarray is never imported: an output can be a ``DataArray`` only where its task imported it.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from dask_napari.model import Calibration, Coordinate


@dataclass(frozen=True, slots=True)
class Size:
    """Pixel size along one axis: ``step`` is not 0, ``start`` is the centre of the first pixel."""

    step: float
    start: float = 0.0
    unit: str = ""


def loaded_class(module: str, name: str) -> type | None:
    """Return a class of a library that a task has imported, None otherwise.

    An output can be of a library only where its task imported that.

    >>> loaded_class("numpy", "ndarray") is np.ndarray, loaded_class("no_such_library", "Frame")
    (True, None)
    """
    # Libraries load their parts lazily: while another thread imports one, a class may be missing.
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None


def is_quantity(value: object) -> bool:
    """Return whether a value is a quantity of pint's, which warns where numpy reads it."""
    quantity = loaded_class("pint", "Quantity")
    return quantity is not None and isinstance(value, quantity)


def values_of(coordinate: Any) -> Any:
    """Return the values of a coordinate as a numpy array; of quantities, their magnitudes."""
    data = coordinate.data
    return np.asarray(data.magnitude) if is_quantity(data) else coordinate.values


def is_labelled(value: object) -> bool:
    """Return whether a value is an ``xarray.DataArray``."""
    data_array = loaded_class("xarray", "DataArray")
    return data_array is not None and isinstance(value, data_array)


def is_dataset(value: object) -> bool:
    """Return whether a value is an ``xarray.Dataset``."""
    dataset = loaded_class("xarray", "Dataset")
    return dataset is not None and isinstance(value, dataset)


def position_of(array: Any) -> dict[str, Coordinate]:
    """Return the scalar coordinates of a ``DataArray``, in their order; empty for other values."""
    if not is_labelled(array):
        return {}
    scalars = (
        (str(name), values_of(coord)) for name, coord in array.coords.items() if not coord.ndim
    )
    found = ((name, plain_scalar(value[()])) for name, value in scalars)
    return {name: value for name, value in found if value is not None}


def calibration_of(
    array: Any, spatial: int, sizes: Mapping[str, Size] | None = None
) -> Calibration:
    """Return the calibration of the leading axes of a ``DataArray`` by its coordinates.

    An axis counts pixels if its coordinates are not numbers or not evenly spaced. ``sizes`` are
    those in its attributes, by axis in lower case; coordinates win, unless they only count pixels.
    """
    dims = tuple(array.dims[:spatial])
    found = [_size(array, dim, (sizes or {}).get(str(dim).lower())) for dim in dims]
    axes = tuple(map(str, dims))
    if all(size is None for size in found):
        return Calibration(axes=axes)
    return Calibration(
        axes=axes,
        scale=tuple(1.0 if size is None else size.step for size in found),
        translate=tuple(0.0 if size is None else size.start for size in found),
        # An axis without a size counts pixels, and must not get the unit of the others.
        units=tuple(size.unit if size and size.unit else "pixel" for size in found)
        if any(
            (size and size.unit) or _unit(array, dim) for dim, size in zip(dims, found, strict=True)
        )
        else (),
    )


def _size(array: Any, dim: Any, of_attrs: Size | None) -> Size | None:
    """Return the pixel size along one axis, by its coordinates or else by the attributes."""
    if dim not in array.coords:
        return of_attrs
    coords = values_of(array.coords[dim])
    spacing = _spacing(coords)
    if spacing is None:
        return of_attrs
    unit = _unit(array, dim)
    if of_attrs is not None and not unit and spacing == (1.0, 0.0) and coords.dtype.kind in "iu":
        return of_attrs  # an index, not coordinates
    return Size(spacing[0], spacing[1], unit or (of_attrs.unit if of_attrs else ""))


def plain_scalar(value: Any) -> Coordinate | None:
    """Return a coordinate as text or a number; dates as text, None for missing values.

    >>> plain_scalar(np.datetime64("2013-01-01T06:00:00.000000000")), plain_scalar(np.float32(0.5))
    ('2013-01-01T06:00:00', 0.5)
    """
    plain = value if isinstance(value, np.datetime64 | np.timedelta64) else _item(value)
    if isinstance(plain, np.datetime64 | np.timedelta64):
        return None if np.isnat(plain) else _trimmed(str(plain))
    if isinstance(plain, bool):
        return str(plain)
    if isinstance(plain, float) and not math.isfinite(plain):
        return None
    if isinstance(plain, int | float | str):
        return plain
    calendar = loaded_class("cftime", "datetime")
    is_date = isinstance(plain, date) or (calendar is not None and isinstance(plain, calendar))
    return str(plain.isoformat()) if is_date else None


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray | np.generic) else value


def _trimmed(stamp: str) -> str:
    """Return a time stamp without the zeros of its nanoseconds."""
    return re.sub(r"\.0+$", "", stamp)


def _spacing(values: Any) -> tuple[float, float] | None:
    """Return step and first value of evenly spaced coordinates, None for others."""
    if values.ndim != 1 or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        return None
    values = values.astype(float)
    if len(values) == 1:
        return 1.0, float(values[0])
    step = (values[-1] - values[0]) / (len(values) - 1)
    # Rounded coordinates ("0.32, 0.65, 0.97") are meant to be even: a hundredth of a pixel.
    if (
        step == 0
        or not math.isfinite(step)
        or not np.allclose(np.diff(values), step, rtol=1e-2, atol=0)
    ):
        return None
    return float(step), float(values[0])


def _unit(array: Any, dim: Any) -> str:
    """Return the unit of coordinates: in their attributes, or of pint's quantities."""
    if dim not in array.coords:
        return ""
    coordinate = array.coords[dim]
    unit = coordinate.attrs.get("units", coordinate.attrs.get("unit", ""))
    if not unit and is_quantity(coordinate.data):
        unit = coordinate.data.units
    return str(unit)


def column_names(value: object, count: int) -> tuple[str, ...]:
    """Return the names of the entries along the last axis of a ``DataArray``; empty without them.

    >>> import xarray as xr
    >>> spots = xr.DataArray([[1.0, 2.0]], dims=("spot", "axis"), coords={"axis": ["y", "x"]})
    >>> column_names(spots, 2)
    ('y', 'x')
    """
    if not is_labelled(value):
        return ()
    array: Any = value
    last = array.dims[-1] if array.dims else None
    if last not in array.coords or array.coords[last].dtype.kind not in "UO":
        return ()
    names = tuple(map(str, array.coords[last].values))
    return names if len(names) == count and len(set(names)) == count else ()
