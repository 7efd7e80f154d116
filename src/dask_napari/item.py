"""Coercion: what a task returned becomes an item that a viewer can show."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dask_napari.stream.item import Calibration, Item, Kind, Position, Provenance
from dask_napari.xarrays import calibration_of, is_labelled, position_of

STREAMABLE: tuple[Kind, ...] = ("image", "labels")
"""Kinds that can be streamed so far."""

# napari's own rule for guessing colour; a smaller image says rgb=True.
_RGB_SIDE = 30


class CoercionError(Exception):
    """An output that cannot be shown.

    Attributes
    ----------
    reason : str
        A short cause without values in it, fit to be counted by.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, str(self))


class CoercionTypeError(CoercionError, TypeError):
    """An output of a type or dtype that its kind cannot show."""


class CoercionValueError(CoercionError, ValueError):
    """An output of a fitting type, but of a shape or with values that cannot be shown."""


def coerce(
    value: object,
    *,
    kind: Kind = "image",
    layer: str = "dask",
    position: Position | None = None,
    provenance: Provenance | None = None,
    calibration: Calibration | None = None,
    rgb: bool | None = None,
) -> Item:
    """Make an item of a task output.

    Images are not copied unless their dtype must change. Labels are read once, to find the
    smallest dtype that holds them: not for an event loop.

    Parameters
    ----------
    value : array-like or xarray.DataArray
        The output: anything that is an array or offers ``__array__``.
    kind : Kind
        What to show it as.
    layer : str
        The layer it belongs to.
    position : Position, optional
        Where it belongs. Without one, the scalar coordinates of a ``DataArray`` say it.
    provenance : Provenance, optional
        The task that made it.
    calibration : Calibration, optional
        What the tap says of pixel sizes; it wins over the coordinates of a ``DataArray``. An
        entry that is one long holds for all spatial axes.
    rgb : bool, optional
        Whether the last axis is colour; guessed from shape and dtype if not given.

    Returns
    -------
    Item
        With data of a numeric dtype and at least two spatial axes.

    Raises
    ------
    CoercionTypeError
        If the output is no array, or its dtype cannot be shown as this kind.
    CoercionValueError
        If it is empty, has too few axes, or does not fit the calibration or ``rgb``.

    Examples
    --------
    >>> import numpy as np
    >>> item = coerce(np.arange(4).reshape(2, 2), kind="labels", position={"well": "A01"})
    >>> item.data.dtype, item.position
    (dtype('uint8'), {'well': 'A01'})
    """
    if kind not in STREAMABLE:
        raise CoercionValueError("kind", f"kind {kind!r} cannot be streamed yet; {STREAMABLE} can")
    data = _as_array(value)
    data = _as_labels(data) if kind == "labels" else _as_image(data)
    is_rgb = _check_shape(data, kind, rgb)
    spatial = data.ndim - is_rgb
    known = Calibration()
    if is_labelled(value):
        known = calibration_of(value, spatial)
        position = position or position_of(value)
    return Item(
        layer=layer,
        kind=kind,
        data=data,
        position=dict(position or {}),
        provenance=provenance or Provenance(),
        calibration=_merge(calibration or Calibration(), known, spatial),
        rgb=is_rgb,
    )


def coerce_all(
    value: object,
    *,
    kind: Kind = "image",
    layer: str = "dask",
    position: Position | None = None,
    provenance: Provenance | None = None,
    calibration: Calibration | None = None,
    rgb: bool | None = None,
) -> list[Item | CoercionError]:
    """Make the items of a task output, one a part; parts that cannot be shown are errors.

    Parameters
    ----------
    value, kind, layer, position, provenance, calibration, rgb
        See :func:`coerce`.

    Examples
    --------
    >>> import numpy as np
    >>> [item.kind for item in coerce_all(np.zeros((4, 4)))]
    ['image']
    """
    try:
        item = coerce(
            value,
            kind=kind,
            layer=layer,
            position=position,
            provenance=provenance,
            calibration=calibration,
            rgb=rgb,
        )
    except CoercionError as error:
        return [error]
    return [item]


def _as_array(value: object) -> npt.NDArray[Any]:
    """Return the output as a plain numeric array, without a copy where that is possible."""
    # A DataArray has the method always, and a graph only when it wraps a dask array.
    graph = getattr(value, "__dask_graph__", None)
    if graph is not None and not isinstance(value, type) and graph() is not None:
        raise CoercionTypeError(
            "lazy collection",
            f"the task returned a lazy {type(value).__name__}; return its .compute() instead",
        )
    if isinstance(value, np.ma.MaskedArray):
        value = value.filled(0)
    is_array = isinstance(value, np.ndarray) or hasattr(value, "__array__")
    if not is_array or isinstance(value, type):
        raise CoercionTypeError(
            "not an array",
            f"the task returned a {type(value).__name__}, which is no array;"
            " select tasks that return arrays",
        )
    try:
        data = np.asarray(value)
    except Exception as error:
        # Arrays on a GPU refuse here, each library with an exception of its own.
        raise CoercionTypeError(
            "not an array", f"a {type(value).__name__} cannot be read as an array: {error}"
        ) from error
    if data.dtype.kind not in "biufc":
        raise CoercionTypeError(
            "dtype",
            f"an array of dtype {data.dtype} cannot be shown; convert it to numbers in the task",
        )
    if data.size == 0:
        raise CoercionValueError("empty", f"the task returned an empty array, shape {data.shape}")
    # The wire knows native byte order only.
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


def _as_image(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Change dtypes that a graphics card does not know into ones that it does."""
    kind, size = data.dtype.kind, data.dtype.itemsize
    if kind == "b":
        return data.view(np.uint8)
    if kind == "c":
        data = np.abs(data)
        kind, size = data.dtype.kind, data.dtype.itemsize
    if kind == "f" and size not in (4, 8):
        return data.astype(np.float32 if size < 4 else np.float64)
    return data


def _as_labels(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Shrink to the smallest dtype that holds every label; napari is fastest with those."""
    if data.dtype.kind == "b":
        return data.view(np.uint8)
    if data.dtype.kind not in "iu":
        raise CoercionTypeError(
            "dtype",
            f"labels must be integers, not {data.dtype}; return labels.astype('uint16'),"
            " or tap this task as kind='image'",
        )
    if data.dtype.itemsize == 1 and data.dtype.kind == "u":
        return data
    low, high = int(data.min()), int(data.max())
    candidates = (np.int8, np.int16, np.int32) if low < 0 else (np.uint8, np.uint16, np.uint32)
    for candidate in candidates:
        limits = np.iinfo(candidate)
        if limits.min <= low and high <= limits.max:
            return data.astype(candidate, copy=False)
    return data


def _check_shape(data: npt.NDArray[Any], kind: Kind, rgb: bool | None) -> bool:
    """Return whether the last axis is colour; refuse what has too few axes."""
    colour = data.ndim >= 3 and data.shape[-1] in (3, 4) and kind == "image"
    if rgb is None:
        rgb = colour and min(data.shape[-3:-1]) >= _RGB_SIDE and data.dtype.kind in "uf"
    if rgb and not colour:
        raise CoercionValueError(
            "rgb", f"rgb=True needs an image of shape (..., 3) or (..., 4), not {data.shape}"
        )
    if data.ndim < 2:
        raise CoercionValueError(
            "dimensions", f"an {kind} layer needs at least 2 axes, and got shape {data.shape}"
        )
    return rgb


def _merge(said: Calibration, known: Calibration, spatial: int) -> Calibration:
    """Join what the tap says with what the array knows; the tap wins."""

    def pick(name: str) -> tuple[Any, ...]:
        entry: tuple[Any, ...] = getattr(said, name)
        if not entry:
            entry = getattr(known, name)
        if len(entry) == 1 and name != "axes":
            return entry * spatial
        if entry and len(entry) != spatial:
            raise CoercionValueError(
                "calibration",
                f"{name}={entry} has {len(entry)} entries, but the array has {spatial}"
                " spatial axes; give one entry an axis, or one for all",
            )
        return entry

    return Calibration(pick("axes"), pick("scale"), pick("translate"), pick("units"))
