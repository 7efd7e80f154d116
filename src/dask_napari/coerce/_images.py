"""Images and labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from dask_napari.coerce._column_roles import check_named, role_column
from dask_napari.coerce._coordinate_columns import numbers_in
from dask_napari.coerce._features import as_column, column, features_of
from dask_napari.coerce._host_arrays import is_array, to_host
from dask_napari.coerce._layer_arrays import CoercionContext, LayerArrays, Note
from dask_napari.coerce._ome_metadata import sizes_of
from dask_napari.coerce._output_kind import OutputKind, is_table
from dask_napari.coerce._regions import are_regions, measured, regions_of
from dask_napari.coerce._tables import Table, required_table
from dask_napari.model import (
    FEATURE,
    PIXEL_KINDS,
    AnyArray,
    Calibration,
    Conversion,
    Kind,
    Position,
    Refusal,
)
from dask_napari.placement import (
    Placement,
    calibration_of,
    is_colour,
    is_labelled,
    named_axes,
    position_of,
    split_axes,
)

MOST_PARTS: Final = 4096
"""Items of one output; elements of more are counted, not named. A year of six-hourly maps fits."""


def image(value: object, context: CoercionContext) -> list[LayerArrays]:
    """Make an image of numbers or flags; it is copied only where its dtype must change."""
    if context.features is not None:
        context.note(Conversion.IMAGE_FEATURES)
    _note_masked(value, context.note)
    data = _numbers(_stacked(value))
    rgb = _is_rgb(data, context.rgb, value)
    data = _drawable(data, context)
    ndim = data.ndim - rgb
    return [LayerArrays("image", data, {}, ndim, rgb, _calibration(value, ndim))]


def labels(value: object, context: CoercionContext) -> list[LayerArrays]:
    """Make labels in the smallest dtype that holds them; napari is fastest with those."""
    if context.rgb:
        raise Refusal("rgb", "rgb=True is for images, not for labels")
    _note_masked(value, context.note)
    data = _smallest(_numbers(_stacked(value)))
    _check_axes(data, "labels")
    try:
        arrays = label_features(context.features, context.note, context.columns)
    except Refusal as error:
        if context.columns:
            raise  # the tap names a column that is not there
        context.note(Conversion.FEATURE.format(why=error.reason), f"no features: {error}")
        arrays = {}
    calibration = _calibration(value, data.ndim)
    return [LayerArrays("labels", data, arrays, data.ndim, calibration=calibration)]


def positions_differ(values: Sequence[Any]) -> bool:
    """Return whether all values are arrays with a position of their own."""
    if not all(map(is_labelled, values)):
        return False
    positions = [frozenset(position_of(array).items()) for array in values]
    return all(positions) and len(set(positions)) == len(positions)


def _are_several(values: Sequence[Any]) -> bool:
    # A list of arrays of one form is a stack.
    if not all(map(is_array, values)):
        return False
    if isinstance(values, tuple) or positions_differ(values):
        return True
    return len({(getattr(v, "shape", None), str(getattr(v, "dtype", None))) for v in values}) > 1


IMAGE: Final = OutputKind(image, _are_several, is_single=lambda value: False)
LABELS: Final = replace(
    IMAGE,
    make=labels,
    is_features=lambda value: is_table(value) or are_regions(value) or _is_details(value),
)


def label_features(
    given: object, note: Note, named: Mapping[str, str] | None = None
) -> dict[str, AnyArray]:
    """Return features of labels; ``feature:index`` tells the label of each row.

    A column such as ``label`` or ``index`` names the labels; without one, rows count them from 0,
    as in napari.
    """
    if given is None:
        return {}
    table: Table = measured(regions_of(given)) if are_regions(given) else _label_table(given)
    if not table:
        return {}
    named = named or {}
    check_named(table, named)
    name = role_column(table, "label", named)
    if name is None:
        first, values = next(iter(table.items()))
        index: AnyArray = np.arange(len(as_column(first, values, "labels")))
    else:
        index = column(as_column(name, table.pop(name), "labels"))
        index = numbers_in(index)
        if index.ndim != 1 or index.dtype.kind not in "iuf":
            raise Refusal("features", f"column {name!r} must hold the whole numbers of labels")
    table.pop("index", None)
    columns = features_of(table, len(index), "labels", note)
    whole = np.isfinite(index) & (index == np.floor(index)) & (np.abs(index) < 1 << 62)
    if not whole.all():
        if not whole.any():
            raise Refusal("features", f"column {name!r} must hold the whole numbers of labels")
        text = "rows of features without the number of a label"
        left_out = f"{int((~whole).sum())} of {len(whole)} {text}"
        note(Conversion.LABEL_ROWS, f"{left_out} are left out")
        index, columns = index[whole], {n: column[whole] for n, column in columns.items()}
    return {FEATURE + "index": index.astype(np.int64, copy=False), **columns}


def _is_details(value: object) -> bool:
    """Return whether a value is the details that StarDist returns beside labels."""
    return (
        isinstance(value, Mapping)
        and {"points", "prob"} <= value.keys()
        and all(
            is_array(value[name]) or isinstance(value[name], list) for name in ("points", "prob")
        )
    )


def _label_table(given: Any) -> Table:
    if not _is_details(given):
        return required_table(given)
    # The first polygon of StarDist has label 1; their outlines are shapes, and no features.
    count = len(given["prob"])
    return {"label": np.arange(1, count + 1), "prob": given["prob"], "points": given["points"]}


def _stacked(value: object) -> object:
    """Return a list of arrays of one shape and dtype as one array with an axis more."""
    if not isinstance(value, list) or len(value) < 2 or not all(map(is_array, value)):
        return value
    arrays = [to_host(entry) for entry in value]
    if len({array.shape for array in arrays}) > 1:
        raise Refusal(
            "dimensions",
            f"arrays of shapes {arrays[0].shape}, {arrays[1].shape} ... make no stack; return a"
            " list of layers",
        )
    return np.stack(arrays)


def _note_masked(value: object, note: Note) -> None:
    """Tell that pixels outside of a mask have a value; see :func:`to_host` for which."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        note(Conversion.MASKED.format(fill="0" if value.dtype.kind in "biuc" else "NaN"))


def _numbers(value: object) -> AnyArray:
    data = to_host(value)
    if data.dtype.kind not in "biufc":
        raise Refusal(
            "dtype",
            f"an array of dtype {data.dtype} cannot be shown; convert it to numbers in the task",
        )
    if data.size == 0:
        raise Refusal("empty", f"the task returned an empty array, shape {data.shape}")
    return data


def _drawable(data: AnyArray, context: CoercionContext) -> AnyArray:
    """Convert dtypes that graphics cards cannot draw."""
    kind = data.dtype.kind
    if kind == "b":
        return data.view(np.uint8)
    if kind == "c":
        context.note(Conversion.COMPLEX)
        data = np.abs(data)
    if data.dtype.kind == "f" and data.dtype.itemsize not in (4, 8):
        if data.dtype.itemsize > 8:
            context.note(Conversion.EXTENDED)
        return data.astype(np.float32 if data.dtype.itemsize < 4 else np.float64)
    return data


def _smallest(data: AnyArray) -> AnyArray:
    if data.dtype.kind == "b":
        return data.view(np.uint8)
    if data.dtype.kind not in "iu":
        raise Refusal(
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


def _is_rgb(data: AnyArray, rgb: bool | None, value: object) -> bool:
    """Return whether the last axis is colour; refuse arrays of too few axes."""
    if rgb is None:
        names = named_axes(value).get(data.ndim - 1, ()) if is_labelled(value) else ()
        rgb = is_colour(data.shape, data.dtype, names)
    elif rgb and (data.ndim < 3 or data.shape[-1] not in (3, 4)):
        raise Refusal(
            "rgb", f"rgb=True needs an image of shape (..., 3) or (..., 4), not {data.shape}"
        )
    _check_axes(data, "image")
    return rgb


def named_parts(
    value: Any, kind: Kind, position: Position, rgb: bool | None, note: Note
) -> Iterator[tuple[object, Position, tuple[int, ...]]]:
    """Yield the parts of an image or labels, as views, with their positions and axes in the array.

    Axes of a ``DataArray`` whose elements have names become axes of the position, as they do for
    the chunks of one. Other values are a part as they are, and their axes are not looked at.
    """
    named = named_axes(value) if kind in PIXEL_KINDS else {}
    if not named:
        yield value, position, ()
        return
    if rgb is None:
        rgb = is_colour(value.shape, value.dtype, named.get(value.ndim - 1, ()))
    ndim = value.ndim - (rgb and kind == "image")
    split = split_axes(value, ndim, named, position)
    if math.prod(len(names) for _, names in split) > MOST_PARTS:
        longest = max(split, key=lambda entry: len(entry[1]))
        split = tuple(entry for entry in split if entry is not longest)
        dim = str(value.dims[longest[0]])
        note(Conversion.COUNTED.format(dim=dim, limit=MOST_PARTS))
    named_dims = tuple((axis, str(value.dims[axis]), names) for axis, names in split)
    axes = tuple(axis for axis in range(ndim) if axis not in dict(split))
    for part, place in Placement(position, split=named_dims).parts(value):
        yield part, place, axes


def _check_axes(data: AnyArray, kind: Kind) -> None:
    if data.ndim < 2:
        raise Refusal(
            "dimensions", f"an {kind} layer needs at least 2 axes, and got shape {data.shape}"
        )


def _calibration(value: Any, ndim: int) -> Calibration:
    if not is_labelled(value):
        return Calibration()
    return calibration_of(value, ndim, sizes_of(value.attrs, tuple(map(str, value.dims))))
