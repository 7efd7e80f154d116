"""An output taken apart: layer-data tuples, datasets, mappings and lists of layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from dask_napari.coerce._coerced import Note
from dask_napari.coerce._coordinate_columns import axis_columns
from dask_napari.coerce._host_arrays import is_array, loaded
from dask_napari.coerce._regions import are_regions
from dask_napari.coerce._tables import is_columns, is_frame, table_of
from dask_napari.model import (
    KINDS,
    PIXEL_KINDS,
    Coordinate,
    Kind,
    Position,
    Refusal,
    plain_position,
)
from dask_napari.placement import is_labelled, position_of

MOST: Final = 64
"""Parts of one output: as many as a batch holds, and more layers than anybody looks at."""

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
"""What tells the second of a pair to be the arguments of a layer, not features."""


@dataclass(frozen=True, slots=True)
class LayerPart:
    """One layer of an output.

    Attributes
    ----------
    value : object
        The data, or an error for what is none.
    kind : Kind
        The napari layer type.
    name : str
        Of the part; empty for the layer of the tap.
    meta : mapping
        Arguments of the napari layer.
    features : object
        A table that came with it.
    """

    value: object
    kind: Kind
    name: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    features: object = None


def parts_of(value: object, kind: Kind, layer: str, note: Note) -> list[LayerPart]:
    """Take an output apart.

    Examples
    --------
    >>> import numpy as np
    >>> [part.name for part in parts_of({"raw": np.eye(3), "mask": np.eye(3)}, "image", "a", print)]
    ['raw', 'mask']
    """
    if type(value) is np.ndarray:
        return [LayerPart(value, kind)]
    found = _split(value, kind, layer, note)
    if len(found) > MOST:
        raise Refusal(
            "too many parts", f"an output of {len(found)} layers; at most {MOST} are shown"
        )
    return found


def _split(value: Any, kind: Kind, layer: str, note: Note) -> list[LayerPart]:
    if _is_layer(value):
        return [_of_layer(value, kind, layer, note)]
    if is_dataset(value):
        return _of_dataset(value, kind, note)
    if isinstance(value, Mapping) and not is_labelled(value) and _is_layers(value, kind):
        return [
            _renamed(part, str(name))
            for name, entry in value.items()
            for part in [_single(entry, kind, layer, note)]
        ]
    if isinstance(value, list | tuple) and value and any(map(_is_layer, value)):
        return [_single(entry, kind, layer, note) for entry in value]
    if isinstance(value, list | tuple) and not _beside(value, kind) and _are_parts(value, kind):
        if _placed_apart(value):
            return [LayerPart(entry, kind) for entry in value]
        return [_single(entry, kind, layer, note, f"{layer} {n}") for n, entry in enumerate(value)]
    return [_single(value, kind, layer, note)]


def _single(value: Any, kind: Kind, layer: str, note: Note, name: str = "") -> LayerPart:
    """Return a value as one part, with the features that stand behind it in a pair."""
    if _is_layer(value):
        part = _of_layer(value, kind, layer, note)
        return _renamed(part, name) if name else part
    if is_labelled(value) and value.attrs.get("kind") in KINDS:
        kind = value.attrs["kind"]
    if _beside(value, kind):
        return LayerPart(value[0], kind, name, features=value[1])
    return LayerPart(value, kind, name)


def _beside(value: Any, kind: Kind) -> bool:
    """Whether a value is a pair of data and a table of its features."""
    if not isinstance(value, tuple) or len(value) != 2 or kind in ("tracks", "surface"):
        return False
    table = value[1]
    return is_frame(table) or is_columns(table) or (kind == "labels" and are_regions(table))


def _renamed(part: LayerPart, name: str) -> LayerPart:
    return LayerPart(part.value, part.kind, name, part.meta, part.features)


def _is_layer(value: Any) -> bool:
    """Whether a value is a layer-data tuple of napari: data, arguments and perhaps the kind."""
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        return False
    if not isinstance(value[1], Mapping):
        return False
    if len(value) == 3:
        return isinstance(value[2], str) and value[2].lower() in KINDS
    if not isinstance(value[1].get("name", ""), str | None):
        return False  # a column of names
    return all(isinstance(k, str) for k in value[1]) and set(value[1]) <= _LAYER_KEYS


def _of_layer(value: Any, kind: Kind, layer: str, note: Note) -> LayerPart:
    own: Any = value[2].lower() if len(value) == 3 else kind
    meta = dict(value[1])
    name = meta.get("name")
    if not name and own != kind:
        name = f"{layer} {own}"
    features = meta.get("features")
    if features is None:
        features = meta.get("properties")
    if isinstance(features, Mapping) and not features:
        features = None
    data = value[0]
    if meta.pop("multiscale", False) and isinstance(data, list | tuple) and data:
        note("of several resolutions the finest is shown")
        data = data[0]
    return LayerPart(data, own, str(name) if name else "", meta, features)


def is_dataset(value: object) -> bool:
    """Return whether a value is an ``xarray.Dataset``."""
    dataset = loaded("xarray", "Dataset")
    return dataset is not None and isinstance(value, dataset)


def _of_dataset(value: Any, kind: Kind, note: Note) -> list[LayerPart]:
    """Return the variables of a dataset; those without two axes are no pictures."""
    if kind not in PIXEL_KINDS:
        flat = {str(name): value[name].values for name in value.data_vars if value[name].ndim == 1}
        if axis_columns(flat):
            return [LayerPart(flat, kind)]
    names = [name for name in value.data_vars if value[name].ndim >= 2]
    if not names:
        raise Refusal("empty", "a dataset without a variable of two axes or more")
    return [_single(value[name], kind, "", note, str(name)) for name in names]


def _is_layers(value: Mapping[Any, Any], kind: Kind) -> bool:
    """Whether a mapping is one of layers, not of columns or of what makes one shape or mesh."""
    if not value:
        return False
    if any(_is_layer(entry) for entry in value.values()):
        return True
    if kind == "surface":
        return not {"vertices", "faces"} <= value.keys()
    if kind == "shapes" and ({"type", "vertices", "data", "coordinates", "coords"} & value.keys()):
        return False
    if kind in PIXEL_KINDS:
        return True
    # Lists of nothing at all are layers without a shape, unless their names are axes.
    empty = all(isinstance(entry, list | tuple) and not entry for entry in value.values())
    if is_columns(value) and not empty:
        return False
    return not axis_columns(table_of(value) or {})


def _are_parts(value: Any, kind: Kind) -> bool:
    """Whether a list is one of outputs that are shown side by side, not one output."""
    if len(value) < 2 or (isinstance(value, tuple) and kind in ("shapes", "surface", "tracks")):
        return False
    if kind in PIXEL_KINDS:
        if not all(map(is_array, value)):
            return False
        if isinstance(value, tuple) or _placed_apart(value):
            return True
        forms = {(getattr(v, "shape", None), str(getattr(v, "dtype", None))) for v in value}
        return len(forms) > 1
    if kind == "surface":
        return all(_is_mesh(entry) for entry in value)
    if kind == "shapes":
        return False
    least = 3 if kind == "vectors" else 2
    return all(is_frame(v) or (is_array(v) and getattr(v, "ndim", 0) >= least) for v in value)


def _is_mesh(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) in (2, 3, 4) and is_array(value[0])
    return hasattr(value, "vertices") and hasattr(value, "faces")


def _placed_apart(value: Any) -> bool:
    """Whether a list is one of arrays that know their positions, each another."""
    if not all(map(is_labelled, value)):
        return False
    places = [frozenset(position_of(array).items()) for array in value]
    return all(places) and len(set(places)) == len(places)


def position_in(meta: Mapping[str, Any]) -> dict[str, Coordinate]:
    """Return the position that the ``metadata`` of a layer-data tuple names."""
    metadata = meta.get("metadata")
    at = metadata.get("at") if isinstance(metadata, Mapping) else None
    if not at:
        return {}
    try:
        return plain_position(at)
    except (TypeError, ValueError) as error:
        raise Refusal("no position", f"metadata['at']: {error}") from error


def place_of(value: object) -> Position:
    """Return the position that an output as a whole names, empty if it names none.

    Examples
    --------
    >>> place_of(([[0, 1]], {"metadata": {"at": {"t": 3}}}, "points"))
    {'t': 3}
    """
    if _is_layer(value):
        layer: Any = value
        try:
            return position_in(layer[1])
        except Refusal:
            return {}
    if is_dataset(value):
        dataset: Any = value
        return position_of(next(iter(dataset.data_vars.values()), None))
    return position_of(value)
