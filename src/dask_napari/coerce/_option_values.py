"""Arguments of napari's layers that come with an output, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dask_napari.coerce._features import features_of
from dask_napari.coerce._layer_arrays import LayerArrays, Note
from dask_napari.coerce._output_layers import META
from dask_napari.model import LAYER_OPTIONS, Conversion, arguments

MAX_LEAVES: Final = 1000
"""Numbers and texts in all options of an item: they travel in the header of its message, where
64 items have 4 MiB together."""

_PER_ELEMENT: Final = frozenset(
    {"size", "symbol", "border_width", "border_color", "face_color", "edge_color", "edge_width"}
    | {"z_index"}
)
"""Options of points, shapes and vectors that may have an entry for each of them."""


def options_of(made: LayerArrays, meta: Mapping[str, Any], note: Note) -> dict[str, Any]:
    """Return the options among the arguments of a layer; unusable ones are left out.

    Options with one entry a point, shape or vector become features of that name: items of one
    layer are joined, and options hold for the whole layer.
    """
    found: dict[str, Any] = {}
    left = MAX_LEAVES
    for name, value in meta.items():
        if name in META or value is None:
            continue
        if name not in LAYER_OPTIONS[made.kind]:
            note(Conversion.ARGUMENT.format(name=str(name)[:60], kind=made.kind))
            continue
        if name in _PER_ELEMENT and _is_per_element(value, made):
            _add_feature(made, name, value, note)
            continue
        try:
            plain = arguments.option(name, value)
            cost = _leaves(plain)
        except (TypeError, ValueError, RecursionError):
            cost = MAX_LEAVES + 1
        if cost > left:
            note(
                Conversion.ARGUMENT_VALUE.format(name=name, why="it is not plain data, or too long")
            )
            continue
        left -= cost
        found[name] = plain
    return found


def _is_per_element(value: Any, made: LayerArrays) -> bool:
    if isinstance(value, str | Mapping) or not hasattr(value, "__len__"):
        return False
    try:
        return len(value) == len(made) != 0
    except TypeError:
        return False  # an array without axes


def _add_feature(made: LayerArrays, name: str, value: Any, note: Note) -> None:
    columns = features_of({name: value}, len(made), made.kind)
    if not columns:
        note(Conversion.ARGUMENT_VALUE.format(name=name, why="it is not plain data"))
        return
    note(Conversion.PER_ELEMENT.format(name=name, kind=made.kind))
    made.arrays = {**columns, **made.arrays}


def _leaves(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_leaves, value))
    if isinstance(value, dict):
        return sum(1 + _leaves(entry) for entry in value.values())
    return 1 + (len(value) // 16 if isinstance(value, str) else 0)
