"""Kinds of output, and the layers in one: layer-data tuples, datasets, mappings and lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from dask_napari.coerce._coordinate_columns import axis_columns
from dask_napari.coerce._geometries import is_collection
from dask_napari.coerce._host_arrays import is_array
from dask_napari.coerce._images import IMAGE, LABELS, positions_differ
from dask_napari.coerce._layer_arrays import Note
from dask_napari.coerce._output_kind import OutputKind
from dask_napari.coerce._points import POINTS
from dask_napari.coerce._shapes import SHAPES
from dask_napari.coerce._surfaces import SURFACE
from dask_napari.coerce._tables import is_frame
from dask_napari.coerce._tracks import TRACKS
from dask_napari.coerce._vectors import VECTORS
from dask_napari.model import (
    KINDS,
    PIXEL_KINDS,
    Conversion,
    Coordinate,
    Kind,
    Position,
    Refusal,
    plain_position,
)
from dask_napari.placement import is_dataset, is_labelled, position_of

OUTPUT_KINDS: Final[Mapping[str, OutputKind]] = {
    "image": IMAGE,
    "labels": LABELS,
    "points": POINTS,
    "shapes": SHAPES,
    "tracks": TRACKS,
    "vectors": VECTORS,
    "surface": SURFACE,
}
"""Each kind of output: a new one is a module with an ``OutputKind``, and a row here."""

MAX_LAYERS: Final = 64
"""Layers of one output: as many as a batch holds, and more than anybody looks at."""

META: Final = frozenset(
    {"name", "metadata", "scale", "translate", "units", "axis_labels", "features", "properties"}
    | {"shape_type", "graph", "rgb"}
)
"""Keys of a layer-data tuple that are not options of the napari layer."""

_LAYER_KEYS: Final = META | frozenset(
    {"opacity", "blending", "visible", "colormap", "contrast_limits", "gamma", "affine", "rotate"}
    | {"shear", "size", "symbol", "face_color", "edge_color", "edge_width", "border_color", "text"}
    | {"border_width", "tail_length", "tail_width", "head_length", "length", "shading"}
    | {"rendering", "depiction", "multiscale", "cache", "projection_mode", "interpolation2d"}
)
"""Keys that make the second of a pair the arguments of a layer, not features."""


@dataclass(frozen=True, slots=True)
class OutputLayer:
    """One layer of an output.

    ``name`` is empty for that of the tap; ``meta`` are arguments of napari's layer.
    """

    value: object
    kind: Kind
    name: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    features: object = None


def layers_in(value: object, kind: Kind, layer: str, note: Note) -> list[OutputLayer]:
    """Return the layers in an output; those without a kind or name have the given ones."""
    if type(value) is np.ndarray:
        return [OutputLayer(value, kind)]
    found = _split(value, kind, layer, note)
    if len(found) > MAX_LAYERS:
        raise Refusal(
            "too many parts", f"an output of {len(found)} layers; at most {MAX_LAYERS} are shown"
        )
    return found


def _split(value: Any, kind: Kind, layer: str, note: Note) -> list[OutputLayer]:
    if is_layer_data(value):
        return [_from_layer_data(value, kind, layer, note)]
    _refuse_unknown_kind(value)
    if is_dataset(value):
        return _from_dataset(value, kind, note)
    if isinstance(value, Mapping) and not is_labelled(value) and _holds_layers(value, kind):
        return [
            replace(_single(entry, kind, layer, note), name=str(name))
            for name, entry in value.items()
        ]
    if not isinstance(value, list | tuple):
        return [_single(value, kind, layer, note)]
    if any(map(is_layer_data, value)):
        return [_single(entry, kind, layer, note) for entry in value]
    if len(value) == 1 and _is_output(value[0], kind):
        return [_single(value[0], kind, layer, note)]
    if (
        len(value) < 2
        or _is_pair_with_features(value, kind)
        or not OUTPUT_KINDS[kind].are_several(value)
    ):
        return [_single(value, kind, layer, note)]
    if positions_differ(value):
        return [OutputLayer(entry, kind) for entry in value]
    return [_single(entry, kind, layer, note, f"{layer} {n}") for n, entry in enumerate(value)]


def layers_of_tuple(
    value: tuple[Any, ...], kind: Kind, layer: str, note: Note
) -> tuple[list[OutputLayer], list[int]]:
    """Return the parts of a tuple that may be layers by themselves, and their numbers."""
    if len(value) < 2 or len(value) > MAX_LAYERS or is_layer_data(value):
        return [], []
    numbers = [
        number
        for number, entry in enumerate(value)
        if kind in PIXEL_KINDS or OUTPUT_KINDS[kind].are_several([entry])
    ]
    layers = [_single(value[number], kind, layer, note, f"{layer} {number}") for number in numbers]
    return layers, numbers


def _single(value: Any, kind: Kind, layer: str, note: Note, name: str = "") -> OutputLayer:
    """Return one layer of a value, with the features that come second in a pair."""
    if is_layer_data(value):
        found = _from_layer_data(value, kind, layer, note)
        return replace(found, name=name) if name else found
    if is_labelled(value):
        own: Any = value.attrs.get("kind")
        if isinstance(own, str) and own in KINDS:
            kind = own  # type: ignore[assignment]
    if _is_pair_with_features(value, kind):
        return OutputLayer(value[0], kind, name, features=value[1])
    return OutputLayer(value, kind, name)


def _is_output(value: Any, kind: Kind) -> bool:
    """Return whether the only value of a list is an output, and not an element of one."""
    if kind in PIXEL_KINDS:
        return is_array(value) and getattr(value, "ndim", 0) >= 2
    if kind == "shapes":
        # A list of one shape is read by its kind.
        return is_frame(value) or is_collection(value)
    if isinstance(value, Mapping):
        return OUTPUT_KINDS[kind].is_single(value)
    return OUTPUT_KINDS[kind].are_several([value])


def _is_pair_with_features(value: Any, kind: Kind) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and OUTPUT_KINDS[kind].is_features(value[1])


def is_layer_data(value: Any) -> bool:
    """Return whether a value is napari's layer-data tuple: data, arguments, perhaps the kind."""
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        return False
    if not isinstance(value[1], Mapping):
        return False
    if len(value) == 3:
        return isinstance(value[2], str) and value[2].lower() in KINDS
    if not isinstance(value[1].get("name", ""), str | None):
        return False  # a column of names
    return all(isinstance(k, str) for k in value[1]) and set(value[1]) <= _LAYER_KEYS


def _refuse_unknown_kind(value: Any) -> None:
    """Refuse a layer-data tuple whose kind napari does not know."""
    if not isinstance(value, tuple) or len(value) != 3:
        return
    if isinstance(value[1], Mapping) and isinstance(value[2], str):
        raise Refusal("kind", f"kind {value[2][:40]!r} is unknown; give one of {', '.join(KINDS)}")


def _from_layer_data(value: Any, kind: Kind, layer: str, note: Note) -> OutputLayer:
    own_kind: Any = value[2].lower() if len(value) == 3 else kind
    data, meta = value[0], dict(value[1])
    name = meta.get("name")
    name = name if isinstance(name, str | int | float) else None
    if not name and own_kind != kind:
        name = f"{layer} {own_kind}"
    features = meta.get("features")
    if features is None:
        features = meta.get("properties")
    if isinstance(features, Mapping) and not features:
        features = None
    if meta.pop("multiscale", False) is True and isinstance(data, list | tuple) and data:
        note(Conversion.RESOLUTIONS)
        data = data[0]
    return OutputLayer(data, own_kind, str(name) if name else "", meta, features)


def _from_dataset(dataset: Any, kind: Kind, note: Note) -> list[OutputLayer]:
    """Return the variables of a dataset that have two axes, or its columns of coordinates."""
    if kind not in PIXEL_KINDS:
        columns = {str(n): dataset[n].values for n in dataset.data_vars if dataset[n].ndim == 1}
        if axis_columns(columns):
            return [OutputLayer(columns, kind)]
    names = [name for name in dataset.data_vars if dataset[name].ndim >= 2]
    if not names:
        raise Refusal("empty", "a dataset without a variable of two axes or more")
    if len(names) < len(dataset.data_vars):
        note(Conversion.VARIABLES)
    return [_single(dataset[name], kind, "", note, str(name)) for name in names]


def _holds_layers(value: Mapping[Any, Any], kind: Kind) -> bool:
    """Return whether a mapping holds layers by name; otherwise it is one output."""
    if not value:
        return False
    return any(map(is_layer_data, value.values())) or not OUTPUT_KINDS[kind].is_single(value)


def position_in(meta: Mapping[str, Any]) -> dict[str, Coordinate]:
    """Return the position in the ``metadata`` of a layer-data tuple, empty if there is none."""
    metadata = meta.get("metadata")
    at = metadata.get("at") if isinstance(metadata, Mapping) else None
    if at is None or (isinstance(at, Mapping) and not at):
        return {}
    try:
        return plain_position(at)
    except (TypeError, ValueError) as error:
        raise Refusal("no position", f"metadata['at']: {error}") from error


def place_of(value: object) -> Position:
    """Return the position that an output as a whole names, empty if it names none."""
    if is_layer_data(value):
        layer_data: Any = value
        try:
            return position_in(layer_data[1])
        except Refusal:
            return {}
    if is_dataset(value):
        dataset: Any = value
        return position_of(next(iter(dataset.data_vars.values()), None))
    return position_of(value)
