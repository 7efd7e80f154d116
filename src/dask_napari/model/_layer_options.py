"""Which arguments of napari's layers a tap may set; looked at on both ends of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

_ANY_KIND = {"opacity", "blending", "visible", "affine", "rotate", "shear", "projection_mode"}
_VOLUME = {"depiction", "plane", "rendering", "colormap"}
_FACE = {"face_color", "face_color_cycle", "face_colormap", "face_contrast_limits"}
_EDGE = {"edge_color", "edge_color_cycle", "edge_colormap", "edge_contrast_limits", "edge_width"}
_BORDER = {"border_color", "border_color_cycle", "border_colormap", "border_contrast_limits"}
_BORDER |= {"border_width", "border_width_is_relative"}
LAYER_OPTIONS = {
    "image": frozenset(
        _ANY_KIND
        | _VOLUME
        | {"attenuation", "contrast_limits", "custom_interpolation_kernel_2d", "gamma"}
        | {"interpolation2d", "interpolation3d", "iso_threshold"}
    ),
    "labels": frozenset(_ANY_KIND | _VOLUME | {"iso_gradient_mode"}),
    "points": frozenset(
        _ANY_KIND
        | _FACE
        | _BORDER
        | {"antialiasing", "canvas_size_limits", "shading", "size", "symbol", "text"}
    ),
    "shapes": frozenset(_ANY_KIND | _FACE | _EDGE | {"text", "z_index"}),
    "tracks": frozenset(
        _ANY_KIND
        | {"color_by", "colormap", "head_length", "hide_completed_tracks", "tail_length"}
        | {"tail_width"}
    ),
    "vectors": frozenset(_ANY_KIND | _EDGE | {"length", "vector_style"}),
    "surface": frozenset(
        _ANY_KIND | {"colormap", "contrast_limits", "gamma", "normals", "shading", "wireframe"}
    ),
}
"""Arguments of napari's layers that a tap may set, by kind."""

OPTIONS_LIMIT: Final = 64 << 10
"""Bytes of the options of one layer; a colormap of 256 colours takes 9 KB."""


def permitted(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options that a layer of this kind may have.

    What a peer sends becomes arguments of napari's functions, so only names on the list pass, and
    nothing at all if there is more of it than anybody needs.

    >>> permitted("labels", {"opacity": 0.5, "data": None})
    {'opacity': 0.5}
    """
    allowed = LAYER_OPTIONS.get(kind, frozenset())
    kept = {name: value for name, value in given.items() if name in allowed}
    return kept if len(msgspec.msgpack.encode(kept)) <= OPTIONS_LIMIT else {}
